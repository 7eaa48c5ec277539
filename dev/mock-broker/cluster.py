"""librdkafka's mock cluster (rdkafka_mock.h), through ctypes."""

import ctypes

ERROR_TEXT_BYTES = 512
PRODUCER = 0

# Kafka's numbers of the requests that orders can name.
REQUESTS = {
    "Produce": 0, "Fetch": 1, "ListOffsets": 2, "Metadata": 3, "OffsetCommit": 8, "OffsetFetch": 9,
    "FindCoordinator": 10, "JoinGroup": 11, "Heartbeat": 12, "LeaveGroup": 13, "SyncGroup": 14, "InitProducerId": 22,
}


class MockCluster:
    """Owns the handle that carries the cluster. The functions of rdkafka_mock.h may be called from any thread."""

    def __init__(self, brokers: int) -> None:
        self.library = library = ctypes.CDLL("librdkafka.so.1")
        declare(library)
        text = ctypes.create_string_buffer(ERROR_TEXT_BYTES)
        self.handle = library.rd_kafka_new(PRODUCER, library.rd_kafka_conf_new(), text, len(text))
        if not self.handle:
            raise RuntimeError(f"librdkafka gives no handle: {text.value.decode()}")
        self.cluster = library.rd_kafka_mock_cluster_new(self.handle, brokers)
        if not self.cluster:
            raise RuntimeError("librdkafka gives no mock cluster")

    @property
    def version(self) -> str:
        return self.library.rd_kafka_version_str().decode()

    @property
    def bootstrap_servers(self) -> str:
        return self.library.rd_kafka_mock_cluster_bootstraps(self.cluster).decode()

    def create_topic(self, name: str, partitions: int) -> None:
        self.check(self.library.rd_kafka_mock_topic_create(self.cluster, name.encode(), partitions, 1))

    def push_errors(self, request: str, codes: list[int]) -> None:
        """The next requests of this kind get these error codes, one each."""
        self.library.rd_kafka_mock_push_request_errors_array(
            self.cluster, REQUESTS[request], len(codes), (ctypes.c_int * len(codes))(*codes))

    def clear_errors(self, request: str) -> None:
        self.library.rd_kafka_mock_clear_request_errors(self.cluster, REQUESTS[request])

    def set_round_trip(self, broker: int, milliseconds: int) -> None:
        """Every answer of the broker is held back for this long."""
        self.check(self.library.rd_kafka_mock_broker_set_rtt(self.cluster, broker, milliseconds))

    def set_up(self, broker: int, is_up: bool) -> None:
        """A broker that is down refuses connections and drops those it has."""
        library = self.library
        change = library.rd_kafka_mock_broker_set_up if is_up else library.rd_kafka_mock_broker_set_down
        self.check(change(self.cluster, broker))

    def set_coordinator(self, group: str, broker: int) -> None:
        self.check(self.library.rd_kafka_mock_coordinator_set(self.cluster, b"group", group.encode(), broker))

    def check(self, answer: int) -> None:
        if answer:
            raise ValueError(self.library.rd_kafka_err2str(answer).decode())

    def close(self) -> None:
        self.library.rd_kafka_mock_cluster_destroy(self.cluster)
        self.library.rd_kafka_destroy(self.handle)


def declare(library: ctypes.CDLL) -> None:
    """Pointers are wider than ctypes' default, int."""
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_version_str": (text, []),
        "rd_kafka_err2str": (text, [number]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
        "rd_kafka_mock_push_request_errors_array": (
            None, [pointer, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(number)]),
        "rd_kafka_mock_clear_request_errors": (None, [pointer, ctypes.c_int16]),
        "rd_kafka_mock_broker_set_rtt": (number, [pointer, ctypes.c_int32, number]),
        "rd_kafka_mock_broker_set_up": (number, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_broker_set_down": (number, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_coordinator_set": (number, [pointer, text, text, ctypes.c_int32]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
