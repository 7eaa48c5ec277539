import Testing

@testable import RouterCore

@Suite struct TextFormsTests {
    static let digits = "0123456789abcdef"

    @Test func uuidRoundTripsInEitherCase() throws {
        let text = "0123abcd-4567-89ef-fedc-ba9876543210"
        let uuid = try #require(UUID128(text))
        #expect(uuid.high == 0x0123_ABCD_4567_89EF)
        #expect(uuid.low == 0xFEDC_BA98_7654_3210)
        #expect(uuid.description == text)
        #expect(UUID128("0123ABCD-4567-89EF-FEDC-BA9876543210") == uuid)
        #expect(UUID128("0123abCD-4567-89eF-FedC-bA9876543210") == uuid)
        #expect(UUID128("00000000-0000-0000-0000-000000000000") == UUID128(high: 0, low: 0))
        #expect(UUID128("ffffffff-ffff-ffff-ffff-ffffffffffff") == UUID128(high: .max, low: .max))
    }

    @Test(arguments: [
        "", "0123abcd", "0123abcd456789effedcba9876543210", "{0123abcd-4567-89ef-fedc-ba9876543210}",
        "urn:uuid:0123abcd-4567-89ef-fedc-ba9876543210", " 0123abcd-4567-89ef-fedc-ba987654321",
        "0123abcd-4567-89ef-fedc-ba9876543210 ", "0123abcd-4567-89ef-fedcb-a9876543210",
        "0123abcd4-567-89ef-fedc-ba9876543210", "0123abcd-4567-89ef-fedc_ba9876543210",
        "0123abcd-4567-89ef-fedc-ba987654321", "0123abcd-4567-89ef-fedc-ba98765432100",
        "+123abcd-4567-89ef-fedc-ba9876543210", "0x23abcd-4567-89ef-fedc-ba9876543210",
    ])
    func otherFormsAreNoUUID(_ text: String) {
        #expect(UUID128(text) == nil)
    }

    /// Every byte at every place of a digit, against the standard library's idea of a hex digit.
    @Test func everyByteAtEveryPlace() {
        let uuid = Array("0123abcd-4567-89ef-fedc-ba9876543210".utf8)
        let hash = Array(String(repeating: "0123456789abcdef", count: 4).utf8)
        for byte in UInt8.min...UInt8.max {
            let isDigit = byte < 0x80 && Character(Unicode.Scalar(byte)).isHexDigit
            for index in uuid.indices {
                var changed = uuid
                changed[index] = byte
                let expected = uuid[index] == 0x2D ? byte == 0x2D : isDigit
                let parsed = changed.withUnsafeBytes { UUID128(text: $0) }
                #expect((parsed != nil) == expected, "byte \(byte) at \(index)")
                if let parsed { #expect(parsed.description == String(decoding: changed, as: UTF8.self).lowercased()) }
            }
            for index in hash.indices {
                var changed = hash
                changed[index] = byte
                let parsed = changed.withUnsafeBytes { KeyHash(hex: $0) }
                #expect((parsed != nil) == isDigit, "byte \(byte) at \(index)")
                if let parsed { #expect(parsed.hex == String(decoding: changed, as: UTF8.self).lowercased()) }
            }
        }
    }

    @Test func randomUUIDsAreVersion4() {
        let uuids = (0..<1000).map { _ in UUID128.random() }
        #expect(Set(uuids).count == 1000)
        for uuid in uuids {
            #expect(uuid.high >> 12 & 0x0F == 4)
            #expect(uuid.low >> 62 == 0b10)
        }
        // All other bits are seen both set and unset.
        let ones = uuids.reduce(UUID128(high: 0, low: 0)) { UUID128(high: $0.high | $1.high, low: $0.low | $1.low) }
        let zeros = uuids.reduce(UUID128(high: 0, low: 0)) { UUID128(high: $0.high | ~$1.high, low: $0.low | ~$1.low) }
        #expect(ones == UUID128(high: 0xFFFF_FFFF_FFFF_4FFF, low: 0xBFFF_FFFF_FFFF_FFFF))
        #expect(zeros == UUID128(high: 0xFFFF_FFFF_FFFF_BFFF, low: 0x7FFF_FFFF_FFFF_FFFF))
    }

    /// Vectors of FIPS 180-4.
    @Test func keyHashIsSHA256() throws {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        #expect(KeyHash.sha256(of: "").hex == empty)
        #expect(KeyHash.sha256(of: UnsafeRawBufferPointer(start: nil, count: 0)).hex == empty)
        #expect(
            KeyHash.sha256(of: "abc").hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let parsed = try #require(KeyHash(hex: empty.uppercased()))
        #expect(parsed.matches(KeyHash.sha256(of: "")))
        for bad in ["", String(empty.dropLast()), empty + "0", " " + empty.dropFirst()] {
            #expect(KeyHash(hex: bad) == nil)
        }
    }

    @Test func keyHashIsNeverPrinted() {
        let hash = KeyHash.sha256(of: "secret")
        for shown in ["\(hash)", String(describing: hash), String(reflecting: hash), "\(Optional(hash) as Any)"] {
            #expect(!shown.contains(hash.hex.prefix(8)))
            #expect(!shown.contains(String(hash.w0)))
        }
    }
}
