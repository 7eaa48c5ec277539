"""One client's destination is broken: its rows become dead letters, nobody else notices, and it heals."""

import pytest

from generator import Sample
from reference import Dead, Row
from support.waiting import until

TIMEOUT_MS = 1500

BREAKS = {
    "table dropped": (
        "DROP TABLE `{db}`.events_base SYNC", None),
    "table renamed": (
        "RENAME TABLE `{db}`.events_base TO `{db}`.elsewhere", "RENAME TABLE `{db}`.elsewhere TO `{db}`.events_base"),
    "column dropped": (
        "ALTER TABLE `{db}`.events_base DROP COLUMN extra_fields",
        "ALTER TABLE `{db}`.events_base ADD COLUMN extra_fields String AFTER event_properties"),
    "database dropped": (
        "DROP DATABASE `{db}` SYNC", None),
}


def events(client, count, now, name="e"):
    value = f'{{"client_id":"{client.client_id}","api_key_hash":"{client.api_key_hash}","event_name":"{name}"}}'
    return [Sample("plain", value.encode(), timestamp_ms=now) for _ in range(count)]


def allow(expected, *databases):
    """Rows of `databases` may as well be dead letters of an unavailable destination."""
    return {
        place: (verdict, Dead("destination_unavailable", verdict.columns["client_id"]))
        if isinstance(verdict, Row) and verdict.database in databases else verdict
        for place, verdict in expected.items()
    }


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_destination_harms_nobody_else_and_heals(world, how):
    break_it, mend_it = BREAKS[how]
    broken, other = world.add_client(), world.add_client()
    world.warehouse.command(break_it.format(db=broken.database))
    router = world.run(ROUTER_DESTINATION_TIMEOUT_MS=TIMEOUT_MS).await_ready()
    for _ in range(5):
        world.produce(events(broken, 40, world.now()) + events(other, 40, world.now()))
    world.await_caught_up(router)
    assert world.warehouse.row_count(other.database) == 200
    letters = world.dead_letters()
    assert {letter.reason for letter in letters} == {"destination_unavailable"}
    assert {letter.last["router.client_id"] for letter in letters} == {broken.client_id}
    assert len({letter.origin for letter in letters}) == 200
    if mend_it:
        world.warehouse.command(mend_it.format(db=broken.database))
    else:
        world.provision(broken)

    def healed():
        world.produce(events(broken, 1, world.now()) + events(other, 1, world.now()))
        return world.warehouse.row_count(broken.database) > 0

    until(f"rows of the client whose {how}", healed, seconds=90, interval=0.5, alive=router.must_live)
    world.produce(events(broken, 50, world.now()) + events(other, 50, world.now()))
    world.await_caught_up(router)
    assert router.get("/readyz")[0] == 200
    assert router.terminate() == 0
    account = world.account(allow(world.expected(), broken.database))
    assert account.rows >= 200 + 50


def test_a_row_that_the_table_refuses_takes_no_other_row_with_it(world):
    refusing, other = world.add_client(), world.add_client()
    world.warehouse.command(
        f"ALTER TABLE `{refusing.database}`.events_base ADD CONSTRAINT polite CHECK event_name != 'refuse me'")
    now = world.now()
    expected = {}
    for index in range(300):
        name = "refuse me" if index % 37 == 5 else "welcome"
        (record,) = world.produce(events(refusing, 1, now, name), partition=index % 2)
        if name == "refuse me":
            expected[record.place] = Dead("destination_rejected", refusing.client_id)
    world.produce(events(other, 200, now, "refuse me"))
    world.catch_up()
    account = world.account(expected)
    assert account.reasons == {"destination_rejected": len(expected)} and account.both == 0


def test_a_constraint_that_refuses_everything(world):
    refusing, other = world.add_client(), world.add_client()
    world.warehouse.command(f"ALTER TABLE `{refusing.database}`.events_base ADD CONSTRAINT never CHECK user_id = 'x'")
    world.produce(events(refusing, 100, world.now()) + events(other, 100, world.now()))
    world.catch_up()
    expected = {
        place: Dead("destination_rejected", refusing.client_id) if verdict.database == refusing.database else verdict
        for place, verdict in world.expected().items()
    }
    account = world.account(expected)
    assert (account.rows, account.dead) == (100, 100)


def test_a_materialized_view_that_throws_loses_and_doubles_nothing(world):
    """The base table may keep the rows of an insert that a view makes fail: the read-back has to see them."""
    client, other = world.add_client(), world.add_client()
    database = client.database
    world.warehouse.command(f"CREATE TABLE `{database}`.target (n UInt64) ENGINE = MergeTree ORDER BY n")
    world.warehouse.command(
        f"CREATE MATERIALIZED VIEW `{database}`.throwing TO `{database}`.target AS "
        f"SELECT throwIf(event_name = 'throw') AS n FROM `{database}`.events_base")
    world.produce(events(client, 60, world.now()) + events(client, 3, world.now(), "throw"))
    world.produce(events(other, 60, world.now()))
    world.catch_up(ROUTER_DESTINATION_TIMEOUT_MS=TIMEOUT_MS)
    rejected = ("destination_unavailable", "destination_rejected")
    expected = {
        place: (verdict, *(Dead(reason, client.client_id) for reason in rejected))
        if verdict.database == database else verdict
        for place, verdict in world.expected().items()
    }
    account = world.account(expected)
    assert account.produced == 123 and account.rows >= 60
