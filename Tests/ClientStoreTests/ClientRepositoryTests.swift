import ClientStore
import Foundation
import PostgresClient
import RouterCore
import RouterTestSupport
import Testing

@Suite struct APIKeyTests {
    @Test func keysHaveTheirFormAndDiffer() {
        let keys = (0..<200).map { _ in APIKey.generate().text }
        #expect(Set(keys).count == 200)
        for key in keys { #expect(key.wholeMatch(of: /rk_[A-Za-z0-9_-]{43}/) != nil) }
    }

    @Test func theHashIsWhatSha256sumSays() throws {
        let key = APIKey.generate()
        let output = try TestServers.run(["sha256sum"], input: key.text)
        #expect(output.hasPrefix(key.hash.hex + " "))
    }
}

@Suite(.enabled(if: TestPostgres.isAvailable, "needs Debian's postgresql-15"))
struct ClientRepositoryTests {
    let server: TestPostgres
    let database: String
    let hash = APIKey.generate().hash

    init() throws {
        server = try TestPostgres.shared.get()
        database = try server.makeDatabase()
    }

    func repository() throws -> ClientRepository {
        ClientRepository(
            try PostgresConnection(
                PostgresSettings(
                    host: "127.0.0.1", port: server.port, database: database, user: server.user,
                    password: server.password)))
    }

    func code(_ body: () throws -> Void) -> ClientRepositoryError.Code? {
        do { try body() } catch { return (error as? ClientRepositoryError)?.code }
        return nil
    }

    @Test func aClientIsAddedFoundAndListed() throws {
        let repository = try repository()
        let name = "O'Brien; DROP TABLE clients; \"é\" 😀"
        let added = try repository.add(name: name, keyHash: hash)
        #expect(added.status == .pending)
        #expect(added.name == name)
        #expect(added.databaseName == DatabaseName.standard(for: added.id))
        let other = try repository.add(name: "second", id: ClientID(high: 1, low: 1), database: "mine", keyHash: hash)
        #expect(try repository.find(added.id) == added)
        #expect(try repository.list() == [added, other])
        #expect(try repository.find(.random()) == nil)
        #expect(
            try server.psql("SELECT api_key_hash FROM clients WHERE ch_database_name = 'mine'", database: database)
                == hash.hex)
    }

    @Test func whatIsTakenOrWrongIsSaidClearly() throws {
        let repository = try repository()
        let first = try repository.add(name: "n", database: "mine", keyHash: hash)
        #expect(code { _ = try repository.add(name: "m", database: "mine", keyHash: hash) } == .databaseTaken)
        #expect(code { _ = try repository.add(name: "m", id: first.id, database: "d", keyHash: hash) } == .idTaken)
        for name in ["", " \t\n", String(repeating: "n", count: 201), "a\0b"] {
            #expect(code { _ = try repository.add(name: name, keyHash: hash) } == .nameInvalid)
        }
        for name in ["", "1a", "a-b", "a`b", "system", "DEFAULT", String(repeating: "a", count: 64), "é"] {
            #expect(code { _ = try repository.add(name: "n", database: name, keyHash: hash) } == .databaseInvalid)
        }
        // At the edge, where Postgres and we must agree.
        _ = try repository.add(
            name: String(repeating: "é", count: 200), database: String(repeating: "a", count: 63), keyHash: hash)
    }

    @Test func statusChangesInOneStepOrNotAtAll() throws {
        let repository = try repository()
        let client = try repository.add(name: "n", keyHash: hash)
        #expect(try repository.setStatus(client.id, from: [.pending, .active], to: .active).status == .active)
        #expect(code { try repository.setStatus(client.id, from: [.pending], to: .active) } == .statusRefused)
        #expect(try repository.find(client.id)?.status == .active)
        #expect(code { try repository.setStatus(.random(), from: [.active], to: .suspended) } == .notFound)
    }

    @Test func aRotationKeepsThePreviousKeyForTheTimeGiven() throws {
        let repository = try repository()
        let client = try repository.add(name: "n", keyHash: hash)
        let second = APIKey.generate().hash
        let rotated = try repository.rotateKey(client.id, to: second, previousValidForMilliseconds: 60_000)
        let expiry = try #require(rotated.previousKeyExpiresAtMilliseconds)
        #expect((59_000...60_000).contains(expiry - rotated.updatedAtMilliseconds))
        #expect(
            try server.psql("SELECT api_key_hash, previous_api_key_hash FROM clients", database: database)
                == "\(second.hex)|\(hash.hex)")
        let ended = try repository.rotateKey(client.id, to: hash, previousValidForMilliseconds: 0)
        #expect(ended.previousKeyExpiresAtMilliseconds == nil)
        for wrong in [-1, ClientRepository.previousKeyLimitMilliseconds + 1] {
            #expect(
                code { try repository.rotateKey(client.id, to: hash, previousValidForMilliseconds: wrong) }
                    == .validityInvalid)
        }
        #expect(code { try repository.rotateKey(.random(), to: hash, previousValidForMilliseconds: 0) } == .notFound)
    }
}
