"""`router rebuild`: what a client's table lost and Kafka still has comes back, once, and nothing else does."""

import random
from collections import Counter

import pytest

from generator import Make, Sample, samples
from support.process import Router
from support.waiting import until


def rebuild(world, client, *arguments, status=0):
    answer = world.cli("rebuild", client.client_id, "--json", *arguments)
    assert answer.status == status, f"{answer}\n{answer.out}"
    return answer.json


def rows(world):
    return Counter(row.place for row in world.warehouse.all_rows(world.raw))


def delete(world, client, condition):
    world.warehouse.command(
        f"ALTER TABLE `{client.database}`.events_base DELETE WHERE {condition} SETTINGS mutations_sync = 2")


@pytest.fixture
def settled(world, seed):
    """Two clients, delivered events and dead letters."""
    for _ in range(2):
        world.add_client()
    world.produce_mix(seed, 500, bad_share=0.2)
    world.catch_up()
    world.account()
    return world


def test_lost_rows_come_back_once(settled):
    world = settled
    first, _ = world.clients.values()
    before = rows(world)
    assert rebuild(world, first)["rebuilt"] == 0
    delete(world, first, "source_offset % 3 = 0")
    lost = before.keys() - rows(world).keys()
    assert lost
    dry = rebuild(world, first, "--dry-run")
    assert dry["rebuilt"] == len(lost) and rows(world).keys() == before.keys() - lost
    done = rebuild(world, first)
    assert {**done, "seconds": 0, "run_id": 0, "dry_run": 0} == {**dry, "seconds": 0, "run_id": 0, "dry_run": 0}
    assert rows(world) == before
    assert rebuild(world, first)["rebuilt"] == 0
    world.account()
    assert world.audit().status == 0


def test_a_whole_database_comes_back(settled):
    world = settled
    first, second = world.clients.values()
    before = rows(world)
    world.warehouse.command(f"DROP DATABASE `{first.database}` SYNC")
    answer = world.cli("rebuild", first.client_id)
    assert answer.status == 1 and "router provision" in answer.err, answer
    assert world.cli("provision", first.client_id).status == 0
    mine = len(before) - len(rows(world))
    assert rebuild(world, second)["rebuilt"] == 0
    assert rebuild(world, first)["rebuilt"] == mine > 0
    assert rows(world) == before
    world.account()


def test_since_goes_by_kafkas_time(world):
    client = world.add_client()
    now = world.now()
    make = Make(random.Random(1), client, now)
    hours = [now - hour * 3600_000 for hour in range(10)]
    produced = world.produce(Sample("plain", make.event(), None, (), each) for each in hours)
    world.catch_up()
    delete(world, client, "1")
    assert rebuild(world, client, "--since", "270m")["rebuilt"] == 5
    assert rows(world).keys() == {each.place for each in produced if each.timestamp_ms >= now - 4 * 3600_000 - 1}
    assert rebuild(world, client)["rebuilt"] == 5


def test_dead_letters_and_former_keys(world, seed):
    client = world.add_client()
    world.produce(samples(seed, [client], 40, world.now(), 0))
    world.catch_up()
    world.set_status(client, "suspended")
    world.produce(samples(seed + 1, [client], 10, world.now(), 0))
    forged = Make(random.Random(seed), client, world.now()).event(api_key_hash="ab" * 32)
    world.produce([Sample("plain", forged, None, (), world.now())])
    world.catch_up()
    delete(world, client, "1")
    # Suspended or not: what was delivered comes back, what was refused does not.
    done = rebuild(world, client)
    assert (done["rebuilt"], done["dead_lettered"]) == (40, 11)
    delete(world, client, "1")
    world.sql("UPDATE clients SET api_key_hash = %s, status = 'active' WHERE client_id = %s", "cd" * 32, client.client_id)
    refused = rebuild(world, client, status=2)
    assert refused["rebuilt"] == 0 and refused["refused_by_reason"] == {"invalid_api_key": 40}
    assert rebuild(world, client, "--former-keys")["rebuilt"] == 40
    assert set(rows(world).values()) == {1} and len(rows(world)) == 40


def test_beside_a_running_router(world, seed):
    first, second = world.add_client(), world.add_client()
    world.produce_mix(seed, 300, bad_share=0)
    world.catch_up()
    delete(world, first, "1")
    router = world.run(ROUTER_BATCH_MAX_ROWS=40, ROUTER_BATCH_MAX_AGE_MS=20).await_ready()
    for turn in range(5):
        world.produce_mix(seed + turn + 1, 200, bad_share=0.1)
        rebuild(world, first)
        if turn == 2:
            router.kill()
            router = world.run(ROUTER_BATCH_MAX_ROWS=40, ROUTER_BATCH_MAX_AGE_MS=20)
    world.await_caught_up(router)
    router.terminate()
    assert rebuild(world, first)["rebuilt"] == 0
    assert set(rows(world).values()) == {1}
    world.account()
    assert world.audit().status == 0


def test_killed_in_the_middle(world, seed):
    client = world.add_client()
    world.produce(samples(seed, [client], 60_000, world.now(), 0))
    world.catch_up()
    expected = {each.place for each in world.produced}
    delete(world, client, "1")
    life = Router(world.binary, world.environment({}), world.directory / "rebuild.log", ("rebuild", client.client_id))
    world.routers.append(life)
    until("some rows are back", lambda: world.warehouse.row_count(client.database) > 0, interval=0.005)
    life.kill()
    done = rebuild(world, client)
    assert done["rebuilt"] + done["present"] == 60_000
    found = rows(world)
    assert found.keys() == expected and set(found.values()) == {1}


def test_clients_that_cannot_be_rebuilt(world):
    pending = world.add_client(provision=False)
    for client_id in (pending.client_id, "99999999-9999-4999-8999-999999999999"):
        answer = world.cli("rebuild", client_id)
        assert answer.status == 1 and client_id in answer.err, answer
    assert world.cli("rebuild", "nobody").status == 64
    assert world.cli("rebuild", pending.client_id, "--since", "long ago").status == 64
