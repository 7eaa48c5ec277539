import CRdkafka
import Synchronization

/// Where librdkafka's log lines go. It is called from any of its threads. `level` is syslog's: 0 emergency … 7 debug.
public typealias KafkaLog = @Sendable (_ level: Int, _ facility: String, _ message: String) -> Void

/// What librdkafka calls back with: one per handle, reached through the handle's opaque pointer.
///
/// `log` is called from any thread. The other closures run only inside a call that serves the handle's queue, which is
/// the one thread that owns the consumer or the producer; they are set before the handle exists and never changed.
final class KafkaCallbacks {
    let log: KafkaLog
    /// Follows the member's state through librdkafka's own log; only for a consumer.
    var joining: JoinWatch?
    var rebalance: ((rd_kafka_resp_err_t, UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?, Bool) -> Void)?
    var error: ((KafkaError) -> Void)?
    var delivery: ((UInt64, KafkaError?) -> Void)?

    init(log: @escaping KafkaLog) {
        self.log = log
    }

    static func of(_ opaque: UnsafeMutableRawPointer?) -> KafkaCallbacks? {
        opaque.map { Unmanaged<KafkaCallbacks>.fromOpaque($0).takeUnretainedValue() }
    }
}

/// The one owner of a `rd_kafka_t`. Consumer, producer, admin and queries share it; the last of them destroys it.
///
/// `@unchecked Sendable`: librdkafka's `INTRODUCTION.md` says "The API is completely thread-safe and the calling
/// application may call any of the API functions from any of its own threads at any time", and every stored property is
/// a constant. Which thread may serve its queues is settled by the types around it, which are not Sendable.
public final class KafkaHandle: @unchecked Sendable {
    enum Kind {
        case consumer, producer

        var raw: rd_kafka_type_t { self == .consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER }
        var word: String { self == .consumer ? "consumer" : "producer" }
    }

    let pointer: OpaquePointer
    private let callbacks: Unmanaged<KafkaCallbacks>
    /// librdkafka writes into the descriptor from its own threads until the handle is destroyed: it has to live as
    /// long.
    private let wake: WakeDescriptor?
    /// Set once the handle has set out to join a group, and once it has been assigned something (be it nothing).
    let isMember = Atomic<Bool>(false)
    let wasAssigned = Atomic<Bool>(false)

    init(_ kind: Kind, _ properties: KafkaProperties, _ callbacks: KafkaCallbacks, wake: WakeDescriptor?)
        throws(KafkaError)
    {
        let configuration = try Self.configuration(properties)
        let opaque = Unmanaged.passRetained(callbacks)
        rd_kafka_conf_set_opaque(configuration, opaque.toOpaque())
        Self.setCallbacks(configuration, callbacks)

        var text = [CChar](repeating: 0, count: Self.errorTextBytes)
        guard let handle = rd_kafka_new(kind.raw, configuration, &text, text.count) else {
            // "If an error is returned the application remains responsible for the conf object".
            rd_kafka_conf_destroy(configuration)
            opaque.release()
            throw KafkaError(
                RD_KAFKA_RESP_ERR__INVALID_ARG, "cannot make a Kafka \(kind.word): \(Self.string(text))")
        }
        pointer = handle
        self.callbacks = opaque
        self.wake = wake
    }

    /// librdkafka asks for 512 bytes at least for an error text.
    static let errorTextBytes = 512

    static func string(_ text: [CChar]) -> String {
        String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func configuration(_ properties: KafkaProperties) throws(KafkaError) -> OpaquePointer {
        guard let configuration = rd_kafka_conf_new() else {
            throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "cannot make a Kafka configuration")
        }
        var text = [CChar](repeating: 0, count: errorTextBytes)
        for property in properties.all {
            let answer = rd_kafka_conf_set(configuration, property.name, property.value, &text, text.count)
            guard answer != RD_KAFKA_CONF_OK else { continue }
            rd_kafka_conf_destroy(configuration)
            // librdkafka's own text quotes the value, which a secret must not be.
            let reason = property.isSecret ? "its value is not valid" : string(text)
            throw KafkaError(
                RD_KAFKA_RESP_ERR__INVALID_ARG,
                answer == RD_KAFKA_CONF_UNKNOWN
                    ? "'\(property.name)' is not a property that this librdkafka (\(version)) knows"
                    : "the Kafka property '\(property.name)' is refused: \(reason)")
        }
        return configuration
    }

    /// The version of the librdkafka that is loaded, such as `2.0.2`.
    public static var version: String { String(cString: rd_kafka_version_str()) }

    private static func setCallbacks(_ configuration: OpaquePointer, _ callbacks: KafkaCallbacks) {
        rd_kafka_conf_set_log_cb(configuration) { handle, level, facility, text in
            guard let facility, let text, let callbacks = KafkaCallbacks.of(rd_kafka_opaque(handle)) else { return }
            if let joining = callbacks.joining, joining.takes(level: level, facility: facility, text: text) { return }
            callbacks.log(Int(level), String(cString: facility), String(cString: text))
        }
        // Without this callback librdkafka logs its errors instead of queueing them, which suits a handle nobody polls.
        if callbacks.error != nil {
            rd_kafka_conf_set_error_cb(configuration) { handle, code, reason, opaque in
                KafkaCallbacks.of(opaque)?.error?(KafkaHandle.error(handle, code, reason))
            }
        }
        if callbacks.rebalance != nil {
            rd_kafka_conf_set_rebalance_cb(configuration) { handle, code, partitions, opaque in
                KafkaCallbacks.of(opaque)?.rebalance?(code, partitions, rd_kafka_assignment_lost(handle) != 0)
            }
        }
        if callbacks.delivery != nil {
            rd_kafka_conf_set_dr_msg_cb(configuration) { _, message, opaque in
                guard let message = message?.pointee else { return }
                let ticket = UInt64(UInt(bitPattern: message._private))
                KafkaCallbacks.of(opaque)?.delivery?(ticket, KafkaError.unlessNone(message.err))
            }
        }
    }

    /// On a fatal error librdkafka says only `_FATAL`; "rd_kafka_fatal_error() is used to extract the actual code".
    private static func error(_ handle: OpaquePointer?, _ code: Int32, _ reason: UnsafePointer<CChar>?) -> KafkaError {
        let reason = reason.map { String(cString: $0) }
        guard code == RD_KAFKA_RESP_ERR__FATAL.rawValue else { return KafkaError(code: code, message: reason) }
        var text = [CChar](repeating: 0, count: errorTextBytes)
        let underlying = rd_kafka_fatal_error(handle, &text, text.count)
        return KafkaError(code: underlying.rawValue, message: string(text), isFatal: true)
    }

    /// The error that made this handle useless, if there is one.
    public var fatalError: KafkaError? {
        var text = [CChar](repeating: 0, count: Self.errorTextBytes)
        let code = rd_kafka_fatal_error(pointer, &text, text.count)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR
            ? nil : KafkaError(code: code.rawValue, message: Self.string(text), isFatal: true)
    }

    deinit {
        // Two kinds of members are left to the end of the process, with what they may still call or write to.
        // - One that is not closed. librdkafka 2.0.2 would wait for ever, one core busy, for a group that hangs in
        //   WAIT_ASSIGN_CALL (repaired in 2.4.0: "given an assignment is received while closing the consumer it's
        //   possible that it gets stuck in state WAIT_ASSIGN_CALL"), and up to the session timeout for commits that
        //   have no coordinator.
        // - One that was closed before its first assignment: 2.0.2 fails an assertion on it and ends the process
        //   (repaired in 2.3.0: "a segmentation fault when closing a consumer using the cooperative-sticky assignor
        //   before the first assignment"). It has left the group and is idle.
        let isClosed = rd_kafka_consumer_closed(pointer) != 0
        if isMember.load(ordering: .relaxed), !isClosed || !wasAssigned.load(ordering: .relaxed) {
            if let wake { _ = Unmanaged.passRetained(wake) }
            return
        }
        // Not `rd_kafka_destroy`, which on a consumer closes it first and blocks until its callbacks are served.
        rd_kafka_destroy_flags(pointer, Int32(RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE))
        callbacks.release()
    }
}

/// The one owner of a reference to a queue; with a wake descriptor, librdkafka signals it when the queue stops being
/// empty.
final class KafkaQueue {
    let pointer: OpaquePointer
    private let handle: KafkaHandle
    private let wakes: Bool

    init(_ pointer: OpaquePointer, of handle: KafkaHandle, wake: WakeDescriptor?) {
        self.pointer = pointer
        self.handle = handle
        wakes = wake != nil
        guard let wake else { return }
        // "librdkafka will write payload (of size size) to [the descriptor] whenever a new element is enqueued on a
        // previously empty queue" and "will maintain a copy of the payload"; an eventfd takes exactly eight bytes.
        // `KafkaHandle` keeps the descriptor open for as long as librdkafka may write.
        var one: UInt64 = 1
        rd_kafka_queue_io_event_enable(pointer, wake.descriptor, &one, 8)
    }

    deinit {
        // "To remove event triggering call with fd = -1": the queue itself may outlive this reference.
        if wakes { rd_kafka_queue_io_event_enable(pointer, -1, nil, 0) }
        rd_kafka_queue_destroy(pointer)
    }
}
