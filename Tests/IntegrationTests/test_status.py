"""`router status`: one screen that is right, beside a running router and without one."""

import os
import pty
import signal
import subprocess

import pytest

from generator import samples
from support.front import Front
from support.stack import free_ports
from support.waiting import until


def read(world, *arguments, **overrides):
    answer = world.cli("status", "--json", *arguments, **overrides)
    document = answer.json
    assert answer.status == {"well": 0, "attention": 2, "incomplete": 1}[document["verdict"]], answer
    assert bool(document["problems"]) == (document["verdict"] != "well")
    return document


def test_beside_a_running_router(world, seed):
    world.add_client()
    router = world.run().await_ready()
    world.produce_mix(seed, 500, bad_share=0.2)
    world.await_caught_up(router)
    account = world.account()
    document = read(world)
    assert document["verdict"] == "well", document
    assert {each["name"]: each["ok"] for each in document["servers"]} == dict.fromkeys(
        ("kafka", "postgres", "clickhouse", "redis"), True)
    assert document["lag"] == 0 and [each["partition"] for each in document["partitions"]] == [0, 1, 2]
    ends = {each: high for each, (_, high) in world.broker.ends(world.raw).items()}
    assert {each["partition"]: each["high"] for each in document["partitions"]} == ends
    assert document["dead_letters_last_hour"] == {"by_reason": dict(account.reasons), "complete": True}
    assert [each["url"] for each in document["routers"]] == [f"http://127.0.0.1:{router.port}"]
    assert [sorted(each["partitions"]) for each in document["members"]] == [[0, 1, 2]]
    assert document["open_circuits"] == [] and document["pauses"] == []


def test_events_that_nobody_reads_need_a_person(world, seed):
    world.add_client()
    world.produce_mix(seed, 200)
    document = read(world)
    assert document["verdict"] == "attention" and document["lag"] == 200
    assert any("no router reads them" in each for each in document["problems"])
    assert document["oldest_undelivered_seconds"] is not None and document["routers"] == []


def test_the_rates_count_what_passes(world, seed):
    client = world.add_client()
    router = world.run().await_ready()
    with subprocess.Popen(
            [world.binary, "send", "--count", "100000", "--rate", "500", "--client", client.client_id],
            env=world.environment({}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sender:
        try:
            until("events flow", lambda: sum(high for _, high in world.broker.ends(world.raw).values()) > 200)
            # A machine under load may fall behind, so the bounds are wide: that it is a rate and not a count.
            document = until("both rates", lambda: (lambda found: found if found["delivered_per_second"] > 0 else None)(
                read(world)), seconds=30)
            assert 50 < document["produced_per_second"] < 2_000
            assert 0 < document["delivered_per_second"] < 5_000
        finally:
            sender.kill()
    assert router.status is None


def test_a_pause_is_shown_and_is_no_problem(world):
    world.add_client()
    world.run().await_ready()
    world.cli("pause", "--partition", 2, "--reason", "maintenance")
    document = read(world)
    assert document["verdict"] == "well"
    assert [(each["partition"], each["reason"]) for each in document["pauses"]] == [(2, "maintenance")]
    text = world.cli("status").out
    assert "maintenance" in text and "paused" in text
    world.cli("resume", "--partition", 2)


def test_a_partition_that_stands_still_is_a_problem(world):
    world.add_client()
    world.sql("INSERT INTO partition_progress (group_id, topic, partition, last_completed_offset) VALUES (%s, %s, 1, 9)",
              world.group, world.raw)
    try:
        document = read(world)
        assert document["verdict"] == "attention"
        assert any(each.startswith("partition 1 stands still") for each in document["problems"])
    finally:
        world.sql("DELETE FROM partition_progress WHERE group_id = %s", world.group)


@pytest.mark.parametrize("server", ["kafka", "clickhouse", "postgres", "redis"])
def test_a_frozen_server_is_named_and_does_not_hang_it(world, server):
    with world.stack.without(server, "frozen"):
        document = read(world)
    assert document["verdict"] == "incomplete"
    assert [each["name"] for each in document["servers"] if not each["ok"]] == [server]


def test_it_fits_a_terminal(world):
    client = world.add_client(name="n" * 200)
    world.cli("pause", "--client", client.client_id, "--reason", "r " * 200)
    for arguments in (["status"], ["pause"], ["client", "list"], ["db", "status"], ["offsets", "show"], ["audit"]):
        answer = world.cli(*arguments)
        assert answer.out and max(map(len, answer.out.splitlines())) <= 100, answer.out
        assert "\x1b" not in answer.out
    world.cli("resume", "--client", client.client_id)


def on_terminal(world, *arguments, lines=1, **overrides):
    """What a command prints on a terminal, until it ends or has printed `lines` lines."""
    master, slave = pty.openpty()
    environment = world.environment({"TERM": "xterm"} | overrides)
    with subprocess.Popen([world.binary, *arguments], env=environment, stdin=slave, stdout=slave,
                          stderr=subprocess.DEVNULL) as process:
        os.close(slave)
        text = b""
        while text.count(b"\n") < lines:
            try:
                more = os.read(master, 65536)
            except OSError:  # EIO: nobody has the terminal open any more
                break
            text += more
        process.kill()
    os.close(master)
    return text


def test_colours_on_a_terminal_only_and_never_with_no_color(world):
    assert b"\x1b[" in on_terminal(world, "doctor", lines=1000)
    assert b"\x1b[" not in on_terminal(world, "doctor", lines=1000, NO_COLOR="1")
    assert "\x1b" not in world.cli("doctor", TERM="xterm").out


def test_watch_redraws_on_a_terminal_and_writes_blocks_elsewhere(world):
    screen = on_terminal(world, "status", "--watch", "--interval", "0.1", lines=40)
    assert screen.startswith(b"\x1b[H") and screen.count(b"\x1b[H") >= 2
    process = subprocess.Popen(
        [world.binary, "status", "--watch", "--interval", "0.1"], env=world.environment({}), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True)
    try:
        blocks = 0
        while blocks < 2:
            line = process.stdout.readline()
            assert line and "\x1b" not in line
            blocks += line.startswith("router ")
    finally:
        process.kill()
        process.wait()
    assert world.cli("status", "--watch", "--json").status == 64


# Is work moving?

def waiting(document):
    return {each["partition"]: each["lag"] for each in document["partitions"] if each["lag"]}


def behind(world):
    """By partition, from another client."""
    committed = {each: max(0, offset or 0) for each, (offset, _) in world.broker.committed(world.group, world.raw).items()}
    found = {each: high - committed[each] for each, (_, high) in world.broker.ends(world.raw).items()}
    return {each: lag for each, lag in found.items() if lag}


def test_work_that_nobody_reads_says_how_much_and_how_old(world, seed):
    world.add_client()
    world.produce_mix(seed, 500)
    # What is oldest is the lowest offset of a partition, whatever the timestamps of those behind it.
    lowest = [each.timestamp_ms for each in world.produced if each.offset == 0]
    document = read(world)
    (problem,) = document["problems"]
    assert problem.startswith("500 records wait, the oldest for ") and problem.endswith("start router run")
    assert document["verdict"] == "attention" and waiting(document) == behind(world)
    assert {each["verdict"] for each in document["partitions"] if each["lag"]} == {"stalled"}
    assert abs(document["oldest_undelivered_seconds"] - (world.now() - min(lowest)) / 1000) < 30


def test_the_only_router_is_frozen_and_its_group_still_lists_it(world, seed):
    world.add_client()
    router = world.run().await_ready()
    world.produce_mix(seed, 300)
    world.await_caught_up(router)
    router.signal(signal.SIGSTOP)
    try:
        world.produce_mix(seed + 1, 500)
        document = read(world)
        assert document["verdict"] == "attention"
        assert len(document["members"]) == 1 and document["routers"] == [], "the broker knows nothing of the freeze"
        assert waiting(document) == behind(world)
        problem = document["problems"][0]
        assert "do not move" in problem and "500 records wait" in problem
        assert "nothing was committed" in problem and "frozen" in problem
        assert document["members"][0]["id"] in problem
        assert [each["url"] for each in document["routers_unanswered"]] == [f"http://127.0.0.1:{router.port}"]
        assert {each["verdict"] for each in document["partitions"] if each["lag"]} == {"stalled"}
        text = world.cli("status").out
        assert "Something needs a person." in text and "stalled" in text and max(map(len, text.splitlines())) <= 100
        check = next(each for each in world.cli("doctor", "--json").json["checks"] if each["name"] == "kafka.progress")
        assert check["outcome"] == "fault" and "500" in check["detail"] and check["advice"]
    finally:
        router.signal(signal.SIGCONT)
    world.await_caught_up(router)
    assert until("well again", lambda: (lambda found: found if found["verdict"] == "well" else None)(read(world)))
    world.account()


def test_a_paused_partition_that_falls_behind_is_said_and_is_no_stall(world, seed):
    world.add_client()
    router = world.run().await_ready()
    world.cli("pause", "--partition", 1, "--reason", "maintenance")
    until("the router holds partition 1", lambda: "maintenance" in router.get("/api/status")[1])
    world.produce_mix(seed, 300)
    held = {1: world.broker.ends(world.raw)[1][1]}
    until("the others are delivered", lambda: behind(world) == held)
    document = read(world)
    assert document["verdict"] == "attention" and waiting(document) == held
    (problem,) = document["problems"]
    assert problem.startswith("partition 1 is paused since") and "maintenance" in problem
    assert f"{held[1]:,} records wait" in problem and "router resume --partition 1" in problem
    assert {each["partition"]: each["verdict"] for each in document["partitions"]} == {
        0: "caught up", 1: "paused", 2: "caught up"}
    check = next(each for each in world.cli("doctor", "--json").json["checks"] if each["name"] == "kafka.progress")
    assert check["outcome"] == "warning" and "router resume --partition 1" in check["advice"]
    world.cli("resume", "--partition", 1)
    world.await_caught_up(router)
    assert read(world)["verdict"] == "well"


def test_offsets_that_move_are_seen_where_the_router_cannot_be_asked(world, seed):
    client = world.add_client()
    front = Front(world.settings)
    router = world.run(ROUTER_BATCH_MAX_ROWS=20).await_ready()
    try:
        # In one partition: the client's slots go to one partition after the other, and each should move.
        front.order("delay", client.database, count=100_000, seconds=0.4)
        world.produce(samples(seed, [client], 2000, world.now(), 0, {"plain"}), partition=1)
        document = read(world, ROUTER_HTTP_PORT=free_ports(1)[0])
        assert behind(world), "the test needs records that wait"
        assert document["verdict"] == "incomplete" and document["routers"] == []
        (problem,) = document["problems"]
        assert "move" in problem and "not move" not in problem and "--url" in problem
        assert document["delivered_per_second"] > 0
        assert {each["verdict"] for each in document["partitions"]} <= {"moving", "caught up"}
        # Beside the right port, the same work is well.
        document = read(world)
        assert behind(world), "the test needs records that wait"
        assert document["verdict"] == "well", document["problems"]
    finally:
        front.clear()
    world.await_caught_up(router)
    # Nothing waits: what is not known of the router (its circuits) is said, and all is delivered.
    document = read(world, ROUTER_HTTP_PORT=1)
    assert document["verdict"] == "well" and len(document["routers_unanswered"]) == 1
    world.account()
