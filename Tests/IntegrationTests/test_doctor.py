"""`router doctor`: each fault made on purpose, found, and named with what to do; and no server can hang it."""

import time
import uuid

import pytest
import redis

WITHIN_SECONDS = 60
"""What its help promises. It takes five seconds with a frozen server; the rest is for a busy machine."""


def doctor(world, *arguments, **overrides):
    began = time.monotonic()
    answer = world.cli("doctor", "--json", *arguments, **overrides)
    assert time.monotonic() - began < WITHIN_SECONDS
    document = answer.json
    counts = {outcome: sum(each["outcome"] == outcome for each in document["checks"])
              for outcome in ("ok", "warning", "fault", "unknown")}
    assert document["counts"] == counts
    wanted = 1 if counts["unknown"] else 2 if counts["fault"] else 0
    assert answer.status == wanted, (answer, document)
    for each in document["checks"]:
        assert each["detail"] and (each["outcome"] == "ok" or each.get("advice") or each["outcome"] == "unknown"), each
    return document


def outcomes(document):
    worst = {}
    for each in document["checks"]:
        worst.setdefault(each["name"], each)
    return worst


def check(document, name, outcome, *words):
    found = [each for each in document["checks"] if each["name"] == name and each["outcome"] == outcome]
    assert found, (name, outcome, document["checks"])
    text = " ".join(each["detail"] + " " + each.get("advice", "") for each in found)
    assert all(word in text for word in words), (words, text)


def test_a_well_pipeline_is_well(world, seed):
    world.add_client()
    world.produce_mix(seed, 200)
    world.catch_up()
    document = doctor(world)
    assert document["verdict"] == "well"
    found = outcomes(document)
    for name in ("postgres.reach", "postgres.schema", "postgres.privileges", "postgres.clock", "postgres.notify",
                 "clients.schema", "kafka.reach", "kafka.offsets", "kafka.metadata", "clickhouse.reach",
                 "clickhouse.settings", "clickhouse.clock", "clickhouse.tables", "clickhouse.columns",
                 "clickhouse.deduplication", "redis.reach", "redis.clock", "redis.directory"):
        assert found[name]["outcome"] == "ok", found[name]
    # The group of the round trip is gone again, and the router's own is untouched.
    groups = {each.group_id for each in world.broker.admin.list_consumer_groups().result().valid}
    assert not [each for each in groups if each.startswith(world.group + "-doctor")]
    assert world.audit().status == 0


def test_it_says_the_same_for_a_person_within_the_width_of_a_terminal(world):
    world.add_client()
    answer = world.cli("doctor")
    assert "postgres.reach" in answer.out and "\x1b" not in answer.out
    assert max(map(len, answer.out.splitlines())) <= 100


@pytest.mark.parametrize("server, port", [
    ("kafka", {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}), ("clickhouse", {"CLICKHOUSE_PORT_HTTP": 1}),
    ("postgres", {"POSTGRES_METADATA_PORT": 1}), ("redis", {"REDIS_URL": "redis://127.0.0.1:1/0"})])
def test_a_server_that_is_away_is_named_and_the_others_are_checked(world, server, port):
    world.add_client()
    document = doctor(world, **port)
    found = outcomes(document)
    for name in ("kafka", "clickhouse", "postgres", "redis"):
        assert found[name + ".reach"]["outcome"] == ("unknown" if name == server else "ok")
    check(document, server + ".reach", "unknown", "see that")


@pytest.mark.parametrize("server", ["kafka", "clickhouse", "postgres", "redis"])
def test_a_frozen_server_does_not_hang_it(world, server):
    world.add_client()
    with world.stack.without(server, "frozen"):
        document = doctor(world)
    check(document, server + ".reach", "unknown")


def test_all_servers_away(world):
    document = doctor(
        world, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", CLICKHOUSE_PORT_HTTP=1, POSTGRES_METADATA_PORT=1,
        REDIS_URL="redis://127.0.0.1:1/0")
    assert document["verdict"] == "incomplete"


def test_wrong_passwords_are_told_without_them(world):
    document = doctor(world, POSTGRES_METADATA_PASSWORD="s3cr3t-one", CLICKHOUSE_PASSWORD="s3cr3t-two")
    assert "s3cr3t" not in str(document)
    check(document, "postgres.reach", "unknown", "POSTGRES_METADATA_USER")
    check(document, "clickhouse.reach", "unknown", "CLICKHOUSE_USER")


def test_an_active_client_without_its_table(world):
    client = world.add_client()
    world.warehouse.command(f"DROP TABLE `{client.database}`.events_base")
    check(doctor(world), "clickhouse.tables", "fault", client.database, "router provision")


def test_a_table_that_forgets_tokens(world):
    client = world.add_client()
    world.warehouse.command(
        f"ALTER TABLE `{client.database}`.events_base MODIFY SETTING non_replicated_deduplication_window = 5")
    check(doctor(world), "clickhouse.deduplication", "fault", client.database, "(5)", "MODIFY SETTING")


def test_a_table_with_a_column_missing(world):
    client = world.add_client()
    world.warehouse.command(f"ALTER TABLE `{client.database}`.events_base DROP COLUMN extra_fields")
    check(doctor(world), "clickhouse.columns", "fault", client.database, "extra_fields")


def test_a_database_that_is_no_clients(world):
    name = "client_" + str(uuid.uuid4()).replace("-", "_")
    world.warehouse.command(f"CREATE DATABASE `{name}`")
    try:
        document = doctor(world)
        orphans = outcomes(document)["clickhouse.orphans"]
        assert orphans["outcome"] == "warning" and "none's" in orphans["detail"]
    finally:
        world.warehouse.command(f"DROP DATABASE `{name}`")
    client = world.add_client()
    world.set_status(client, "deprovisioned")
    assert client.database not in outcomes(doctor(world))["clickhouse.orphans"]["detail"]


def test_a_client_that_is_not_provisioned_and_one_without_a_version(world):
    pending = world.add_client(provision=False)
    check(doctor(world), "clients.list", "warning", pending.client_id, "router provision")
    client = world.add_client()
    world.sql("DELETE FROM schema_versions WHERE client_id = %s", client.client_id)
    check(doctor(world), "clients.schema", "warning", client.client_id, "router migrate")


def test_an_entry_in_redis_that_postgres_contradicts(world, seed):
    client = world.add_client()
    world.produce_mix(seed, 20, bad_share=0, kinds={"plain"})
    world.catch_up()
    cache = redis.Redis.from_url(world.settings["REDIS_URL"])
    (key,) = cache.keys(f"*{client.client_id}")
    value = cache.get(key)
    assert b"active" in value
    # Without the trigger's word, as if somebody wrote to Redis by hand.
    cache.set(key, value.replace(b"active", b"suspended"), keepttl=True)
    try:
        check(doctor(world), "redis.directory", "fault", client.client_id, "ROUTER_CACHE_HMAC_KEY")
        check(doctor(world, ROUTER_CACHE_HMAC_KEY="0123456789abcdef0123456789abcdef"), "redis.directory", "warning",
              "signature")
    finally:
        cache.delete(key)


def test_a_partition_whose_committed_offset_is_gone(world):
    world.add_client()
    world.sql("INSERT INTO partition_progress (group_id, topic, partition, last_completed_offset) VALUES (%s, %s, 1, 9)",
              world.group, world.raw)
    try:
        check(doctor(world), "kafka.offsets", "fault", "partition 1", "router offsets")
    finally:
        world.sql("DELETE FROM partition_progress WHERE group_id = %s", world.group)


def test_topics_that_are_missing_or_too_small(bare_world):
    document = doctor(bare_world)
    check(document, "kafka.topic.raw", "warning", bare_world.raw, "router run")
    check(document, "kafka.topic.dead_letter", "warning", bare_world.dead)
    small = {"max.message.bytes": "500000", "retention.ms": "3600000", "cleanup.policy": "compact"}
    bare_world.broker.create_topics(small, **{bare_world.raw: 2, bare_world.dead: 2})
    document = doctor(bare_world)
    check(document, "kafka.config.raw", "warning", "ROUTER_MAX_EVENT_BYTES", "500,000")
    check(document, "kafka.config.dead_letter", "warning", "without their value")
    check(document, "kafka.config.raw", "fault", "compact", "cleanup.policy")
    check(document, "kafka.retention", "warning", "1 hours")


def test_it_looks_at_the_router_that_runs(world):
    world.add_client()
    world.run().await_ready()
    check(doctor(world), "router.running", "ok", "running")
    check(doctor(world), "router.circuits", "ok")


def test_a_user_without_rights_is_told_which(world):
    role = "it_" + uuid.uuid4().hex[:12]
    world.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'it'")
    try:
        world.sql(f"GRANT SELECT ON clients, schema_versions, partition_progress, router_schema, pauses TO {role}")
        document = doctor(world, POSTGRES_METADATA_USER=role, POSTGRES_METADATA_PASSWORD="it")
        check(document, "postgres.privileges", "fault", "partition_progress INSERT", "deploy/postgres-grants.sql")
    finally:
        world.sql(f"DROP OWNED BY {role}")
        world.sql(f"DROP ROLE {role}")


def test_a_partition_that_was_accepted_does_not_stand_still(world):
    world.add_client()
    world.sql("INSERT INTO partition_progress (group_id, topic, partition, last_completed_offset) VALUES (%s, %s, 1, 9)",
              world.group, world.raw)
    try:
        check(doctor(world), "kafka.offsets", "fault", "partition 1")
        accepted = world.cli("offsets", "accept", "--partition", 1, "--earliest", "--reason", "a test", "--yes")
        assert accepted.status == 0, accepted
        check(doctor(world), "kafka.offsets", "ok")
    finally:
        world.sql("DELETE FROM partition_progress WHERE group_id = %s", world.group)
