"""Two and three members in a group that come, go, die and freeze at random: nothing is lost, nothing doubled."""

import os
import random
import signal
import threading
import time

import pytest

from support.front import Front
from support.members import (
    MISSED, SESSION_MS, MemberWorld, Producing, messages, outstanding, owned_partitions, redone)
from support.mock_broker import MockBroker
from support.notes import note
from support.waiting import NotInTime, until

LIVES = int(os.environ.get("ROUTER_TEST_LIVES", 50))
REDONE_ELSEWHERE = LIVES * 3 // 10
"""So many lives must end by SIGKILL with a sealed batch that another member redoes, by the logs of both."""
PARTITIONS = 6
SIZES = (2, 3, 3)
"""Groups that run beside each other: most of a life is waiting for the mock's rebalances, which take seconds."""
FROZEN_SECONDS = SESSION_MS / 1000 + 2
HOLD_SECONDS = 1.5
"""How long ClickHouse sits on inserts around a kill, so that what is sealed stays so."""


@pytest.fixture
def mock(tmp_path):
    mock = MockBroker(tmp_path)
    yield mock
    mock.must_live()
    mock.close()


@pytest.fixture
def member_world(mock, stack, binary, secrets, request, tmp_path):
    worlds = []

    def make(name):
        directory = tmp_path / name
        directory.mkdir()
        worlds.append(MemberWorld(mock, stack, binary, secrets, name, directory).create_topics(PARTITIONS))
        return worlds[-1]

    stack.up()
    yield make
    for world in worlds:
        world.close()


class Group:
    """One group and what befalls it, in a thread of its own."""

    def __init__(self, world, seed, size, lives):
        self.world, self.size, self.lives = world, size, lives
        self.rng = random.Random(seed)
        self.front = Front(world.settings)
        self.databases = [world.add_client().database for _ in range(2)]
        self.members, self.ended, self.started = [], [], 0
        self.killed_holding = {}
        self.did = []
        self.failure = None
        self.producing = Producing(world, seed)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while len(self.members) < self.size:
                self.join()
            while self.started < self.lives:
                self.live()
        except BaseException as failure:
            self.failure = failure

    def finish(self):
        """Everybody leaves politely; one that has missed that is put out by the broker."""
        if self.failure:
            raise self.failure
        # The orders of other groups go as well: they have no use for them any more.
        self.front.clear()
        for member in list(self.members):
            self.leave(member)

    def live(self):
        does = self.rng.choices(
            [self.kill_holding, self.kill_two, self.kill_any, self.leave, self.freeze], [9, 5, 1, 3, 2])[0]
        self.did.append(does.__name__)
        does(self.rng.choice(self.members))
        while len(self.members) < self.size and self.started < self.lives:
            self.join()

    # What befalls it

    def join(self):
        self.members.append(self.world.member())
        self.started += 1

    def gone(self, member):
        self.members.remove(member)
        self.ended.append(member)

    def hold_inserts(self):
        for database in self.databases:
            self.front.order("delay", database, count=30, seconds=HOLD_SECONDS)

    def kill_holding(self, member):
        """Killed between a seal and its completion."""
        try:
            until("a partition", lambda: owned_partitions(member), 25, alive=member.must_live)
            self.hold_inserts()
            until("a batch sealed and not complete", lambda: outstanding(member), 10, 0.002, member.must_live)
        except NotInTime:
            pass  # it has no partition, or none with records: it is killed all the same, and not counted
        self.kill_any(member)

    def kill_two(self, member):
        self.kill_holding(member)
        if self.size > 2 and self.members:
            self.kill_holding(self.rng.choice(self.members))

    def kill_any(self, member):
        member.kill()
        self.killed_holding[member] = outstanding(member)
        self.gone(member)

    def leave(self, member):
        # Before its first line it has no handler for the signal yet.
        until("its first line", member.log, alive=member.must_live)
        status = member.terminate()
        assert status == 0, f"status {status} after SIGTERM:\n{member.tail()}"
        self.gone(member)

    def freeze(self, member):
        """Past its session: the group goes on without it, and it thaws believing in what it had."""
        member.signal(signal.SIGSTOP)
        time.sleep(FROZEN_SECONDS)
        member.signal(signal.SIGCONT)
        member.must_live()

    # What came of it

    def redone_by_another(self):
        """Of the killed, those that held a batch which another one's log says it redid."""
        lives = self.ended + self.members + self.world.routers
        found = {router: redone(router) for router in lives}
        return sum(
            any(held & batches for router, batches in found.items() if router is not killed)
            for killed, held in self.killed_holding.items())


@pytest.mark.long
@pytest.mark.timeout(900)
def test_fifty_lives_of_members_lose_and_double_nothing(member_world, seed):
    shares = [LIVES // len(SIZES)] * len(SIZES)
    shares[0] += LIVES - sum(shares)
    began = time.monotonic()
    groups = [
        Group(member_world(f"members-{number}-of-{size}"), seed + number, size, lives)
        for number, (size, lives) in enumerate(zip(SIZES, shares))]
    for group in groups:
        group.thread.join()
        group.producing.stop()
    for group in groups:
        group.finish()
    seconds = time.monotonic() - began
    for group in groups:
        group.world.catch_up()
    counted = 0
    for group in groups:
        group.world.account()
        elsewhere = group.redone_by_another()
        counted += elsewhere
        missed = sum(len(messages(each, MISSED)) for each in group.world.routers)
        note(f"{group.world.name}: {group.started} lives, {len(group.killed_holding)} killed, {elsewhere} of them "
             f"holding a batch that another redid, {missed} generations missed; {' '.join(group.did)}")
    note(f"{sum(group.started for group in groups)} lives in {seconds:.0f} s")
    assert sum(group.started for group in groups) >= LIVES
    assert counted >= REDONE_ELSEWHERE
