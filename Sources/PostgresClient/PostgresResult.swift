import CLibpq

/// The rows of one statement, copied out of libpq's memory; every value is Postgres' text form, nil is NULL.
public struct PostgresResult: Sendable {
    public let columns: [String]
    public let rows: [PostgresRow]
    /// Rows that an INSERT, UPDATE or DELETE touched; 0 for statements that touch none.
    public let affectedRows: Int

    init(copying result: borrowing ResultHandle) {
        let columnCount = PQnfields(result.pointer)
        // PQfname: "returns null if the column number is out of range"; it is not.
        columns = (0..<columnCount).map { column in PQfname(result.pointer, column).map { String(cString: $0) } ?? "" }
        let indexes = Dictionary(columns.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        rows = (0..<PQntuples(result.pointer)).map { row in
            let values = (0..<columnCount).map { result.value(row: row, column: $0) }
            return PostgresRow(indexes: indexes, values: values)
        }
        // PQcmdTuples: "an empty string" for statements that it does not count.
        affectedRows = PQcmdTuples(result.pointer).flatMap { Int(String(cString: $0)) } ?? 0
    }
}

/// One row, its values found by the name of their column.
public struct PostgresRow: Sendable {
    /// Shared by all rows of a result.
    let indexes: [String: Int]
    public let values: [String?]

    /// nil for NULL, and for a column that the statement does not return.
    public subscript(_ column: String) -> String? {
        guard let index = indexes[column] else { return nil }
        return values[index]
    }

    /// The value, or an error that names the column when it is NULL or not there.
    public func required(_ column: String) throws(PostgresError) -> String {
        guard let value = self[column] else {
            throw PostgresError(
                .unexpectedResult, "column \(column) is NULL or not in the result", isRetriable: false)
        }
        return value
    }

    public func requiredInteger(_ column: String) throws(PostgresError) -> Int64 {
        guard let value = Int64(try required(column)) else {
            throw PostgresError(.unexpectedResult, "column \(column) is not an integer", isRetriable: false)
        }
        return value
    }
}

/// Owns one `PGresult` and frees it.
struct ResultHandle: ~Copyable {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        PQclear(pointer)
    }

    func value(row: Int32, column: Int32) -> String? {
        guard PQgetisnull(pointer, row, column) == 0, let bytes = PQgetvalue(pointer, row, column) else { return nil }
        // Text values are zero-terminated, but the length is known and need not be counted again.
        let length = Int(PQgetlength(pointer, row, column))
        return String(decoding: UnsafeRawBufferPointer(start: bytes, count: length), as: UTF8.self)
    }

    func field(_ code: Int32) -> String? {
        PQresultErrorField(pointer, code).map { String(cString: $0) }
    }
}
