"""The rules of membership, each with the real program on the mock broker: docs/DELIVERY.md, failure by failure."""

import signal
import time

import pytest

from support.front import Front
from support.members import (
    ASSIGNED, LOST, MISSED, REDONE, REVOKED, SEALED, SESSION_MS, Producing, messages, outstanding, owned_partitions,
    redone)
from support.notes import note
from support.waiting import until
from test_members import PARTITIONS, member_world, mock  # noqa: F401 (fixtures)

REFUSED = "commit was not accepted"
SHUTDOWN_SECONDS = 20
"""`ROUTER_SHUTDOWN_TIMEOUT_MS`, as it is by default."""


pytestmark = pytest.mark.long


@pytest.fixture
def world(member_world):  # noqa: F811
    world = member_world("rules")
    world.add_client()
    return world


def seals(router):
    return len(messages(router, SEALED))


def end(world, *members):
    for member in members:
        assert member.terminate() == 0, member.tail()
    world.catch_up()
    return world.account()


@pytest.mark.parametrize("code", [22, 25])
def test_a_refused_commit_drops_everything_and_starts_from_what_is_committed(world, mock, seed, code):  # noqa: F811
    """22 ILLEGAL_GENERATION and 25 UNKNOWN_MEMBER_ID: a generation was missed, nothing held is valid. Whether the commit's
    answer or the revocation as lost is seen first is chance; the log says the same either way, and once."""
    producing = Producing(world, seed, bad_share=0.2)
    member = world.member()
    until("some seals", lambda: seals(member) > 3, alive=member.must_live)
    # Batches are under way when the refusal comes, and their intents are committed: they are redone.
    Front(world.settings).order("delay", next(iter(world.clients.values())).database, count=12, seconds=1)
    until("a batch sealed and not complete", lambda: outstanding(member), alive=member.must_live)
    mock.fail("OffsetCommit", code)
    member.await_log("a missed generation", lambda line: line.get("message") == MISSED)
    before = seals(member)
    until("new seals", lambda: seals(member) > before + 3, alive=member.must_live)
    assert len(messages(member, ASSIGNED)) >= 2 and messages(member, LOST)
    assert messages(member, REDONE)
    assert len(messages(member, MISSED)) == 1
    producing.stop()
    end(world, member)


@pytest.mark.parametrize("code", [22, 25])
def test_a_refused_heartbeat_drops_everything_in_the_same_words(world, mock, seed, code):  # noqa: F811
    """An idle member commits nothing: librdkafka alone notices, and revokes everything as lost."""
    member = world.member()
    world.await_shared([member], PARTITIONS)
    world.produce_mix(seed, 60)
    world.await_caught_up()
    mock.fail("Heartbeat", code)
    member.await_log("a missed generation", lambda line: line.get("message") == MISSED)
    until("everything again", lambda: len(messages(member, ASSIGNED)) == 2, alive=member.must_live)
    assert len(messages(member, MISSED)) == len(messages(member, LOST)) == 1
    world.produce_mix(seed + 1, 60)
    end(world, member)


def test_27_is_tried_again_for_what_is_still_owned(world, mock, seed):  # noqa: F811
    producing = Producing(world, seed)
    member = world.member()
    until("some seals", lambda: seals(member) > 3, alive=member.must_live)
    mock.fail("OffsetCommit", 27, 27, 27)
    until("refusals", lambda: len(messages(member, REFUSED)) >= 3, alive=member.must_live)
    assert {each["then"] for each in messages(member, REFUSED)} == {"trying again"}
    before = seals(member)
    until("new seals", lambda: seals(member) > before + 3, alive=member.must_live)
    assert not messages(member, MISSED, LOST) and len(messages(member, ASSIGNED)) == 1
    producing.stop()
    end(world, member)


def test_a_fenced_member_ends_with_an_error(world, mock, seed):  # noqa: F811
    """82 FENCED_INSTANCE_ID: another process has its place, and it must not go on beside it."""
    producing = Producing(world, seed)
    member = world.member()
    until("some seals", lambda: seals(member) > 3, alive=member.must_live)
    mock.fail("OffsetCommit", 82)
    assert member.wait(60) == 1
    assert "another process took this member's place" in member.tail() or "fenced" in member.tail().lower()
    producing.stop()
    end(world)


def test_a_member_frozen_past_its_session_starts_over(world, seed):
    """It thaws believing in what it had; the other one has had it meanwhile."""
    producing = Producing(world, seed)
    frozen, other = world.member(), world.member()
    world.await_shared([frozen, other], PARTITIONS)
    until("a batch sealed and not complete", lambda: outstanding(frozen), alive=frozen.must_live, interval=0.002)
    frozen.signal(signal.SIGSTOP)
    until("the other one has everything", lambda: len(owned_partitions(other)) == PARTITIONS, alive=other.must_live)
    assert frozen.status is None
    frozen.signal(signal.SIGCONT)
    frozen.await_log("what it held is void", lambda line: line.get("message") == MISSED)
    world.await_shared([frozen, other], PARTITIONS)
    producing.stop()
    end(world, frozen, other)


def test_a_generation_missed_in_the_middle_of_a_rebalance_is_noticed(world, seed):
    """Frozen between a revocation and its answer, past the session: librdkafka revokes nothing as lost then, and would
    join again with a claim to what it kept."""
    front, database = Front(world.settings), next(iter(world.clients.values())).database
    producing = Producing(world, seed)
    first = world.member()
    until("some seals", lambda: seals(first) > 3, alive=first.must_live)
    # What is sealed cannot be finished, so the answer to the revocation waits for up to five seconds.
    front.order("delay", database, count=200, seconds=3)
    until("batches under way", lambda: len(outstanding(first)) > 3, alive=first.must_live)
    second = world.member()
    until("the revocation", lambda: messages(first, REVOKED), interval=0.002, alive=first.must_live)
    first.signal(signal.SIGSTOP)
    front.clear()
    until("the second has everything", lambda: len(owned_partitions(second)) == PARTITIONS, alive=second.must_live)
    sealed = seals(second)
    until("the second goes on", lambda: seals(second) > sealed + 5, alive=second.must_live)
    first.signal(signal.SIGCONT)
    first.await_log("a missed generation", lambda line: line.get("message") == MISSED)
    world.await_shared([first, second], PARTITIONS)
    producing.stop()
    end(world, first, second)


def test_a_revoked_partition_is_not_committed_by_who_gave_it_up(world, seed):
    """What the revocation cuts short is redone by the next owner. Were it committed by both, the account would show it."""
    front, database = Front(world.settings), next(iter(world.clients.values())).database
    producing = Producing(world, seed)
    first = world.member()
    until("some seals", lambda: seals(first) > 3, alive=first.must_live)
    front.order("delay", database, count=500, seconds=8)
    until("batches under way", lambda: len(outstanding(first)) > 3, alive=first.must_live)
    second = world.member()
    until("the second has partitions", lambda: owned_partitions(second), seconds=90, alive=second.must_live)
    cut_short = outstanding(first)
    until("what was cut short is redone", lambda: redone(second) & cut_short, alive=second.must_live)
    front.clear()
    world.await_shared([first, second], PARTITIONS, seconds=90)
    producing.stop()
    end(world, first, second)


def test_an_insert_with_an_old_lease_waits_for_a_commit(world, mock, seed):  # noqa: F811
    """No commit is accepted for longer than the lease: nothing may be inserted in that time, for the member may have
    been put out without knowing."""
    producing = Producing(world, seed)
    member = world.member()
    until("some seals", lambda: seals(member) > 3, alive=member.must_live)
    database = next(iter(world.clients.values())).database
    mock.fail("OffsetCommit", *[27] * 500)
    time.sleep(SESSION_MS / 1000)  # the lease itself is what is waited out
    rows = world.warehouse.row_count(database)
    time.sleep(2)
    assert world.warehouse.row_count(database) == rows
    mock.order("stop_failing", request="OffsetCommit")
    until("rows again", lambda: world.warehouse.row_count(database) > rows, alive=member.must_live)
    producing.stop()
    end(world, member)


def test_a_rolling_restart_under_load_pauses_no_partition_for_long(world, seed):
    """Each of three members is stopped with SIGTERM and replaced; how long each partition had no new rows."""
    producing = Producing(world, seed, rate=240)
    members = [world.member() for _ in range(3)]
    world.await_shared(members, PARTITIONS)
    began = world.now()
    for old in list(members):
        new = world.member()
        members.append(new)
        world.await_shared(members, PARTITIONS, seconds=90)
        assert old.terminate() == 0, old.tail()
        members.remove(old)
        world.await_shared(members, PARTITIONS, seconds=90)
    ended = world.now()
    producing.stop()
    end(world, *members)
    times = {}
    for row in world.warehouse.all_rows(world.raw):
        times.setdefault(row.place[0], set()).add(row.columns["ingested_at"])
    longest = {}
    for partition, found in times.items():
        inside = sorted(each for each in found if began <= each <= ended)
        longest[partition] = max(b - a for a, b in zip(inside, inside[1:])) / 1000
    missed = sum(len(messages(member, MISSED)) for member in world.routers)
    note(f"rolling restart of three members in {(ended - began) / 1000:.0f} s, {missed} generations missed; the mock "
         f"itself stands still for {SESSION_MS / 1000 - 1:.0f} s a rebalance; longest pause of each partition, seconds: {', '.join(f'{each}: {pause:.1f}' for each, pause in sorted(longest.items()))}")
    # No partition may wait out all the time that a stopping member has: that would be a batch nobody finishes.
    assert max(longest.values()) < SHUTDOWN_SECONDS
