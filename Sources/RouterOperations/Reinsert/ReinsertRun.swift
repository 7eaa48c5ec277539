import Foundation
import Logging
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// One run that inserts beside the pipeline, as Postgres knows it: it excludes the others of its topic, and waits out
/// what a run that was killed may have left under way.
final class ReinsertRun {
    enum Kind: String { case replay, rebuild }

    /// A run starts no insert when its last heartbeat is older than this: by then another one may have taken its place.
    static let leaseMilliseconds = 10_000
    /// How long one insert may take at the server.
    static let maxExecutionSeconds = 30
    /// For a request that is still in a socket, and for clocks.
    static let graceMilliseconds = 2_000
    private static let pollMilliseconds = 500

    let id = UUID128.random()
    private let connection: PostgresConnection
    private let warehouse: Warehouse
    private let log: Logger
    private let topic: String
    private var isEnded = false

    /// - Parameters:
    ///   - options: for the record, one JSON object.
    ///   - waiting: told what is waited for.
    /// - Throws: `replay_busy` when another run of this topic is under way.
    init(
        _ kind: Kind, settings: Settings, warehouse: Warehouse, options: String, log: Logger,
        waiting: (String) -> Void
    ) async throws {
        self.warehouse = warehouse
        self.log = log
        topic = settings.kafka.rawTopic
        connection = try PostgresConnection(settings.postgresSettings)
        let lock = try connection.query(
            "SELECT pg_try_advisory_lock(hashtextextended('router reinsert ' || $1, 0)) AS ours", [topic])
        guard lock.rows.first?["ours"] == "t" else { throw try busy() }
        try await waitOutOthers(waiting)
        try connection.query(
            """
            INSERT INTO public.replay_runs (run_id, kind, topic, operator, options)
            VALUES ($1::uuid, $2, $3, $4, $5::jsonb)
            """, [id.description, kind.rawValue, topic, OperatorName.current, options])
    }

    private func busy() throws -> OperationError {
        let row = try connection.query(
            """
            SELECT kind, operator, started_at::text AS since FROM public.replay_runs
             WHERE topic = $1 AND state = 'running' ORDER BY started_at DESC LIMIT 1
            """, [topic]
        ).rows.first
        let who = row.map {
            ": a \($0["kind"] ?? "run") by \($0["operator"] ?? "?"), since \($0["since"] ?? "?")"
        }
        return OperationError(
            "replay_busy",
            "another replay or rebuild of \(topic) is under way\(who ?? ""); run the command again when it has ended",
            isRetriable: true)
    }

    // MARK: Those before

    private func waitOutOthers(_ waiting: (String) -> Void) async throws {
        let rows = try connection.query(
            """
            SELECT run_id, (extract(epoch FROM now() - heartbeat_at) * 1000)::bigint AS age_ms
              FROM public.replay_runs WHERE topic = $1 AND quiet_at IS NULL
            """, [topic]
        ).rows
        for row in rows {
            let other = try row.required("run_id")
            let lease = Int64(Self.leaseMilliseconds + Self.graceMilliseconds)
            let age = max(0, try row.requiredInteger("age_ms"))
            let start = ContinuousClock.now
            waiting("waiting until nothing of the run \(other), which did not end in order, is under way")
            // It may have sent its last insert as late as its lease allowed.
            if age < lease { try await Task.sleep(for: .milliseconds(lease - age)) }
            let limit = Duration.milliseconds(lease - age) + .seconds(Self.maxExecutionSeconds)
            var quiet = 0
            while quiet < 2, ContinuousClock.now - start < limit {
                // Where the server does not tell its queries, the time limit that they have is what there is to go by.
                let running = try? await warehouse.ask(DestinationProbe.running(prefix: Self.queryPrefix(other)))
                quiet = running.map { (try? CountAnswer.read($0)) == 0 } == true ? quiet + 1 : 0
                if quiet < 2 { try await Task.sleep(for: .milliseconds(Self.pollMilliseconds)) }
            }
            try connection.query(
                """
                UPDATE public.replay_runs SET quiet_at = now(), ended_at = coalesce(ended_at, now()),
                       state = CASE WHEN state = 'running' THEN 'lost' ELSE state END WHERE run_id = $1::uuid
                """, [other])
            log.notice("a run that did not end in order is over", metadata: ["run": "\(other)"])
        }
    }

    static func queryPrefix(_ run: String) -> String { "reinsert-\(run)-" }

    var queryPrefix: String { Self.queryPrefix(id.description) }

    // MARK: Its life

    /// Renews the lease; with it the lock is still ours, as both are the same connection's.
    func heartbeat(delivered: Int, failed: Int) throws {
        do {
            let changed = try connection.execute(
                """
                UPDATE public.replay_runs SET heartbeat_at = clock_timestamp(), delivered = $2::bigint,
                       failed = $3::bigint WHERE run_id = $1::uuid AND state = 'running' AND quiet_at IS NULL
                """, [id.description, String(delivered), String(failed)])
            guard changed == 1 else {
                throw OperationError("replay_lost", "the run was ended by another one; run the command again")
            }
        } catch let error as PostgresError {
            throw OperationError(
                "replay_lost",
                "the run cannot tell Postgres that it lives, so another one may take its place, and it stops here: "
                    + "\(error); run the command again, it goes on where this one stopped",
                isRetriable: true)
        }
    }

    /// - Parameter isQuiet: nothing of it can be under way: every insert was answered and read back.
    func end(isDone: Bool, isQuiet: Bool, delivered: Int, failed: Int) {
        guard !isEnded else { return }
        isEnded = true
        do {
            try connection.execute(
                """
                UPDATE public.replay_runs SET state = $2, ended_at = now(), delivered = $4::bigint, failed = $5::bigint,
                       quiet_at = CASE WHEN $3::boolean THEN now() END WHERE run_id = $1::uuid AND state = 'running'
                """,
                [id.description, isDone ? "done" : "failed", isQuiet ? "t" : "f", String(delivered), String(failed)])
        } catch {
            log.warning(
                "the end of the run could not be recorded; the next one waits for it", metadata: ["error": "\(error)"])
        }
        connection.close()
    }

    /// For statements of the run's own: attempts, clients. The same connection, so that nothing goes on without the lock.
    var postgres: PostgresConnection { connection }
}
