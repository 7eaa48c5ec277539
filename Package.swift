// swift-tools-version: 6.2
import PackageDescription

// The order of the targets is the order in which a record meets them: docs/ARCHITECTURE.md walks the same way.
// Import direction is downwards only: `make lint` refuses an import that is not declared here, transitive ones too.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
]

/// Hot code stays optimised in debug builds too, or the fault tests measure the compiler and not the program.
let hot: [SwiftSetting] = strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]

let package = Package(
    name: "router",
    products: [
        .executable(name: "router", targets: ["router"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: [.defaults, "YAML"]),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/jpsim/Yams", "5.4.0"..<"7.0.0"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.0"),
    ],
    targets: [
        // The C boundary: a module map and a shim header each, nothing else.
        .systemLibrary(name: "CRdkafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),

        // Adapters: one owner per C handle; they know nothing of the router.
        .target(name: "KafkaClient", dependencies: ["CRdkafka"], swiftSettings: hot),
        .target(name: "PostgresClient", dependencies: ["CLibpq"], swiftSettings: strict),
        .target(name: "RedisClient", dependencies: ["CHiredis"], swiftSettings: strict),
        .target(name: "ClickHouseClient", dependencies: ["CCurl"], swiftSettings: hot),

        // Bytes in, bytes out.
        .target(name: "ClickHouseNative", swiftSettings: hot),

        // The domain: no I/O, no clock of its own.
        .target(name: "RouterCore", dependencies: ["ClickHouseNative", "CCrypto"], swiftSettings: hot),

        .target(
            name: "RouterConfiguration",
            dependencies: [
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Yams", package: "Yams"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "ClientStore",
            dependencies: ["RouterCore", "PostgresClient", "RedisClient", "CCrypto"],
            swiftSettings: strict),

        // The router's own tables: postgres/sql carried inside of the program, and which of it a database has.
        .target(
            name: "RouterDatabase",
            dependencies: ["PostgresClient", "RouterCore"],
            // A link to postgres/sql: the program carries the files, and works from any folder.
            resources: [.embedInCode("Schemas")],
            swiftSettings: strict),

        // The tripwire, accepted offsets and losses in Postgres: used by service and operations alike.
        .target(name: "OffsetStore", dependencies: ["RouterCore", "PostgresClient"], swiftSettings: strict),

        // Settings as the adapters take them, and the topics that the settings name: used by service and operations alike.
        .target(
            name: "RouterConnections",
            dependencies: [
                "RouterConfiguration", "KafkaClient", "PostgresClient", "RedisClient", "ClickHouseClient",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),

        .target(
            name: "RouterService",
            dependencies: [
                "RouterCore", "KafkaClient", "ClickHouseClient", "PostgresClient", "ClientStore", "OffsetStore",
                "RouterDatabase",
                "RouterConfiguration", "RouterConnections",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: hot),
        .target(
            name: "RouterHTTP",
            dependencies: [
                .product(name: "FlyingSocks", package: "FlyingFox"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: strict),
        .target(
            name: "RouterOperations",
            dependencies: [
                "RouterCore", "KafkaClient", "ClickHouseClient", "ClickHouseNative", "PostgresClient", "RedisClient",
                "ClientStore", "OffsetStore", "RouterDatabase", "RouterConfiguration", "RouterConnections", "CCurl",
                .product(name: "Logging", package: "swift-log"),
            ],
            // Links to clickhouse/schemas and clickhouse/migrations: the program carries the files, and works from any folder.
            resources: [.embedInCode("Schemas"), .embedInCode("MigrationFiles")],
            swiftSettings: hot),
        .executableTarget(
            name: "router",
            dependencies: [
                "KafkaClient", "RouterCore", "RouterConfiguration", "RouterConnections", "RouterService", "RouterHTTP",
                "RouterOperations",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),

        // Tests mirror Sources; what several of them need is in RouterTestSupport.
        .target(
            name: "RouterTestSupport", dependencies: ["CRdkafka"], path: "Tests/RouterTestSupport",
            swiftSettings: strict),
        .testTarget(
            name: "KafkaClientTests", dependencies: ["KafkaClient", "RouterTestSupport"], swiftSettings: strict),
        .testTarget(
            name: "PostgresClientTests", dependencies: ["PostgresClient", "RouterTestSupport"], swiftSettings: strict),
        .testTarget(
            name: "RedisClientTests", dependencies: ["RedisClient", "RouterTestSupport"], swiftSettings: strict),
        .testTarget(name: "ClickHouseNativeTests", dependencies: ["ClickHouseNative"], swiftSettings: strict),
        .testTarget(
            name: "ClickHouseClientTests", dependencies: ["ClickHouseClient", "ClickHouseNative", "RouterCore"],
            swiftSettings: strict),
        .testTarget(
            name: "RouterCoreTests", dependencies: ["RouterCore", "ClickHouseNative"],
            // Readers in another language that the tests compare with.
            exclude: ["Event/Reference", "Batch/read_block.py"], swiftSettings: hot),
        .testTarget(
            name: "ClientStoreTests",
            dependencies: ["ClientStore", "RouterCore", "PostgresClient", "RedisClient", "RouterTestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "RouterDatabaseTests",
            dependencies: ["RouterDatabase", "RouterCore", "PostgresClient", "RouterTestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "RouterOperationsTests",
            dependencies: [
                "RouterOperations", "RouterConnections", "RouterConfiguration", "RouterCore", "KafkaClient",
                "OffsetStore", .product(name: "Logging", package: "swift-log"),
            ],
            // What the tests compare with.
            exclude: ["Golden"], swiftSettings: strict),
        .testTarget(
            name: "RouterConfigurationTests",
            dependencies: ["RouterConfiguration", .product(name: "Logging", package: "swift-log")],
            swiftSettings: strict),
        .testTarget(
            name: "RouterHTTPTests",
            dependencies: ["RouterHTTP", .product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: strict),
    ]
)
