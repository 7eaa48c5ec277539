import Foundation

/// Real servers for tests: started on free ports of the loopback interface, data under the temporary folder, gone
/// when the test process is gone, however it ends.
public enum TestServers {
    public static let postgresFolder = "/usr/lib/postgresql/15/bin"
    /// Linux' path of Redis on Debian.
    public static let redisBinary = "/usr/bin/redis-server"

    /// The project's own folder: where `postgres/sql` is.
    public static let repository = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    public struct Failure: Error, CustomStringConvertible {
        public let description: String

        public init(description: String) {
            self.description = description
        }
    }

    /// A port that nobody listens on now. Another process could take it before its server does; the server's start
    /// then fails, loudly.
    public static func freePort() throws -> Int {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let state = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic -> Int32 in
                guard bind(socket, generic, length) == 0 else { return -1 }
                return getsockname(socket, generic, &length)
            }
        }
        guard state == 0 else { throw Failure(description: "no free port: errno \(errno)") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// Runs a program to its end and returns its standard output.
    @discardableResult
    public static func run(
        _ words: [String], input: String? = nil, environment: [String: String] = [:]
    ) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        // Postgres' programs complain where the user they run as may not look.
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        let (inputPipe, output, errors) = (Pipe(), Pipe(), Pipe())
        process.standardInput = inputPipe
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        try inputPipe.fileHandleForWriting.write(contentsOf: Data((input ?? "").utf8))
        try inputPipe.fileHandleForWriting.close()
        let text = readAll(output)
        let errorText = readAll(errors)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(words[0]) ended with status \(process.terminationStatus): \(errorText)")
        }
        return text
    }

    /// Not `FileHandle.readToEnd`: on Linux it throws when a signal (another child that ended) interrupts it.
    private static func readAll(_ pipe: Pipe) -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(pipe.fileHandleForReading.fileDescriptor, &chunk, chunk.count)
            if count > 0 { bytes += chunk.prefix(count) }
            if count == 0 || (count < 0 && errno != EINTR) { return String(decoding: bytes, as: UTF8.self) }
        }
    }

    /// Waits until a condition holds; false when it does not within the time *and* a number of tries. Tests that block
    /// share few threads: one may sleep past its whole deadline between two looks, and would then blame the program.
    public static func eventually(
        withinSeconds seconds: Double = 20, _ condition: () throws -> Bool
    ) async rethrows -> Bool {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var tries = 0
        while ContinuousClock.now < deadline || tries < leastTries {
            if try condition() { return true }
            tries += 1
            try? await Task.sleep(for: .milliseconds(5))
        }
        return try condition()
    }

    /// A second's worth where nothing is in the way.
    private static let leastTries = 200

    /// Postgres refuses to run as root.
    static let asPostgres = getuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : []
}

/// One server process of a test: its folder, and how to freeze, kill and restart it.
///
/// `@unchecked Sendable`: `process` is only touched under `lock`, everything else is constant.
public class TestServer: @unchecked Sendable {
    public let folder: String
    public let port: Int
    private let lock = NSLock()
    private var process: Process?
    /// Its end closes with this process and tells the watchman to clean up.
    private let watchmanInput = Pipe()

    init(name: String) throws {
        port = try TestServers.freePort()
        folder = NSTemporaryDirectory() + "/router-test-\(name)-\(port)-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try startWatchman()
    }

    /// A shell that waits for this process to go, by whatever death, and then ends the server and removes its folder.
    /// It ends only a process that names the folder in its command line.
    private func startWatchman() throws {
        let script = """
            folder=$1; cat >/dev/null
            pid=$(cat "$folder.pid" 2>/dev/null)
            if [ -n "$pid" ] && tr '\\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$folder"; then
                kill -9 "$pid" $(cat "/proc/$pid/task/$pid/children") 2>/dev/null
            fi
            rm -rf "$folder" "$folder.pid" "$folder.log"
            """
        let watchman = Process()
        watchman.executableURL = URL(fileURLWithPath: "/bin/sh")
        watchman.arguments = ["-c", script, "watchman", folder]
        watchman.standardInput = watchmanInput
        watchman.standardOutput = FileHandle.nullDevice
        watchman.standardError = FileHandle.nullDevice
        // Other children must not inherit the end that has to close.
        _ = fcntl(watchmanInput.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        try watchman.run()
    }

    func launch(_ words: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        // Beside the folder and not in it: initdb wants an empty folder of another user.
        let log = open(folder + ".log", O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0o600)
        let logHandle = FileHandle(fileDescriptor: log, closeOnDealloc: true)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = logHandle
        process.standardError = logHandle
        try process.run()
        try "\(process.processIdentifier)".write(toFile: folder + ".pid", atomically: true, encoding: .utf8)
        lock.withLock { self.process = process }
    }

    func waitUntilAnswering(_ answers: () -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while !answers() {
            guard isRunning, ContinuousClock.now < deadline else {
                let log = (try? String(contentsOfFile: folder + ".log", encoding: .utf8)) ?? ""
                throw TestServers.Failure(description: "the server in \(folder) did not start: \(log)")
            }
            usleep(20_000)
        }
    }

    public var isRunning: Bool { lock.withLock { process?.isRunning ?? false } }

    /// The server does not run on and does not answer, but its sockets stay open.
    public func freeze() { signal(SIGSTOP) }
    public func thaw() { signal(SIGCONT) }

    /// Ends the server and its children at once, and returns when it is gone.
    public func kill() {
        signal(SIGKILL)
        lock.withLock { process }?.waitUntilExit()
    }

    private func signal(_ number: Int32) {
        guard let process = lock.withLock({ process }), process.isRunning else { return }
        let pid = process.processIdentifier
        let children = (try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)) ?? ""
        _ = Foundation.kill(pid, number)
        for child in children.split(separator: " ") { _ = Foundation.kill(Int32(child) ?? pid, number) }
    }
}

/// A Postgres 15 of its own with the router's schema in every database that `makeDatabase` returns.
public final class TestPostgres: TestServer, @unchecked Sendable {
    public static let isAvailable = FileManager.default.isExecutableFile(
        atPath: TestServers.postgresFolder + "/postgres")
    /// One for all tests that do not harm it; each makes a database of its own.
    public static let shared = Result { try TestPostgres() }

    public let user = "router"
    public let password = "p@ss word'\\"

    public init() throws {
        try super.init(name: "postgres")
        if getuid() == 0 { try TestServers.run(["chown", "postgres:", folder]) }
        let passwordFile = folder + "/password"
        try password.write(toFile: passwordFile, atomically: true, encoding: .utf8)
        try TestServers.run(
            TestServers.asPostgres + [
                TestServers.postgresFolder + "/initdb", "-D", folder + "/data", "-U", user, "--no-sync", "-E", "UTF8",
                "--locale=C", "--auth=scram-sha-256", "--pwfile=" + passwordFile,
            ])
        try start()
    }

    public func start() throws {
        try launch(
            TestServers.asPostgres + [
                TestServers.postgresFolder + "/postgres", "-D", folder + "/data", "-p", String(port),
                "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
                "-c", "shared_buffers=16MB", "-c", "max_connections=60",
            ])
        try waitUntilAnswering { (try? psql("SELECT 1", database: "postgres")) != nil }
    }

    /// A new database with `postgres/sql` applied.
    public func makeDatabase() throws -> String {
        let name = "test_" + UUID().uuidString.lowercased().replacingOccurrences(of: "-", with: "_")
        try psql("CREATE DATABASE \(name)", database: "postgres")
        try applySchema(database: name)
        return name
    }

    public func applySchema(database: String) throws {
        let sql = TestServers.repository.appendingPathComponent("postgres/sql")
        let files = try FileManager.default.contentsOfDirectory(atPath: sql.path).filter { $0.hasSuffix(".sql") }
        for file in files.sorted() {
            try psql(String(contentsOf: sql.appendingPathComponent(file), encoding: .utf8), database: database)
        }
    }

    /// Runs SQL with Postgres' own client: a witness that shares no code with ours. Columns are separated by `|`.
    @discardableResult
    public func psql(_ sql: String, database: String) throws -> String {
        let output = try TestServers.run(
            [
                TestServers.postgresFolder + "/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h",
                "127.0.0.1",
                "-p", String(port), "-U", user, "-d", database, "-f", "-",
            ], input: sql, environment: ["PGPASSWORD": password, "PGCONNECT_TIMEOUT": "10"])
        return output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// A Redis of its own, with nothing written to disk.
public final class TestRedis: TestServer, @unchecked Sendable {
    public static let isAvailable = FileManager.default.isExecutableFile(atPath: TestServers.redisBinary)

    public let password: String?

    public init(password: String? = nil) throws {
        self.password = password
        try super.init(name: "redis")
        try start()
    }

    public func start() throws {
        try launch(
            [
                TestServers.redisBinary, "--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
                // With a title of its own the watchman would not know it again, and it would outlive the tests.
                "--appendonly", "no", "--daemonize", "no", "--set-proc-title", "no",
            ] + (password.map { ["--requirepass", $0] } ?? []))
        try waitUntilAnswering { (try? cli("PING")) == "PONG" }
    }

    /// Runs one command with Redis' own client.
    @discardableResult
    public func cli(_ words: String...) throws -> String {
        let output = try TestServers.run(
            ["redis-cli", "-h", "127.0.0.1", "-p", String(port)] + words,
            environment: password.map { ["REDISCLI_AUTH": $0] } ?? [:])
        return output.trimmingCharacters(in: .newlines)
    }
}
