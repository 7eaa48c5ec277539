"""How far a partition is behind, compared with what another client reads of its log and of the group's commits."""

import json

from generator import samples
from support import exposition
from support.waiting import until

HOUR_MS = 3_600_000


def series(router, name):
    """By partition; what is not known has no series."""
    family = exposition.read(router.get("/metrics")[1]).get(name)
    return {dict(labels)["partition"]: value for (_, labels), value in family.samples.items()} if family else {}


def partition(router, number):
    partitions = json.loads(router.get("/api/status")[1])["partitions"]
    return next((each for each in partitions if each["partition"] == number), {})


def behind(world, number):
    committed = world.broker.committed(world.group, world.raw)[number][0] or 0
    return world.broker.ends(world.raw)[number][1] - max(0, committed)


def check(router, name):
    checks = json.loads(router.get("/readyz")[1])["checks"]
    return next(each for each in checks if each["name"] == name)


def produce(world, seed, count, to, age_ms=0):
    return world.produce(samples(
        seed, list(world.clients.values()), count, world.now() - age_ms, 0, {"plain"}), partition=to)


def test_the_lag_of_a_paused_partition_follows_its_log(world, seed):
    world.add_client()
    router = world.run().await_ready()
    world.cli("pause", "--partition", 1, "--reason", "its rows are looked at")
    until("the router holds partition 1", lambda: partition(router, 1).get("pause"))
    for count in (40, 25):
        produce(world, seed + count, count, 1, HOUR_MS)
        wanted = behind(world, 1)
        until("the lag of partition 1", lambda: series(router, "router_consumer_lag").get("1") == wanted, seconds=20)
    assert wanted == 65 and partition(router, 1)["lag"] == 65
    # What is oldest is the lowest offset, whatever the timestamps of those behind it.
    made = min((each for each in world.produced if each.partition == 1), key=lambda each: each.offset).timestamp_ms
    found = until("its age", lambda: series(router, "router_consumer_lag_seconds").get("1"), seconds=20)
    assert abs(found - (world.now() - made) / 1000) < 30
    until("the others have none", lambda: [
        series(router, "router_consumer_lag_seconds").get(each) for each in ("0", "2")] == [0, 0])
    shown = partition(router, 1)
    assert abs(shown["lag_seconds"] - found) < 60 and shown["watermark_age_seconds"] < 15
    # The age goes on, though neither the log nor the committed offset moves.
    until("an older age", lambda: series(router, "router_consumer_lag_seconds")["1"] >= found + 2)
    world.cli("resume", "--partition", 1)
    world.await_caught_up(router)
    until("no lag", lambda: series(router, "router_consumer_lag") == dict.fromkeys("012", 0))
    until("no age", lambda: series(router, "router_consumer_lag_seconds") == dict.fromkeys("012", 0))
    world.account()


def test_the_lag_of_a_partition_that_stands_still_is_known(world, seed):
    world.add_client()
    produce(world, seed, 30, 1, HOUR_MS)
    world.sql("INSERT INTO partition_progress (group_id, topic, partition, last_completed_offset) VALUES (%s, %s, 1, 9)",
              world.group, world.raw)
    try:
        router = world.run()
        until("it stands still", lambda: partition(router, 1).get("stopped"), alive=router.must_live)
        until("its lag", lambda: partition(router, 1).get("lag") == 30, alive=router.must_live)
        until("its age", lambda: series(router, "router_consumer_lag_seconds").get("1", 0) > 1, alive=router.must_live)
    finally:
        world.sql("DELETE FROM partition_progress WHERE group_id = %s", world.group)


def test_a_watermark_that_got_old_is_not_shown_as_fresh(world, seed):
    world.add_client()
    router = world.run().await_ready()
    produce(world, seed, 50, 0)
    world.await_caught_up(router)
    until("all lags", lambda: set(series(router, "router_consumer_lag_seconds")) == set("012"))
    assert check(router, "lag_known")["ok"]
    with world.stack.without("kafka", "frozen"):
        until("the lag is said to be not known", lambda: not check(router, "lag_known")["ok"],
              alive=router.must_live)
        assert "ago" in check(router, "lag_known")["detail"]
        assert partition(router, 0)["watermark_age_seconds"] > 15
        assert series(router, "router_consumer_lag") == series(router, "router_consumer_lag_seconds") == {}
    until("it is known again", lambda: check(router, "lag_known")["ok"], alive=router.must_live)
    until("all lags", lambda: set(series(router, "router_consumer_lag")) == set("012"))
