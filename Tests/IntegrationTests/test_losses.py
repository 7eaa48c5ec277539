"""Records that the log does not hold any more when they are read a second time: each is named as lost, and once."""

import json
from collections import Counter

from generator import Sample
from support import exposition
from support.front import ALWAYS
from support.members import SEALED, messages, outstanding
from support.waiting import until
from test_offsets import assert_audit_names_losses, delete_records

SMALL = {"ROUTER_BATCH_MAX_ROWS": 100, "LOG_LEVEL": "debug"}
LOSS = "records were deleted by retention before they were delivered"


def events(world, client, names):
    """One good event for each name."""
    return [
        Sample("plain", json.dumps({
            "client_id": client.client_id, "api_key_hash": client.api_key_hash, "event_name": name,
        }).encode(), timestamp_ms=world.now())
        for name in names
    ]


def rows(world):
    return Counter(row.place for row in world.warehouse.all_rows(world.raw))


def noted(world):
    return world.sql(
        "SELECT partition, first_offset, end_offset FROM retention_losses WHERE group_id = %s AND topic = %s "
        "ORDER BY partition, first_offset, end_offset", world.group, world.raw)


def assert_counted(router, lost):
    """`lost`: ranges of partition 0. Every signal of the router that met them says the same."""
    count = sum(end - first for first, end in lost)
    assert json.loads(router.get("/api/status")[1])["lost_to_retention"] == count
    exposed = exposition.read(router.get("/metrics")[1])
    assert exposition.total(exposed, "router_events_lost_to_retention_total") == count
    said = [(int(each["from"]), int(each["to"])) for each in messages(router, LOSS)]
    assert sorted(said) == lost, "each range is logged, and once"


def test_what_retention_takes_from_batches_of_a_killed_life(world, front):
    """One batch is gone as a whole, one by half. Who starts on the partition and who reads the batches again both meet
    the gap: it is one loss."""
    client = world.add_client()
    produced = world.produce(events(world, client, ["e"] * 300), partition=0)
    # Nothing of the first life may go in: it is the server that refuses, so that no circuit opens.
    front.order("refuse", "", ALWAYS, on="insert", code=243)
    # By rows, and not by age.
    killed = world.run(ROUTER_BATCH_MAX_AGE_MS=60_000, **SMALL)
    until("two batches are outstanding and inserts are refused",
          lambda: len(outstanding(killed)) >= 2 and front.done() > 0, alive=killed.must_live)
    killed.kill()
    sealed = sorted((int(each["lo"]), int(each["hi"])) for each in messages(killed, SEALED))
    assert sealed[0][0] == 0 and len(sealed) >= 2
    cut = sum(sealed[1]) // 2
    assert sealed[1][0] < cut < sealed[1][1]
    delete_records(world, 0, cut)
    front.clear()
    assert rows(world) == {}
    assert_audit_names_losses(world, [(0, 0, cut)], is_noticed=False)

    router = world.run(**SMALL)
    world.await_caught_up(router)
    assert rows(world) == Counter(each.place for each in produced if each.offset >= cut)
    until("the loss is noted", lambda: noted(world), alive=router.must_live)
    assert_counted(router, [(0, cut)])
    assert router.get("/readyz")[0] == 200
    assert router.terminate() == 0
    assert noted(world) == [(0, 0, cut)]
    assert world.dead_letters() == []
    assert_audit_names_losses(world, [(0, 0, cut)])


def test_what_retention_takes_before_a_refused_row_became_a_dead_letter(world, front):
    """The insert is held until the records are gone; then a constraint refuses some of its rows, and their originals
    cannot be read again. The good rows need no second reading."""
    client, other = world.add_client(), world.add_client()
    world.warehouse.command(
        f"ALTER TABLE `{client.database}`.events_base ADD CONSTRAINT polite CHECK event_name != 'refuse me'")
    bad, cut = {10, 11, 30, 59, 60, 80}, 60
    produced = world.produce(
        events(world, client, ["refuse me" if offset in bad else "welcome" for offset in range(100)]), partition=0)
    assert [each.offset for each in produced] == list(range(100))
    produced += world.produce(events(world, other, ["refuse me"] * 20), partition=1)
    front.order("delay", client.database, ALWAYS, on="insert", seconds=600)
    router = world.run(**SMALL)
    until("the insert is held", lambda: front.done() > 0, alive=router.must_live)
    delete_records(world, 0, cut)
    front.clear()
    world.await_caught_up(router)
    until("the losses are noted", lambda: len(noted(world)) >= 3, alive=router.must_live)
    assert_counted(router, [(10, 12), (30, 31), (59, 60)])
    assert router.terminate() == 0
    assert noted(world) == [(0, 10, 12), (0, 30, 31), (0, 59, 60)]
    assert rows(world) == Counter(each.place for each in produced if each.partition == 1 or each.offset not in bad)
    letters = {(int(each.origin[1]), int(each.origin[2])): each.reason for each in world.dead_letters()}
    assert letters == {(0, 60): "destination_rejected", (0, 80): "destination_rejected"}
    assert len(world.dead_letters()) == 2
    assert_audit_names_losses(world, [(0, 10, 12), (0, 30, 31), (0, 59, 60)])
