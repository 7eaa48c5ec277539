"""`router client …`: what an operator does with clients, and what a running router makes of it."""

import hashlib
import json
import stat
import threading
import time
import uuid

import psycopg2
import pytest
import redis

from generator import Sample
from support.waiting import until

ODD_NAME = "O'Brien; DROP TABLE clients; -- \"größe\" `x`"


def event(client, key_hash=None, now=None, name="e", user="u1"):
    value = {"client_id": client.client_id, "api_key_hash": key_hash or client.api_key_hash, "event_name": name,
             "user_id": user}
    return Sample("plain", json.dumps(value).encode(), timestamp_ms=now or int(time.time() * 1000))


def row_of(world, client, columns="status"):
    ((*values,),) = world.sql(f"SELECT {columns} FROM clients WHERE client_id = %s", client.client_id)
    return values[0] if len(values) == 1 else tuple(values)


class Steady:
    """Events of one client, one after the other, each stamped when it is sent, until it is stopped."""

    def __init__(self, world, client):
        self.world, self.client, self.stopped = world, client, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped.is_set():
            self.world.produce([event(self.client) for _ in range(5)])

    def stop(self):
        self.stopped.set()
        self.thread.join(60)


def test_a_running_router_refuses_a_suspended_client_within_a_second_and_takes_a_resumed_one(world):
    client, other = world.add_client(), world.add_client()
    router = world.run().await_ready()
    load = Steady(world, client)
    try:
        until("rows", lambda: world.warehouse.row_count(client.database) > 50, alive=router.must_live)
        assert world.cli("client", "suspend", client.client_id).status == 0
        (suspended,) = world.sql(
            "SELECT extract(epoch FROM updated_at) * 1000 FROM clients WHERE client_id = %s", client.client_id)[0]
        until("events after the suspension", lambda: time.time() * 1000 > float(suspended) + 2500)
        world.produce([event(other)])
    finally:
        load.stop()
    world.await_caught_up(router)
    late = [row for row in world.warehouse.rows(client.database, world.raw)
            if row.columns["received_at"] > float(suspended) + 1000]
    after = [each for each in world.produced if each.timestamp_ms > float(suspended) + 1000
             and client.client_id.encode() in each.sample.value]
    assert len(after) > 20 and not late, f"{len(late)} of {len(after)} events came a second after and are rows"
    assert world.warehouse.row_count(other.database) == 1
    letters = world.dead_letters()
    assert letters and {(each.reason, each.last["router.client_id"]) for each in letters} == {
        ("client_not_active", client.client_id)}
    before = world.warehouse.row_count(client.database)
    assert world.cli("client", "resume", client.client_id).status == 0
    until("a row after the client was resumed", lambda: world.produce([event(client)]) and
          world.warehouse.row_count(client.database) > before, alive=router.must_live, interval=0.2)


def test_a_rotated_key_and_the_one_before_it(world):
    client = world.add_client()
    router = world.run().await_ready()
    world.produce([event(client)])
    until("a row", lambda: world.warehouse.row_count(client.database) == 1, alive=router.must_live)
    rotated = world.cli("client", "rotate-key", client.client_id, "--json", prints_key=True)
    assert rotated.status == 0, rotated
    made = rotated.json
    world.secrets.add("a rotated key", made["api_key"])
    assert hashlib.sha256(made["api_key"].encode()).hexdigest() == made["api_key_hash"]
    assert row_of(world, client, "api_key_hash, previous_api_key_hash") == (made["api_key_hash"], client.api_key_hash)
    hours = world.sql("SELECT extract(epoch FROM previous_api_key_expires_at - updated_at) / 3600 FROM clients "
                      "WHERE client_id = %s", client.client_id)[0][0]
    assert abs(float(hours) - 24) < 0.1
    rows = iter(range(2, 100))

    def is_taken(key_hash):
        expected = next(rows)
        world.produce([event(client, key_hash)])
        until(f"row {expected}", lambda: world.warehouse.row_count(client.database) == expected,
              alive=router.must_live)

    # The new key is in force once the command has ended; a router hears of it within a second.
    until("the new key is taken", lambda: world.produce([event(client, made["api_key_hash"])]) and
          world.warehouse.row_count(client.database) > 1, alive=router.must_live, interval=0.3)
    world.await_caught_up(router)
    rows = iter(range(world.warehouse.row_count(client.database) + 1, 1000))
    is_taken(client.api_key_hash)
    is_taken(made["api_key_hash"])
    # It has leaked: both of the keys so far end at once.
    again = world.cli("client", "rotate-key", client.client_id, "--keep-old", "0", "--json", prints_key=True)
    assert again.status == 0 and again.json["earlier_key_ended"] is True, again
    assert again.json.get("previous_api_key_expires_at") is None
    assert row_of(world, client, "previous_api_key_hash, previous_api_key_expires_at") == (None, None)
    at = time.time() * 1000
    until("a second", lambda: time.time() * 1000 > at + 1000)
    count = world.warehouse.row_count(client.database)
    world.produce([event(client, key) for key in (client.api_key_hash, made["api_key_hash"])])
    is_taken(again.json["api_key_hash"])
    world.await_caught_up(router)
    assert world.warehouse.row_count(client.database) == count + 1
    assert [each.reason for each in world.dead_letters()].count("invalid_api_key") >= 2


@pytest.mark.parametrize("time_text", ["1", "h", "-1h", "1.5h", "1w", "", "9999999999999999999d", "1h30m"])
def test_a_time_that_is_none_is_wrong_usage(world, time_text):
    client = world.add_client(provision=False)
    before = row_of(world, client, "api_key_hash, updated_at")
    answer = world.cli("client", "rotate-key", client.client_id, f"--keep-old={time_text}", prints_key=True)
    assert answer.status == 64 and not answer.out.strip(), answer
    assert row_of(world, client, "api_key_hash, updated_at") == before


def test_a_key_cannot_be_kept_for_longer_than_a_year(world):
    client = world.add_client(provision=False)
    answer = world.cli("client", "rotate-key", client.client_id, "--keep-old", "366d", prints_key=True)
    assert answer.status == 1 and "365" in answer.err and not answer.out.strip(), answer


def test_changes_that_cannot_be_are_refused_with_what_to_do(world):
    client = world.add_client(provision=False)
    for command, status, word in (
            ("resume", "pending", "provision"), ("suspend", "pending", "provision"), ("resume", "active", "already"),
            ("suspend", "suspended", "already"), ("suspend", "deprovisioned", "new client"),
            ("resume", "deprovisioned", "new client")):
        world.set_status(client, status)
        answer = world.cli("client", command, client.client_id)
        assert answer.status == 1 and word in answer.err and status in answer.err and not answer.out.strip(), answer
        assert row_of(world, client) == status
    answer = world.cli("client", "rotate-key", client.client_id, prints_key=True)
    assert answer.status == 1 and "deprovisioned" in answer.err and not answer.out.strip(), answer


@pytest.mark.parametrize("command", [
    ["rotate-key"], ["suspend"], ["resume"], ["rename", "--name", "n"], ["set", "--retention", "3"], ["show"],
    ["erase-user", "u", "--reason", "r", "--yes"]], ids=lambda each: each[0])
def test_an_unknown_client_is_named(world, command):
    unknown = str(uuid.uuid4())
    answer = world.cli("client", command[0], unknown, *command[1:], prints_key=True)
    assert answer.status == 1 and unknown in answer.err and not answer.out.strip(), answer


def test_rename_takes_any_name_and_refuses_none(world):
    client = world.add_client(provision=False)
    answer = world.cli("client", "rename", client.client_id, "--name", ODD_NAME, "--json")
    assert answer.status == 0 and answer.json["client_name"] == ODD_NAME
    assert row_of(world, client, "client_name") == ODD_NAME
    for name in ("", "  ", "x" * 201, "a\x1bb", "line\nbreak"):
        answer = world.cli("client", "rename", client.client_id, "--name", name)
        assert answer.status == 1 and answer.err.strip(), answer
    assert row_of(world, client, "client_name") == ODD_NAME


def test_of_two_operators_at_once_one_is_refused(world):
    client = world.add_client()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(world.cli("client", "suspend", client.client_id)))
               for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(each.status for each in answers) == [0, 1, 1, 1], answers
    assert row_of(world, client) == "suspended"


def test_list_tells_what_each_client_does(world):
    busy, idle, pending = world.add_client(), world.add_client(), world.add_client(provision=False)
    now = world.now()
    old = now - 3 * 86_400_000
    world.produce([event(busy, now=now) for _ in range(7)])
    world.produce([Sample("old", json.dumps({
        "client_id": busy.client_id, "api_key_hash": busy.api_key_hash, "event_name": "old",
        "timestamp": old}).encode(), timestamp_ms=now) for _ in range(4)])
    world.catch_up()
    answer = world.cli("client", "list", "--json")
    assert answer.status == 0, answer
    listed = {each["client_id"]: each for each in answer.json["clients"]}
    assert answer.json["notes"] == []
    one = listed[busy.client_id]
    assert (one["rows"], one["rows_last_day"], one["schema_version"] >= 1) == (11, 7, True)
    newest = world.warehouse.command(f"SELECT max(event_timestamp) FROM `{busy.database}`.events_base")
    assert one["last_event_at"][:19] == str(newest)[:19].replace(" ", "T")
    assert (listed[idle.client_id]["rows"], listed[idle.client_id].get("last_event_at")) == (0, None)
    assert listed[pending.client_id].get("schema_version") is None
    text = world.cli("client", "list")
    assert text.status == 0 and all(len(line) <= 100 for line in text.out.splitlines()), text.out
    assert any(busy.client_id in line and "active" in line and "7" in line for line in text.out.splitlines())
    shown = world.cli("client", "show", busy.client_id, "--json").json
    assert (shown["rows"], shown["rows_last_day"]) == (11, 7)


def test_clients_are_listed_also_when_clickhouse_is_away(world):
    client = world.add_client()
    answer = world.cli("client", "list", "--json", CLICKHOUSE_PORT_HTTP="1")
    assert answer.status == 0 and answer.json["notes"], answer
    (one,) = [each for each in answer.json["clients"] if each["client_id"] == client.client_id]
    assert one["status"] == "active" and one.get("rows") is None


def test_one_broken_table_leaves_the_list_readable(world):
    client, broken = world.add_client(), world.add_client()
    world.produce([event(each) for each in (client, broken)])
    world.catch_up()
    world.warehouse.command(f"DROP TABLE `{broken.database}`.events_base SYNC")
    listed = {each["client_id"]: each for each in world.cli("client", "list", "--json").json["clients"]}
    assert listed[client.client_id]["rows"] == 1 and listed[broken.client_id]["rows"] == 0


# Import

@pytest.fixture
def clean_clients(world):
    yield
    world.sql("DELETE FROM clients WHERE client_name LIKE %s", f"{world.raw}%")


def test_import_of_csv_with_quotes_and_a_keys_file(world, clean_clients):
    chosen = str(uuid.uuid4())
    own_hash = hashlib.sha256(b"their own key").hexdigest()
    mark = world.raw
    names = [f'{mark} a, "quoted"', f"{mark} größe; DROP TABLE clients", f"{mark} third"]
    text = "\ufeffclient_name,client_id,api_key_hash,ch_database_name\r\n"
    text += f'"{mark} a, ""quoted""",{chosen},,\r\n\r\n'
    text += f"{names[1]},,{own_hash},db_{chosen[:8]}\r\n"
    text += f"{names[2]},,,\n"
    path, keys = world.directory / "clients.csv", world.directory / "keys.jsonl"
    path.write_bytes(text.encode())
    answer = world.cli("client", "import", path, "--keys", keys, "--json")
    assert answer.status == 0, answer
    assert answer.json["imported"] == 3 and "api_key" not in answer.out
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in keys.read_text().splitlines()]
    assert [each["client_name"] for each in lines] == names
    for each in lines:
        stored = world.sql("SELECT api_key_hash, status, client_name FROM clients WHERE client_id = %s",
                           each["client_id"])
        assert stored == [(each["api_key_hash"], "pending", each["client_name"])]
        if each.get("api_key"):
            assert hashlib.sha256(each["api_key"].encode()).hexdigest() == each["api_key_hash"]
    assert lines[0]["client_id"] == chosen
    assert lines[1]["api_key_hash"] == own_hash and "api_key" not in lines[1]
    assert lines[1]["ch_database_name"] == f"db_{chosen[:8]}"
    again = world.cli("client", "import", path, "--keys", world.directory / "more.jsonl")
    assert again.status == 1 and "line 2" in again.err and chosen in again.err and "line 4" in again.err, again
    assert not (world.directory / "more.jsonl").exists()
    assert world.sql("SELECT count(*) FROM clients WHERE client_name LIKE %s", f"{mark}%") == [(3,)]


def test_import_of_jsonl_from_standard_input_shows_the_keys_once(world, clean_clients):
    lines = "".join(json.dumps({"name": f"{world.raw} {index}"}) + "\n" for index in range(20))
    answer = world.cli(
        "client", "import", "-", "--format", "jsonl", "--json", input=lines.encode(), prints_key=True)
    assert answer.status == 0, answer
    made = answer.json["clients"]
    assert len({each["api_key"] for each in made}) == 20
    hashes = world.sql("SELECT api_key_hash FROM clients WHERE client_name LIKE %s", f"{world.raw}%")
    assert {hashlib.sha256(each["api_key"].encode()).hexdigest() for each in made} == {each for (each,) in hashes}


def test_every_fault_of_a_file_is_told_with_its_line_and_nothing_is_added(world, clean_clients):
    taken = world.add_client(provision=False)
    same = str(uuid.uuid4())
    lines = [
        {"client_name": f"{world.raw} good"}, {"client_name": ""}, {"client_name": f"{world.raw} x", "client_id": "no"},
        "not json", {"client_name": 7}, {"client_name": f"{world.raw} x", "colour": "red"},
        {"client_name": f"{world.raw} x", "ch_database_name": "system"},
        {"client_name": f"{world.raw} x", "api_key_hash": "12"},
        {"client_name": f"{world.raw} x", "client_id": same}, {"client_name": f"{world.raw} x", "client_id": same.upper()},
    ]
    path = world.directory / "bad.jsonl"
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in lines))
    answer = world.cli("client", "import", path, prints_key=True)
    assert answer.status == 1 and not answer.out.strip(), answer
    for line in (2, 3, 4, 5, 6, 7, 8, 10):
        assert f"line {line}:" in answer.err, f"line {line} is not named in\n{answer.err}"
    assert "line 1:" not in answer.err and "line 9:" not in answer.err
    path.write_text("".join(json.dumps(each) + "\n" for each in [
        {"client_name": f"{world.raw} good"}, {"client_name": f"{world.raw} x", "client_id": taken.client_id}]))
    answer = world.cli("client", "import", path, prints_key=True)
    assert answer.status == 1 and "line 2:" in answer.err and taken.client_id in answer.err, answer
    assert world.sql("SELECT count(*) FROM clients WHERE client_name LIKE %s", f"{world.raw} good%") == [(0,)]


def test_a_keys_file_that_is_there_is_not_written_over(world, clean_clients):
    path, keys = world.directory / "clients.csv", world.directory / "keys.jsonl"
    path.write_text(f"name\n{world.raw} one\n")
    keys.write_text("precious")
    answer = world.cli("client", "import", path, "--keys", keys)
    assert answer.status == 1 and keys.read_text() == "precious", answer
    assert world.sql("SELECT count(*) FROM clients WHERE client_name LIKE %s", f"{world.raw} one%") == [(0,)]


@pytest.mark.parametrize("text", ["", "name\n", "colour\nred\n", "name,name\na,b\n", "name\n\"open\n", "name\na,b\n"])
def test_a_csv_file_that_holds_no_clients_is_refused(world, text):
    path = world.directory / "clients.csv"
    path.write_text(text)
    answer = world.cli("client", "import", path, prints_key=True)
    assert answer.status == 1 and ("line 1" in answer.err or "line 2" in answer.err), answer


# Retention

def old_events(world, client, days, count):
    """Events of `days` ago, whose records are young: Kafka keeps them, the table does not have to."""
    now = world.now()
    value = {"client_id": client.client_id, "api_key_hash": client.api_key_hash, "event_name": "old",
             "timestamp": now - days * 86_400_000}
    return world.produce([Sample("old", json.dumps(value).encode(), timestamp_ms=now) for _ in range(count)])


def test_rows_that_expire_are_no_losses_and_others_are(world):
    client, other = world.add_client(), world.add_client()
    old_events(world, client, 40, 30)
    old_events(world, other, 40, 5)
    world.produce([event(client) for _ in range(10)])
    world.catch_up()
    refused = world.cli("client", "set", client.client_id, "--retention", "30")
    assert refused.status == 64 and "30 rows" in refused.err, refused
    assert world.warehouse.row_count(client.database) == 40
    answer = world.cli("client", "set", client.client_id, "--retention", "30", "--yes", "--json")
    assert answer.status == 0 and answer.json["retention_days"] == 30, answer
    assert "toIntervalDay(30)" in world.warehouse.command(
        f"SELECT engine_full FROM system.tables WHERE database = '{client.database}' AND name = 'events_base'")
    until("ClickHouse has dropped the old rows", lambda: world.warehouse.row_count(client.database) == 10)
    audit = world.audit()
    assert audit.status == 0, audit.out
    assert (audit.json["totals"]["expired"], audit.json["totals"]["missing"]) == (30, 0)
    # For ever again: what has expired has expired, also for audit.
    answer = world.cli("client", "set", client.client_id, "--retention", "none", "--json")
    assert answer.status == 0 and answer.json.get("retention_days") is None, answer
    assert world.audit().json["totals"]["expired"] == 30
    # A young row of this client that is gone, and an old one of a client without retention, are lost.
    world.warehouse.command(f"ALTER TABLE `{other.database}`.events_base DELETE WHERE 1 SETTINGS mutations_sync = 2")
    world.warehouse.command(
        f"ALTER TABLE `{client.database}`.events_base DELETE WHERE 1 SETTINGS mutations_sync = 2")
    audit = world.audit()
    assert audit.status == 2 and audit.json["totals"]["missing"] == 15, audit.out


def test_a_ttl_of_somebody_else_is_left_alone(world):
    client = world.add_client()
    world.warehouse.command(
        f"ALTER TABLE `{client.database}`.events_base MODIFY TTL toDateTime(received_at) + INTERVAL 1 YEAR")
    for days in ("3", "none"):
        answer = world.cli("client", "set", client.client_id, "--retention", days)
        assert answer.status == 1 and "TTL" in answer.err, answer
    assert world.sql("SELECT count(*) FROM client_retention WHERE client_id = %s", client.client_id) == [(0,)]


@pytest.mark.parametrize("days", ["0", "-1", "x", "36501", "1.5", ""])
def test_retention_that_is_none_is_wrong_usage(world, days):
    answer = world.cli("client", "set", str(uuid.uuid4()), f"--retention={days}")
    assert answer.status == 64, answer


# Erasure

def test_a_users_rows_are_erased_counted_and_not_named(world):
    client, other = world.add_client(), world.add_client()
    user = f"user-{uuid.uuid4()}"
    for index in range(300):
        world.produce([event(client, user=user if index % 3 == 0 else f"other-{index}")], partition=index % 2)
    world.produce([event(other, user=user) for _ in range(5)])
    # Of the same user: one that cannot become a row. Its dead letter must not be replayed either.
    (bad,) = world.produce([Sample("bad", json.dumps({
        "client_id": client.client_id, "api_key_hash": client.api_key_hash, "user_id": user}).encode(),
        timestamp_ms=world.now())])
    world.catch_up()
    places = {row.place for row in world.warehouse.rows(client.database, world.raw)
              if row.columns["user_id"] == user}
    assert len(places) == 100
    answer = world.cli("client", "erase-user", client.client_id, user, "--reason", "request 88")
    assert answer.status == 64 and "--yes" in answer.err, answer
    assert len(world.warehouse.rows(client.database, world.raw)) == 300
    answer = world.cli("client", "erase-user", client.client_id, user, "--reason", "request 88", "--yes", "--json",
                       LOG_LEVEL="trace")
    assert answer.status == 0, answer
    assert (answer.json["rows"], answer.json["remaining"], answer.json["dead_letters"]) == (100, 0, 1)
    assert user not in answer.out + answer.err
    left = world.warehouse.rows(client.database, world.raw)
    assert len(left) == 200 and user not in {row.columns["user_id"] for row in left}
    assert world.warehouse.row_count(other.database) == 5
    audit = world.audit()
    assert audit.status == 0 and audit.json["totals"]["erased"] == 100, audit.out
    # What Postgres keeps: exactly these origins, and nobody's name.
    stored = world.sql(
        "SELECT o.what, o.topic, o.partition, o.offsets::text, o.row_count, r.reason, r.state FROM removed_offsets o "
        "JOIN removals r USING (removal_id) WHERE r.client_id = %s", client.client_id)
    found = {(partition, offset) for what, topic, partition, offsets, *_ in stored if what == "row"
             for offset in members(offsets)}
    assert found == places and {(each[5], each[6]) for each in stored} == {("request 88", "done")}
    assert [(each[2], members(each[3])) for each in stored if each[0] == "dead_letter"] == [
        (bad.partition, [bad.offset])]
    for table in ("removals", "removed_offsets"):
        assert user not in repr(world.sql(f"SELECT * FROM {table}"))
    assert user not in world.warehouse.command("SELECT groupArray(command) FROM system.mutations")
    # Neither a rebuild nor a replay brings them back, though Kafka still has every event.
    rebuilt = world.cli("rebuild", client.client_id, "--json")
    assert rebuilt.status in (0, 2) and rebuilt.json is not None, rebuilt
    replayed = world.cli("dlq", "replay", "--jq", '.event_name = "mended"', "--json")
    assert replayed.status in (0, 2) and replayed.json is not None, replayed
    left = world.warehouse.rows(client.database, world.raw)
    assert len(left) == 200 and user not in {row.columns["user_id"] for row in left}
    # A row that goes otherwise is lost all the same, and a rebuild does bring that one back.
    lost = left[0]
    world.warehouse.command(
        f"ALTER TABLE `{client.database}`.events_base DELETE WHERE source_partition = {lost.place[0]} "
        f"AND source_offset = {lost.place[1]} SETTINGS mutations_sync = 2")
    assert world.audit().status == 2
    assert world.cli("rebuild", client.client_id, "--json").status == 0
    assert world.warehouse.row_count(client.database) == 200 and world.audit().status == 0
    world.warehouse.command(
        f"ALTER TABLE `{client.database}`.events_base DELETE WHERE source_offset < 20 SETTINGS mutations_sync = 2")
    assert world.audit().status == 2


def members(multirange):
    """Every offset of Postgres' `{[1,3),[5,6)}`."""
    pairs = [each.strip("[)").split(",") for each in multirange.strip("{}").split("),") if each]
    return [offset for low, high in pairs for offset in range(int(low), int(high))]


def test_erasing_beside_a_running_router_takes_what_was_sent_before(world):
    client = world.add_client()
    router = world.run(ROUTER_BATCH_MAX_AGE_MS=1500).await_ready()
    world.produce([event(client, user="gone" if index % 2 else "stays") for index in range(400)])
    answer = world.cli("client", "erase-user", client.client_id, "-", "--reason", "r", "--yes", "--json", input=b"gone\n")
    assert answer.status == 0, answer
    world.await_caught_up(router)
    assert {row.columns["user_id"] for row in world.warehouse.rows(client.database, world.raw)} == {"stays"}
    assert world.warehouse.row_count(client.database) == 200
    audit = world.audit()
    assert audit.status == 0 and audit.json["totals"]["erased"] == answer.json["rows"] == 200, audit.out


def test_an_erasure_says_so_when_the_router_has_not_caught_up(world):
    client = world.add_client()
    world.produce([event(client, user="gone") for _ in range(10)])
    world.catch_up()
    world.produce([event(client, user="gone") for _ in range(10)])
    answer = world.cli("client", "erase-user", client.client_id, "gone", "--reason", "r", "--yes", "--json")
    assert answer.status == 2 and answer.json["unsettled_partitions"], answer
    assert (answer.json["rows"], world.warehouse.row_count(client.database)) == (10, 0)
    world.catch_up()
    answer = world.cli("client", "erase-user", client.client_id, "gone", "--reason", "r", "--yes", "--json")
    assert answer.status == 0 and answer.json["rows"] == 10, answer
    assert world.audit().json["totals"]["erased"] == 20


@pytest.mark.parametrize("arguments", [
    ["", "--reason", "r", "--yes"], ["u", "--yes"], ["u", "--reason", " ", "--yes"], ["-", "--reason", "r"],
    ["user-77", "--reason", "for user-77", "--yes"]], ids=str)
def test_an_erasure_that_makes_no_sense_is_wrong_usage(world, arguments):
    answer = world.cli("client", "erase-user", str(uuid.uuid4()), *arguments)
    assert answer.status == 64, answer


def test_a_change_reaches_redis_and_listeners(world):
    """The way a change takes, seen by others: the notification, and the entry that goes from the cache."""
    client = world.add_client()
    router = world.run().await_ready()
    world.produce([event(client)])
    until("a row", lambda: world.warehouse.row_count(client.database) == 1, alive=router.must_live)
    cache = redis.Redis.from_url(world.settings["REDIS_URL"])
    keys = until("the client in Redis", lambda: [key for key in cache.keys() if client.client_id.encode() in key])
    before = cache.get(keys[0])
    listener = psycopg2.connect(
        host=world.settings["POSTGRES_METADATA_HOST"], port=world.settings["POSTGRES_METADATA_PORT"],
        dbname=world.settings["POSTGRES_METADATA_DB"], user=world.settings["POSTGRES_METADATA_USER"],
        password=world.settings["POSTGRES_METADATA_PASSWORD"])
    listener.autocommit = True
    try:
        listener.cursor().execute("LISTEN router_clients")
        assert world.cli("client", "suspend", client.client_id).status == 0
        until("a notification", lambda: listener.poll() or any(
            each.payload == client.client_id for each in listener.notifies))
        until("the entry is gone from Redis or another one", lambda: cache.get(keys[0]) != before,
              alive=router.must_live)
    finally:
        listener.close()
