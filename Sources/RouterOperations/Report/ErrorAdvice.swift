import ClickHouseClient
import KafkaClient
import PostgresClient
import RouterConnections

/// What to do about an error of one of the servers, as the end of a message; nil when the error says it itself.
public enum ErrorAdvice {
    public static func advice(for error: any Error) -> String? {
        switch error {
        case let error as PostgresError: postgres(error)
        case let error as KafkaError: kafka(error)
        case is ClickHouseTransportFault:
            "see that ClickHouse is up, and the CLICKHOUSE_ settings"
        case let error as ClickHouseException where [192, 193, 194, 497, 516].contains(error.code):
            "see CLICKHOUSE_USER and CLICKHOUSE_PASSWORD, and what that user may do"
        default: nil
        }
    }

    private static func postgres(_ error: PostgresError) -> String? {
        switch error.code {
        case .unreachable: return "see that Postgres is up, and the POSTGRES_METADATA_ settings"
        case .accessDenied: return "see POSTGRES_METADATA_USER, _PASSWORD and _DB"
        case .connectionLost, .timedOut: return "see that Postgres is up, then run the command again"
        default: break
        }
        switch error.sqlState {
        // undefined_table, undefined_column
        case "42P01", "42703": return "bring the router's tables up to date: router db upgrade"
        // insufficient_privilege
        case "42501": return "grant the right to the user of POSTGRES_METADATA_USER"
        default: return nil
        }
    }

    private static func kafka(_ error: KafkaError) -> String? {
        if error.isAuthorizationFailure { return "grant the right to this Kafka user (KAFKA_SASL_USERNAME)" }
        return error.isRetriable ? "see that the brokers are up, and the KAFKA_ settings" : nil
    }
}
