import ClickHouseClient
import ClientStore
import RouterCore

/// A ClickHouse user for one client: it may read the client's database and nothing else.
///
/// Unproven in the development stack, whose engine has no users: there only the refusal is tested.
struct ClientUser {
    enum Outcome {
        case made(password: String)
        case exists
        /// The server has no access control, or does not let us use it.
        case notAllowed(code: Int)
    }

    /// The same as its database's.
    var name: String
    var database: String
    var cluster: String?

    init(database: String, cluster: String?) {
        name = database
        self.database = database
        self.cluster = cluster
    }

    var quotedName: String { Identifier.quoted(name) }

    /// The password itself is never sent, so that it stands in no log of the server's.
    func statements(passwordHash: String) throws -> [String] {
        let place = cluster.map { " ON CLUSTER \(Identifier.quoted($0))" } ?? ""
        return [
            "CREATE USER \(quotedName)\(place) IDENTIFIED WITH sha256_hash BY '\(passwordHash)'",
            "GRANT\(place) SELECT ON \(Identifier.quoted(database)).* TO \(quotedName)",
        ]
    }

    func make(_ warehouse: Warehouse) async throws -> Outcome {
        do {
            let body = try await warehouse.ask(
                "SELECT count() FROM system.users WHERE name = {n:String} FORMAT RowBinary", [("n", name)])
            guard try CountAnswer.read(body) == 0 else { return .exists }
            let password = APIKey.generate().text.dropFirst(APIKey.prefix.count)
            for sql in try statements(passwordHash: KeyHash.sha256(of: String(password)).hex) {
                try await warehouse.ask(sql)
            }
            return .made(password: String(password))
        } catch let exception as ClickHouseException {
            // The server's words may quote the statement, and with it the hash: its code has to do.
            return .notAllowed(code: exception.code)
        }
    }
}
