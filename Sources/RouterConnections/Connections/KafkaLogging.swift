import KafkaClient
import Logging

extension Logger {
    /// Takes librdkafka's log lines over, each at the level that it means here. Callable from any thread.
    public var kafkaLog: KafkaLog {
        { level, facility, message in
            log(
                level: Self.level(syslog: level, facility: facility), "\(message)",
                metadata: ["source": "librdkafka", "facility": "\(facility)"])
        }
    }

    /// syslog's levels: 0 emergency, 1 alert, 2 critical, 3 error, 4 warning, 5 notice, 6 info, 7 debug.
    static func level(syslog level: Int, facility: String) -> Logger.Level {
        switch (level, facility) {
        // "Configuration property … is a consumer property and will be ignored by this producer instance": the same
        // `KAFKA_CONFIG_` properties go to every handle, so this is how it should be.
        case (_, "CONFWARN"): .debug
        case (...2, _): .critical
        case (3, _): .error
        case (4, _): .warning
        case (5, _): .notice
        case (6, _): .info
        default: .debug
        }
    }
}
