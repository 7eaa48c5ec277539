"""Inserts whose outcome the router cannot know or does not like: replies lost, inserts late, refusals that pass."""

import pytest

from reference import Dead
from support.front import Front
from support.notes import note
from support.waiting import until

SETTINGS = {"ROUTER_BATCH_MAX_ROWS": 60, "ROUTER_DESTINATION_TIMEOUT_MS": 1500, "LOG_LEVEL": "debug"}
RETRIABLE = {"too many parts": 252, "memory limit": 241, "timeout": 159, "too many queries": 202, "network": 210}


@pytest.fixture
def front(world):
    front = Front(world.settings)
    front.clear()
    yield front
    front.clear()


@pytest.fixture
def flowing(world, seed):
    """Two clients and 600 records that wait for a router."""
    for _ in range(2):
        world.add_client()
    world.produce_mix(seed, 600)
    return world


def finish(world, front, at_least=1):
    done = front.done()
    assert done >= at_least, f"only {done} queries obeyed: the fault did not take place"
    note(f"{world.name}: {done} queries met the fault")


def test_replies_lost_after_the_insert_was_executed(flowing, front):
    front.order("drop_reply", "events_base", 12)
    flowing.catch_up(**SETTINGS)
    finish(flowing, front, 8)
    account = flowing.account()
    assert not account.both and set(account.reasons).isdisjoint({"destination_unavailable", "destination_rejected"})


def test_connections_closed_before_the_insert(flowing, front):
    front.order("close", "events_base", 12)
    flowing.catch_up(**SETTINGS)
    finish(flowing, front, 8)
    assert not flowing.account().both


def test_inserts_that_land_late_and_unseen(flowing, front):
    """The connection is closed long after; the insert is under way all the time."""
    front.order("delay", "events_base", 4, seconds=2)
    front.order("drop_reply", "events_base", 8)
    flowing.catch_up(**SETTINGS)
    finish(flowing, front, 4)
    assert not flowing.account().both


def test_a_reply_lost_and_a_kill_before_the_retry(flowing, front):
    """Only the read-back of the next life can know that the rows are there."""
    for _ in range(3):
        front.order("drop_reply", "events_base", 3)
        front.order("refuse", "events_base", 50, on="select", code=241)
        router = flowing.run(**SETTINGS)
        until("a reply dropped", lambda: front.done() > 0 or flowing.broker.caught_up(flowing.group, flowing.raw),
              interval=0.005, alive=router.must_live)
        router.kill()
        front.clear()
    flowing.catch_up(**SETTINGS)
    flowing.account()


def test_a_kill_while_inserts_are_under_way(flowing, front):
    """The insert of the life before lands while the next life already redoes the batch."""
    for _ in range(3):
        front.order("delay", "events_base", 4, seconds=1.5)
        router = flowing.run(**SETTINGS)
        until("an insert under way", lambda: front.done() > 0 or flowing.broker.caught_up(flowing.group, flowing.raw),
              interval=0.005, alive=router.must_live)
        router.kill()
    flowing.catch_up(**SETTINGS)
    flowing.account()


@pytest.mark.parametrize("name", RETRIABLE)
def test_a_refusal_that_passes_is_retried(flowing, front, name):
    front.order("refuse", "events_base", 6, code=RETRIABLE[name])
    flowing.catch_up(**SETTINGS | {"ROUTER_DESTINATION_TIMEOUT_MS": 30000})
    finish(flowing, front, 6)
    account = flowing.account()
    assert not account.both and set(account.reasons).isdisjoint({"destination_unavailable", "destination_rejected"})


def test_one_client_is_refused_for_longer_than_its_time(world, front, seed):
    slow, other = world.add_client(), world.add_client()
    world.produce_mix(seed, 400, kinds={"plain"})
    front.order("refuse", slow.database, 1_000_000, on="any", code=241)
    world.catch_up(**SETTINGS)
    finish(world, front)
    expected = world.expected()
    expected = {
        place: Dead("destination_unavailable", slow.client_id) if verdict.database == slow.database else verdict
        for place, verdict in expected.items()
    }
    front.clear()
    account = world.account(expected)
    assert account.rows == world.warehouse.row_count(other.database) > 100


def test_everybody_refused_is_no_clients_fault(flowing, front):
    """ClickHouse itself is in trouble, a query that has nothing to do with any client fails as well: it waits."""
    front.order("refuse", "", 1_000_000, on="any", code=241)
    router = flowing.run(**SETTINGS)
    until("10 refusals", lambda: front.done() >= 10, alive=router.must_live)
    router.await_ready(False)
    front.clear()
    flowing.await_caught_up(router)
    assert router.terminate() == 0
    account = flowing.account()
    assert set(account.reasons).isdisjoint({"destination_unavailable", "destination_rejected"})


def test_one_client_that_hangs_delays_nobody_else(world, front, seed):
    hanging, other = world.add_client(), world.add_client()
    front.order("delay", hanging.database, 3, seconds=12)
    router = world.run(**SETTINGS | {"ROUTER_DESTINATION_TIMEOUT_MS": 60000})
    world.produce_mix(seed, 400, kinds={"plain"})
    mine = sum(verdict.database == other.database for verdict in world.expected().values())
    until("the rows of the other client", lambda: world.warehouse.row_count(other.database) == mine, seconds=10,
          alive=router.must_live)
    assert world.warehouse.row_count(hanging.database) < 400 - mine, "the delay did not take place"
    front.clear()
    world.await_caught_up(router)
    world.account()
