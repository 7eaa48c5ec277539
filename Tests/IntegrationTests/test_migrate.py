"""`router migrate`: what is applied, to whom, and what becomes of it when something goes wrong on the way."""

import hashlib
import json
import threading
import time
import uuid
from collections import Counter

import pytest

from generator import samples
from support.notes import note
from support.schemas import (
    Folder, Started, columns, held, outcomes, progress, until_running, until_waiting, versions)
from support.waiting import until

ADD = "ALTER TABLE {database}.events_base ADD COLUMN IF NOT EXISTS %s String DEFAULT 'x';\n"


@pytest.fixture
def folder(world):
    return Folder(world.directory / "migrations")


def up(world, folder, *arguments, **overrides):
    """Of this test's clients alone: other tests' would be migrated too."""
    clients = [argument for client in world.clients for argument in ("--client", client)]
    return world.cli("migrate", "up", "--migrations", folder.path, "--json", *clients, *arguments, **overrides)


def verify(world, folder, *clients):
    chosen = [argument for client in clients or world.clients.values() for argument in ("--client", client.client_id)]
    return world.cli("migrate", "verify", "--migrations", folder.path, "--json", *chosen)


def status(world, folder, client):
    answer = world.cli("migrate", "status", "--migrations", folder.path, "--json", "--client", client.client_id)
    (one,) = answer.json["clients"]
    return answer.status, {each["version"]: each for each in one["versions"]}


def break_for(world, client, name="wanted"):
    """A statement that adds a view of this name is refused for this client alone: the name is taken by a table."""
    world.warehouse.command(f"CREATE TABLE `{client.database}`.{name} (a Int8) ENGINE = Memory")


MAKE_VIEW = "CREATE VIEW {database}.wanted AS SELECT 1 AS one;\n"


def test_several_statements_reach_every_client(world, folder):
    clients = [world.add_client() for _ in range(3)]
    file = folder.add("-- ; nothing\n" + ADD % "one" + ADD % "two" + MAKE_VIEW)
    before = [status(world, folder, client)[1][3]["state"] for client in clients]
    assert before == ["pending"] * 3
    answer = up(world, folder)
    assert answer.status == 0 and answer.json["statements"] == 9
    for client in clients:
        assert {"one", "two"} <= set(columns(world, client.database))
        assert versions(world, client) == [1, 2, 3]
        assert status(world, folder, client) == (0, status(world, folder, client)[1])
    assert {row for row in world.sql("SELECT DISTINCT checksum FROM schema_versions WHERE version = 3 AND name = 'added'")
            } >= {(hashlib.sha256(file.read_bytes()).hexdigest(),)}
    again = up(world, folder)
    assert again.status == 0 and again.json["statements"] == 0 and set(outcomes(again).values()) == {"unchanged"}
    assert verify(world, folder).status == 0


def test_target_stops_there(world, folder):
    client = world.add_client()
    folder.add(ADD % "three")
    folder.add(ADD % "four")
    assert up(world, folder, "--target", 3).status == 0
    assert versions(world, client) == [1, 2, 3] and "four" not in columns(world, client.database)
    assert up(world, folder).status == 0
    assert versions(world, client) == [1, 2, 3, 4]


def test_a_target_that_no_file_has_is_refused_before_anything(world, folder):
    client, pending = world.add_client(), world.add_client(provision=False)
    folder.add(ADD % "three")
    for arguments in (["--target", 9], ["--target", 9, "--dry-run"]):
        answer = up(world, folder, *arguments)
        assert answer.status == 1 and "migration_version_unknown" in answer.err and "9" in answer.err, answer
        assert not answer.out.strip()
    assert versions(world, client) == [1, 2] and "three" not in columns(world, client.database)
    answer = world.cli("provision", pending.client_id, "--target", 9)
    assert answer.status == 1 and "migration_version_unknown" in answer.err, answer
    assert versions(world, pending) == []
    assert world.sql("SELECT status FROM clients WHERE client_id = %s", pending.client_id) == [("pending",)]


def test_a_dry_run_prints_the_sql_and_changes_nothing(world, folder):
    client = world.add_client()
    folder.add(ADD % "one" + MAKE_VIEW)
    plan = up(world, folder, "--dry-run")
    assert plan.status == 0
    assert [(each["version"], each["statement"]) for each in plan.json["statements"]] == [(3, 1), (3, 2)]
    assert f"`{client.database}`" in plan.json["statements"][0]["sql"]
    assert versions(world, client) == [1, 2] and "one" not in columns(world, client.database)


def test_a_failing_client_does_not_stop_the_others_and_goes_on_where_it_stopped(world, folder):
    clients = [world.add_client() for _ in range(5)]
    broken = clients[2]
    break_for(world, broken)
    folder.add("ALTER TABLE {database}.events_base ADD COLUMN once String;\n" + MAKE_VIEW + ADD % "last")
    answer = up(world, folder, "--parallel", 1)
    assert answer.status == 2
    assert Counter(outcomes(answer).values()) == {"migrated": 4, "failed": 1}
    assert outcomes(answer)[broken.client_id] == "failed"
    failed = next(each for each in answer.json["clients"] if each["client_id"] == broken.client_id)
    assert "statement 2 of v3_added.sql (line 2)" in failed["detail"]
    assert progress(world, broken, 3) == [(1, "done"), (2, "failed")] and versions(world, broken) == [1, 2]
    code, shown = status(world, folder, broken)
    assert code == 2 and (shown[3]["state"], shown[3]["statements_done"], shown[3]["statements"]) == ("partial", 1, 3)
    assert "wanted" in shown[3]["error"]
    assert verify(world, folder, broken).status == 2
    # Its first statement could not run twice: that it succeeds now shows that it is not sent again.
    world.warehouse.command(f"DROP TABLE `{broken.database}`.wanted")
    again = up(world, folder)
    assert again.status == 0 and again.json["statements"] == 2
    assert verify(world, folder).status == 0


def test_a_statement_that_failed_may_be_mended_and_one_that_is_done_may_not(world, folder):
    client = world.add_client()
    file = folder.add(ADD % "one" + "ALTER TABLE {database}.events_base ADD COLUMN two NoSuchType")
    assert up(world, folder).status == 2
    file.write_text(ADD % "ONE" + ADD % "two")
    refused = up(world, folder)
    assert refused.status == 2 and outcomes(refused) == {client.client_id: "refused"}
    assert "statement 1, which is done, was changed" in refused.out and "two" not in columns(world, client.database)
    file.write_text(ADD % "one" + ADD % "two")
    assert up(world, folder).status == 0
    assert {"one", "two"} <= set(columns(world, client.database))


def test_a_file_changed_after_it_was_applied_is_refused_until_it_is_accepted(world, folder):
    client, other = world.add_client(), world.add_client()
    file = folder.add(ADD % "one")
    assert up(world, folder, "--client", client.client_id).status == 0
    folder.add(ADD % "two")
    file.write_text("-- a remark\n" + ADD % "one")
    world.sql("UPDATE schema_versions SET checksum = encode(sha256(%s), 'hex') WHERE client_id = %s AND version = 3",
              file.read_bytes(), other.client_id)
    answer = up(world, folder)
    assert answer.status == 2
    assert outcomes(answer) == {client.client_id: "refused", other.client_id: "migrated"}
    assert "changed after it was applied" in answer.out and versions(world, client) == [1, 2, 3]
    assert status(world, folder, client)[1][3]["state"] == "changed"
    found = verify(world, folder, client)
    assert found.status == 2 and found.json["clients"][0]["checksums"]
    common = ["migrate", "repair", client.client_id, "--migrations", folder.path, "--migration", 3]
    assert world.cli(*common, "--accept-checksum").status == 64
    assert world.cli(*common, "--accept-checksum", "--reason", " ").status == 64
    reason = "it's only; a \"remark\""
    assert world.cli(*common, "--accept-checksum", "--reason", reason).status == 0
    assert world.sql("SELECT action, reason, version FROM schema_repairs WHERE client_id = %s", client.client_id) == [
        ("accept_checksum", reason, 3)]
    assert up(world, folder).status == 0
    assert versions(world, client) == [1, 2, 3, 4]
    again = world.cli(*common, "--accept-checksum", "--reason", "again")
    assert again.status == 1 and "is the one that was applied" in again.err


@pytest.mark.parametrize("text", ["ALTER TABLE {database}.t ADD COLUMN a {datbase}", "SELECT 'a", "SELECT /* a"])
def test_a_file_that_cannot_be_read_stops_before_anything(world, folder, text):
    world.add_client()
    folder.add(text)
    answer = up(world, folder)
    assert answer.status == 1 and "v3_added.sql" in answer.err and not answer.out.strip()


def test_a_failing_canary_stops_the_rest(world, folder):
    clients = [world.add_client() for _ in range(4)]
    break_for(world, clients[0])
    folder.add(MAKE_VIEW)
    answer = up(world, folder, "--canary", 1)
    assert answer.status == 2
    assert outcomes(answer) == {each.client_id: "failed" if each == clients[0] else "not_started" for each in clients}
    assert "canary" in answer.json["stopped"]
    assert [versions(world, each) for each in clients[1:]] == [[1, 2]] * 3
    world.warehouse.command(f"DROP TABLE `{clients[0].database}`.wanted")
    assert up(world, folder, "--canary", 2).status == 0
    assert [versions(world, each) for each in clients] == [[1, 2, 3]] * 4


def test_a_canary_whose_events_would_be_refused_stops_the_rest(world, folder):
    """Every statement succeeds; what is wrong shows only when a row comes."""
    clients = [world.add_client() for _ in range(3)]
    folder.add("ALTER TABLE {database}.events_base ADD COLUMN IF NOT EXISTS bad UInt8 "
               "MATERIALIZED throwIf(event_name != '', 'no row for you')")
    answer = up(world, folder, "--canary", 1)
    assert answer.status == 2 and "a row cannot be inserted" in answer.out
    assert Counter(outcomes(answer).values()) == {"failed": 1, "not_started": 2}
    assert "router_rehearsal" not in world.warehouse.command("SHOW DATABASES")


def test_a_canary_with_tables_of_its_own_making_is_said(world, folder):
    client, _ = world.add_client(), world.add_client()
    world.warehouse.command(f"ALTER TABLE `{client.database}`.events_base ADD COLUMN by_hand String")
    folder.add(ADD % "one")
    answer = up(world, folder, "--canary", 1)
    assert answer.status == 2 and "by_hand" in answer.out


def test_verify_shows_drift_as_a_diff(world, folder):
    client, fine = world.add_client(), world.add_client()
    database = client.database
    assert verify(world, folder).status == 0
    world.warehouse.command(f"ALTER TABLE `{database}`.events_base MODIFY COLUMN user_id String CODEC(ZSTD(3))")
    world.warehouse.command(f"DROP VIEW `{database}`.events_daily_fill")
    world.warehouse.command(f"CREATE TABLE `{database}`.more (a Int8) ENGINE = Memory")
    answer = verify(world, folder)
    assert answer.status == 2
    found = {each["client_id"]: each["drift"] for each in answer.json["clients"]}
    assert found[fine.client_id] == []
    drift = "\n".join(found[client.client_id])
    assert "events_daily_fill: missing" in drift and "more: not made by any migration" in drift
    assert "-     `user_id` String CODEC(ZSTD(1))," in drift and "+     `user_id` String CODEC(ZSTD(3))," in drift
    assert database not in drift
    shown = world.cli("migrate", "verify", "--client", client.client_id)
    assert shown.status == 2 and "CODEC(ZSTD(3))" in shown.out
    assert "router_rehearsal" not in world.warehouse.command("SHOW DATABASES")


def test_two_operators_the_second_is_refused_or_waits(world, folder, front):
    client = world.add_client()
    folder.add(ADD % "one")
    front.order("delay", "ADD COLUMN IF NOT EXISTS one", on="any", seconds=60)
    first = Started(world, "migrate", "up", "--migrations", folder.path, "--client", client.client_id)
    until_running(world, "EXISTS one")
    refused = up(world, folder)
    assert refused.status == 1 and "another operator" in refused.err and "Postgres process" in refused.err
    assert world.cli("migrate", "verify").status == 1
    assert world.cli("provision", client.client_id, "--wait", 0).status == 1
    waiting = Started(world, "migrate", "up", "--migrations", folder.path, "--client", client.client_id, "--wait", 60)
    assert waiting.process.stderr.readline().startswith(b"router: waiting up to 60 s")
    assert waiting.process.poll() is None
    front.clear()
    assert first.end()[0] == 0
    assert waiting.end()[0] == 0
    assert versions(world, client) == [1, 2, 3]


def test_a_lost_connection_stops_before_the_next_statement(world, folder, front):
    clients = [world.add_client() for _ in range(3)]
    folder.add(ADD % "one" + ADD % "two")
    front.order("delay", "EXISTS one", on="any", seconds=60)
    command = Started(world, "migrate", "up", "--migrations", folder.path, "--parallel", 1, "--json",
                      *[argument for each in clients for argument in ("--client", each.client_id)])
    until_running(world, "EXISTS one")
    world.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
    front.clear()
    code, out, err = command.end()
    assert code == 1 and "stopped" in err
    assert {each["outcome"] for each in json.loads(out)["clients"]} == {"not_started"}
    assert not any("two" in columns(world, each.database) for each in clients)
    answer = up(world, folder)
    assert answer.status == 0 and verify(world, folder).status == 0


def test_killed_with_a_statement_that_cannot_run_twice(world, folder, front):
    """Its effect is looked for in the tables: there, it is not sent again; not there, it is."""
    landed, lost = world.add_client(), world.add_client()
    folder.add("ALTER TABLE {database}.events_base ADD COLUMN once String")
    front.order("delay", "ADD COLUMN once", on="any", seconds=60)
    command = Started(world, "migrate", "up", "--migrations", folder.path, "--client", landed.client_id)
    until_running(world, "ADD COLUMN once")
    with held(world, "LOCK TABLE schema_progress IN EXCLUSIVE MODE"):
        front.clear()
        until_waiting(world, "UPDATE public.schema_progress")
        command.kill()
    front.order("close", "ADD COLUMN once", on="any", count=100)
    command = Started(world, "migrate", "up", "--migrations", folder.path, "--client", lost.client_id)
    until("the connection is closed on it", front.done, 60)
    command.kill()
    front.clear()
    assert "once" in columns(world, landed.database) and "once" not in columns(world, lost.database)
    assert [progress(world, each, 3) for each in (landed, lost)] == [[(1, "started")]] * 2
    answer = up(world, folder)
    assert answer.status == 0, answer
    sent = {each["client_id"]: each["statements"] for each in answer.json["clients"]}
    assert sent == {landed.client_id: 0, lost.client_id: 1}
    assert verify(world, folder).status == 0


def test_what_cannot_be_told_is_left_to_a_person(world, folder, front):
    client = world.add_client()
    folder.add("CREATE TABLE IF NOT EXISTS {database}.t (a Int8) ENGINE = MergeTree ORDER BY a;\n"
               "INSERT INTO {database}.t SELECT 1;\n" + ADD % "last")
    front.order("drop_reply", f"INSERT INTO `{client.database}`.t", on="any", count=1)
    answer = up(world, folder)
    assert answer.status == 2 and outcomes(answer) == {client.client_id: "refused"} and "migrate repair" in answer.out
    assert up(world, folder).status == 2
    assert world.warehouse.command(f"SELECT count() FROM `{client.database}`.t") == 1
    common = ["migrate", "repair", client.client_id, "--migrations", folder.path, "--migration", 3]
    assert world.cli(*common, "--statement", 9, "--done", "--reason", "r").status == 1
    assert world.cli(*common, "--statement", 3, "--done", "--reason", "r").status == 1
    assert world.cli(*common, "--statement", 2, "--done", "--reason", "counted one row").status == 0
    assert up(world, folder).status == 0
    assert world.warehouse.command(f"SELECT count() FROM `{client.database}`.t") == 1
    assert versions(world, client) == [1, 2, 3]
    assert world.cli(*common, "--statement", 2, "--not-done", "--reason", "too late").status == 1
    assert world.sql("SELECT action, statement FROM schema_repairs WHERE client_id = %s", client.client_id) == [
        ("mark_done", 2)]


def test_a_clients_own_files_are_its_own(world, folder):
    client, other = world.add_client(), world.add_client()
    folder.add(ADD % "own", client=client.client_id, version=1001)
    assert up(world, folder).status == 0
    assert versions(world, client) == [1, 2, 1001] and versions(world, other) == [1, 2]
    folder.add(ADD % "shared")
    assert up(world, folder).status == 0
    assert versions(world, client) == [1, 2, 3, 1001] and versions(world, other) == [1, 2, 3]
    folder.add(ADD % "clash", client=client.client_id, version=3)
    answer = up(world, folder)
    assert answer.status == 2 and outcomes(answer) == {client.client_id: "refused", other.client_id: "unchanged"}


def test_new_writes_the_next_number(world, folder):
    answer = world.cli("migrate", "new", "Visitors' country; or so", "--migrations", folder.path, "--json")
    assert answer.status == 0 and answer.json["file"].endswith("v3_visitors_country_or_so.sql")
    assert "{database}" in open(answer.json["file"]).read()
    assert world.cli("migrate", "new", ";;;", "--migrations", folder.path).status == 1
    assert world.cli("migrate", "new", "a", "--migrations", "/no/such").status == 1


def test_who_is_not_provisioned_is_refused(world, folder):
    pending = world.add_client(provision=False)
    answer = up(world, folder)
    assert answer.status == 2 and "router provision" in answer.out and versions(world, pending) == []
    assert world.cli("migrate", "up", "--client", str(uuid.uuid4())).status == 1


@pytest.mark.parametrize("arguments", [
    [], ["sideways"], ["up", "--target", "0"], ["up", "--canary", "-1"], ["up", "--parallel", "0"], ["up", "--client", "x"],
    ["new"], ["repair"], ["repair", str(uuid.uuid4()), "--migration", "2", "--reason", "r"],
    ["repair", str(uuid.uuid4()), "--migration", "2", "--reason", "r", "--done", "--not-done", "--statement", "1"],
], ids=" ".join)
def test_wrong_usage(world, arguments):
    assert world.cli("migrate", *arguments).status == 64


# The roll-up and the columns of version 2


def rolled_up(world, client):
    """(day, event name) to (events, users, revenue), from the roll-up and from the events themselves."""
    read = lambda sql: {tuple(row[:2]): tuple(row[2:]) for row in world.warehouse.client.query(sql).result_rows}
    table = f"`{client.database}`"
    up = read(f"SELECT day, event_name, events, users, sessions, arraySum(mapValues(revenue)) FROM {table}.events_daily")
    base = read(
        "SELECT toDate(event_timestamp), toString(event_name), uniqExact(source_topic, source_partition, source_offset), "
        "uniqExactIf(user_id, user_id != ''), uniqExactIf(session_id, session_id != ''), "
        f"sum(ifNull(revenue, 0)) FROM {table}.events_base GROUP BY 1, 2")
    return up, base


def same(world, client):
    up, base = rolled_up(world, client)
    assert up == base
    return sum(events for events, *_ in up.values())


def test_the_roll_up_is_exact_when_everything_is_sent_again(world, seed):
    """Replies are lost, and the tables forget every token: what the router sends again must not count twice."""
    client = world.add_client()
    assert world.cli("send", "--count", 800, "--seed", seed % 1000, "--client", client.client_id).status == 0
    world.catch_up()
    rows = world.warehouse.row_count(client.database)
    assert rows == 800 and same(world, client) == rows
    up, _ = rolled_up(world, client)
    assert any(revenue > 0 for *_, revenue in up.values())
    written = ", ".join(
        name for (name,) in world.warehouse.client.query(
            "SELECT name FROM system.columns WHERE database = {d:String} AND table = 'events_base' AND default_kind = ''",
            parameters={"d": client.database}).result_rows)
    # Every row once more, with no token: the table doubles, the roll-up does not.
    world.warehouse.command(
        f"INSERT INTO `{client.database}`.events_base ({written}) SELECT {written} FROM `{client.database}`.events_base")
    assert world.warehouse.row_count(client.database) == 2 * rows
    after, _ = rolled_up(world, client)
    assert after == up


def test_the_roll_up_is_exact_when_replies_are_lost_and_the_router_is_killed(world, seed, front):
    client = world.add_client()
    world.produce_mix(seed, 1500, bad_share=0.05)
    for life in range(4):
        front.order("drop_reply", client.database, count=3)
        router = world.run(ROUTER_BATCH_MAX_ROWS=100, ROUTER_BATCH_MAX_AGE_MS=30, LOG_LEVEL="debug")
        until("replies were lost", lambda: front.done() >= 3 or world.broker.caught_up(world.group, world.raw), 60,
              alive=router.must_live)
        router.kill()
        front.clear()
    world.catch_up()
    world.account()
    assert same(world, client) == world.warehouse.row_count(client.database)


def test_the_roll_up_is_repaired_by_its_own_last_statement(world, seed):
    client = world.add_client()
    world.produce_mix(seed, 200, bad_share=0)
    world.warehouse.command(f"DETACH TABLE `{client.database}`.events_daily_fill")
    world.catch_up()
    world.warehouse.command(f"ATTACH TABLE `{client.database}`.events_daily_fill")
    up, base = rolled_up(world, client)
    assert up == {} and len(base) > 0
    statement = [each for each in world.cli(
        "provision", world.add_client(provision=False).client_id, "--dry-run", "--json").json["statements"]][-1]["sql"]
    (pending,) = [each for each in world.clients.values() if each != client]
    for _ in range(2):
        world.warehouse.command(statement.replace(pending.database, client.database))
        assert same(world, client) == 200


def test_common_fields_are_columns(world):
    client = world.add_client()
    table = f"`{client.database}`.events_base"
    properties = [
        '{"url":"https://a.example/p/1?q","price":"12.50","quantity":2,"currency":"EUR","utm_source":"mail"}',
        '{"page":"/x","revenue":-3.25,"total":7}', '{"price":1e999,"page":"lost"}', '{"price":"dear","page":"/y"}',
        '{"page":"\\ud800"}', "", '{"product_id":17,"order_id":{"a":1}}']
    for number, text in enumerate(properties):
        world.warehouse.client.insert(table, [[number, text]], column_names=["source_offset", "event_properties"])
    rows = world.warehouse.client.query(
        f"SELECT page_url, page_path, toString(price), toString(revenue), quantity, currency, utm_source, product_id, "
        f"order_id FROM {table} ORDER BY source_offset").result_rows
    empty = ("", "", None, None, None, "", "", "", "")
    assert rows[0] == ("https://a.example/p/1?q", "/p/1", "12.5", None, 2, "EUR", "mail", "", "")
    assert rows[1][1:4] == ("/x", None, "-3.25")
    assert rows[2] == rows[4] == rows[5] == empty
    assert rows[3][1:3] == ("/y", None)
    assert rows[6][7:] == ("17", '{"a":1}')


def test_migrating_while_events_flow_loses_and_doubles_nothing(world, seed, folder):
    """The shipped version 2, with its backfill, and columns that come and go, while a router inserts."""
    clients = [world.add_client(provision=False) for _ in range(3)]
    for client in clients:
        assert world.cli("provision", client.client_id, "--target", 1).status == 0
        world.set_status(client, "active", in_postgres=False)
    clients = list(world.clients.values())
    world.produce_mix(seed, 1500, bad_share=0.02)
    router = world.run(ROUTER_BATCH_MAX_ROWS=50, ROUTER_BATCH_MAX_AGE_MS=20)
    stop, produced = threading.Event(), []

    def produce():
        number = seed
        while not stop.is_set():
            number += 1
            made = list(samples(number, clients, 60, world.now(), bad_share=0.02))
            produced.append(len(made))
            world.produce(made)
            stop.wait(0.1)

    load = threading.Thread(target=produce, daemon=True)
    load.start()
    try:
        until("rows have come", lambda: all(world.warehouse.row_count(each.database) > 50 for each in clients), 60)
        assert up(world, folder).status == 0
        moved = sum(world.warehouse.row_count(each.database) for each in clients)
        for number in range(3):
            folder.add(ADD % f"added_{number}" + f"ALTER TABLE {{database}}.events_base DROP COLUMN IF EXISTS added_{number}")
            assert up(world, folder).status == 0
        until("rows have come since", lambda: sum(
            world.warehouse.row_count(each.database) for each in clients) > moved + 300, 60, alive=router.must_live)
    finally:
        stop.set()
        load.join(60)
    assert not load.is_alive()
    world.await_caught_up(router)
    assert router.terminate() == 0
    account = world.account()
    for client in clients:
        assert same(world, client) == world.warehouse.row_count(client.database)
    assert verify(world, folder).status == 0
    note(f"{world.name}: {sum(produced) + 1500} events during four migrations; {account}")


CROWD = 300


@pytest.mark.long
def test_three_hundred_clients(world, folder):
    """Provisioned, migrated with one that fails, verified, mended, and deprovisioned; the times are printed."""
    made = world.sql(
        "INSERT INTO clients (client_name, api_key_hash) SELECT 'crowd ' || i, encode(sha256(i::text::bytea), 'hex') "
        "FROM generate_series(1, %s) AS i RETURNING client_id, ch_database_name", CROWD)
    ids = {client_id for client_id, _ in made}
    databases = dict(made)
    try:
        provisioned = world.cli("provision", "--all", "--json", "--parallel", 8, seconds=600)
        assert provisioned.status == 0
        assert {client for client, outcome in outcomes(provisioned).items() if outcome == "provisioned"} >= ids
        assert set(databases.values()) <= set(world.warehouse.databases())
        broken = next(iter(ids))
        world.warehouse.command(f"CREATE TABLE `{databases[broken]}`.wanted (a Int8) ENGINE = Memory")
        folder.add(ADD % "one" + MAKE_VIEW + ADD % "two")
        chosen = [argument for each in ids for argument in ("--client", each)]
        migrate = ["migrate", "up", "--migrations", folder.path, "--json", "--parallel", 8, "--canary", 3]
        # The one that fails shall not be a canary.
        last = [argument for each in sorted(ids, key=lambda each: each == broken) for argument in ("--client", each)]
        migrated = world.cli(*migrate, *last, seconds=600)
        assert migrated.status == 2
        assert Counter(outcomes(migrated).values()) == {"migrated": CROWD - 1, "failed": 1}
        assert outcomes(migrated)[broken] == "failed"
        check = ["migrate", "verify", "--migrations", folder.path, "--json", "--parallel", 8, *chosen]
        verified = world.cli(*check, seconds=600)
        assert verified.status == 2
        assert [each["client_id"] for each in verified.json["clients"] if each["drift"] or each.get("detail")] == [broken]
        world.warehouse.command(f"DROP TABLE `{databases[broken]}`.wanted")
        mended = world.cli(*migrate, *last, seconds=600)
        assert mended.status == 0 and mended.json["statements"] == 2
        verified = world.cli(*check, seconds=600)
        assert verified.status == 0 and len(verified.json["clients"]) == CROWD
        assert world.sql("SELECT count(*) FROM schema_versions WHERE client_id = ANY(%s::uuid[])", list(ids)) == [
            (3 * CROWD,)]
        sent = sum(each["statements"] for each in provisioned.json["clients"])
        for what, count, answer in (("provisioned", sent, provisioned), ("migrated", None, migrated)):
            count = answer.json["statements"] if count is None else count
            seconds = answer.json["seconds"]
            note(f"{CROWD} clients {what}: {seconds:.1f} s, {count} statements, {count / seconds:.0f} a second")
        note(f"{CROWD} clients verified: {verified.json['seconds']:.1f} s")
        began = time.monotonic()
        gone = world.cli("deprovision", *ids, "--yes", "--json", seconds=600)
        note(f"{CROWD} clients deprovisioned: {time.monotonic() - began:.1f} s")
        assert gone.status == 0
        assert Counter(outcomes(gone).values()) == {"dropped": CROWD}
        assert not set(databases.values()) & set(world.warehouse.databases())
    finally:
        for database in databases.values():
            world.warehouse.command(f"DROP DATABASE IF EXISTS `{database}`")
        world.sql("DELETE FROM clients WHERE client_id = ANY(%s::uuid[])", list(ids))
