"""What tests of the client directory need: a stream of events that goes on while clients change, Postgres' own record of
the statements it was sent, and entries of the Redis cache as somebody would forge them."""

import hmac
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import redis

from generator import samples
from support.waiting import until

ROSTER = "string_agg(client_id"
LOOK_UP = "c.client_id = ANY"


class Stream:
    """Produces plain events of one client, a few at a time and stamped with the time at which they are sent, until the
    block ends. `client` may be exchanged meanwhile (another key)."""

    EACH = 10

    def __init__(self, world, seed, client):
        self.world, self.seed, self.client = world, seed, client
        self.produced, self.error = [], None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            while not self._end.is_set():
                self.seed += 1
                now = self.world.now()
                made = [replace(each, timestamp_ms=now)
                        for each in samples(self.seed, [self.client], self.EACH, now, 0, {"plain"})]
                self.produced += self.world.broker.produce(self.world.raw, made)
                self._end.wait(0.005)
        except BaseException as error:  # noqa: BLE001: it is raised again by whoever waits for the stream
            self.error = error

    def must_live(self):
        if self.error:
            raise self.error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join(60)
        self.world.produced += self.produced
        self.must_live()

    def await_stamped(self, moment_ms, count):
        """Waits until so many records were sent after the moment."""
        until(f"{count} records after the change",
              lambda: sum(each.timestamp_ms > moment_ms for each in list(self.produced)) >= count,
              alive=self.must_live)


@dataclass
class Phase:
    """How the events of a stream are to be judged from a change on, which took effect between two moments."""

    outcome: str
    began_ms: float
    ended_ms: float
    within_ms: float = 1000
    """How long after the change the old way may still be judged."""


def check_phases(produced, settled, phases):
    """`settled`: place to (outcome, when at the latest it was judged). Every record has to be judged as some phase says
    that can have been in force: not one that the router must have left before the record was even sent, and not one
    that had not begun when the record was done with. Answers how many milliseconds after each change the last record was
    sent that was still judged the old way."""
    faults, lags = [], [0.0] * len(phases)
    until_ms = [phase.ended_ms + phase.within_ms for phase in phases[1:]] + [float("inf")]
    for record in produced:
        outcome, at_ms = settled[record.place]
        possible = [
            index for index, phase in enumerate(phases)
            if phase.outcome == outcome and record.timestamp_ms <= until_ms[index] and at_ms >= phase.began_ms]
        if not possible:
            faults.append(f"{record.place} sent at {record.timestamp_ms}, done with at {at_ms}: {outcome}")
            continue
        after = max(possible) + 1
        if after < len(phases):
            lags[after] = max(lags[after], record.timestamp_ms - phases[after].ended_ms)
    assert not faults, f"{len(faults)} faults, such as {faults[:5]}; {phases}"
    sure = [
        sum(phase.ended_ms + phase.within_ms < each.timestamp_ms < end for each in produced)
        for phase, end in zip(phases, [each.began_ms for each in phases[1:]] + [float("inf")])]
    assert min(sure) >= 50, f"too few records that can only be judged one way, by phase: {sure}"
    return lags


class Statements:
    """What Postgres was asked, as it writes it into its own log."""

    def __init__(self, path):
        self.path = path
        self.start = path.stat().st_size

    def lines(self):
        with open(self.path, "rb") as log:
            log.seek(self.start)
            return log.read().decode(errors="replace").splitlines()

    def executed(self, text):
        """The lines of statements that hold `text` in their first lines; a statement's further lines follow its first."""
        found, entry = [], ""
        for line in [*self.lines(), "[end] LOG:  "]:
            if line.startswith("["):
                if text in entry and "LOG:  execute" in entry:
                    found.append(entry)
                entry = ""
            entry += line + "\n"
        return found

    def asked_ids(self):
        """Of every look-up, the ids it named."""
        found = []
        for line in self.lines():
            if "DETAIL:  parameters: $1 = '{" in line:
                found.append(line.split("'{", 1)[1].split("}'", 1)[0].split(","))
        return found


@contextmanager
def logged_statements(world):
    path = Path(world.stack.environment["DEV_DIR"]) / "logs" / "postgres.log"
    settings = {"log_statement": "'all'", "log_line_prefix": "'[%%a %%c] '", "log_parameter_max_length": "-1"}
    try:
        for name, value in settings.items():
            world.sql(f"ALTER SYSTEM SET {name} = {value}")
        reload(world)
        yield Statements(path)
    finally:
        for name in settings:
            world.sql(f"ALTER SYSTEM RESET {name}")
        reload(world)


def reload(world):
    """Sessions that are idle take the new settings before their next statement."""
    world.sql("SELECT pg_reload_conf()")
    time.sleep(0.3)  # No server says when every session has heard of it.


class Cache:
    """Redis as redis-py sees it, and the entries of a client in the form that a router writes."""

    def __init__(self, world):
        self.redis = redis.Redis.from_url(world.settings["REDIS_URL"])

    def key(self, client):
        """The key of a client that is cached, awaited."""
        return until(f"client {client.client_id} is in Redis",
                     lambda: next(iter(self.redis.keys(f"router:client:1:*:{client.client_id}")), None))

    def put(self, like, client_id, value):
        """Under `client_id`, beside the entry of the client `like`."""
        key = self.key(like).decode().replace(like.client_id, client_id)
        self.redis.set(key, value)

    def questions(self):
        return self.redis.info("commandstats").get("cmdstat_mget", {}).get("calls", 0)


def entry(client_id, key_hash, database, status="active", read_at_ms=None, secret=None):
    """An entry of the cache; signed when there is a secret. The form is that of `Sources/ClientStore/CacheEntry.swift`."""
    micros = int((read_at_ms or time.time() * 1000) * 1000)
    text = f"1 {client_id} {micros} {status} {key_hash} - 0 {database}"
    return f"{text} {hmac.digest(secret.encode(), text.encode(), 'sha256').hex()}" if secret else text
