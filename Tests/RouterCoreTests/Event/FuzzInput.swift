/// A fuzzer's bytes as a record: the first three choose headers, times and limit, the rest is the value.
///
/// Shared by the fuzzer (Tests/Fuzzing) and by the test that replays its corpus. A value keeps its meaning when a case is
/// appended to a list, so append only.
struct FuzzInput {
    static let topic = "shared_raw_events"
    static let prefixBytes = 3

    static let client = "0f8fad5b-d9cb-469f-a165-70867728950e"
    static let keyHash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

    struct Headers {
        var clientID: String?
        var keyHash: String?
        var isRepeated = false
    }

    /// 'a' is the first one.
    static let headers: [Headers] = [
        Headers(),
        Headers(clientID: client, keyHash: keyHash),
        Headers(clientID: client.uppercased(), keyHash: keyHash.uppercased()),
        Headers(clientID: client),
        Headers(keyHash: keyHash),
        Headers(clientID: "11111111-2222-4333-8444-555555555555", keyHash: keyHash),
        Headers(clientID: client, keyHash: String(repeating: "0", count: 64)),
        Headers(clientID: "no uuid", keyHash: keyHash),
        Headers(clientID: client, keyHash: "é" + keyHash.dropFirst(2)),
        Headers(clientID: "", keyHash: ""),
        Headers(clientID: client, keyHash: keyHash, isRepeated: true),
        Headers(clientID: client, isRepeated: true),
        Headers(clientID: client.replacing("-", with: "_"), keyHash: keyHash),
        Headers(clientID: client, keyHash: keyHash + "0"),
    ]

    /// 'a' is the first one: 2026-01-31T12:00:00Z, none, then edges of calendars, columns and numbers.
    static let timestamps: [Int64?] = [
        1_769_860_800_000, nil, 0, -1, 951_782_400_000, 1_709_164_800_000, 4_102_444_800_000, 1_735_689_599_999,
        -2_208_988_800_000, -2_208_988_800_001, 10_413_791_999_999, 10_413_792_000_000, .max, .min,
        1_769_860_800_000_000, -62_167_219_200_000, 253_402_300_799_999, 100_000_000_000, 1_483_228_800_000,
    ]

    /// 'a' is the first one, the default of `ROUTER_MAX_EVENT_BYTES`.
    static let limits = [1 << 20, 1 << 20, 1 << 20, 1 << 20, 300, 64]

    var headers: Headers
    var timestampMilliseconds: Int64?
    var maxEventBytes: Int
    var value: ArraySlice<UInt8>

    /// - Parameter bytes: anything; where the three are missing they count as 'a'.
    init(_ bytes: [UInt8]) {
        func choice(_ index: Int, of count: Int) -> Int {
            index < bytes.count ? (Int(bytes[index]) + count * 97 - 97) % count : 0
        }
        headers = Self.headers[choice(0, of: Self.headers.count)]
        timestampMilliseconds = Self.timestamps[choice(1, of: Self.timestamps.count)]
        maxEventBytes = Self.limits[choice(2, of: Self.limits.count)]
        value = bytes.dropFirst(Self.prefixBytes)
    }

    /// Any two numbers that differ from input to input, so that ids are derived from many places.
    var partition: Int32 { Int32(truncatingIfNeeded: value.count) & .max }
    var offset: Int64 { value.reduce(Int64(value.count)) { ($0 &* 31 &+ Int64($1)) & .max } }
}
