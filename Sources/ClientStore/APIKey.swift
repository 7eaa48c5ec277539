import Foundation
import RouterCore

/// A client's secret. It is shown once, when it is made, and stored nowhere; producers send its SHA-256.
public struct APIKey: Sendable {
    /// 256 bits: not to be guessed, so the plain SHA-256 of it needs no salt.
    public static let randomBytes = 32
    public static let prefix = "rk_"

    /// `rk_` and 43 characters of base64url.
    public let text: String

    /// From the system's cryptographic generator.
    public static func generate() -> APIKey {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<randomBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let base64 = Data(bytes).base64EncodedString()
        let characters = base64.filter { $0 != "=" }.map { character -> Character in
            switch character {
            case "+": "-"
            case "/": "_"
            default: character
            }
        }
        return APIKey(text: prefix + String(characters))
    }

    /// What Postgres holds and producers send: SHA-256 of the text's UTF-8.
    public var hash: KeyHash { KeyHash.sha256(of: text) }
}
