"""Nothing stands still while every signal says that all is well: what is held is given back, a server's trouble is waited
out, a client's own trouble is that client's alone, and whoever waits says for what."""

import hashlib
import json
import signal
import time

import pytest

from generator import Sample
from support import exposition
from support.accounting import moment_ms
from support.front import Front
from support.members import outstanding
from support.notes import note
from support.waiting import until
from test_destinations import allow

TIMEOUT_MS = 1500
SETTINGS = {"ROUTER_DESTINATION_TIMEOUT_MS": TIMEOUT_MS}
SERVER_CODES = (241, 242, 243, 252, 999)
"""Memory limit, a table that is read only, a full disk, too many parts, Keeper: one table can throw each of them, and so
can a server that takes nothing from anybody."""
STALL_SECONDS = 10
"""Work that has not moved for so long is told by `/readyz`."""
ALWAYS = 1_000_000
FLOOD = 20_000
"""Events of 1 KiB in each partition."""
BEGINS, ENDS = "a partition does not move", "a partition moves again"


@pytest.fixture
def front(world):
    front = Front(world.settings)
    front.clear()
    yield front
    front.clear()


def events(world, client, count, payload_bytes=0):
    """Good events, padded by so many bytes of properties."""
    body = {
        "client_id": client.client_id, "api_key_hash": client.api_key_hash, "event_name": "progress",
        "event_properties": {"padding": "p" * payload_bytes},
    }
    value = json.dumps(body, separators=(",", ":")).encode()
    return [Sample("plain", value, timestamp_ms=world.now()) for _ in range(count)]


def status(router):
    return json.loads(router.get("/api/status")[1])


def delivered(world, client):
    return world.warehouse.row_count(client.database)


def circuit(router, client):
    """The entry of the client's circuit; None while it is closed."""
    return next((each for each in status(router)["open_circuits"] if each["client_id"] == client.client_id), None)


def during(seconds, look, interval=0.05):
    """Calls `look` again and again for so long; what it asserts has to hold all the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        look()
        time.sleep(interval)


# Memory.


def test_what_a_killed_life_had_sealed_is_given_back_once_it_is_redone(world, front):
    """More than the memory holds, and batches that are sealed by bytes: after the redo nothing of them may be counted,
    or every partition stays paused with nothing to wait for."""
    client = world.add_client()
    small = {"ROUTER_MEMORY_LIMIT_MB": 64, "ROUTER_BATCH_MAX_BYTES": 18_000_000, "LOG_LEVEL": "debug"}
    front.order("delay", client.database, ALWAYS, seconds=600)
    world.produce(events(world, client, 45_000, 1024), partition=0)
    # By bytes, and not by age.
    killed = world.run(ROUTER_BATCH_MAX_AGE_MS=60_000, **small)
    until("a batch sealed and not complete", lambda: outstanding(killed), alive=killed.must_live, interval=0.005)
    killed.kill()
    front.clear()
    router = world.run(**small)
    world.await_caught_up(router)
    assert delivered(world, client) == 45_000
    world.produce(events(world, client, 300))
    world.await_caught_up(router)
    assert delivered(world, client) == 45_300
    assert router.terminate() == 0
    world.account()


def test_one_unknown_client_holds_what_is_counted_and_no_more(world, stack):
    """Its record waits for Postgres, and with it what stands behind it in its partition. The flood of a known client is
    fetched, delivered and freed beside it. That nothing else is kept is shown where it can be measured, by what malloc has
    given out (KafkaClientTests/RecordCopyTests): here the process also has what noida sends beyond every fetch limit."""
    known = world.add_client()
    router = world.run(ROUTER_MEMORY_LIMIT_MB=64).await_ready()
    world.produce(events(world, known, 300))
    world.await_caught_up(router)
    new = world.add_client()
    with stack.without("redis", "frozen"), stack.without("postgres", "frozen"):
        # So that all of it is fetched in large answers, and not as it is produced.
        router.signal(signal.SIGSTOP)
        world.produce(events(world, new, 1), partition=0)
        for number in range(3):
            world.produce(events(world, known, FLOOD, 1024), partition=number)
        router.signal(signal.SIGCONT)
        until("the flood in the other partitions", lambda: delivered(world, known) == 300 + 2 * FLOOD, seconds=120,
              interval=0.5, alive=router.must_live)
        until("only what waits is held", lambda: status(router)["buffered_bytes"] < 8 << 20, alive=router.must_live)
        counted = status(router)["buffered_bytes"]
        note(f"{world.name}: {counted >> 10} KiB counted")
    assert counted > 1024, "the record has to wait"
    world.await_caught_up(router)
    assert delivered(world, new) == 1 and delivered(world, known) == 300 + 3 * FLOOD
    assert router.terminate() == 0
    world.account()


# The server or the client?


@pytest.mark.parametrize("code", SERVER_CODES)
def test_a_server_that_takes_no_insert_is_waited_out(world, front, code):
    """It answers questions all the time, as a server with a full disk does."""
    clients = [world.add_client() for _ in range(2)]
    router = world.run(**SETTINGS).await_ready()
    for client in clients:
        world.produce(events(world, client, 50))
    world.await_caught_up(router)
    front.order("refuse", "", ALWAYS, on="insert", code=code)
    for client in clients:
        world.produce(events(world, client, 150))
    until("a refusal", lambda: front.done() > 0, alive=router.must_live)
    router.await_ready(False, seconds=STALL_SECONDS)

    def nobody_is_blamed():
        assert status(router)["open_circuits"] == []
        assert router.get("/readyz")[0] == 503

    during(3 * TIMEOUT_MS / 1000, nobody_is_blamed)
    assert world.dead_letters() == []
    assert sum(delivered(world, each) for each in clients) == 100
    front.clear()
    router.await_ready()
    world.await_caught_up(router)
    assert router.terminate() == 0
    account = world.account()
    assert (account.rows, account.dead, account.both) == (400, 0, 0)


@pytest.mark.parametrize("code", SERVER_CODES)
def test_one_clients_table_that_takes_no_insert_is_that_clients_alone(world, front, code):
    """The same codes, from one database only."""
    refused, other = world.add_client(), world.add_client()
    router = world.run(**SETTINGS).await_ready()
    expected_rows = 0

    def flow():
        nonlocal expected_rows
        world.produce(events(world, refused, 5) + events(world, other, 5))
        expected_rows += 5

    flow()
    world.await_caught_up(router)
    front.order("refuse", refused.database, ALWAYS, on="insert", code=code)

    def opened():
        flow()
        assert router.get("/readyz")[0] == 200
        return circuit(router, refused)

    first = until("the client's circuit is open", opened, seconds=30, interval=0.1, alive=router.must_live)
    assert first["detail"] == refused.database and first["since"] and first["opened_count"] == 1
    states = set()

    def stays_open():
        entry = circuit(router, refused)
        assert entry is not None, "the circuit disappeared while every insert was refused"
        assert entry["opened_count"] == first["opened_count"]
        # It may be told from another clock's reading each time.
        assert abs(moment_ms(entry["since"]) - moment_ms(first["since"])) < 1000
        states.add(entry["state"])
        assert circuit(router, other) is None
        assert router.get("/readyz")[0] == 200

    for _ in range(5):
        # New events give the half-open circuit an insert to try.
        flow()
        during(1, stays_open)
    assert states <= {"open", "half_open"}
    until("all rows of the other client", lambda: delivered(world, other) == expected_rows, alive=router.must_live)
    world.await_caught_up(router)
    letters = world.dead_letters()
    assert {(each.reason, each.last["router.client_id"]) for each in letters} == {
        ("destination_unavailable", refused.client_id)}
    assert delivered(world, refused) == 5
    front.clear()

    def closed():
        flow()
        return circuit(router, refused) is None

    until("the circuit closes", closed, seconds=60, interval=0.2, alive=router.must_live)
    before = delivered(world, refused)
    world.produce(events(world, refused, 50))
    world.await_caught_up(router)
    assert delivered(world, refused) >= before + 50
    assert router.terminate() == 0
    world.account(allow(world.expected(), refused.database))


# Dead letters that no topic takes as they are.

PRODUCER_LIMIT_BYTES = 200_000
LARGE = 400_000


def oversized():
    """Name to a record that is refused, whose dead letter is too large, and the parts that have to go for it to fit."""
    bad = b"{" + b"x" * 80_000
    return {
        "a large value": (Sample("bad", b"{" + b"x" * LARGE, b"key", (("h", b"kept"),)), {"value"}),
        "a large key": (Sample("bad", b"no json", b"k" * LARGE, (("h", b"1"),)), {"value", "headers", "key"}),
        "a large key alone": (Sample("bad", b"no json", b"k" * LARGE), {"value", "key"}),
        "a large header": (Sample("bad", b"no json", b"key", (("h", b"h" * LARGE),)), {"value", "headers"}),
        "a tombstone with a large key": (Sample("bad", None, b"k" * LARGE), {"key"}),
        "a tombstone with a large header": (
            Sample("bad", None, b"key", (("h", b"h" * LARGE), ("n", None))), {"headers"}),
        "all together, too large by the value": (Sample("bad", bad, b"k" * 80_000, (("h", b"h" * 80_000),)), {"value"}),
        "all together, too large without the value": (
            Sample("bad", bad, b"k" * 150_000, (("h", b"h" * 150_000),)), {"value", "headers"}),
    }


def test_a_dead_letter_that_no_topic_takes_as_it_is_goes_with_less(world):
    client = world.add_client()
    world.produce(events(world, client, 500), partition=0)
    cases = oversized()
    places = {}
    for name, (sample, _) in cases.items():
        (record,) = world.produce([Sample(name, sample.value, sample.key, sample.headers, world.now())], partition=0)
        places[record.offset] = name
    world.produce(events(world, client, 100), partition=0)
    router = world.run(KAFKA_CONFIG_MESSAGE_MAX_BYTES=PRODUCER_LIMIT_BYTES)
    world.await_caught_up(router)
    assert router.terminate() == 0
    # The account compares what was left out with its size and its hash, and what was not with the record.
    account = world.account()
    assert (account.rows, account.dead) == (600, len(cases))
    for letter in world.dead_letters():
        name = places[int(letter.origin[2])]
        sample, gone = cases[name]
        said = {part for part in ("value", "headers", "key") if f"router.{part}_sha256" in letter.last}
        assert said == gone, name
        assert letter.reason == ("empty_payload" if sample.value is None else "malformed_json"), name
        if "key" in gone:
            assert letter.last["router.key_sha256"] == hashlib.sha256(sample.key).hexdigest()
            assert letter.last["router.key_bytes"] == str(len(sample.key))


# Who waits says for what.


def partition(router, number):
    return next(each for each in status(router)["partitions"] if each["partition"] == number)


def stalled_series(router):
    """(partition, what it waits for) of each series of `router_partition_stalled_seconds` that is above zero."""
    family = exposition.read(router.get("/metrics")[1]).get("router_partition_stalled_seconds")
    samples = family.samples.items() if family else ()
    return {(dict(labels)["partition"], dict(labels)["waiting_for"]) for (_, labels), value in samples if value > 0}


def said(router, message):
    return [each for each in router.log() if each.get("message") == message]


def told_while_it_lasts(world, router, waiting_for):
    """Every signal names partition 0 and what it waits for, within the time that the contract gives."""
    router.await_ready(False, seconds=STALL_SECONDS)
    # `/readyz` may have known of the server before; the partition has the rest of the time.
    until("the partition stands still", lambda: partition(router, 0)["stalled_seconds"] > 0, seconds=STALL_SECONDS,
          alive=router.must_live)
    assert partition(router, 0)["waiting_for"] == waiting_for
    code, body = router.get("/readyz")
    assert code == 503 and "partition 0" in body and waiting_for in body
    until("the metric", lambda: stalled_series(router) == {("0", waiting_for)}, seconds=STALL_SECONDS)
    labels = [dict(labels) for _, labels in exposition.read(router.get("/metrics")[1])[
        "router_partition_stalled_seconds"].samples]
    assert {each["topic"] for each in labels} == {world.raw}
    begun = said(router, BEGINS)
    assert [(str(each["partition"]), each["waiting_for"]) for each in begun] == [("0", waiting_for)]
    assert not said(router, ENDS)


def told_when_it_is_over(world, router):
    world.await_caught_up(router)
    router.await_ready()
    until("no partition stands still", lambda: not stalled_series(router), alive=router.must_live)
    assert partition(router, 0)["stalled_seconds"] == 0
    assert len(said(router, BEGINS)) == len(said(router, ENDS)) == 1
    assert str(said(router, ENDS)[0]["partition"]) == "0"
    assert router.terminate() == 0
    world.account()


def test_a_partition_that_waits_for_the_client_directory_says_so(world, stack):
    known = world.add_client()
    router = world.run(**SETTINGS).await_ready()
    world.produce(events(world, known, 60))
    world.await_caught_up(router)
    new = world.add_client()
    with stack.without("redis", "frozen"), stack.without("postgres", "frozen"):
        world.produce(events(world, new, 100), partition=0)
        # The others go on meanwhile, with what is remembered.
        world.produce(events(world, known, 50), partition=1)
        told_while_it_lasts(world, router, "client directory")
        until("rows in the other partition", lambda: delivered(world, known) == 110, alive=router.must_live)
    told_when_it_is_over(world, router)


def test_a_partition_that_waits_for_clickhouse_says_so(world, stack):
    client = world.add_client()
    router = world.run(**SETTINGS).await_ready()
    world.produce(events(world, client, 60))
    world.await_caught_up(router)
    with stack.without("clickhouse", "frozen"):
        world.produce(events(world, client, 100), partition=0)
        told_while_it_lasts(world, router, "clickhouse")
    told_when_it_is_over(world, router)


def test_a_partition_without_work_does_not_stand_still(world):
    """However long: idle is not stalled."""
    client = world.add_client()
    router = world.run(**SETTINGS).await_ready()
    world.produce(events(world, client, 30))
    world.await_caught_up(router)

    def is_well():
        assert router.get("/readyz")[0] == 200 and not stalled_series(router)

    during(STALL_SECONDS + 2, is_well, interval=0.25)
    assert not said(router, BEGINS)
