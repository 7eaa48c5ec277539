import CRdkafka

extension KafkaProperties {
    /// What librdkafka has against a property, asked without making a handle; nil when it takes it.
    public static func problem(name: String, value: String) -> String? {
        guard let configuration = rd_kafka_conf_new() else { return nil }
        defer { rd_kafka_conf_destroy(configuration) }
        var text = [CChar](repeating: 0, count: 512)
        let answer = rd_kafka_conf_set(configuration, name, value, &text, text.count)
        guard answer != RD_KAFKA_CONF_OK else { return nil }
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
