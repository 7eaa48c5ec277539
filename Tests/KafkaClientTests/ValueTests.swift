import Foundation
import KafkaClient
import Testing

@Suite struct PropertyTests {
    @Test func orderIsKeptAndTheLastValueWins() {
        var properties: KafkaProperties = ["b": "1", "a": "2", "b": "3"]
        #expect(properties.all.map(\.name) == ["b", "a"])
        #expect(properties["b"] == "3")
        properties["b"] = nil
        properties["c"] = nil
        #expect(properties.all == [KafkaProperty("a", "2")])
        let merged = properties.merging(["a": "9", "d": "4"])
        #expect(merged.all == [KafkaProperty("a", "9"), KafkaProperty("d", "4")])
    }

    @Test(arguments: [
        "sasl.password", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password", "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config", "ssl_key",
    ])
    func noWayOfPrintingShowsASecret(name: String) throws {
        let properties: KafkaProperties = ["bootstrap.servers": "host:9092", "group.id": "group", name: "hunter2"]
        var dumped = ""
        dump(properties, to: &dumped)
        dump(properties.all, to: &dumped)
        for text in [
            "\(properties)", String(reflecting: properties), "\(properties.all)", dumped, "\([properties])",
            String(describing: Optional(properties)),
        ] {
            #expect(!text.contains("hunter2"))
            #expect(text.contains("host:9092"))
        }
        // Whether librdkafka takes the value or not, it is in no error and no log line.
        let lines = LogLines()
        do {
            let consumer = try KafkaConsumer(properties: properties, wake: try WakeDescriptor(), log: lines.log)
            consumer.close(timeoutMilliseconds: 5_000)
        } catch {
            #expect(!"\(error)".contains("hunter2"))
        }
        #expect(!lines.all.joined().contains("hunter2"))
    }

    @Test func aWrongPropertyIsNamed() throws {
        let wake = try WakeDescriptor()
        func error(_ properties: KafkaProperties) -> KafkaError? {
            let base: KafkaProperties = ["bootstrap.servers": "127.0.0.1:1", "group.id": "group"]
            return #expect(throws: KafkaError.self) {
                _ = try KafkaConsumer(properties: base.merging(properties), wake: wake, log: { _, _, _ in })
            }
        }
        #expect(error(["no.such.thing": "1"])?.message.contains("no.such.thing") == true)
        #expect(error(["fetch.wait.max.ms": "soon"])?.message.contains("fetch.wait.max.ms") == true)
        // Each for itself is fine; together they are not.
        #expect(error(["max.poll.interval.ms": "1000", "session.timeout.ms": "30000"])?.name == "_INVALID_ARG")
        #expect(error(["group.id": ""])?.message.contains("group.id") == true)
    }

    @Test func deliveryDoesNotDependOnTheOwnersProperties() throws {
        let consumer = try KafkaConsumer(
            properties: [
                "bootstrap.servers": "127.0.0.1:1", "group.id": "group", "enable.auto.commit": "true",
                "partition.assignment.strategy": "range",
            ], wake: try WakeDescriptor(), log: { _, _, _ in })
        #expect(consumer.close(timeoutMilliseconds: 10_000))
        #expect(throws: Never.self) {
            _ = try KafkaProducer(
                properties: ["bootstrap.servers": "127.0.0.1:1", "acks": "1"], wake: try WakeDescriptor(),
                log: { _, _, _ in })
        }
    }
}

@Suite struct ErrorTests {
    @Test func anErrorSaysWhatItIs() {
        let error = KafkaError(code: 12, message: "commit of events/0")
        #expect(error.name == "OFFSET_METADATA_TOO_LARGE")
        #expect(error.description.contains("commit of events/0") && error.description.contains("12"))
        #expect(!error.isRetriable && !error.isFatal)
        #expect(KafkaError(code: -195).isRetriable && KafkaError(code: 27).isRetriable)
        #expect(!KafkaError(code: -195, isFatal: true).isRetriable)
        // A code of a newer broker is still an error that can be told.
        #expect(KafkaError(code: 9999).description.contains("9999"))
    }
}

@Suite struct WakeTests {
    @Test func aSignalGivenBeforeTheWaitCountsAndDrainTakesItBack() throws {
        let wake = try WakeDescriptor()
        #expect(!wake.wait(timeoutMilliseconds: 0))
        wake.signal()
        wake.signal()
        #expect(wake.wait(timeoutMilliseconds: 0))
        #expect(wake.wait(timeoutMilliseconds: 0))
        wake.drain()
        #expect(!wake.wait(timeoutMilliseconds: 0))
        wake.drain()
        #expect(!wake.wait(timeoutMilliseconds: -5))
    }

    @Test func anotherThreadWakes() async throws {
        let wake = try WakeDescriptor()
        Thread.detachNewThread { wake.signal() }
        try await onOwnThread { #expect(wake.wait(timeoutMilliseconds: 30_000)) }
    }
}
