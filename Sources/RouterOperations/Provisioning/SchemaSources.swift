/// The SQL files of `clickhouse/`, inside of the program: it works from any folder.
enum SchemaSources {
    static let eventsBase = String(decoding: PackageResources._1_events_base_sql, as: UTF8.self)
}
