import KafkaClient
import RouterConfiguration

extension Settings {
    /// What every Kafka handle of the router is made with: where the brokers are, who we are there, and the
    /// `KAFKA_CONFIG_` properties last, so that they win. No group: see `kafkaGroupProperties`.
    ///
    /// The value holds secrets; it describes itself without them.
    public var kafkaProperties: KafkaProperties {
        var properties: KafkaProperties = [
            "bootstrap.servers": kafka.bootstrapServers,
            // Brokers log it and count quotas by it.
            "client.id": "router",
            "security.protocol": kafka.securityProtocol.rawValue,
        ]
        if kafka.securityProtocol.usesSASL {
            properties["sasl.mechanism"] = kafka.saslMechanism.rawValue
            properties["sasl.username"] = kafka.saslUsername
            properties["sasl.password"] = kafka.saslPassword?.reveal()
        }
        // Unset leaves it to librdkafka to find the system's certificates.
        properties["ssl.ca.location"] = kafka.sslCALocation
        for property in kafka.properties { properties[property.name] = property.value }
        return properties
    }

    /// The same with `group.id`: for the consumer, and for whoever asks what is committed.
    public var kafkaGroupProperties: KafkaProperties {
        var properties = kafkaProperties
        properties["group.id"] = kafka.groupID
        return properties
    }
}
