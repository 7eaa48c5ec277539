"""The witnesses themselves against the servers, without the program under test: what was written is what they read."""

import random
import uuid

import pytest
from confluent_kafka import Consumer, TopicPartition

from generator import Sample, every_kind
from reference import Client
from support.broker import Broker
from support.waiting import until
from support.warehouse import Warehouse

NOW = 1714557600000


@pytest.fixture(scope="module")
def broker(stack):
    stack.up()
    return Broker(stack.settings()["KAFKA_BOOTSTRAP_SERVERS"])


@pytest.fixture
def topic(broker):
    name = f"witness-{uuid.uuid4().hex[:8]}"
    broker.create_topics(**{name: 3})
    yield name
    broker.delete_topics(name)


def test_what_is_produced_is_what_is_read(broker, topic):
    client = Client(str(uuid.UUID(int=5)), "ab" * 32, "client_5")
    made = every_kind(5, [client], NOW, each=3)
    made += [Sample("big", b"x" * (1 << 20) + b"y" * 1000, None, (), NOW)]
    produced = {each.place: each for each in broker.produce(topic, made)}
    assert len(produced) == len(made)
    read = {(each.partition, each.offset): each for each in broker.read_all(topic)}
    assert read.keys() == produced.keys()
    for place, each in produced.items():
        sample, found = each.sample, read[place]
        assert (found.key, found.value, found.headers, found.timestamp_ms) == (
            sample.key, sample.value, sample.headers, each.timestamp_ms), sample
        assert each.timestamp_ms == sample.timestamp_ms


def test_offsets_and_metadata_are_what_was_committed(broker, topic):
    group = f"{topic}-group"
    broker.produce(topic, [Sample("x", b"x", None, (), NOW)] * 9)
    assert not broker.caught_up(group, topic)
    committer = Consumer(broker.common | {"group.id": group, "enable.auto.commit": False})
    positions = [TopicPartition(topic, each, 3, "v1 " + "m" * 4000) for each in range(3)]
    committer.commit(offsets=positions, asynchronous=False)
    committer.close()
    assert broker.committed(group, topic) == {each: (3, "v1 " + "m" * 4000) for each in range(3)}
    assert broker.caught_up(group, topic)


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_the_broker_keeps_its_records_and_offsets_when_it_is_away(stack, broker, topic, how):
    group = f"{topic}-group"
    produced = broker.produce(topic, [Sample("x", str(each).encode(), None, (), NOW) for each in range(300)])
    committer = Consumer(broker.common | {"group.id": group, "enable.auto.commit": False})
    committer.commit(offsets=[TopicPartition(topic, 0, 7, "kept")], asynchronous=False)
    committer.close()
    with stack.without("kafka", how):
        pass
    assert {(each.partition, each.offset): each.value for each in broker.read_all(topic)} == {
        each.place: each.sample.value for each in produced}
    assert broker.committed(group, topic)[0] == (7, "kept")


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_clickhouse_keeps_what_it_acknowledged(stack, how):
    """Exact delivery cannot be tested on a server that loses what it said yes to."""
    stack.up()
    warehouse = Warehouse(stack.settings())
    database = f"witness_{uuid.uuid4().hex[:8]}"
    warehouse.command(f"CREATE DATABASE `{database}`")
    warehouse.command(f"CREATE TABLE `{database}`.t (n UInt64) ENGINE = MergeTree ORDER BY n")
    rng = random.Random(1)
    numbers = [rng.randrange(1 << 40) for _ in range(1000)]
    for start in range(0, 1000, 100):
        warehouse.client.insert(f"{database}.t", [[each] for each in numbers[start : start + 100]], ["n"])
    with stack.without("clickhouse", how):
        pass
    again = Warehouse(stack.settings())
    until("ClickHouse answers", lambda: again.command("SELECT 1") == 1)
    found = [row[0] for row in again.client.query(f"SELECT n FROM `{database}`.t").result_rows]
    assert sorted(found) == sorted(numbers)
    again.command(f"DROP DATABASE `{database}`")
