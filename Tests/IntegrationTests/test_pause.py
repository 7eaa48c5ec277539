"""`router pause` and `router resume`, followed by a running router."""

import json

from generator import samples
from support import exposition
from support.waiting import until

REASON = "restoring its database"


def status(router):
    return json.loads(router.get("/api/status")[1])


def partition(router, number):
    return next(each for each in status(router)["partitions"] if each["partition"] == number)


def delivered(world, client):
    return world.warehouse.row_count(client.database)


def committed(world):
    return {each: offset for each, (offset, _) in world.broker.committed(world.group, world.raw).items()}


def test_a_paused_partition_waits_and_the_others_go_on(world, seed):
    client = world.add_client()
    router = world.run().await_ready()
    world.produce_mix(seed, 300, bad_share=0, kinds={"plain"})
    world.await_caught_up(router)
    answer = world.cli("pause", "--partition", 1, "--reason", REASON, "--json")
    assert answer.status == 0 and answer.json["changed"] == ["partition 1"]
    until("the router holds partition 1", lambda: partition(router, 1)["pause"], seconds=20)
    before = committed(world)
    world.produce_mix(seed + 1, 300, bad_share=0, kinds={"plain"})
    ends = {each: high for each, (_, high) in world.broker.ends(world.raw).items()}
    assert ends[1] > before[1], "the test needs events in the paused partition"
    until("the other partitions are delivered", lambda: all(
        committed(world)[each] == ends[each] for each in ends if each != 1))
    assert committed(world)[1] == before[1]
    assert delivered(world, client) == 600 - (ends[1] - before[1])
    # A pause is no fault: the service is as ready as before, and says what it does.
    assert router.get("/readyz")[0] == 200
    assert partition(router, 1)["pause"]["reason"] == REASON
    metrics = exposition.read(router.get("/metrics")[1])
    assert exposition.total(metrics, "router_paused_partitions") == 1
    who, why = world.sql("SELECT paused_by, reason FROM pauses WHERE group_id = %s", world.group)[0]
    assert "@" in who and why == REASON
    assert REASON in world.cli("pause").out

    again = world.cli("pause", "--partition", 1, "--reason", "another", "--json")
    assert again.status == 0 and again.json["changed"] == [] and again.json["pauses"][0]["reason"] == REASON
    resumed = world.cli("resume", "--partition", 1, "--json")
    assert resumed.status == 0 and resumed.json["pauses"] == []
    world.await_caught_up(router)
    world.account()
    assert partition(router, 1).get("pause") is None
    assert world.sql("SELECT count(*) FROM pauses WHERE group_id = %s AND resumed_by IS NOT NULL",
                     world.group) == [(1,)]


def test_a_pause_holds_from_the_first_record_of_a_new_router(world, seed):
    world.add_client()
    world.produce_mix(seed, 200, bad_share=0, kinds={"plain"})
    assert world.cli("pause", "--partition", 0, "--partition", 2, "--reason", REASON).status == 0
    router = world.run().await_ready()
    high = world.broker.ends(world.raw)[1][1]
    until("partition 1 is delivered", lambda: committed(world).get(1) == high)
    assert {each: offset for each, offset in committed(world).items() if each != 1 and offset and offset > 0} == {}
    assert world.cli("resume", "--partition", 0, "--partition", 2).status == 0
    world.await_caught_up(router)
    world.account()


def test_until_caught_up_ends_with_an_error_at_a_paused_partition(world, seed):
    world.add_client()
    world.produce_mix(seed, 200, bad_share=0, kinds={"plain"})
    assert world.cli("pause", "--partition", 0, "--reason", REASON).status == 0
    router = world.run("--until-caught-up")
    assert router.wait(60) == 1
    assert "paused" in router.tail() and "router resume" in router.tail()
    assert world.cli("resume", "--partition", 0).status == 0
    world.catch_up()
    world.account()


def test_a_paused_client_gets_dead_letters_that_can_be_replayed(world, seed):
    held, other = world.add_client(), world.add_client()
    router = world.run().await_ready()
    assert world.cli("pause", "--client", held.client_id, "--reason", REASON).status == 0
    until("the router knows", lambda: held.client_id in status(router)["paused_clients"], seconds=20)
    world.produce_mix(seed, 400, bad_share=0, kinds={"plain"})
    world.await_caught_up(router)
    letters = world.dead_letters()
    assert delivered(world, held) == 0
    assert len(letters) + delivered(world, other) == 400 and letters
    assert {letter.reason for letter in letters} == {"destination_unavailable"}
    assert router.get("/readyz")[0] == 200

    assert world.cli("resume", "--client", held.client_id).status == 0
    until("the router knows", lambda: held.client_id not in status(router)["paused_clients"], seconds=20)
    count = len(world.produce_mix(seed + 1, 200, bad_share=0, kinds={"plain"}))
    world.await_caught_up(router)
    assert len(world.dead_letters()) == len(letters)
    assert delivered(world, held) + delivered(world, other) == 400 - len(letters) + count
    audit = world.audit()
    assert audit.status == 0, audit


def test_what_cannot_be_paused_is_refused(world):
    for arguments in (
            ["pause", "--partition", "1"], ["pause", "--reason", "r"], ["pause", "--partition", "-1", "--reason", "r"],
            ["pause", "--client", "x", "--reason", "r"], ["resume"]):
        answer = world.cli(*arguments)
        assert answer.status == 64 and answer.err.strip(), answer
    unknown = world.cli("pause", "--client", "00000000-0000-4000-8000-000000000000", "--reason", "r")
    assert unknown.status == 1 and "client list" in unknown.err
    blank = world.cli("pause", "--partition", 1, "--reason", "  ")
    assert blank.status == 1 and "reason" in blank.err
    nothing = world.cli("resume", "--partition", 1, "--json")
    assert nothing.status == 0 and nothing.json["changed"] == []
    assert world.sql("SELECT count(*) FROM pauses WHERE group_id = %s", world.group) == [(0,)]


def test_a_partition_that_the_topic_does_not_have_is_refused(world):
    for arguments in (["pause", "--reason", "r", "--partition", 0, "--partition", 99], ["resume", "--partition", 99]):
        answer = world.cli(*arguments)
        assert answer.status == 1 and "partition_unknown" in answer.err and "99" in answer.err, answer
    assert world.sql("SELECT count(*) FROM pauses WHERE group_id = %s", world.group) == [(0,)]
    # One that is paused can be resumed though the topic has it no more, and though Kafka does not answer.
    assert world.cli("pause", "--partition", 1, "--reason", "r").status == 0
    world.sql("UPDATE pauses SET partition = 99 WHERE group_id = %s", world.group)
    resumed = world.cli("resume", "--partition", 99, "--json", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert resumed.status == 0 and resumed.json["changed"] == ["partition 99"]


def test_the_headroom_of_a_partition_that_waits_goes_down_with_the_age_of_its_oldest_record(bare_world, seed):
    """An hour old by its own timestamp, in a topic that keeps records for a week."""
    world = bare_world
    world.broker.create_topics({"retention.ms": str(7 * 86_400_000)}, **{world.raw: 3, world.dead: 1})
    world.add_client()
    world.cli("pause", "--partition", 1, "--reason", REASON)
    router = world.run().await_ready()
    hour = 3_600_000
    world.produce(samples(seed, list(world.clients.values()), 5, world.now() - hour, 0, {"plain"}), partition=1)
    # What retention takes first: the lowest offset, whatever its own timestamp.
    made = min(world.produced, key=lambda each: each.offset).timestamp_ms
    assert made < world.now() - hour + 60_000

    def headroom():
        family = exposition.read(router.get("/metrics")[1]).get("router_retention_headroom_seconds")
        found = {dict(labels)["partition"]: value for (_, labels), value in family.samples.items()} if family else {}
        return found if "1" in found and found["1"] < found.get("0", 0) else None

    found = until("the headroom of partition 1", headroom, seconds=60)
    retention = found["0"]
    assert retention == found["2"] == 7 * 86_400
    age = (world.now() - made) / 1000
    assert retention - age - 60 < found["1"] < retention - age + 60, "a look is 15 seconds old at most"
    world.cli("resume", "--partition", 1)
