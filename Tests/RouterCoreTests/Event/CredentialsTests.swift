import RouterCore
import Testing

@Suite struct CredentialsTests {
    private let client = TestRecord.clientText
    private let key = TestRecord.keyHashText
    private let other = "11111111-2222-4333-8444-555555555555"
    private let otherKey = String(repeating: "ab", count: 32)

    private func record(_ members: String..., headers: (String?, String?) = (nil, nil)) -> TestRecord {
        TestRecord("{" + (members + ["\"event_name\":\"e\""]).joined(separator: ",") + "}").with {
            $0.clientIDHeader = headers.0
            $0.apiKeyHashHeader = headers.1
        }
    }

    @Test func fromTheValue() throws {
        let event = try #require(record(#""client_id":"\#(client)""#, #""api_key_hash":"\#(key)""#).judged().event)
        #expect(event.client.description == client)
        #expect(event.keyHashHex == key)
        #expect(text(event.extraFields) == "{}")
        let upper = record(
            #""client_id":"\#(client.uppercased())""#, #""api_key_hash":"\#(key.uppercased())""#
        ).judged().event
        #expect(upper == event)
    }

    @Test func fromTheHeaders() throws {
        let event = try #require(record(headers: (client.uppercased(), key.uppercased())).judged().event)
        #expect(event.client.description == client)
        #expect(event.keyHashHex == key)
    }

    @Test func escapedInTheValue() throws {
        let escaped = client.replacing("-", with: "\\u002d").replacing("d9cb", with: "\\u00649cb")
        let event = try #require(
            record(#""client\u005fid":"\#(escaped)""#, #""\u0061pi_key_hash":"\u0039\#(key.dropFirst())""#).judged()
                .event)
        #expect(event.client.description == client)
        #expect(event.keyHashHex == key)
        #expect(text(event.extraFields) == "{}")
    }

    @Test func missing() throws {
        let id = #""client_id":"\#(client)""#
        let hash = #""api_key_hash":"\#(key)""#
        for (record, names) in [
            (record(), "client_id and api_key_hash are"),
            (record(id), "api_key_hash is"), (record(hash), "client_id is"),
            (record(id, #""api_key_hash":null"#), "api_key_hash is"),
            (record(#""client_id":null"#, hash), "client_id is"),
            (record(#""client_id":null"#, #""api_key_hash":null"#), "client_id and api_key_hash are"),
            // One header alone is ignored, so it neither fills a gap …
            (record(hash, headers: (client, nil)), "client_id is"),
            (record(id, headers: (nil, key)), "api_key_hash is"),
            (record(headers: (client, nil)), "client_id and api_key_hash are"),
        ] {
            let verdict = record.judged()
            #expect(verdict.reason == .missingField)
            #expect(verdict.detail?.hasPrefix(names) == true, "\(verdict)")
        }
        // … nor contradicts.
        #expect(record(id, hash, headers: (other, nil)).judged().event?.client.description == client)
        #expect(record(id, hash, headers: (nil, "junk")).judged().event?.client.description == client)
    }

    @Test func missingIsToldBeforeInvalid() {
        #expect(record(#""client_id":5"#).judged().reason == .missingField)
        #expect(record(#""api_key_hash":"xyz""#).judged().reason == .missingField)
        #expect(record(#""client_id":"a","client_id":"b""#).judged().reason == .missingField)
        // A repeated header of one name leaves the other one missing.
        let half = record(headers: (client, nil)).with { $0.hasRepeatedCredentialHeader = true }
        #expect(half.judged().reason == .missingField)
    }

    @Test(arguments: [
        "5", "true", "[]", "{}", #""""#, #""junk""#, #""0f8fad5bd9cb469fa16570867728950e""#,
        #""{0f8fad5b-d9cb-469f-a165-70867728950e}""#, #""0f8fad5b-d9cb-469f-a165-70867728950e ""#,
        #""0f8fad5b-d9cb-469f-a165-7086772895\ud800""#, #""0f8fad5b-d9cb-469f-a165-7086772895é""#,
        #""\u00000f8fad5b-d9cb-469f-a165-70867728950""#,
    ])
    func invalidClientID(_ json: String) {
        for headers in [(nil, nil), (client, key)] {
            let verdict = record(#""client_id":\#(json)"#, #""api_key_hash":"\#(key)""#, headers: headers).judged()
            #expect(verdict.reason == .invalidField)
            #expect(verdict.detail?.hasPrefix("client_id ") == true)
        }
    }

    @Test(arguments: [
        "5", "false", "[]", "{}", #""""#, #""9f86d081""#, #""\ud800""#,
        #""9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a0g""#,
        #""9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a080""#,
    ])
    func invalidKeyHash(_ json: String) {
        for headers in [(nil, nil), (client, key)] {
            let verdict = record(#""client_id":"\#(client)""#, #""api_key_hash":\#(json)"#, headers: headers).judged()
            #expect(verdict.reason == .invalidField)
            #expect(verdict.detail?.hasPrefix("api_key_hash ") == true)
        }
    }

    @Test func invalidHeaders() {
        for headers in [("", key), ("junk", key), (client, ""), (client, "junk"), (client + " ", key), (key, client)] {
            let verdict = record(headers: headers).judged()
            #expect(verdict.reason == .invalidField)
            #expect(verdict.detail?.hasPrefix("the header ") == true)
        }
    }

    /// What the value gives beside the headers has to agree, as a value and not as text; null gives nothing.
    @Test func headersAndValueTogether() {
        let id = #""client_id":"\#(client.uppercased())""#
        let hash = #""api_key_hash":"\#(key.uppercased())""#
        let headers = (Optional(client), Optional(key))
        #expect(record(id, hash, headers: headers).judged().event?.client.description == client)
        #expect(record(id, headers: headers).judged().event != nil)
        #expect(record(hash, headers: headers).judged().event != nil)
        #expect(record(#""client_id":null"#, #""api_key_hash":null"#, headers: headers).judged().event != nil)
        for members in [
            #""client_id":"\#(other)""#, #""api_key_hash":"\#(otherKey)""#, #"\#(id),"api_key_hash":"\#(otherKey)""#,
            #""client_id":"\#(other)",\#(hash)"#,
        ] {
            let verdict = record(members, headers: headers).judged()
            #expect(verdict.reason == .invalidField)
            #expect(verdict.detail?.contains("differs") == true)
        }
    }

    @Test func givenTwice() {
        let id = #""client_id":"\#(client)""#
        let hash = #""api_key_hash":"\#(key)""#
        for twice in [
            record(id, id, hash), record(id, hash, hash), record(id, hash, #""client\u005fid":"\#(client)""#),
            record(#""client_id":null"#, id, hash), record(id, #""client_id":null"#, hash),
            record(id, id, headers: (client, key)), record(#""api_key_hash":null"#, hash, hash, headers: (client, key)),
        ] {
            #expect(twice.judged().reason == .invalidField)
        }
        let repeated = record(id, hash, headers: (client, key)).with { $0.hasRepeatedCredentialHeader = true }
        #expect(repeated.judged().reason == .invalidField)
        let repeatedAlone = record(id, hash, headers: (client, nil)).with { $0.hasRepeatedCredentialHeader = true }
        #expect(repeatedAlone.judged().reason == .invalidField)
    }

    @Test func noRefusalTellsACredential() {
        for verdict in [
            record(#""client_id":"\#(other)""#, #""api_key_hash":"\#(otherKey)""#, headers: (client, key)).judged(),
            record(#""client_id":"\#(client)""#, #""api_key_hash":"\#(otherKey)""#, headers: (client, key)).judged(),
            record(#""client_id":"\#(client)""#, #""api_key_hash":"\#(otherKey)0""#).judged(),
            record(headers: (client, otherKey + "0")).judged(),
        ] {
            #expect(verdict.reason == .invalidField)
            for secret in [key, otherKey, String(otherKey.prefix(8)), String(key.prefix(8))] {
                #expect(verdict.detail?.contains(secret) == false)
            }
        }
    }
}
