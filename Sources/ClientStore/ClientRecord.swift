import PostgresClient
import RouterCore

/// A row of `public.clients` as an operator sees it: without the hashes of its keys.
public struct ClientRecord: Sendable, Equatable {
    public var id: ClientID
    public var name: String
    public var status: ClientStatus
    public var databaseName: String
    /// Milliseconds since 1970, UTC.
    public var createdAtMilliseconds: Int64
    public var updatedAtMilliseconds: Int64
    /// Until when the key before the last rotation is accepted; nil without one.
    public var previousKeyExpiresAtMilliseconds: Int64?
    /// The highest version of its schema that was applied; nil before it is provisioned.
    public var schemaVersion: Int?
    /// For how many days its table keeps events; nil: for ever.
    public var retentionDays: Int?

    static let columns = """
        client_id, client_name, status, ch_database_name,
        (extract(epoch FROM created_at) * 1000)::bigint AS created_ms,
        (extract(epoch FROM updated_at) * 1000)::bigint AS updated_ms,
        CASE WHEN isfinite(previous_api_key_expires_at)
             THEN (extract(epoch FROM previous_api_key_expires_at) * 1000)::bigint
             WHEN previous_api_key_expires_at = 'infinity' THEN 9223372036854775807
             WHEN previous_api_key_expires_at = '-infinity' THEN 0 END AS previous_expires_ms,
        (SELECT max(v.version) FROM public.schema_versions AS v WHERE v.client_id = clients.client_id)
            AS schema_version,
        (SELECT r.days FROM public.client_retention AS r WHERE r.client_id = clients.client_id AND r.ended_at IS NULL
          ORDER BY r.started_at DESC LIMIT 1) AS retention_days
        """

    init(_ row: PostgresRow) throws(PostgresError) {
        guard let id = ClientID(try row.required("client_id")) else {
            throw PostgresError(.unexpectedResult, "clients.client_id is not a UUID", isRetriable: false)
        }
        let statusText = try row.required("status")
        guard let status = ClientStatus(rawValue: statusText) else {
            throw PostgresError(
                .unexpectedResult, "client \(id) has the status \(statusText), which this version does not know",
                isRetriable: false)
        }
        self.id = id
        self.status = status
        name = try row.required("client_name")
        databaseName = try row.required("ch_database_name")
        createdAtMilliseconds = try row.requiredInteger("created_ms")
        updatedAtMilliseconds = try row.requiredInteger("updated_ms")
        previousKeyExpiresAtMilliseconds = row["previous_expires_ms"].flatMap { Int64($0) }
        schemaVersion = row["schema_version"].flatMap { Int($0) }
        retentionDays = row["retention_days"].flatMap { Int($0) }
    }
}

/// Why an operation on a client was refused, in words for the operator.
public struct ClientRepositoryError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case notFound = "client_not_found"
        case idTaken = "client_id_taken"
        case databaseTaken = "client_database_taken"
        case nameInvalid = "client_name_invalid"
        case databaseInvalid = "client_database_invalid"
        case statusRefused = "client_status_refused"
        case validityInvalid = "client_key_validity_invalid"
    }

    public var code: Code
    public var message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code.rawValue): \(message)" }
}
