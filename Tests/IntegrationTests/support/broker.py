"""Kafka as seen by confluent-kafka: what was produced, what lies in the dead-letter topic, what is committed."""

import time
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from support.waiting import until

TOPIC_CONFIG = {"max.message.bytes": "20000000", "retention.ms": "-1"}
"""Above every payload limit that is tested; and records with old timestamps are not to vanish under a test's feet."""
COMMON = {"receive.message.max.bytes": 2147483647, "log_level": 2}
SECONDS = 60


@dataclass(frozen=True)
class Produced:
    """A sample and the place that the broker gave it."""

    sample: object
    topic: str
    partition: int
    offset: int
    timestamp_ms: int

    @property
    def place(self):
        return self.partition, self.offset


@dataclass(frozen=True)
class DeadLetter:
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple
    timestamp_ms: int

    @property
    def last(self):
        """Each header's last value, as Kafka's own clients read a header that is given more than once."""
        return {name: None if value is None else value.decode("utf-8", "replace") for name, value in self.headers}

    @property
    def reason(self):
        return self.last.get("router.reason")

    @property
    def origin(self):
        last = self.last
        return tuple(last.get(f"router.origin.{name}") for name in ("topic", "partition", "offset"))


class Broker:
    def __init__(self, servers):
        self.common = COMMON | {"bootstrap.servers": servers}
        self.admin = AdminClient(self.common)
        # One for all: an idempotent producer takes half a second to get its id.
        self.producer = Producer(
            self.common | {"acks": "all", "enable.idempotence": True, "linger.ms": 5, "message.max.bytes": 20_000_000})

    def create_topics(self, config=None, **partitions):
        wanted = [NewTopic(name, count, 1, config=TOPIC_CONFIG | (config or {})) for name, count in partitions.items()]
        for future in self.admin.create_topics(wanted, request_timeout=SECONDS).values():
            future.result()

    def delete_topics(self, *names):
        for future in self.admin.delete_topics(list(names), request_timeout=SECONDS).values():
            if future.exception() and future.exception().args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise future.exception()

    def partitions(self, topic):
        found = self.admin.list_topics(topic, timeout=SECONDS).topics[topic]
        return [] if found.error else sorted(found.partitions)

    def produce(self, topic, samples, partition=None):
        """Produces `samples` in turn over the partitions (or all into one); answers when the broker has them all."""
        producer = self.producer
        partitions = self.partitions(topic) if partition is None else [partition]
        assert partitions, f"topic {topic} has no partitions"
        produced = []

        def report(sample):
            def reported(error, message):
                assert error is None, error
                produced.append(
                    Produced(sample, topic, message.partition(), message.offset(), message.timestamp()[1]))

            return reported

        count = 0
        for count, sample in enumerate(samples, 1):
            arguments = dict(
                value=sample.value, key=sample.key, headers=list(sample.headers), timestamp=sample.timestamp_ms,
                partition=partitions[count % len(partitions)], on_delivery=report(sample))
            while True:
                try:
                    producer.produce(topic, **arguments)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        assert producer.flush(SECONDS) == 0, "the broker did not take every record in time"
        assert len(produced) == count
        return produced

    def ends(self, topic):
        """Partition to (low, high) watermark."""
        consumer = self._consumer()
        try:
            return {
                each: consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=SECONDS)
                for each in self.partitions(topic)
            }
        finally:
            consumer.close()

    def committed(self, group, topic):
        """Partition to (offset or None, metadata) as the group has committed it."""
        consumer = self._consumer(group)
        try:
            asked = [TopicPartition(topic, each) for each in self.partitions(topic)]
            answers = consumer.committed(asked, timeout=SECONDS)
            return {each.partition: (each.offset if each.offset >= 0 else None, each.metadata) for each in answers}
        finally:
            consumer.close()

    def caught_up(self, group, topic):
        committed = self.committed(group, topic)
        ends = self.ends(topic)
        return all(low == high or committed[each][0] == high for each, (low, high) in ends.items())

    def await_caught_up(self, group, topic, seconds=120, alive=None):
        until(f"group {group} has committed the end of {topic}", lambda: self.caught_up(group, topic), seconds,
              interval=0.2, alive=alive)

    def read_all(self, topic):
        """Every record of `topic` as a `DeadLetter`."""
        ends = self.ends(topic)
        found = []
        consumer = self._consumer()
        try:
            open_partitions = {each: high for each, (low, high) in ends.items() if low < high}
            consumer.assign([TopicPartition(topic, each, ends[each][0]) for each in open_partitions])
            deadline = time.monotonic() + SECONDS
            while open_partitions:
                # `consume` waits for all the messages that it is asked for or for the whole of its timeout.
                messages = consumer.consume(1000, timeout=0.1)
                assert messages or time.monotonic() < deadline, f"{topic} could not be read: {open_partitions} left"
                for message in messages:
                    assert message.error() is None, message.error()
                    found.append(DeadLetter(
                        message.partition(), message.offset(), message.key(), message.value(),
                        tuple(message.headers() or ()), message.timestamp()[1]))
                    if message.offset() + 1 >= open_partitions.get(message.partition(), 1 << 62):
                        del open_partitions[message.partition()]
            return found
        finally:
            consumer.close()

    def _consumer(self, group="router-tests-witness"):
        return Consumer(self.common | {"group.id": group, "enable.auto.commit": False, "auto.offset.reset": "error"})
