/// Why a record could not become a row: the closed set of names that `router.reason` carries.
///
/// The raw values are a contract with every tool that reads the dead-letter topic: never rename one.
public enum DeadLetterReason: String, Sendable, CaseIterable, Hashable, Codable {
    /// The value is not one RFC 8259 document in valid UTF-8, or is nested deeper than 512.
    case malformedJSON = "malformed_json"
    /// The value is valid JSON, but not an object.
    case notAnObject = "not_an_object"
    /// A tombstone, or nothing but white space.
    case emptyPayload = "empty_payload"
    /// The value is longer than `ROUTER_MAX_EVENT_BYTES`.
    case payloadTooLarge = "payload_too_large"
    /// `client_id`, `api_key_hash` or `event_name` is absent or `null`.
    case missingField = "missing_field"
    /// A field has the wrong type or form, or is given twice, or contradicts its header.
    case invalidField = "invalid_field"
    /// The timestamp is too far from the record's own.
    case timestampOutOfRange = "timestamp_out_of_range"
    /// Postgres knows no client of that id.
    case unknownClient = "unknown_client"
    /// The client exists; the key is not (or no longer) its key.
    case invalidAPIKey = "invalid_api_key"
    /// The client is pending, suspended or deprovisioned.
    case clientNotActive = "client_not_active"
    /// ClickHouse refused this very row.
    case destinationRejected = "destination_rejected"
    /// This one client's destination could not be written for longer than `ROUTER_DESTINATION_TIMEOUT_MS`.
    case destinationUnavailable = "destination_unavailable"
}
