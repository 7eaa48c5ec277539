"""A server is stopped, killed or frozen and comes back: it waits; no dead letter, no loss, nothing twice."""

import signal
import time

import pytest

from generator import samples
from support.waiting import until

TIMEOUT_MS = 1500
BEYOND_THE_TIMEOUT_SECONDS = 4
OUTAGES = [
    ("clickhouse", "stopped"), ("clickhouse", "killed"), ("clickhouse", "frozen"), ("kafka", "stopped"),
    ("kafka", "frozen"), ("postgres", "stopped"), ("postgres", "killed"), ("postgres", "frozen"), ("redis", "stopped"),
    ("redis", "killed"), ("redis", "frozen"),
]  # Kafka is not killed: the development broker does not promise to keep what it acknowledged just before.
SETTINGS = {"ROUTER_DESTINATION_TIMEOUT_MS": TIMEOUT_MS, "ROUTER_BATCH_MAX_ROWS": 100}


def hold(seconds, alive):
    """The outage lasts longer than the time after which a single client would be given up."""
    end = time.monotonic() + seconds
    until(f"{seconds} s have passed", lambda: time.monotonic() > end, seconds + 5, alive=alive)


@pytest.mark.parametrize("server, how", OUTAGES, ids=["-".join(each) for each in OUTAGES])
def test_an_outage_waits(world, stack, seed, server, how):
    for _ in range(2):
        world.add_client()
    world.produce_mix(seed, 300)
    router = world.run(**SETTINGS).await_ready()
    world.await_caught_up(router)
    if server != "kafka":
        world.produce_mix(seed + 1, 300)
    with stack.without(server, how):
        if server != "kafka":
            world.produce_mix(seed + 2, 300)
        if server == "clickhouse":
            router.await_ready(False)
        hold(BEYOND_THE_TIMEOUT_SECONDS, router.must_live)
        assert router.get("/healthz")[0] == 200
    router.await_ready()
    world.produce_mix(seed + 3, 300)
    world.await_caught_up(router)
    assert router.terminate() == 0
    world.account()
    audit = world.audit()
    assert audit.status == 0, f"{audit}\n{audit.out}"


def test_a_client_never_seen_waits_for_the_directory(world, stack, seed):
    """Nobody can say whether it exists: that is no `unknown_client`."""
    known = world.add_client()
    router = world.run(**SETTINGS).await_ready()
    world.produce(samples(seed, [known], 100, world.now()))
    world.await_caught_up(router)
    new = world.add_client()
    with stack.without("redis", "stopped"), stack.without("postgres", "stopped"):
        world.produce(samples(seed, [known, new], 200, world.now()))
        hold(BEYOND_THE_TIMEOUT_SECONDS, router.must_live)
    world.await_caught_up(router)
    world.account()


def test_redis_away_slows_nothing_down_for_ever(world, stack, seed):
    world.add_client()
    with stack.without("redis", "stopped"):
        router = world.run(**SETTINGS)
        world.produce_mix(seed, 500)
        world.await_caught_up(router)
        late = world.add_client()
        world.produce(samples(seed, [late], 100, world.now()))
        world.await_caught_up(router)
    world.account()


def test_clickhouse_killed_again_and_again_under_load(world, stack, seed):
    for _ in range(2):
        world.add_client()
    router = world.run(**SETTINGS | {"ROUTER_BATCH_MAX_ROWS": 50, "LOG_LEVEL": "debug"}).await_ready()
    for round_ in range(3):
        # Counted first: on a quick machine everything is sealed before the producer is done.
        sealed = sum(each.get("message") == "batch sealed" for each in router.log())
        world.produce_mix(seed + round_, 1500)
        until("some batches more are sealed",
              lambda: sum(each.get("message") == "batch sealed" for each in router.log()) >= sealed + 3,
              interval=0.002, alive=router.must_live)
        with stack.without("clickhouse", "killed"):
            router.must_live()
    world.await_caught_up(router)
    assert router.terminate() == 0
    world.account()


def test_an_end_while_clickhouse_is_away(world, stack, seed):
    """It ends in time, gives up what it cannot deliver, and the next life delivers it."""
    world.add_client()
    router = world.run(ROUTER_SHUTDOWN_TIMEOUT_MS=3000, **SETTINGS).await_ready()
    with stack.without("clickhouse", "stopped"):
        world.produce_mix(seed, 400)
        router.await_ready(False)
        began = time.monotonic()
        router.terminate(30)
        assert time.monotonic() - began < 3 + 10
    world.catch_up()
    world.account()


def test_the_router_itself_frozen_and_thawed(world, seed):
    world.add_client()
    world.produce_mix(seed, 3000)
    router = world.run(**SETTINGS | {"ROUTER_BATCH_MAX_ROWS": 20, "LOG_LEVEL": "debug"})
    router.await_log("a seal", lambda record: record.get("message") == "batch sealed")
    router.signal(signal.SIGSTOP)
    hold(3, lambda: None)
    router.signal(signal.SIGCONT)
    world.await_caught_up(router)
    assert router.terminate() == 0
    world.account()
