/// A text that must not reach a log, an error, a metric or a header by accident: printing it shows `***`.
///
/// Only `reveal()` gives the text itself, so that a search for that one word finds every place that uses a secret.
public struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    static let mask = "***"

    private let text: String

    public init(_ text: String) {
        self.text = text
    }

    public func reveal() -> String { text }

    public var description: String { Self.mask }
    public var debugDescription: String { Self.mask }
    /// `dump` and string interpolation of a containing struct go through the mirror and would show the text.
    public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
