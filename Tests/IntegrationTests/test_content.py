"""What a record becomes: every column of a row, every reason of a dead letter, through Kafka and ClickHouse."""

from collections import Counter, defaultdict

import pytest

from generator import KINDS, Sample, every_kind
from reference import MAX_EVENT_BYTES, Dead, Row

DEFAULT_TYPES = {
    "event_id": "UUID", "client_id": "UUID", "event_name": "LowCardinality(String)", "user_id": "String",
    "session_id": "String", "event_timestamp": "DateTime64(3, 'UTC')", "event_properties": "String",
    "extra_fields": "String", "received_at": "DateTime64(3, 'UTC')", "ingested_at": "DateTime64(3, 'UTC')",
    "batch_id": "UUID", "source_topic": "LowCardinality(String)", "source_partition": "Int32",
    "source_offset": "Int64",
}


def padded_event(client, total_bytes):
    """A valid event of exactly `total_bytes`."""
    head = f'{{"client_id":"{client.client_id}","api_key_hash":"{client.api_key_hash}","event_name":"e","pad":"'
    return (head + "x" * (total_bytes - len(head) - 2) + '"}').encode()


def test_every_kind_of_record_becomes_what_the_contract_says(world, seed):
    clients = [world.add_client() for _ in range(3)]
    world.produce(every_kind(seed, clients, world.now(), each=6))
    world.catch_up()
    account = world.account()
    assert set(account.reasons) == {outcome for outcome, _ in KINDS.values()} - {"row"}


def test_a_random_mix_in_many_small_batches(world, seed):
    for _ in range(3):
        world.add_client()
    world.produce_mix(seed, 3000, bad_share=0.2)
    world.catch_up(ROUTER_BATCH_MAX_ROWS=50)
    world.account()
    batches = defaultdict(list)
    for row in world.warehouse.all_rows(world.raw):
        batches[row.columns["batch_id"]].append(row)
    assert max(map(len, batches.values())) <= 50, "a batch above ROUTER_BATCH_MAX_ROWS"
    assert all(len({row.columns["source_partition"] for row in rows}) == 1 for rows in batches.values())
    for partition in world.broker.partitions(world.raw):
        ranges = sorted(
            (min(offsets), max(offsets))
            for offsets in ([row.place[1] for row in rows if row.place[0] == partition] for rows in batches.values())
            if offsets)
        assert all(one[1] < next_[0] for one, next_ in zip(ranges, ranges[1:])), "batches of a partition overlap"


def test_the_derived_event_id_is_the_same_on_every_replay(world, seed):
    world.add_client()
    produced = world.produce_mix(seed, 300, kinds={"plain"})
    world.catch_up()
    # Another group knows nothing of the first one's work: it reads, judges and inserts everything again.
    world.catch_up(KAFKA_GROUP_ID=world.group + "-again", KAFKA_CONFIG_GROUP_INSTANCE_ID=world.group + "-again")
    ids, batches = defaultdict(list), set()
    for row in world.warehouse.all_rows(world.raw):
        ids[row.place].append(row.columns["event_id"])
        batches.add(row.columns["batch_id"])
    assert ids.keys() == {each.place for each in produced}
    assert all(len(found) == 2 and len(set(found)) == 1 for found in ids.values())
    assert len({found[0] for found in ids.values()}) == len(produced), "two offsets share an event_id"
    assert len(batches) >= 2


@pytest.mark.parametrize("limit", [2000, MAX_EVENT_BYTES], ids=["set", "default"])
def test_a_payload_may_be_as_long_as_the_limit_and_no_longer(world, limit):
    client = world.add_client()
    sizes = (limit - 1, limit, limit + 1, limit + 300)
    made = [Sample(f"{size} bytes", padded_event(client, size), timestamp_ms=world.now()) for size in sizes]
    made.append(Sample("long and malformed", b"{" * (limit + 1), timestamp_ms=world.now()))
    made.append(Sample("long and empty", b" " * (limit + 1), timestamp_ms=world.now()))
    world.produce(made)
    world.catch_up(**({} if limit == MAX_EVENT_BYTES else {"ROUTER_MAX_EVENT_BYTES": limit}))
    account = world.account(max_event_bytes=limit)
    assert account.rows == 2
    assert account.reasons == {"payload_too_large": 3, "empty_payload": 1}


@pytest.mark.parametrize("status", ["pending", "suspended", "deprovisioned"])
def test_a_client_that_is_not_active(world, seed, status):
    active, other = world.add_client(), world.add_client(provision=status != "pending")
    if status != "pending":
        other = world.set_status(other, status)
    made = every_kind(seed, [active, other], world.now(), each=2)
    world.produce(made)
    world.catch_up()
    account = world.account()
    assert account.reasons["client_not_active"] > 0


PRECEDENCE = [
    # Each payload has every fault from its reason on, so the one before all others must win.
    ("missing_field", '{"client_id":5,"event_name":"","user_id":[],"timestamp":1}'),
    ("invalid_field", '{"client_id":"no","api_key_hash":"KEY","user_id":[],"timestamp":1}'),
    ("unknown_client", '{"client_id":"00000000-0000-4000-8000-000000000000","api_key_hash":"KEY","user_id":[]}'),
    ("invalid_api_key", '{"client_id":"SUSPENDED","api_key_hash":"' + "0" * 64 + '","user_id":[]}'),
    ("client_not_active", '{"client_id":"SUSPENDED","api_key_hash":"SUSPENDED_KEY","user_id":[],"timestamp":1}'),
    ("missing_field", '{"client_id":"ID","api_key_hash":"KEY","event_id":"x","user_id":[],"timestamp":1}'),
    ("invalid_field", '{"client_id":"ID","api_key_hash":"KEY","event_name":"e","user_id":[],"timestamp":1}'),
    ("timestamp_out_of_range", '{"client_id":"ID","api_key_hash":"KEY","event_name":"e","timestamp":1}'),
    ("malformed_json", '{"client_id":5,"client_id":6,"timestamp":1'),
    ("malformed_json", '[1,2'),
    ("not_an_object", '[{"client_id":5}]'),
]


def test_which_reason_wins(world):
    active, suspended = world.add_client(), world.add_client()
    suspended = world.set_status(suspended, "suspended")
    words = {
        "SUSPENDED_KEY": suspended.api_key_hash, "SUSPENDED": suspended.client_id, "KEY": active.api_key_hash,
        "ID": active.client_id,
    }
    expected = {}
    for reason, text in PRECEDENCE:
        for word, value in words.items():
            text = text.replace(f'"{word}"', f'"{value}"')
        (record,) = world.produce([Sample(reason, text.encode(), timestamp_ms=world.now())])
        verified = {"client_not_active": suspended.client_id}.get(reason)
        if f'"{active.client_id}"' in text and reason != "unknown_client":
            verified = active.client_id
        expected[record.place] = Dead(reason, verified)
    assert world.expected() == expected, "the reference and this table disagree"
    world.catch_up()
    world.account(expected)


def test_every_reason_of_the_contract(world, seed):
    """All twelve through Kafka in one run; other tests look at each one more closely."""
    good, refusing, broken, suspended = (world.add_client() for _ in range(4))
    made = every_kind(seed, [good], world.now(), each=1)
    made += [Sample("too large", padded_event(good, MAX_EVENT_BYTES + 1), timestamp_ms=world.now())]
    for client in (refusing, broken, suspended):
        made += every_kind(seed, [client], world.now(), each=1)[:20]
    world.set_status(suspended, "suspended")
    world.warehouse.command(
        f"ALTER TABLE `{refusing.database}`.events_base ADD CONSTRAINT short CHECK length(event_name) < 6")
    world.warehouse.command(f"DROP TABLE `{broken.database}`.events_base")
    world.produce(made)
    world.catch_up(ROUTER_DESTINATION_TIMEOUT_MS=1500)
    expected = world.expected()
    for place, verdict in expected.items():
        if isinstance(verdict, Row) and verdict.database == broken.database:
            expected[place] = Dead("destination_unavailable", broken.client_id)
        if isinstance(verdict, Row) and verdict.database == refusing.database:
            if len(verdict.columns["event_name"].encode()) >= 6:
                expected[place] = Dead("destination_rejected", refusing.client_id)
    reasons = world.account(expected).reasons
    assert set(reasons) == {
        "malformed_json", "not_an_object", "empty_payload", "payload_too_large", "missing_field", "invalid_field",
        "timestamp_out_of_range", "unknown_client", "invalid_api_key", "client_not_active", "destination_rejected",
        "destination_unavailable",
    }


def test_the_table_is_the_one_of_the_contract(world):
    client = world.add_client()
    answer = world.warehouse.client.query(
        "SELECT name, type FROM system.columns WHERE database = {d:String} AND table = 'events_base' "
        # What a migration adds is computed from these, and `SELECT *` does not show it.
        "AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') ORDER BY position",
        parameters={"d": client.database})
    assert dict(answer.result_rows) == DEFAULT_TYPES
    shown = world.warehouse.client.raw_query(
        f"SELECT * FROM `{client.database}`.events_base", fmt="TabSeparatedWithNames")
    assert shown.decode().split() == [name for name, _ in answer.result_rows]
    engine, key, settings = world.warehouse.client.query(
        "SELECT engine, partition_key, create_table_query FROM system.tables "
        "WHERE database = {d:String} AND name = 'events_base'", parameters={"d": client.database}).first_row
    assert engine.endswith("MergeTree") and key == "toYYYYMM(event_timestamp)"
    assert "non_replicated_deduplication_window = 10000" in settings


def test_headers_keys_and_values_of_dead_letters_are_the_records_own(world):
    headers = (
        ("a", b"1"), ("a", b"2"), ("b", None), ("c", b""), ("a", b"1"), ("router.reason", b"mine"), ("é", b"\xff\x00"),
        ("__connect.errors.topic", b"mine"), ("router.client_id", b"mine"), ("router.attempt", b"7"),
    )
    now = world.now()
    world.produce([
        Sample(f"{key!r} {value!r} {len(own)} headers", value, key, own, now)
        for key in (None, b"", b"k\x00\xff") for value in (None, b"", b"\x00\xff{", b"[]") for own in ((), headers)
    ])
    world.catch_up()
    account = world.account()
    assert account.dead == 24 and account.rows == 0


def test_rows_are_counted_by_a_client_that_is_not_ours(world, seed):
    """`Done when`: Counter of (partition, offset) per database against origins of dead letters, with no help of the
    account's own bookkeeping."""
    for _ in range(2):
        world.add_client()
    produced = world.produce_mix(seed, 500)
    world.catch_up()
    counted = Counter()
    for counts in world.warehouse.counts(world.raw).values():
        counted.update(counts)
    for letter in world.dead_letters():
        counted[int(letter.last["router.origin.partition"]), int(letter.last["router.origin.offset"])] += 1
    assert counted == Counter(each.place for each in produced)
