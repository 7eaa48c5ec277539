"""SIGKILL at random moments under load, most of them between a batch's seal and its completion."""

import random
import threading

import pytest

from generator import samples
from support.notes import note
from support.waiting import until

KILLS = 20
BETWEEN = 15
"""So many of the kills must hit a batch that is sealed and not complete, by the router's own log."""
LIFE_SECONDS = 30
BACKLOG = 4000
"""So many records wait at most: enough for no life to run dry, few enough for a slow machine to catch up."""
SMALL = {"ROUTER_BATCH_MAX_ROWS": 200, "ROUTER_BATCH_MAX_AGE_MS": 50, "LOG_LEVEL": "debug"}


def outstanding(log):
    """Batches that the log says are sealed and not complete."""
    ids = {"batch sealed": set(), "batch completed": set()}
    for record in log:
        if record.get("message") in ids:
            ids[record["message"]].add(record["batch"])
    return ids["batch sealed"] - ids["batch completed"]


class Load:
    """Produces records until it is told to stop, as long as fewer than `BACKLOG` wait: no life finds an empty topic."""

    def __init__(self, world, seed, at_once):
        self.world, self.stopped = world, threading.Event()
        self.made = self.endless(seed)
        self.at_once = at_once
        self.failure = None
        self.produce()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def endless(self, seed):
        active = list(self.world.clients.values())
        while True:
            seed += 1
            yield from samples(seed, active, 1000, self.world.now(), bad_share=0.05)

    def produce(self):
        self.world.produce(next(self.made) for _ in range(self.at_once))

    def waiting(self):
        committed = self.world.broker.committed(self.world.group, self.world.raw)
        ends = self.world.broker.ends(self.world.raw)
        return sum(high - (committed[each][0] or 0) for each, (_, high) in ends.items())

    def run(self):
        try:
            while not self.stopped.wait(0.2):
                if self.waiting() < BACKLOG:
                    self.produce()
        except Exception as failure:
            self.failure = failure

    def stop(self):
        self.stopped.set()
        self.thread.join(60)
        assert not self.thread.is_alive() and self.failure is None, self.failure


@pytest.mark.long
def test_twenty_kills_lose_and_double_nothing(world, seed):
    rng = random.Random(seed)
    for _ in range(3):
        world.add_client()
    load = Load(world, seed, at_once=600)
    between = redone = 0
    seen = set()
    try:
        for life in range(KILLS):
            router = world.run(**SMALL)
            if life < KILLS - 3:
                # Some batches are let through first, or no life would ever get anywhere.
                enough = rng.randrange(1, 12)
                until(
                    f"a batch outstanding after {enough} were sealed (life {life})",
                    lambda: len(outstanding(router.log())) > 0
                    and sum(each.get("message") == "batch sealed" for each in router.log()) >= enough,
                    LIFE_SECONDS, interval=0.001, alive=router.must_live)
            else:
                # A moment that the log has nothing to do with.
                moment = rng.random() * 1.5
                try:
                    router.process.wait(moment)
                except Exception:
                    pass
                router.must_live()
            router.kill()
            left = outstanding(router.log())
            between += bool(left)
            completed = {each["batch"] for each in router.log() if each.get("message") == "batch completed"}
            redone += len(seen & completed)
            seen = (seen | left) - completed
    finally:
        load.stop()
    world.catch_up(**SMALL)
    account = world.account()
    note(f"{world.name}: {KILLS} kills, {between} between a seal and its completion, {redone} of those batches "
         f"completed by a later killed life; {account.both} origins with a row and a dead letter")
    assert between >= BETWEEN
    audit = world.audit()
    assert audit.status == 0, f"{audit}\n{audit.out}"


@pytest.mark.long
def test_kills_while_inserts_are_slow_and_batch_settings_change(world, seed):
    """The next life cuts its batches elsewhere: what was sealed must be redone as it was sealed."""
    rng = random.Random(seed)
    for _ in range(2):
        world.add_client()
    world.produce_mix(seed, 6000, bad_share=0.05)
    for _ in range(6):
        router = world.run(
            LOG_LEVEL="debug", ROUTER_BATCH_MAX_AGE_MS=rng.choice([20, 100, 500]),
            ROUTER_BATCH_MAX_ROWS=rng.choice([7, 64, 500, 5000]))
        until("a batch outstanding, or nothing left",
              lambda: outstanding(router.log()) or world.broker.caught_up(world.group, world.raw), LIFE_SECONDS,
              interval=0.002, alive=router.must_live)
        router.kill()
    world.catch_up()
    world.account()
