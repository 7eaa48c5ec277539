"""`router dlq replay` and `router rebuild` where ClickHouse fails: whose trouble it is, and what is said of it."""

import json
import random
from contextlib import nullcontext

import pytest

from generator import Make, Sample
from support.front import Front
from support.probe import shape, without_write_probe
from test_dlq import counts, rows

EACH = 40
ENDLESS = 1_000_000


@pytest.fixture
def refused(world, seed):
    """Three clients; what two of them sent became dead letters because they were suspended, and they are active again.
    The third one's were delivered."""
    clients = [world.add_client() for _ in range(3)]
    for client in clients[:2]:
        world.set_status(client, "suspended")
    rng = random.Random(seed)
    for client in clients:
        world.produce(
            Sample("plain", Make(rng, client, world.now()).event(event_id=None, ordinal=index), b"k", (), world.now())
            for index in range(EACH))
    world.catch_up()
    for client in clients[:2]:
        world.set_status(world.clients[client.client_id], "active")
    assert len(world.dead_letters()) == 2 * EACH
    return world


@pytest.fixture
def front(world):
    front = Front(world.settings)
    front.clear()
    yield front
    front.clear()


def replay(world, *arguments, status=0):
    answer = world.cli("dlq", "replay", *arguments, "--json")
    assert answer.status == status, f"{answer}\n{answer.out}"
    return answer.json


def rows_of(world, client):
    return world.warehouse.client.query(
        f"SELECT count() FROM `{client.database}`.events_base WHERE source_topic = {{topic:String}}",
        parameters={"topic": world.raw}).result_rows[0][0]


def assert_each_once(world):
    found = rows(world)
    assert set(found.values()) == {1} and len(found) == 3 * EACH


def test_a_client_whose_table_cannot_be_read_is_unknown_and_the_others_are_replayed(refused, front):
    world = refused
    first, second, third = world.clients.values()
    front.order("refuse", first.database, ENDLESS, on="select", code=74)
    for dry in ("--dry-run",), ():
        done = replay(world, *dry, status=2)
        assert (done["delivered"], done["unknown"], done["failed"]) == (EACH, EACH, 0)
        (unknown,) = done["unknown_clients"]
        assert unknown["client_id"] == first.client_id and unknown["ch_database_name"] == first.database
        assert "74" in unknown["error"]
    stats = world.cli("dlq", "stats", "--json")
    assert stats.status == 0 and (stats.json["unknown"], stats.json["delivered"], stats.json["open"]) == (EACH, EACH, 0)
    listed = world.cli("dlq", "list", "--json").json
    assert {each["state"] for each in listed["dead_letters"]} == {"unknown"} and listed["total"] == EACH
    discarded = world.cli("dlq", "discard", "--why", "a test", "--yes", "--json")
    assert discarded.status == 0 and discarded.json["discarded"] == 0, "what is unknown is not given up"
    text = world.cli("dlq", "replay")
    assert text.status == 2 and first.client_id in text.out and "74" in text.out, text
    # Whoever asks about another client does not hear of it.
    assert replay(world, "--client", second.client_id)["already_delivered"] == EACH
    front.clear()
    assert rows_of(world, first) == 0 and rows_of(world, second) == EACH
    assert replay(world)["delivered"] == EACH
    assert_each_once(world)
    # Rows are there and cannot be seen: nothing may go in again.
    front.order("refuse", first.database, ENDLESS, on="select", code=74)
    assert replay(world, status=2)["unknown"] == EACH
    rebuilt = world.cli("rebuild", third.client_id, "--json")
    assert rebuilt.status == 0 and rebuilt.json["present"] == EACH, rebuilt
    own = world.cli("rebuild", first.client_id, "--json")
    assert own.status == 1, own
    front.clear()
    assert_each_once(world)


def test_rows_that_cannot_be_read_back_are_unknown_and_go_in_once(refused, front):
    """The question over all tables is answered, and the one after the insert is not."""
    world = refused
    first = next(iter(world.clients.values()))
    front.order("refuse", f"`{first.database}`.`events_base`", ENDLESS, on="select", code=74)
    done = replay(world, status=2)
    assert front.done() > 0
    front.clear()
    assert (done["delivered"], done["unknown"], done["failed"]) == (EACH, EACH, 0)
    assert [each["client_id"] for each in done["unknown_clients"]] == [first.client_id]
    again = replay(world)
    assert (again["already_delivered"], again["delivered"]) == (2 * EACH, 0)
    assert_each_once(world)


def test_where_no_table_can_be_read_the_server_is_to_blame(refused, front):
    world = refused
    # Every question about rows; not the one which databases there are.
    front.order("refuse", "source_topic = {topic", ENDLESS, on="select", code=74)
    answer = world.cli("dlq", "replay", "--json")
    assert answer.status == 1 and "74" in answer.err, answer
    audit = world.audit()
    assert audit.status == 1 and "74" in audit.err, audit
    front.clear()
    assert replay(world)["delivered"] == 2 * EACH
    assert_each_once(world)


def test_a_dry_run_says_what_would_fail_and_why(refused):
    world = refused
    first = next(iter(world.clients.values()))
    world.warehouse.command(f"RENAME TABLE `{first.database}`.events_base TO `{first.database}`.away")
    dry = replay(world, "--dry-run")
    assert dry["delivered"] == EACH and dry["failed_by_reason"] == {"destination_unavailable": EACH}
    text = world.cli("dlq", "replay", "--dry-run")
    done = replay(world, status=2)
    assert counts(dry) == counts(done), "the dry run said something else than what happened"
    again = world.cli("dlq", "replay")
    for said, output in ((dry, text), (done, again)):
        (group,) = said["failure_groups"]
        assert group["count"] == EACH and group["reason"] == "destination_unavailable"
        assert 1 <= len(group["places"]) <= 2 and f"router provision {first.client_id}" in group["detail"]
        assert output.out.count(f"router provision {first.client_id}") == 1, output.out
        assert f"{EACH} dead letters" in output.out and group["places"][0] in output.out
    world.warehouse.command(f"RENAME TABLE `{first.database}`.away TO `{first.database}`.events_base")
    assert replay(world)["delivered"] == EACH
    assert_each_once(world)


def test_a_server_that_takes_no_writes_is_nobodys_fault(refused, front):
    """A full disk answers SELECT 1."""
    world = refused
    third = list(world.clients.values())[2]
    world.warehouse.command(
        f"ALTER TABLE `{third.database}`.events_base DELETE WHERE source_topic = '{world.raw}' AND source_offset % 7 = 0 "
        "SETTINGS mutations_sync = 2")
    assert 0 < rows_of(world, third) < EACH
    assert shape(world), "provisioning has made the table of the neutral write"
    front.order("refuse", "INSERT", ENDLESS, code=243)
    answer = world.cli("dlq", "replay", "--json")
    assert answer.status == 1 and "clickhouse_unreachable" in answer.err and "write_probe" in answer.err, answer
    rebuilt = world.cli("rebuild", third.client_id, "--json")
    assert rebuilt.status == 1 and "clickhouse_unreachable" in rebuilt.err, rebuilt
    front.clear()
    assert world.cli("dlq", "stats", "--json").json["open"] == 2 * EACH
    assert world.sql("SELECT count(*) FROM dead_letter_attempts WHERE topic = %s", world.raw) == [(0,)]
    assert replay(world)["delivered"] == 2 * EACH
    assert world.cli("rebuild", third.client_id, "--json").status == 0
    assert_each_once(world)


@pytest.mark.parametrize("is_there", [True, False], ids=["with the probe", "without it"])
def test_one_client_that_takes_no_writes_fails_alone(refused, front, is_there):
    world = refused
    first = next(iter(world.clients.values()))
    with nullcontext() if is_there else without_write_probe(world):
        front.order("refuse", first.database, ENDLESS, code=243)
        done = replay(world, status=2)
        front.clear()
    assert done["delivered"] == EACH and done["failed_by_reason"] == {"destination_unavailable": EACH}
    # Where nobody could ask for a write, the operator hears of it.
    assert ("router provision" in json.dumps(done["failure_groups"])) is not is_there
    assert replay(world)["delivered"] == EACH
    assert_each_once(world)
