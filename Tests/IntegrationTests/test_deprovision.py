"""`router deprovision`: a client leaves with its database; nothing is lost unsaid, and a stop at any point can be resumed."""

import hashlib
import json
import os
import pty
import subprocess
import threading
import uuid

import pytest

from generator import Sample
from support.front import Front
from support.waiting import until
from test_client_commands import ODD_NAME, Steady, event, members

STEPS = ("status", "sealed", "counted", "dropped")


def databases(world):
    return {each for (each,) in world.warehouse.client.query("SELECT name FROM system.databases").result_rows}


def deprovision(world, client, *arguments, **more):
    return world.cli("deprovision", client.client_id, *arguments, "--yes", "--json", **more)


def filled(world, count=300, others=1, name=None):
    """A client with rows in every partition among those of others, and dead letters."""
    client = world.add_client(name=name)
    rest = [world.add_client() for _ in range(others)]
    now = world.now()
    world.produce(
        event((client, *rest)[index % (others + 1)], now=now - index * 1000) for index in range(count * (others + 1)))
    world.produce([event(client, key_hash="0" * 64), Sample("bad", b"{", timestamp_ms=now)])
    world.catch_up()
    return client, *rest


def recorded(world, client):
    """What Postgres says was removed, place by place."""
    found = world.sql(
        "SELECT partition, offsets::text FROM removed_offsets o JOIN removals r USING (removal_id) "
        "WHERE r.client_id = %s AND topic = %s", client.client_id, world.raw)
    return sorted((partition, offset) for partition, text in found for offset in members(text))


def assert_gone(world, client, places):
    assert client.database not in databases(world)
    assert recorded(world, client) == sorted(places)
    assert world.sql("SELECT state, row_count FROM removals WHERE client_id = %s", client.client_id) == [
        ("done", len(places))]
    assert world.sql("SELECT status FROM clients WHERE client_id = %s", client.client_id) == [("deprovisioned",)]


def assert_audit_counts(world, dropped):
    audit = world.audit()
    assert audit.status == 0, audit.out
    assert (audit.json["totals"]["dropped"], audit.json["totals"]["missing"]) == (dropped, 0)
    return audit


def test_a_client_leaves_and_the_audit_balances_by_offset(world):
    client, other = filled(world)
    rows = world.warehouse.rows(client.database, world.raw)
    plan = world.cli("deprovision", client.client_id, "--dry-run", "--json")
    assert plan.status == 0 and plan.json["clients"][0]["rows"] == 300, plan
    assert plan.json["clients"][0]["oldest_event"] < plan.json["clients"][0]["newest_event"]
    assert client.database in databases(world)
    answer = deprovision(world, client)
    assert answer.status == 0, answer
    (done,) = answer.json["clients"]
    assert (done["outcome"], done["rows"], done["status"]) == ("dropped", 300, "deprovisioned")
    assert sum(each["rows"] for each in done["counts"]) == 300
    assert_gone(world, client, [row.place for row in rows])
    audit = assert_audit_counts(world, 300)
    assert world.warehouse.row_count(other.database) == 300
    (mine,) = [each for each in audit.json["clients"] if each["client_id"] == client.client_id]
    assert (mine["dropped"], mine["missing"]) == (300, 0)
    # Later events are refused, and a row of another client that is lost is still found.
    world.produce([event(client), event(other)])
    world.catch_up()
    assert [each.reason for each in world.dead_letters()].count("client_not_active") == 1
    assert_audit_counts(world, 300)
    world.warehouse.command(
        f"ALTER TABLE `{other.database}`.events_base DELETE WHERE source_offset < 30 SETTINGS mutations_sync = 2")
    assert world.audit().status == 2
    # Again: nothing is left to do.
    again = deprovision(world, client)
    assert again.status == 0 and again.json["clients"][0]["outcome"] == "unchanged", again
    assert_gone(world, client, [row.place for row in rows])


def test_under_load_with_a_router_that_runs_nothing_is_lost_unsaid(world):
    client, other = world.add_client(), world.add_client()
    router = world.run(ROUTER_BATCH_MAX_AGE_MS=300).await_ready()
    load = Steady(world, client)
    try:
        until("rows", lambda: world.warehouse.row_count(client.database) > 300, alive=router.must_live)
        answer = deprovision(world, client)
        assert answer.status == 0, answer
        assert answer.json["listening_routers"] >= 1
        world.produce([event(other)])
    finally:
        load.stop()
    world.await_caught_up(router)
    router.must_live()
    assert router.terminate() == 0
    dropped = answer.json["clients"][0]["rows"]
    assert dropped > 300
    audit = assert_audit_counts(world, dropped)
    assert world.warehouse.row_count(other.database) == 1
    # By the witnesses: every event of the client is an origin on record or a dead letter of a reason that says why.
    reasons = {(int(letter.origin[1]), int(letter.origin[2])): letter.reason for letter in world.dead_letters()}
    assert set(reasons.values()) <= {"client_not_active", "destination_unavailable"}
    places = set(recorded(world, client))
    mine = {each.place for each in world.produced if client.client_id.encode() in each.sample.value}
    assert mine == places | reasons.keys() and audit.json["totals"]["dead_lettered"] == len(mine - places)


def test_an_insert_that_had_begun_before_the_count_is_counted(world):
    """It is held back at ClickHouse while the client leaves: what lands then is in the count, or nowhere."""
    client = world.add_client()
    router = world.run(ROUTER_DESTINATION_TIMEOUT_MS=1500).await_ready()
    world.produce([event(client)])
    until("a row", lambda: world.warehouse.row_count(client.database) == 1, alive=router.must_live)
    front = Front(world.settings)
    front.order("delay", client.database, seconds=6)
    try:
        world.produce([event(client) for _ in range(50)], partition=0)
        until("the insert is held", lambda: front.done() == 1, alive=router.must_live)
        answer = deprovision(world, client)
    finally:
        front.clear()
    assert answer.status == 0, answer
    world.await_caught_up(router)
    assert router.terminate() == 0
    assert client.database not in databases(world)
    assert_audit_counts(world, answer.json["clients"][0]["rows"])
    dead = {(int(letter.origin[1]), int(letter.origin[2])) for letter in world.dead_letters()}
    assert set(recorded(world, client)) | dead == {each.place for each in world.produced}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_and_repeated(world, step):
    client, other = filled(world, 150)
    places = [row.place for row in world.warehouse.rows(client.database, world.raw)]
    process = subprocess.Popen(
        [world.binary, "deprovision", client.client_id, "--yes", "--json"], env=world.environment({"LOG_LEVEL": "info"}),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if f"deprovision: {step}" in line:
                process.kill()
                break
        else:
            pytest.fail(f"the log never said {step}")
    finally:
        process.kill()
        process.wait(30)
        process.stderr.close()
    assert process.returncode == -9
    assert world.sql("SELECT status FROM clients WHERE client_id = %s", client.client_id) == [("deprovisioned",)]
    answer = until("the locks of the killed one are free",
                   lambda: (lambda done: done if done.status != 1 else None)(deprovision(world, client)))
    assert answer.status == 0, answer
    assert_gone(world, client, places)
    assert_audit_counts(world, 150)
    assert world.warehouse.row_count(other.database) == 150


@pytest.mark.parametrize("lost", ["RENAME TABLE", "DROP DATABASE"])
def test_a_lost_reply_of_clickhouse_is_found_out(world, lost):
    client, _ = filled(world, 50)
    front = Front(world.settings)
    front.order("drop_reply", f"{lost} ", on="select")
    try:
        answer = deprovision(world, client)
        assert front.done() == 1
    finally:
        front.clear()
    assert answer.status == 0 and answer.json["clients"][0]["rows"] == 50, answer
    assert_audit_counts(world, 50)


def test_data_may_be_kept_and_dropped_later(world):
    client, other = filled(world, 60)
    answer = deprovision(world, client, "--keep-data")
    assert answer.status == 0 and answer.json["clients"][0]["outcome"] == "kept", answer
    assert world.warehouse.row_count(client.database) == 60
    assert world.sql("SELECT count(*) FROM removals WHERE client_id = %s", client.client_id) == [(0,)]
    assert_audit_counts(world, 0)
    assert world.cli("provision", client.client_id).status == 2
    assert deprovision(world, client).status == 0
    assert_audit_counts(world, 60)


def test_kept_after_all_when_a_drop_was_stopped_half_way(world):
    client, _ = filled(world, 40)
    world.set_status(client, "deprovisioned")
    world.warehouse.command(
        f"RENAME TABLE `{client.database}`.events_base TO `{client.database}`.events_base_deprovisioned")
    answer = deprovision(world, client, "--keep-data")
    assert answer.status == 0, answer
    assert world.warehouse.row_count(client.database) == 40
    assert_audit_counts(world, 0)


@pytest.mark.parametrize("form", ["parquet", "native"])
def test_an_export_holds_every_row_and_says_what_it_holds(world, form):
    client, _ = filled(world, 200)
    rows = {row.place: row.columns for row in world.warehouse.rows(client.database, world.raw)}
    directory = world.directory / "export"
    answer = deprovision(world, client, "--export", directory, "--format", form)
    assert answer.status == 0 and answer.json["clients"][0]["export"]["rows"] == 200, answer
    folder = directory / client.client_id
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["rows"], manifest["format"], manifest["client_id"]) == (200, form, client.client_id)
    assert {path.name for path in folder.iterdir()} == {"manifest.json"} | {each["name"] for each in manifest["files"]}
    exported = {}
    for each in manifest["files"]:
        path = folder / each["name"]
        content = path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == each["sha256"] and len(content) == each["bytes"]
        assert path.stat().st_mode & 0o77 == 0
        table = read_back(world, path, form)
        assert len(table) == each["rows"]
        for partition, offset, name, properties, user, received in table:
            assert each["partition"] == partition and each["first_offset"] <= offset <= each["last_offset"]
            exported[partition, offset] = (name, properties, user, received)
    assert exported == {
        place: tuple(columns[name] for name in ("event_name", "event_properties", "user_id", "received_at"))
        for place, columns in rows.items()}
    assert client.database not in databases(world)
    assert_audit_counts(world, 200)


def read_back(world, path, form):
    """By ClickHouse through another client: the file is inserted into a table of its own."""
    name = f"back_{uuid.uuid4().hex[:8]}"
    world.warehouse.command(
        f"CREATE TABLE default.{name} (source_partition Int32, source_offset Int64, event_name String, "
        "event_properties String, user_id String, received_at DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY tuple()")
    try:
        world.warehouse.client.raw_insert(
            f"default.{name}", insert_block=path.read_bytes(), fmt=form.capitalize(),
            settings={"input_format_skip_unknown_fields": 1})
        return world.warehouse.client.query(
            "SELECT source_partition, source_offset, event_name, event_properties, user_id, "
            f"toUnixTimestamp64Milli(received_at) FROM default.{name}").result_rows
    finally:
        world.warehouse.command(f"DROP TABLE default.{name} SYNC")


def test_an_export_that_cannot_be_written_stops_before_the_drop_and_can_be_repeated(world):
    client, _ = filled(world, 40)
    directory = world.directory / "export"
    (directory / client.client_id).mkdir(parents=True)
    precious = directory / client.client_id / "precious.txt"
    precious.write_text("mine")
    answer = deprovision(world, client, "--export", directory)
    assert answer.status == 2 and "precious.txt" in answer.out, answer
    assert client.database in databases(world) and precious.read_text() == "mine"
    answer = deprovision(world, client, "--export", world.directory / "other")
    assert answer.status == 0 and answer.json["clients"][0]["export"]["rows"] == 40, answer
    assert_audit_counts(world, 40)


def test_a_damaged_export_is_made_again(world):
    client, _ = filled(world, 40)
    directory = world.directory / "export"
    first = deprovision(world, client, "--export", directory, "--keep-data")
    assert first.status == 0, first
    folder = directory / client.client_id
    (file, *_) = json.loads((folder / "manifest.json").read_text())["files"]
    (folder / file["name"]).write_bytes(b"damaged")
    again = deprovision(world, client, "--export", directory)
    assert again.status == 0 and again.json["clients"][0]["export"]["rows"] == 40, again
    assert hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest() in (folder / "manifest.json").read_text()


def test_rows_of_another_client_are_not_dropped(world):
    client, other = filled(world, 20)
    world.warehouse.command(
        f"INSERT INTO `{client.database}`.events_base SELECT * REPLACE (generateUUIDv4() AS batch_id) "
        f"FROM `{other.database}`.events_base LIMIT 1")
    answer = deprovision(world, client)
    assert answer.status == 2 and "another client" in answer.out, answer
    assert world.warehouse.row_count(client.database) == 21


def test_a_database_that_was_never_the_clients_is_left_alone(world):
    name = f"foreign_{uuid.uuid4().hex[:8]}"
    world.warehouse.command(f"CREATE DATABASE {name}")
    world.warehouse.command(f"CREATE TABLE {name}.precious (n UInt8) ENGINE = MergeTree ORDER BY n")
    client = world.add_client("--database", name, provision=False)
    answer = deprovision(world, client)
    assert answer.status == 2 and name in answer.out, answer
    assert int(world.warehouse.command(f"EXISTS TABLE {name}.precious")) == 1
    assert world.sql("SELECT status FROM clients WHERE client_id = %s", client.client_id) == [("deprovisioned",)]


def test_a_pending_client_without_a_database_leaves(world):
    client = world.add_client(provision=False)
    answer = deprovision(world, client)
    assert answer.status == 0, answer
    assert world.sql("SELECT status FROM clients WHERE client_id = %s", client.client_id) == [("deprovisioned",)]


def test_several_clients_leave_together(world):
    clients = [world.add_client() for _ in range(4)]
    world.produce(event(clients[index % 4]) for index in range(200))
    world.catch_up()
    answer = world.cli("deprovision", *[each.client_id for each in clients[:3]], "--yes", "--json")
    assert answer.status == 0, answer
    assert [each["rows"] for each in answer.json["clients"]] == [50, 50, 50]
    assert not {each.database for each in clients[:3]} & databases(world)
    assert_audit_counts(world, 150)


def test_without_a_terminal_and_without_yes_nothing_is_done(world):
    client, _ = filled(world, 10)
    for arguments in ([], ["--json"]):
        answer = world.cli("deprovision", client.client_id, *arguments)
        assert answer.status == 64 and "--yes" in answer.err and not answer.out.strip(), answer
    assert world.sql("SELECT status FROM clients WHERE client_id = %s", client.client_id) == [("active",)]
    assert client.database in databases(world)


def test_an_unknown_client_is_named_and_nothing_is_done_to_the_others(world):
    client, unknown = world.add_client(), str(uuid.uuid4())
    answer = world.cli("deprovision", client.client_id, unknown, "--yes")
    assert answer.status == 1 and unknown in answer.err, answer
    assert world.sql("SELECT status FROM clients WHERE client_id = %s", client.client_id) == [("active",)]
    assert world.cli("deprovision").status == 64


@pytest.mark.parametrize("typed, status", [(ODD_NAME, 0), ("something else", 1), ("", 1)])
def test_a_terminal_is_asked_for_the_clients_name(world, typed, status):
    client = world.add_client(name=ODD_NAME)
    parent, child = pty.openpty()
    try:
        process = subprocess.Popen(
            [world.binary, "deprovision", client.client_id], env=world.environment({}), stdin=child,
            stdout=subprocess.PIPE, stderr=child)
        os.close(child)
        seen = read_until(parent, b": ", b"type the client's name")
        assert client.database.encode() in seen and b"Events" in seen
        os.write(parent, typed.encode() + b"\n")
        process.communicate(timeout=60)
    finally:
        process.kill()
        os.close(parent)
    assert process.returncode == status
    assert (client.database in databases(world)) == (status != 0)


def read_until(descriptor, end, after):
    seen = b""
    while after not in seen or not seen.endswith(end):
        seen += os.read(descriptor, 4096)
    return seen


def test_of_two_operators_at_once_one_is_refused(world):
    client, _ = filled(world, 100)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(deprovision(world, client))) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert 0 in {each.status for each in answers}
    assert all(each.status == 0 or "client_busy" in each.err for each in answers), answers
    assert_audit_counts(world, 100)


@pytest.mark.parametrize("server", ["CLICKHOUSE_PORT_HTTP", "KAFKA_BOOTSTRAP_SERVERS", "POSTGRES_METADATA_PORT"])
def test_a_server_that_is_away_is_named_and_the_data_is_there(world, server):
    client, _ = filled(world, 10)
    answer = deprovision(world, client, **{server: "127.0.0.1:1" if "KAFKA" in server else "1"})
    assert answer.status in (1, 2) and answer.err.strip() + answer.out.strip(), answer
    assert world.warehouse.row_count(client.database) == 10 if server != "KAFKA_BOOTSTRAP_SERVERS" else True
    assert client.database in databases(world)
    assert deprovision(world, client).status == 0
    assert_audit_counts(world, 10)


@pytest.mark.long
def test_a_writer_that_knows_of_nothing_loses_no_row_unsaid(world):
    """A router that cannot hear of the change goes on inserting until it finds no table. What was acknowledged to it is in
    the count: nothing lands between the count and the drop."""
    client, _ = filled(world, 20)
    acknowledged, refusals = [], []

    def write():
        place = 10_000
        while not refusals:
            try:
                world_writer.command(
                    f"INSERT INTO `{client.database}`.events_base (client_id, source_topic, source_partition, "
                    f"source_offset, event_timestamp) VALUES ('{client.client_id}', '{world.raw}', 0, {place}, now64(3))")
                acknowledged.append((0, place))
            except Exception as refusal:
                refusals.append(str(refusal))
            place += 1

    world_writer = type(world.warehouse)(world.settings).client
    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    until("rows of the writer", lambda: len(acknowledged) > 5)
    answer = deprovision(world, client)
    thread.join(60)
    assert answer.status == 0 and refusals, answer
    assert "UNKNOWN_TABLE" in refusals[0] or "does not exist" in refusals[0], refusals
    places = recorded(world, client)
    assert len(acknowledged) > 20 and set(acknowledged) <= set(places)
    assert answer.json["clients"][0]["rows"] == len(acknowledged) + 20
