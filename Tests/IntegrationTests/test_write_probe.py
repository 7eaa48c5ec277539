"""The neutral write: its table, who makes it, what is said where it is missing, and what commands do when it is refused."""

import json

import pytest

from support.front import ALWAYS
from support.members import messages
from support.probe import AWAY, DATABASE, probers, shape, without_write_probe
from support.schemas import Folder, columns, outcomes, versions
from support.waiting import until
from test_doctor import check, doctor, outcomes as findings
from test_progress import SETTINGS, STALL_SECONDS, TIMEOUT_MS, circuit, delivered, during, events, status

WANTED = ("MergeTree", "probed_at", [("probed_at", "DateTime"), ("prober", "String")])
ADD = "ALTER TABLE {database}.events_base ADD COLUMN IF NOT EXISTS probed String;\n"
MISSING = "ClickHouse has no table for the neutral write"
WRITES = ("CREATE", "ALTER", "INSERT")


def refuse_writes(front):
    """As a server whose disk is full: questions are answered."""
    for word in WRITES:
        front.order("refuse", word, ALWAYS, on="any", code=243)


def refuse_everything(front):
    front.order("refuse", "", ALWAYS, on="any", code=241)


def migrate_up(world, folder, *arguments):
    clients = [argument for client in world.clients for argument in ("--client", client)]
    return world.cli("migrate", "up", "--migrations", folder.path, "--json", *clients, *arguments)


@pytest.fixture
def folder(world):
    folder = Folder(world.directory / "migrations")
    folder.add(ADD)
    return folder


# Who makes it


def test_provision_and_migrate_up_make_it_and_again_change_nothing(world, folder):
    client = world.add_client()
    assert shape(world) == WANTED
    for command in (["provision", client.client_id], ["migrate", "up", "--client", client.client_id]):
        with without_write_probe(world):
            assert shape(world) is None
            answer = world.cli(*command)
            assert answer.status == 0 and shape(world) == WANTED, answer
            world.warehouse.command(f"INSERT INTO {DATABASE}.write_probe (prober) VALUES ('{world.name}')")
            again = world.cli(*command)
            assert again.status == 0 and probers(world) == {world.name: 1}, again
            # A dry run of either asks and makes nothing.
            world.warehouse.command(f"DROP TABLE {DATABASE}.write_probe SYNC")
            assert world.cli(*command, "--dry-run").status == 0 and shape(world) is None


def test_a_client_that_does_not_exist_is_refused_before_it_is_made(world):
    world.add_client()
    with without_write_probe(world):
        answer = world.cli("provision", "00000000-0000-4000-8000-000000000000")
        assert answer.status == 1 and shape(world) is None


@pytest.mark.parametrize("name", [DATABASE, DATABASE.upper()])
def test_no_client_may_have_its_database(world, name):
    answer = world.cli("client", "add", "--name", "n", "--database", name, prints_key=True)
    assert answer.status in (1, 64) and name in answer.err and not answer.out.strip(), answer
    path = world.directory / "clients.jsonl"
    path.write_text(json.dumps({"client_name": f"{world.raw} x", "ch_database_name": name}) + "\n")
    answer = world.cli("client", "import", path, prints_key=True)
    assert answer.status == 1 and "line 1:" in answer.err and name in answer.err, answer
    assert world.sql("SELECT count(*) FROM clients WHERE lower(ch_database_name) = %s", DATABASE) == [(0,)]


def test_nobody_takes_it_for_a_clients(world, seed):
    """It is no orphan, holds nothing that an audit counts, and stays when a client goes."""
    client = world.add_client()
    world.produce_mix(seed, 60)
    world.catch_up()
    world.warehouse.command(f"INSERT INTO {DATABASE}.write_probe (prober) VALUES ('{world.name}')")
    answer = world.audit()
    assert answer.status == 0 and DATABASE not in answer.out, answer
    assert DATABASE not in json.dumps(findings(doctor(world))["clickhouse.orphans"])
    gone = world.cli("deprovision", client.client_id, "--yes", "--json")
    assert gone.status == 0 and DATABASE not in gone.out, gone
    assert shape(world) == WANTED and probers(world)[world.name] == 1
    assert client.database not in world.warehouse.databases()


# What doctor says


def test_doctor_tells_there_missing_and_refusing_apart(world, front):
    world.add_client()
    check(doctor(world), "clickhouse.write_probe", "ok", "write_probe")
    assert probers(world)["router doctor"] > 0
    with without_write_probe(world):
        check(doctor(world), "clickhouse.write_probe", "fault", "write_probe", "router provision --all")
    front.order("refuse", "write_probe", ALWAYS, on="insert", code=243, text="no space, says the test")
    document = doctor(world)
    check(document, "clickhouse.write_probe", "fault", "243", "no space, says the test", "disks")
    assert findings(document)["clickhouse.reach"]["outcome"] == "ok", "questions are answered"


# One client's trouble, and the server's


@pytest.mark.parametrize("what", ["statements", "statements and questions"])
def test_provision_with_one_client_that_is_refused(world, front, what):
    clients = [world.add_client(provision=False) for _ in range(3)]
    broken = clients[0]
    quote = "`" if what == "statements" else ""
    front.order("refuse", quote + broken.database + quote, ALWAYS, on="any", code=241)
    answer = world.cli("provision", *(each.client_id for each in clients), "--parallel", 1, "--json")
    front.clear()
    assert answer.status == 2, answer
    assert outcomes(answer) == {
        each.client_id: "failed" if each == broken else "provisioned" for each in clients}
    assert "241" in answer.out
    assert world.cli("provision", broken.client_id).status == 0 and versions(world, broken) == [1, 2]


@pytest.mark.parametrize("what", ["statements", "statements and questions"])
def test_migrate_up_with_one_client_that_is_refused(world, front, folder, what):
    clients = [world.add_client() for _ in range(3)]
    broken = clients[0]
    quote = "`" if what == "statements" else ""
    front.order("refuse", quote + broken.database + quote, ALWAYS, on="any", code=241)
    answer = migrate_up(world, folder, "--parallel", 1)
    front.clear()
    assert answer.status == 2, answer
    assert outcomes(answer) == {each.client_id: "failed" if each == broken else "migrated" for each in clients}
    assert "241" in answer.out
    assert [versions(world, each) for each in clients] == [[1, 2], [1, 2, 3], [1, 2, 3]]
    again = migrate_up(world, folder)
    assert again.status == 0 and "probed" in columns(world, broken.database), again


@pytest.mark.parametrize("refuse", [refuse_writes, refuse_everything])
def test_provision_where_nothing_is_taken_stops_and_may_be_repeated(world, front, refuse):
    world.add_client()  # the table is there
    clients = [world.add_client(provision=False) for _ in range(3)]
    command = ["provision", *(each.client_id for each in clients), "--parallel", 1]
    refuse(front)
    answer = world.cli(*command)
    front.clear()
    assert answer.status == 1 and ("clickhouse_refuses_writes" in answer.err or "takes no writes" in answer.err), answer
    for each in clients:
        assert world.sql("SELECT status FROM clients WHERE client_id = %s", each.client_id) == [("pending",)]
        assert each.client_id not in answer.out, "nobody's own fault"
    assert world.cli(*command).status == 0
    assert all(versions(world, each) == [1, 2] for each in clients)


@pytest.mark.parametrize("refuse", [refuse_writes, refuse_everything])
def test_migrate_up_where_nothing_is_taken_stops_and_may_be_repeated(world, front, folder, refuse):
    clients = [world.add_client() for _ in range(3)]
    refuse(front)
    answer = migrate_up(world, folder, "--parallel", 1)
    front.clear()
    assert answer.status == 1, answer
    assert "failed" not in answer.out or "failed" not in outcomes(answer).values(), "nobody's own fault"
    assert all(versions(world, each) == [1, 2] for each in clients)
    again = migrate_up(world, folder)
    assert again.status == 0 and all(versions(world, each) == [1, 2, 3] for each in clients), again


# The service without it


def test_without_it_nobody_is_blamed_and_that_is_said(world, front):
    refused, other = world.add_client(), world.add_client()
    with without_write_probe(world):
        router = world.run(**SETTINGS).await_ready()
        for client in (refused, other):
            world.produce(events(world, client, 20))
        world.await_caught_up(router)
        front.order("refuse", refused.database, ALWAYS, on="insert", code=243)
        world.produce(events(world, refused, 30), partition=0)
        until("the table is missed", lambda: status(router)["write_probe_missing"], alive=router.must_live)
        world.produce(events(world, other, 30), partition=1)

        def nobody_is_blamed():
            assert status(router)["open_circuits"] == [] and status(router)["write_probe_missing"]

        during(3 * TIMEOUT_MS / 1000, nobody_is_blamed)
        assert delivered(world, other) == 50, "the other client's partition goes on"
        # Work that does not move is told all the same.
        router.await_ready(False, seconds=STALL_SECONDS)
        assert "partition 0" in router.get("/readyz")[1]
        nobody_is_blamed()
        assert front.done() > 3, "it is tried again and again"
        assert len([each for each in router.log() if each.get("message", "").startswith(MISSING)]) == 1
        assert world.dead_letters() == [] and delivered(world, refused) == 20
    # The table is there again, and tells whose trouble it is.
    until("the client is blamed", lambda: circuit(router, refused), seconds=30, alive=router.must_live)
    until("the table is seen", lambda: not status(router)["write_probe_missing"], alive=router.must_live)
    router.await_ready()
    front.clear()
    assert AWAY.split(".")[1] not in world.warehouse.command(f"SHOW TABLES FROM {DATABASE}")
    assert router.terminate() == 0
