"""dev/stack up --broker: which broker answers, what `env` says of it, and the orders that the mock takes."""

import json
import urllib.error
import urllib.request

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from test_stack import Stack

SECONDS = 60


@pytest.fixture
def stack(tmp_path):
    stack = Stack(tmp_path / "dev")
    stack.environment["DEV_KAFKA_PORT"] = "0"
    yield stack
    stack.run("reset")


def consumer(servers: str, group: str = "g", **settings) -> Consumer:
    return Consumer({"bootstrap.servers": servers, "group.id": group, "enable.auto.commit": False,
                     "auto.offset.reset": "earliest"} | settings)


def keeps_records(servers: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True})
    producer.produce(topic, value=b"v", headers=[("h", b"1")], partition=0)
    assert producer.flush(SECONDS) == 0
    reader = consumer(servers)
    reader.assign([TopicPartition(topic, 0, 0)])
    message = reader.poll(SECONDS)
    assert message.error() is None and message.value() == b"v" and message.headers() == [("h", b"1")]
    reader.close()


def test_a_broker_is_chosen_by_name_and_remembered(stack):
    stack.run("up", "--broker", "mock", "kafka")
    row = stack.rows()["kafka"]
    assert (row["broker"], row["state"]) == ("mock", "answering")
    env = stack.env()
    assert env["KAFKA_BOOTSTRAP_SERVERS"] == f"127.0.0.1:{row['port']}"
    assert "KAFKA_CONFIG_GROUP_INSTANCE_ID" not in env and int(env["KAFKA_CONFIG_SESSION_TIMEOUT_MS"]) > 3000
    keeps_records(env["KAFKA_BOOTSTRAP_SERVERS"], "shared_raw_events")
    # Two brokers in turn on one stack would show the router another topic under the old offsets.
    assert "dev/stack down kafka" in stack.run("up", "--broker", "noida", "kafka", status=1).stderr
    stack.run("down", "kafka")
    assert stack.rows()["kafka"]["broker"] == "mock"
    assert "only while it runs" in stack.run("env", status=1).stderr
    stack.run("up", "--broker", "noida", "kafka")
    assert stack.rows()["kafka"]["broker"] == "noida" and "KAFKA_CONFIG_GROUP_INSTANCE_ID" in stack.env()
    stack.run("down", "kafka")
    stack.run("up", "kafka")
    assert stack.rows()["kafka"]["broker"] == "noida"
    assert "rabbit" in stack.run("up", "--broker", "rabbit", status=2).stderr


def test_tansu_comes_with_the_library_that_can_read_it(stack):
    stack.run("up", "--broker", "tansu", "kafka")
    env = stack.env()
    with open(f"{env['LD_LIBRARY_PATH']}/librdkafka.so.1", "rb") as library:
        assert library.read(4) == b"\x7fELF"
    # confluent-kafka has that very library inside. A topic is made by whoever needs it: tansu makes none by itself.
    from confluent_kafka.admin import AdminClient, NewTopic
    admin = AdminClient({"bootstrap.servers": env["KAFKA_BOOTSTRAP_SERVERS"]})
    admin.create_topics([NewTopic("t", 2, 1)])["t"].result(SECONDS)
    keeps_records(env["KAFKA_BOOTSTRAP_SERVERS"], "t")


def test_a_broker_from_outside_is_used_and_none_is_started(stack, tmp_path):
    other = Stack(tmp_path / "other")
    other.environment["DEV_KAFKA_PORT"] = "0"
    try:
        other.run("up", "--broker", "mock", "kafka")
        servers = other.env()["KAFKA_BOOTSTRAP_SERVERS"]
        outside = {"KAFKA_BOOTSTRAP_SERVERS": servers}
        stack.run("up", "kafka", **outside)
        assert not (stack.directory / "run" / "kafka.json").exists()
        row = {row["name"]: row for row in json.loads(
            stack.run("status", "--json", status=None, **outside).stdout)["servers"]}["kafka"]
        assert (row["broker"], row["state"], row["pid"]) == ("outside", "answering", None)
        assert str(row["port"]) == servers.rpartition(":")[2]
        assert stack.env(**outside)["KAFKA_BOOTSTRAP_SERVERS"] == servers
        assert "leave one out" in stack.run("up", "--broker", "mock", status=1, **outside).stderr
        assert other.rows()["kafka"]["state"] == "answering"
        # The stack's `down` leaves it alone: it is not the stack's.
        stack.run("down", "kafka", **outside)
        assert other.rows()["kafka"]["state"] == "answering"
    finally:
        other.run("reset")
    assert servers in stack.run("up", "kafka", status=1, **outside).stderr


def order(stack: Stack, **what) -> None:
    url = json.loads((stack.directory / "run" / "mock-broker-address").read_text())["orders"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, data=json.dumps(what).encode()), timeout=SECONDS) as answer:
        assert answer.status == 200


def test_the_mock_obeys_orders_and_ends_on_sigterm(stack):
    stack.run("up", "--broker", "mock", "kafka")
    servers = stack.env()["KAFKA_BOOTSTRAP_SERVERS"]
    order(stack, do="create_topic", name="t", partitions=7)
    member = consumer(servers, **{"session.timeout.ms": 6000})
    assert len(member.list_topics("t", timeout=SECONDS).topics["t"].partitions) == 7

    # Errors on order: one request each, then none.
    order(stack, do="fail", request="OffsetCommit", codes=[22, 27])
    place = TopicPartition("t", 3, 5, metadata="v1 état")
    for name in ("ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS"):
        with pytest.raises(KafkaException, match=name):
            member.commit(offsets=[place], asynchronous=False)
    member.commit(offsets=[place], asynchronous=False)
    committed = member.committed([TopicPartition("t", 3)], timeout=SECONDS)[0]
    assert (committed.offset, committed.metadata) == (5, "v1 état")
    member.close()

    for wrong in ({"do": "dance"}, {"do": "fail", "request": "Tea", "codes": [1]}, {"do": "create_topic"}):
        with pytest.raises(urllib.error.HTTPError):
            order(stack, **wrong)
    assert stack.rows()["kafka"]["state"] == "answering"
    stack.run("freeze", "kafka")
    assert stack.rows()["kafka"]["state"] == "frozen"
    stack.run("thaw", "kafka")
    assert "ended" in stack.run("down", "kafka").stderr
    assert not (stack.directory / "run" / "mock-broker-address").exists()


def test_a_killed_mock_leaves_no_address_behind(stack):
    stack.run("up", "--broker", "mock", "kafka")
    stack.run("down", "--kill", "kafka")
    assert "only while it runs" in stack.run("env", status=1).stderr
    stack.run("up", "kafka")
    assert stack.rows()["kafka"]["state"] == "answering"
