import Foundation
import Logging

/// The swift-log handler of every command: one line a record on standard error, as JSON or as text.
public struct RouterLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let formatter: any LogFormatter
    private let now: @Sendable () -> LogTime
    private let write: @Sendable (String) -> Void

    init(
        label: String, level: Logger.Level, formatter: any LogFormatter, now: @escaping @Sendable () -> LogTime,
        write: @escaping @Sendable (String) -> Void
    ) {
        self.label = label
        self.formatter = formatter
        self.now = now
        self.write = write
        logLevel = level
    }

    /// - Parameters:
    ///   - label: the logger's name, `logger` in the record.
    ///   - environment: `NO_COLOR` (any value but the empty one) and `TERM=dumb` turn colours off.
    public init(label: String, settings: Settings.Log, environment: [String: String] = [:]) {
        let output = LogOutput.standardError
        self.init(
            label: label, level: Logger.Level(settings.level),
            formatter: Self.formatter(settings.format, isTerminal: output.isTerminal, environment: environment),
            now: LogTime.now, write: output.write)
    }

    static func formatter(
        _ format: Settings.LogFormat, isTerminal: Bool, environment: [String: String]
    ) -> any LogFormatter {
        switch format {
        case .json: return JSONLogFormatter()
        case .text:
            let isRefused = environment["NO_COLOR"].map { !$0.isEmpty } ?? false || environment["TERM"] == "dumb"
            return TextLogFormatter(usesColours: isTerminal && !isRefused)
        }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let given = event.metadata { all.merge(given) { _, new in new } }
        let record = LogLine(
            level: event.level, logger: label, message: "\(event.message)", error: event.error, metadata: all)
        write(formatter.line(record, at: now()))
    }
}

extension Logger.Level {
    public init(_ level: Settings.LogLevel) {
        self =
            switch level {
            case .trace: .trace
            case .debug: .debug
            case .info: .info
            case .notice: .notice
            case .warning: .warning
            case .error: .error
            case .critical: .critical
            }
    }
}

extension Settings.Log {
    /// Makes every `Logger` of the process write as these settings say. To be called once, before the first `Logger`.
    public func bootstrap(environment: [String: String]) {
        LoggingSystem.bootstrap { label in
            RouterLogHandler(label: label, settings: self, environment: environment)
        }
    }
}
