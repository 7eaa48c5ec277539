"""Several `router run` in one group, on the mock broker, with a producer at a steady rate."""

import itertools
import threading
from dataclasses import replace

from generator import samples
from support.broker import Broker
from support.waiting import until
from support.world import World

SESSION_MS = 4000
"""The mock's first rebalance takes 3 s, and members heartbeat only after it: this is the shortest that works."""
MEMBER = {
    "KAFKA_CONFIG_GROUP_INSTANCE_ID": "", "KAFKA_CONFIG_RECEIVE_MESSAGE_MAX_BYTES": "",
    "KAFKA_CONFIG_SESSION_TIMEOUT_MS": SESSION_MS, "KAFKA_CONFIG_HEARTBEAT_INTERVAL_MS": 300,
    "ROUTER_HTTP_PORT": 0, "ROUTER_BATCH_MAX_AGE_MS": 300, "LOG_LEVEL": "debug",
}
SEALED, COMPLETED = "batch sealed", "batch completed"
REDONE = "batch of an earlier life is redone"
ASSIGNED, REVOKED, LOST = "partitions assigned", "partitions revoked", "partitions lost"
MISSED = "this member missed a generation of its group: nothing it held is valid"


class MemberWorld(World):
    """A World whose Kafka is a mock broker, and whose routers are dynamic members."""

    def __init__(self, mock, *arguments):
        super().__init__(*arguments)
        self.mock = mock
        self.settings["KAFKA_BOOTSTRAP_SERVERS"] = mock.bootstrap_servers
        self.broker = Broker(mock.bootstrap_servers)
        # The mock deletes no topics; it goes away with them.
        self.broker.delete_topics = lambda *_: None

    def create_topics(self, partitions=6, dead_partitions=2):
        self.mock.create_topics(**{self.raw: partitions, self.dead: dead_partitions})
        return self

    def produce(self, made, partition=None):
        # The mock answers a produce request with the timestamp 1234, and keeps the record's own.
        made = [replace(each, timestamp_ms=each.timestamp_ms or self.now()) for each in made]
        produced = [replace(each, timestamp_ms=each.sample.timestamp_ms)
                    for each in self.broker.produce(self.raw, made, partition)]
        self.produced += produced
        return produced

    def member(self, *arguments, **overrides):
        return self.run(*arguments, **(MEMBER | overrides))

    def catch_up(self, seconds=120, **overrides):
        return super().catch_up(seconds, **(MEMBER | overrides))

    def await_shared(self, members, partitions, seconds=60):
        """Every partition is read by one of the members, and each member has some."""
        def shared():
            owned = [owned_partitions(each) for each in members]
            return all(owned) and sorted(itertools.chain(*owned)) == list(range(partitions))
        until(f"{partitions} partitions shared by {len(members)} members", shared, seconds,
              alive=lambda: [each.must_live() for each in members])


class Producing:
    """Sends `rate` records a second until it is stopped."""

    def __init__(self, world, seed, rate=60, bad_share=0.05):
        self.world, self.rate, self.stopped, self.failure = world, rate, threading.Event(), None
        self.made = self.endless(seed, bad_share)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def endless(self, seed, bad_share):
        active = list(self.world.clients.values())
        for number in itertools.count(seed):
            yield from samples(number, active, 200, self.world.now(), bad_share)

    def run(self):
        try:
            while not self.stopped.wait(0.25):
                self.world.produce(itertools.islice(self.made, self.rate // 4))
        except Exception as failure:
            self.failure = failure

    def stop(self):
        self.stopped.set()
        self.thread.join(60)
        assert not self.thread.is_alive() and self.failure is None, self.failure


def messages(router, *names):
    return [each for each in router.log() if each.get("message") in names]


def outstanding(router):
    """Batches that this life has sealed, by its log, and not completed."""
    sealed = {each["batch"] for each in messages(router, SEALED)}
    return sealed - {each["batch"] for each in messages(router, COMPLETED)}


def redone(router):
    return {each["batch"] for each in messages(router, REDONE)}


def owned_partitions(router):
    """By its log: what it was assigned and has not given up since."""
    owned = set()
    for each in messages(router, ASSIGNED, REVOKED, LOST):
        named = {int(number) for number in each["partitions"].strip("[]").split(",") if number.strip()}
        owned = owned | named if each["message"] == ASSIGNED else owned - named
    return owned
