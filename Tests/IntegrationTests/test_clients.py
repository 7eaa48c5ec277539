"""The client directory under load: clients change while their events flow, its servers go away, somebody writes into its
cache, and floods of made-up ids come by. Postgres, Redis, Kafka and ClickHouse are watched by clients of their own."""

import os
import random
import time
import uuid
from collections import Counter
from dataclasses import replace

import pytest

from generator import Sample, samples
from reference import Client, Dead, Record, judge
from support.accounting import moment_ms, origin_place
from support.directory import LOOK_UP, ROSTER, Cache, Phase, Stream, check_phases, entry, logged_statements
from support.notes import note
from support.waiting import until

SECRET = "a-key-of-the-cache-tests"
FEW = 120
"""Records that a stream sends before the next change: enough to be sure of after the second that the router has."""
SECOND_MS = 1000
PLAIN = {"plain"}


def wall_ms():
    return time.time() * 1000


def plain(world, seed, client, count):
    return [replace(each, timestamp_ms=world.now())
            for each in samples(seed, [client], count, world.now(), 0, PLAIN)]


def changed(outcome, change):
    """Does `change` and answers the phase that begins with it."""
    began = wall_ms()
    change()
    return Phase(outcome, began, wall_ms())


def settled(world):
    """Place to (what became of it, when at the latest it was judged), as ClickHouse and the dead letters say."""
    found = {row.place: ("row", row.columns["ingested_at"]) for row in world.warehouse.all_rows(world.raw)}
    for letter in world.dead_letters():
        found[origin_place(letter, world.raw)] = letter.reason, moment_ms(letter.last["router.failed_at"])
    return found


def dead_of(letters, world):
    """Reason to the set of places; a place given twice fails."""
    places = [origin_place(each, world.raw) for each in letters]
    assert len(set(places)) == len(places), "an origin has two dead letters"
    return {place: each.reason for place, each in zip(places, letters)}


def may_be_refused(world, produced, client):
    """For the account: a row in the client's database, or a dead letter of one of the reasons that a change can give."""
    refusals = (Dead("unknown_client"), Dead("invalid_api_key"), Dead("client_not_active", client.client_id))
    expected = {}
    for each in produced:
        # Judged with the key that it was sent with: a row's content does not depend on the client's state.
        sent_with = replace(client, status="active")
        row = judge(Record(each.sample.value, each.sample.headers, each.timestamp_ms), {client.client_id: sent_with},
                    world_limit(world))
        expected[each.place] = (row, *refusals)
    return expected


def world_limit(world):
    return int(world.settings.get("ROUTER_MAX_EVENT_BYTES", 1 << 20))


# Clients change while their events flow


@pytest.mark.long
def test_the_router_follows_a_change_within_a_second(world, seed):
    steady = world.add_client()
    router = world.run().await_ready()
    key_hash, other_hash = "a1" * 32, "b2" * 32
    client_id = str(uuid.UUID(int=random.Random(seed).getrandbits(128), version=4))
    changing = Client(client_id, key_hash, f"client_{client_id.replace('-', '_')}", "active")
    world.clients[client_id] = changing

    def update(**columns):
        sets = ", ".join(f"{name} = %s" for name in columns)
        world.sql(f"UPDATE clients SET {sets} WHERE client_id = %s", *columns.values(), client_id)

    def insert():
        world.sql("INSERT INTO clients (client_id, client_name, api_key_hash) VALUES (%s, 'changing', %s)",
                  client_id, key_hash)

    def provision():
        answer = world.cli("provision", client_id, "--json")
        assert answer.status == 0, answer

    with Stream(world, seed, steady) as beside, Stream(world, seed + 1_000_000, changing) as stream:
        phases = [Phase("unknown_client", 0, 0)]
        stream.await_stamped(0, 5 * FEW)

        def then(outcome, change):
            phase = changed(outcome, change)
            phases.append(phase)
            stream.await_stamped(phase.ended_ms + SECOND_MS, FEW)

        then("client_not_active", insert)
        then("row", provision)
        then("client_not_active", lambda: update(status="suspended"))
        then("row", lambda: update(status="active"))
        then("invalid_api_key", lambda: update(api_key_hash=other_hash))
        # The old key is good again for a while, as after a rotation, and then no longer: at its expiry, not a second later.
        then("row", lambda: world.sql(
            "UPDATE clients SET previous_api_key_hash = %s, previous_api_key_expires_at = now() + interval '4 s' "
            "WHERE client_id = %s", key_hash, client_id))
        ((expiry,),) = world.sql(
            "SELECT extract(epoch FROM previous_api_key_expires_at) * 1000 FROM clients WHERE client_id = %s", client_id)
        phases.append(Phase("invalid_api_key", float(expiry), float(expiry), within_ms=250))
        stream.await_stamped(float(expiry) + SECOND_MS, FEW)
        stream.client = replace(changing, api_key_hash=other_hash)
        switched = wall_ms()
        stream.await_stamped(switched + SECOND_MS, FEW)
        old_key = [each for each in stream.produced if key_hash in each.sample.value.decode()]
    world.await_caught_up(router)
    assert router.terminate() == 0
    found = settled(world)
    lags = check_phases(old_key, found, phases)
    note(f"{world.name}: {len(old_key)} events; the last one judged the old way was sent so many ms after each change: "
         f"{[round(each) for each in lags[1:]]}")
    new_key = [each for each in stream.produced if other_hash in each.sample.value.decode()]
    assert len(new_key) >= FEW
    assert all(found[each.place][0] == "row" for each in new_key), "the new key was never refused"
    assert all(found[each.place][0] == "row" for each in beside.produced)
    world.clients[client_id] = replace(changing, api_key_hash=other_hash)
    world.account(may_be_refused(world, old_key, changing))


def test_a_client_that_is_removed_is_unknown_within_a_second(world, seed):
    client = world.add_client()
    router = world.run().await_ready()
    with Stream(world, seed, client) as stream:
        phases = [Phase("row", 0, 0)]
        stream.await_stamped(0, 5 * FEW)

        def remove():
            world.sql("DELETE FROM schema_versions WHERE client_id = %s", client.client_id)
            world.sql("DELETE FROM clients WHERE client_id = %s", client.client_id)

        phases.append(changed("unknown_client", remove))
        stream.await_stamped(phases[-1].ended_ms + SECOND_MS, FEW)
        # Many at once, and everything at once: those who were there before are there again.
        phases.append(changed("row", lambda: world.sql(
            "INSERT INTO clients (client_id, client_name, api_key_hash, status) VALUES (%s, 'again', %s, 'active')",
            client.client_id, client.api_key_hash)))
        stream.await_stamped(phases[-1].ended_ms + SECOND_MS, FEW)
    world.await_caught_up(router)
    lags = check_phases(stream.produced, settled(world), phases)
    note(f"{world.name}: the last one judged the old way was sent {[round(each) for each in lags[1:]]} ms after")
    world.account(may_be_refused(world, stream.produced, client))


def test_changes_that_nobody_heard_are_seen_when_the_listener_is_back(world, seed):
    """Its connection is cut by Postgres again and again, and the changes happen at those very moments."""
    client = world.add_client()
    router = world.run().await_ready()
    with Stream(world, seed, client) as stream:
        stream.await_stamped(0, FEW)
        phases = [Phase("row", 0, 0)]
        for status, outcome in [("suspended", "client_not_active"), ("active", "row")] * 2:
            # One session, one transaction: the sessions are gone before it commits, and come back after it.
            phases.append(changed(outcome, lambda status=status: world.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'router%%'; "
                "UPDATE clients SET status = %s WHERE client_id = %s", status, client.client_id)))
            stream.await_stamped(phases[-1].ended_ms + SECOND_MS, FEW)
    world.await_caught_up(router)
    check_phases(stream.produced, settled(world), phases)
    world.account(may_be_refused(world, stream.produced, client))


# Servers away


def test_postgres_away_goes_on_with_the_clients_it_knows_and_refuses_nobody(world, stack, seed):
    known, other = world.add_client(), world.add_client()
    router = world.run().await_ready()
    world.produce(plain(world, seed, known, 50) + plain(world, seed, other, 50))
    world.await_caught_up(router)
    with stack.without("postgres", "stopped"):
        router.await_ready(False)
        away = wall_ms()
        until("what it knows is older than a second", lambda: wall_ms() > away + SECOND_MS)
        assert "postgres" in router.get("/readyz")[1]
        world.produce(plain(world, seed + 1, known, 200), partition=0)
        until("events of a client it knows are delivered meanwhile",
              lambda: world.warehouse.row_count(known.database) == 50 + 200, alive=router.must_live)
        # Whom it would have to refuse it does not: the key may have been changed, the client been added just before.
        wrong = replace(other, api_key_hash="c3" * 32)
        stranger = replace(other, client_id=str(uuid.uuid4()))
        world.produce(plain(world, seed + 2, wrong, 20), partition=1)
        world.produce(plain(world, seed + 3, stranger, 20), partition=2)
        world.produce(plain(world, seed + 4, known, 100), partition=0)
        until("the others go on", lambda: world.warehouse.row_count(known.database) == 50 + 300, alive=router.must_live)
        assert world.dead_letters() == [], "an outage made dead letters"
        assert router.get("/healthz")[0] == 200
    router.await_ready()
    world.await_caught_up(router)
    account = world.account()
    assert account.reasons == Counter(invalid_api_key=20, unknown_client=20)


def test_redis_flushed_and_away_under_load(world, stack, seed):
    clients = [world.add_client() for _ in range(3)]
    router = world.run().await_ready()
    cache = Cache(world)
    with Stream(world, seed, clients[0]) as stream:
        for _ in range(30):
            cache.redis.flushall()
            stream.await_stamped(wall_ms(), 20)
        with stack.without("redis", "killed"):
            produced = world.produce(plain(world, seed, clients[1], 100))
            until("a client never seen before is delivered while Redis is down",
                  lambda: world.warehouse.row_count(clients[1].database) == len(produced), alive=router.must_live)
            assert router.get("/readyz")[0] == 200, "it is a cache"
        world.produce(plain(world, seed, clients[2], 100))
    world.await_caught_up(router)
    assert world.account().dead == 0


# Somebody writes into Redis


@pytest.mark.parametrize("signed", [True, False], ids=["with-a-key", "without-a-key"])
def test_an_entry_forged_in_redis(world, seed, signed):
    """With a key nobody can make a client, give it another key or move its events by writing to Redis. Without one,
    only a client that Postgres has can be changed: what the documentation warns of, and what shows that the forged
    entries here have the right form."""
    overrides = {"ROUTER_CACHE_HMAC_KEY": SECRET} if signed else {}
    honest, victims = world.add_client(), [world.add_client(provision=False) for _ in range(4)]
    router = world.run(**overrides).await_ready()
    cache = Cache(world)
    world.produce(plain(world, seed, honest, 20))
    world.await_caught_up(router)
    own = cache.redis.get(cache.key(honest)).decode()
    assert (len(own.split(" ")) == 9) == signed
    stranger = str(uuid.uuid4())
    forged_hash = "d4" * 32

    def made(client_id, secret):
        return entry(client_id, forged_hash, honest.database, read_at_ms=wall_ms() + 500, secret=secret)

    cache.put(honest, victims[0].client_id, made(victims[0].client_id, None))
    cache.put(honest, victims[1].client_id, made(victims[1].client_id, "a-key-of-somebody-else"))
    signature = own.rsplit(" ", 1)[1] if signed else "0" * 64
    cache.put(honest, victims[2].client_id, f"{made(victims[2].client_id, None)} {signature}")
    cache.put(honest, victims[3].client_id, own)
    cache.put(honest, stranger, made(stranger, None))
    thieves = [replace(each, api_key_hash=forged_hash) for each in victims[:3]]
    # The last one shows the key of the client whose entry was copied.
    thieves += [replace(victims[3], api_key_hash=honest.api_key_hash), replace(honest, client_id=stranger, api_key_hash=forged_hash)]
    expected = {}
    for number, thief in enumerate(thieves):
        produced = world.produce(plain(world, seed + number, thief, 20))
        if not signed and number == 0:
            believed = replace(thief, database=honest.database, status="active")
            expected |= {each.place: judge(
                Record(each.sample.value, each.sample.headers, each.timestamp_ms), {thief.client_id: believed},
                world_limit(world)) for each in produced}
    world.await_caught_up(router)
    account = world.account(expected)
    assert account.reasons == Counter(unknown_client=20, invalid_api_key=80 if signed else 60)
    metric = router.get("/metrics")[1]
    assert "router_client_cache_lookups_total" in metric


def test_an_old_entry_replayed_after_a_suspension(world, seed):
    """It is signed rightly, and it is history: read before the change that everybody has heard of."""
    client, warm = world.add_client(), world.add_client()
    settings = {"ROUTER_CACHE_HMAC_KEY": SECRET}
    router = world.run(**settings).await_ready()
    cache = Cache(world)
    first = world.produce(plain(world, seed, client, 20) + plain(world, seed, warm, 20))
    world.await_caught_up(router)
    key, old = cache.key(client), cache.redis.get(cache.key(client))
    world.set_status(client, "suspended")
    until("the entry is gone or another one", lambda: cache.redis.get(key) != old, alive=router.must_live)
    cache.redis.set(key, old)
    active = world.clients | {client.client_id: client}
    expected = {each.place: judge(
        Record(each.sample.value, each.sample.headers, each.timestamp_ms), active, world_limit(world))
        for each in first}
    world.produce(plain(world, seed + 1, client, 30))
    world.await_caught_up(router)
    assert router.terminate() == 0
    # Another life remembers nothing and finds the old entry first.
    cache.redis.set(key, old)
    router = world.run(**settings).await_ready()
    world.produce(plain(world, seed + 2, client, 30))
    world.await_caught_up(router)
    account = world.account(expected)
    assert account.reasons == Counter(client_not_active=60)


# Floods and stampedes


@pytest.mark.long
def test_a_flood_of_unknown_ids_reaches_neither_postgres_nor_redis(world, seed):
    count = int(os.environ.get("ROUTER_TEST_FLOOD") or 200_000)
    good = [world.add_client() for _ in range(2)]
    router = world.run(ROUTER_BATCH_MAX_AGE_MS=500).await_ready()
    cache = Cache(world)
    world.produce(plain(world, seed, good[0], 20) + plain(world, seed, good[1], 20))
    world.await_caught_up(router)
    rng = random.Random(seed)
    stamp = world.now()

    def flood():
        for number in range(count):
            if number % 100 == 0:
                yield from plain(world, seed + number, good[number // 100 % 2], 1)
            unknown = uuid.UUID(int=rng.getrandbits(128))
            value = f'{{"client_id":"{unknown}","api_key_hash":"{"e5" * 32}","event_name":"flood"}}'
            yield Sample("flood", value.encode(), None, (), stamp)

    began, asked_redis, keys = time.monotonic(), cache.questions(), cache.redis.dbsize()
    with logged_statements(world) as statements:
        # Makes the router read the roster anew, and shows that the statements looked for are those it sends.
        world.sql("NOTIFY router_clients, '*'")
        until("the roster is read", lambda: statements.executed(ROSTER), alive=router.must_live)
        world.produce(flood())
        world.await_caught_up(router, seconds=240)
        rosters, look_ups = statements.executed(ROSTER), statements.executed(LOOK_UP)
    seconds = time.monotonic() - began
    # Each is due once a minute, and the roster once more where the listener had to begin anew.
    minutes = 1 + seconds / 60
    assert 1 <= len(rosters) <= 4 * minutes, f"{len(rosters)} rosters in {seconds:.0f} s"
    assert len(look_ups) <= 4 * minutes, f"{len(look_ups)} look-ups in {seconds:.0f} s"
    assert cache.questions() - asked_redis <= 4 * minutes
    assert cache.redis.dbsize() <= keys + 2
    dead = dead_of(world.dead_letters(), world)
    kinds = Counter(each.sample.kind for each in world.produced)
    assert kinds["flood"] == count
    for each in world.produced:
        wanted = "unknown_client" if each.sample.kind == "flood" else None
        assert dead.get(each.place) == wanted, each
    rows = Counter(row.place for row in world.warehouse.all_rows(world.raw))
    assert rows == Counter(each.place for each in world.produced if each.sample.kind != "flood")
    audit = world.audit()
    assert audit.status == 0, f"{audit}\n{audit.out}"
    peak = next(int(line.split()[1]) / 1024 for line in open(f"/proc/{router.process.pid}/status")
                if line.startswith("VmHWM"))
    assert peak < 256 + 64, f"{peak} MB"
    note(f"{world.name}: {count} unknown ids in {seconds:.0f} s: {len(rosters)} rosters, {len(look_ups)} look-ups, "
         f"{cache.questions() - asked_redis} questions to Redis, peak {peak:.0f} MB")


def test_a_thousand_clients_seen_at_once_are_looked_up_in_batches(world, seed):
    """They are suspended, so that they need no database: each has to be looked up all the same."""
    router = world.run().await_ready()
    clients = []
    for number in range(1000):
        client_id = str(uuid.UUID(int=random.Random(seed + number).getrandbits(128), version=4))
        clients.append(Client(client_id, f"{number:064x}", f"client_{client_id.replace('-', '_')}", "suspended"))
    world.clients |= {each.client_id: each for each in clients}
    with world.postgres() as cursor:
        cursor.executemany(
            "INSERT INTO clients (client_id, client_name, api_key_hash, status) VALUES (%s, 'one of many', %s, %s)",
            [(each.client_id, each.api_key_hash, each.status) for each in clients])
    made = [sample for each in clients for sample in plain(world, seed, each, 3)]
    random.Random(seed).shuffle(made)
    with logged_statements(world) as statements:
        world.produce(made)
        world.await_caught_up(router)
        look_ups, ids = statements.executed(LOOK_UP), statements.asked_ids()
    asked = Counter(each for batch in ids for each in batch if each in world.clients)
    assert len(asked) == 1000
    # Produced in a second or two, polled as they come: a batch is what one poll brought.
    assert len(look_ups) <= 150, f"{len(look_ups)} statements"
    assert sum(asked.values()) <= 1100, "one look-up a client"
    note(f"{world.name}: 1000 clients, {len(look_ups)} statements, the largest of {max(map(len, ids))} ids")
    assert world.account().reasons == Counter(client_not_active=3000)
