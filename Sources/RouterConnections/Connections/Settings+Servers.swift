import ClickHouseClient
import PostgresClient
import RedisClient
import RouterConfiguration

extension Settings {
    /// Who we are at Postgres. The password stays inside of the value.
    public var postgresSettings: PostgresSettings {
        PostgresSettings(
            host: postgres.host, port: postgres.port, database: postgres.database, user: postgres.user,
            password: postgres.password?.reveal(),
            // The rule of the setting knows libpq's modes. One that is in its list and not in the client's would be a
            // fault of ours, and then the safest mode is the right one.
            sslMode: PostgresSettings.SSLMode(rawValue: postgres.sslMode) ?? .verifyFull)
    }

    /// Who we are at Redis.
    public var redisURL: RedisURL {
        RedisURL(
            host: redis.address.host, port: redis.address.port, user: redis.address.username,
            password: redis.address.password?.reveal(), database: redis.address.database)
    }

    /// Who we are at ClickHouse.
    public var clickHouseEndpoint: ClickHouseEndpoint {
        ClickHouseEndpoint(
            host: clickHouse.host, port: clickHouse.port, secure: clickHouse.isSecure, user: clickHouse.user,
            password: clickHouse.password?.reveal() ?? "")
    }
}
