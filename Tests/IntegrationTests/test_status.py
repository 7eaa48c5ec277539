"""`router status`: one screen that is right, beside a running router and without one."""

import os
import pty
import subprocess

import pytest

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
