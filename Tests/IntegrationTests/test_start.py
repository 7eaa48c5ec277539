"""Before the first event: wrong settings, servers that are not there yet, topics that are missing."""

import signal

import pytest

from support import exposition
from support.stack import free_ports
from support.waiting import until

WRONG = {
    "ROUTER_HTTP_PORT": "70000", "ROUTER_BATCH_MAX_ROWS": "many", "ROUTER_MEMORY_LIMIT_MB": "-1", "LOG_FORMAT": "xml",
    "POSTGRES_METADATA_PORT": "0", "ROUTER_BATCH_MAX_AGE_MS": "1.5",
}
RESERVED = (
    "enable.auto.commit", "enable.auto.offset.store", "auto.offset.reset", "group.id", "isolation.level",
    "partition.assignment.strategy", "acks", "enable.idempotence",
)


def test_every_wrong_setting_is_named_in_one_message(world):
    answer = world.cli("run", LOG_FORMAT="xml", **{name: value for name, value in WRONG.items() if name != "LOG_FORMAT"})
    assert answer.status == 64, answer
    assert not [name for name in WRONG if name not in answer.err], answer


@pytest.mark.parametrize("name", WRONG)
def test_one_wrong_setting_names_no_other(world, name):
    answer = world.cli("run", **{name: WRONG[name]})
    assert answer.status == 64 and name in answer.err, answer
    assert not [other for other in WRONG if other != name and other in answer.err], answer


@pytest.mark.parametrize("property_name", RESERVED)
def test_what_delivery_depends_on_cannot_be_set(world, property_name):
    name = "KAFKA_CONFIG_" + property_name.upper().replace(".", "_")
    answer = world.cli("run", **{name: "all"})
    assert answer.status == 64 and name in answer.err, answer


def test_an_unknown_librdkafka_property_is_named(world):
    answer = world.cli("run", KAFKA_CONFIG_NO_SUCH_THING="1", seconds=60)
    assert answer.status in (1, 64) and "no.such.thing" in answer.err.lower().replace("_", "."), answer


def test_a_secret_may_come_from_a_file(world, seed):
    path = world.directory / "password"
    path.write_text(world.settings["POSTGRES_METADATA_PASSWORD"] + "\n")
    client = world.add_client()
    world.produce_mix(seed, 20)
    world.catch_up(POSTGRES_METADATA_PASSWORD="", POSTGRES_METADATA_PASSWORD_FILE=path)
    world.account()
    missing = world.cli("client", "show", client.client_id, POSTGRES_METADATA_PASSWORD="",
                        POSTGRES_METADATA_PASSWORD_FILE=world.directory / "nothing")
    assert missing.status == 64 and "POSTGRES_METADATA_PASSWORD_FILE" in missing.err


def test_the_environment_wins_over_the_file(world):
    path = world.directory / "router.yaml"
    path.write_text("ROUTER_BATCH_MAX_ROWS: 0\nLOG_FORMAT: xml\n")
    both = world.cli("run", "--config", path, LOG_FORMAT="json")
    assert both.status == 64 and "ROUTER_BATCH_MAX_ROWS" in both.err and "LOG_FORMAT" not in both.err, both
    path.write_text("ROUTER_BATCH_MAX_ROW: 5\n")
    unknown = world.cli("run", "--config", path)
    assert unknown.status == 64 and "ROUTER_BATCH_MAX_ROW" in unknown.err, unknown


NAMED = {
    "kafka": ("KAFKA_BOOTSTRAP_SERVERS", lambda port: f"127.0.0.1:{port}"),
    "clickhouse": ("CLICKHOUSE_PORT_HTTP", str),
    "postgres": ("POSTGRES_METADATA_PORT", str),
}


@pytest.mark.parametrize("server", NAMED)
def test_a_server_that_is_not_there_at_start_is_waited_for(world, stack, server, seed):
    world.add_client()
    world.produce_mix(seed, 100)
    with stack.without(server, "stopped"):
        router = world.run()
        router.await_log(f"the name of {server}", lambda record: server in str(record).lower()
                         and record.get("level") in ("warning", "error", "critical"))
        until("/healthz answers", lambda: router.get("/healthz")[0] == 200, alive=router.must_live)
        router.await_ready(False)
        assert server in router.get("/readyz")[1].lower()
        router.must_live()
    router.await_ready()
    world.await_caught_up(router)
    assert router.terminate() == 0
    world.account()


def test_redis_away_at_start_stops_nothing(world, stack, seed):
    world.add_client()
    world.produce_mix(seed, 100)
    with stack.without("redis", "stopped"):
        world.catch_up()
    world.account()


def test_a_server_that_never_comes_does_not_keep_it_from_ending(world):
    (port,) = free_ports(1)
    router = world.run(CLICKHOUSE_PORT_HTTP=port, ROUTER_SHUTDOWN_TIMEOUT_MS=2000)
    router.await_log("clickhouse", lambda record: "clickhouse" in str(record).lower())
    assert router.terminate(30) in (0, 1)


def test_missing_topics_are_created(bare_world):
    world = bare_world
    world.add_client()
    router = world.run().await_ready()
    until("both topics", lambda: world.broker.partitions(world.raw) and world.broker.partitions(world.dead),
          alive=router.must_live)
    world.produce_mix(1, 100)
    world.await_caught_up(router)
    assert router.terminate() == 0
    world.account()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_delivers_what_was_read(world, seed, number):
    """Nothing seals these batches but the end of the program: neither their rows nor their age."""
    world.add_client()
    world.produce_mix(seed, 500)
    router = world.run(ROUTER_BATCH_MAX_AGE_MS=60000).await_ready()

    def consumed():
        families = exposition.read(router.get("/metrics")[1])
        return exposition.total(families, "router_events_consumed_total") == 500

    until("500 events consumed", consumed, alive=router.must_live)
    router.signal(number)
    assert router.wait(40) == 0, router.tail()
    world.account()


def test_a_port_that_is_taken_is_a_clear_failure(world):
    first = world.run().await_ready()
    second = world.run(KAFKA_GROUP_ID=world.group + "-2", KAFKA_CONFIG_GROUP_INSTANCE_ID="")
    assert second.wait(60) == 1 and str(second.port) in second.tail()
    first.must_live()


def test_until_caught_up_ends_at_what_was_there(world, seed):
    world.add_client()
    world.catch_up()
    world.produce_mix(seed, 100)
    world.catch_up()
    world.catch_up()
    world.account()


def test_catching_up_ends_where_a_partition_stands_still(world):
    """The group has no committed offset, and Postgres remembers a delivered one: a person has to decide."""
    world.add_client()
    world.produce_mix(7, 50)
    world.sql(
        "INSERT INTO partition_progress (group_id, topic, partition, last_completed_offset) VALUES (%s, %s, %s, %s)",
        world.group, world.raw, 0, 3)
    done = world.cli("run", "--until-caught-up", seconds=60)
    assert done.status == 1, done
    assert "cannot catch up" in done.err and "offset 3" in done.err
