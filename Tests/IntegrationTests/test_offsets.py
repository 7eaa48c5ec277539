"""Where partitions start when the group's state and the log do not fit: each rule of docs/DELIVERY.md, and `router offsets`."""

import json
import os
import pty
import shutil
import signal
import subprocess
from collections import Counter

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewPartitions

from support import exposition
from support.broker import Broker
from support.waiting import until

DYNAMIC = {"KAFKA_CONFIG_GROUP_INSTANCE_ID": ""}
"""A member that leaves politely, so that the group is empty afterwards: Kafka's own tools may then commit to it."""
SMALL = DYNAMIC | {"ROUTER_BATCH_MAX_ROWS": 25, "ROUTER_BATCH_MAX_AGE_MS": 50, "LOG_LEVEL": "debug"}
COUNT = 300


# What happens to a group and its topic


def commit(world, partition, offset, metadata=""):
    """As kafka-consumer-groups --reset-offsets does: from outside of the group, which has to be empty."""
    consumer = world.broker._consumer(world.group)
    try:
        done = consumer.commit(
            offsets=[TopicPartition(world.raw, partition, offset, metadata=metadata)], asynchronous=False)
        assert done[0].error is None, done
    finally:
        consumer.close()


def delete_group(world):
    for future in world.broker.admin.delete_consumer_groups([world.group]).values():
        future.result()
    assert all(offset is None for offset, _ in world.broker.committed(world.group, world.raw).values())


def delete_records(world, partition, below):
    for future in world.broker.admin.delete_records([TopicPartition(world.raw, partition, below)]).values():
        future.result()
    assert world.broker.ends(world.raw)[partition][0] == below


def make_topic_anew(world, partitions=3):
    world.broker.delete_topics(world.raw)
    until("the topic is gone", lambda: world.raw not in world.broker.admin.list_topics(timeout=30).topics)
    world.broker.create_topics(**{world.raw: partitions})
    fresh_clients(world)


def fresh_clients(world):
    """What the witness remembers of a topic (a producer's sequence numbers, its partitions) is of the time before."""
    world.broker = Broker(world.settings["KAFKA_BOOTSTRAP_SERVERS"])


def remember(world, partition, offset):
    world.sql(
        "INSERT INTO partition_progress (group_id, topic, partition, last_completed_offset) VALUES (%s, %s, %s, %s)",
        world.group, world.raw, partition, offset)


def await_progress(world, partitions=(0, 1, 2)):
    """The tripwire is written a moment after a batch is complete, at the latest when the router ends."""
    found = {each for each, in world.sql("SELECT partition FROM partition_progress WHERE group_id = %s", world.group)}
    assert found == set(partitions)


# What the program says


def show(world, status=0):
    answer = world.cli("offsets", "show", "--json")
    assert answer.status == status, f"{answer}\n{answer.out}"
    text = world.cli("offsets", "show")
    assert text.status == status and all(len(line) <= 100 for line in text.out.split("\n\n")[0].splitlines()), text.out
    return {each["partition"]: each for each in answer.json["partitions"]}


def accept(world, *arguments, status=0, reason="a test"):
    answer = world.cli("offsets", "accept", *arguments, "--reason", reason, "--yes", "--json")
    assert answer.status == status, f"{answer}\n{answer.out}"
    return answer


def stopped(router):
    status = json.loads(router.get("/api/status")[1])
    return {each["partition"]: each["stopped"] for each in status["partitions"] if each.get("stopped")}


def await_stopped(router, partitions):
    until(f"partitions {partitions} stand still", lambda: set(stopped(router)) == set(partitions),
          alive=router.must_live)
    code, body = router.get("/readyz")
    assert code == 503 and "router offsets accept" in body
    exposed = exposition.read(router.get("/metrics")[1])
    assert exposition.total(exposed, "router_stopped_partitions") == len(partitions)
    return stopped(router)


def rows_by_partition(world):
    return Counter(row.place[0] for row in world.warehouse.all_rows(world.raw))


def assert_audit_balances(world):
    answer = world.audit()
    assert answer.status == 0, f"{answer}\n{answer.out}"
    return answer.json


def assert_audit_names_losses(world, losses, is_noticed=True):
    """`losses`: partition, first offset and one past the last. No audit balances with them, whoever's it is."""
    answer = world.audit()
    assert answer.status == 2, f"{answer}\n{answer.out}"
    found = answer.json
    assert found["balanced"] is False and found["totals"]["missing"] == 0
    assert [(each["partition"], each["from"], each["to"]) for each in found["lost"]] == losses
    assert all(each["count"] == each["to"] - each["from"] for each in found["lost"])
    assert all((each.get("noticed_at") is not None) is is_noticed for each in found["lost"]), found["lost"]
    assert found["totals"]["lost"] == sum(to - first for _, first, to in losses)
    text = world.cli("audit")
    assert text.status == 2 and "Balanced" not in text.out
    for partition, first, to in losses:
        offsets = f"{first}-{to - 1}" if to - first > 1 else str(first)
        assert f"{world.raw}/{partition} {offsets}, " in text.out, text.out
    one = world.audit("--client", next(iter(world.clients)))
    assert one.status == 2 and one.json["lost"] == found["lost"], one.out
    return found


def produce_rows(world, seed, count=COUNT):
    """Good events only, so that rows can be counted."""
    return world.produce_mix(seed, count, bad_share=0)


# The rules


def test_a_group_that_never_read_starts_at_the_earliest(world, seed):
    world.add_client()
    world.produce_mix(seed, COUNT)
    assert {each["verdict"] for each in show(world).values()} == {"earliest"}
    world.catch_up()
    world.account()
    after = show(world)
    assert {each["verdict"] for each in after.values()} == {"resumes"}
    assert all(each["committed_offset"] == each["log_end"] for each in after.values())


def test_a_vanished_commit_stops_its_partition_and_no_other(world, seed):
    world.add_client()
    world.produce_mix(seed, COUNT)
    remember(world, 0, 3)
    router = world.run()
    reasons = await_stopped(router, {0})
    assert "offset 3" in reasons[0]
    others = sum(high - low for each, (low, high) in world.broker.ends(world.raw).items() if each)
    until("the other partitions are delivered", lambda: sum(
        offset or 0 for each, (offset, _) in world.broker.committed(world.group, world.raw).items() if each) == others,
        alive=router.must_live)
    assert 0 not in rows_by_partition(world)
    shown = show(world, status=2)
    assert [each["verdict"] for each in shown.values()] == ["stands_still", "resumes", "resumes"]
    assert "committed_offset" not in shown[0] and shown[0]["progress_offset"] == 3

    accept(world, "--partition", "1", "--earliest", status=1)
    accept(world, "--partition", "7", "--earliest", status=1)
    accept(world, "--partition", "0", "--committed", status=1)
    accept(world, "--partition", "0", "--offset", 10**6, status=1)
    assert show(world, status=2)[0]["verdict"] == "stands_still"
    accept(world, "--partition", "0", "--earliest", "--by", "Ann", reason="group deleted")
    router.await_ready()
    world.await_caught_up(router)
    world.account()
    assert world.sql(
        "SELECT accepted_by, reason, accepted_offset, taken_at IS NOT NULL FROM offset_acceptances WHERE group_id = %s",
        world.group) == [("Ann", "group deleted", 0, True)]
    log = router.await_log("who accepted", lambda record: record.get("accepted_by") == "Ann")
    assert log["reason"] == "group deleted"
    assert_audit_balances(world)


def test_going_back_to_the_earliest_doubles_nothing(world, seed):
    for _ in range(2):
        world.add_client()
    world.produce_mix(seed, COUNT)
    world.catch_up(**SMALL)
    await_progress(world)
    delete_group(world)
    world.produce_mix(seed + 1, COUNT)
    failed = world.run("--until-caught-up", **DYNAMIC)
    assert failed.wait(60) == 1 and "cannot catch up" in failed.tail()
    # No router runs: the decision waits for the next one.
    plan = accept(world, "--all", "--earliest").json
    assert [each["skipped_count"] for each in plan["partitions"]] == [0, 0, 0]
    assert {each["verdict"] for each in show(world).values()} == {"accepted"}
    world.catch_up(**SMALL)
    world.account()
    assert_audit_balances(world)
    # Once taken it is over: the next loss stops again.
    delete_group(world)
    failed = world.run("--until-caught-up", **DYNAMIC)
    assert failed.wait(60) == 1 and "cannot catch up" in failed.tail()


def test_killed_while_it_reads_again_it_doubles_nothing(world, seed):
    world.add_client()
    world.produce_mix(seed, 1500, bad_share=0.05)
    world.catch_up(**SMALL)
    delete_group(world)
    accept(world, "--all", "--earliest")
    static = SMALL | {"KAFKA_CONFIG_GROUP_INSTANCE_ID": f"{world.group}-again"}
    for life in range(4):
        router = world.run(**static)
        until("some batches are complete, and one is not", lambda: len(
            {each["batch"] for each in router.log() if each.get("message") == "batch completed"}) > 3
            and len({each["batch"] for each in router.log() if each.get("message") == "batch sealed"}
                    - {each["batch"] for each in router.log() if each.get("message") == "batch completed"}) > 0
            or world.broker.caught_up(world.group, world.raw), interval=0.005, alive=router.must_live)
        router.kill()
    world.produce_mix(seed + 1, 100)
    world.catch_up(**static)
    world.account()
    assert_audit_balances(world)


def test_what_is_skipped_is_accepted_by_name(world, seed):
    world.add_client()
    produced = produce_rows(world, seed)
    remember(world, 0, 3)
    router = world.run()
    await_stopped(router, {0})
    end = world.broker.ends(world.raw)[0][1]
    plan = accept(world, "--partition", "0", "--latest", "--by", "Ben", reason="not worth it").json
    assert plan["partitions"][0]["skipped_count"] == end
    router.await_ready()
    until("the skip is committed", lambda: world.broker.committed(world.group, world.raw)[0][0] == end,
          alive=router.must_live)
    produced += produce_rows(world, seed + 1)
    world.await_caught_up(router)
    wanted = {each.place for each in produced if each.partition != 0 or each.offset >= end}
    assert Counter(row.place for row in world.warehouse.all_rows(world.raw)) == Counter(wanted)
    audit = assert_audit_balances(world)
    assert audit["totals"]["accepted"] == end and audit["totals"]["missing"] == 0
    assert any("Ben" in note and "not worth it" in note for note in audit["notes"])
    # What is lost behind it is still a loss.
    row = next(row for row in world.warehouse.all_rows(world.raw) if row.place[0] == 0)
    world.warehouse.command(
        f"ALTER TABLE `{row.database}`.events_base DELETE WHERE source_partition = 0 AND source_offset = {row.place[1]} "
        "SETTINGS mutations_sync = 2")
    assert world.audit().status == 2


@pytest.mark.parametrize("metadata", ["v9 something", "v1 nonsense", "offsets by hand \x1b[31m"], ids=["v9", "v1", "other"])
def test_metadata_that_is_not_understood_is_not_overwritten(world, seed, metadata):
    world.add_client()
    world.produce_mix(seed, COUNT)
    world.catch_up(**DYNAMIC)
    commit(world, 1, 20, metadata)
    world.produce_mix(seed + 1, COUNT)
    router = world.run(**DYNAMIC)
    reasons = await_stopped(router, {1})
    assert metadata.removeprefix("v1 ").split()[0] in reasons[1] and "\x1b" not in reasons[1]
    until("the others go on", lambda: all(
        offset == world.broker.ends(world.raw)[each][1]
        for each, (offset, _) in world.broker.committed(world.group, world.raw).items() if each != 1),
        alive=router.must_live)
    assert world.broker.committed(world.group, world.raw)[1] == (20, metadata)
    accept(world, "--partition", "1", "--committed")
    router.await_ready()
    world.await_caught_up(router)
    world.account()
    assert_audit_balances(world)


def test_an_offset_set_back_by_another_tool_doubles_nothing(world, seed):
    """Kafka's own tool leaves no metadata: what is delivered again is looked for first."""
    world.add_client()
    world.produce_mix(seed, COUNT)
    world.catch_up(**DYNAMIC)
    commit(world, 0, 0)
    commit(world, 1, 10)
    assert [each["verdict"] for each in show(world).values()] == ["takes_over", "takes_over", "resumes"]
    world.produce_mix(seed + 1, COUNT)
    world.catch_up(**DYNAMIC)
    world.account()
    assert_audit_balances(world)


def test_an_offset_set_forward_by_another_tool_is_gone_on_from(world, seed):
    world.add_client()
    produced = produce_rows(world, seed)
    commit(world, 0, 30)
    world.catch_up(**DYNAMIC)
    wanted = {each.place for each in produced if each.partition != 0 or each.offset >= 30}
    assert Counter(row.place for row in world.warehouse.all_rows(world.raw)) == Counter(wanted)
    assert world.audit().status == 2, "nobody accepted this with the router's own command: audit tells of it"


# The log's start and end


def test_retention_while_it_was_away_is_told_exactly(world, seed):
    world.add_client()
    first = produce_rows(world, seed)
    world.catch_up(**DYNAMIC)
    end = world.broker.ends(world.raw)[0][1]
    produced = produce_rows(world, seed + 1)
    delete_records(world, 0, end + 40)
    assert show(world)[0]["lost"] == [{"from": end, "to": end + 40}]
    assert_audit_names_losses(world, [(0, end, end + 40)], is_noticed=False)
    router = world.run(**DYNAMIC)
    world.await_caught_up(router)
    assert json.loads(router.get("/api/status")[1])["lost_to_retention"] == 40
    exposed = exposition.read(router.get("/metrics")[1])
    assert exposition.total(exposed, "router_events_lost_to_retention_total") == 40
    assert router.get("/readyz")[0] == 200
    wanted = {each.place for each in first + produced if each.partition != 0 or not end <= each.offset < end + 40}
    assert Counter(row.place for row in world.warehouse.all_rows(world.raw)) == Counter(wanted)
    noted = until("the loss is noted", lambda: world.sql(
        "SELECT partition, first_offset, end_offset FROM retention_losses WHERE group_id = %s", world.group))
    assert noted == [(0, end, end + 40)]
    assert_audit_names_losses(world, [(0, end, end + 40)])
    assert router.terminate() == 0
    status = world.cli("status", "--json")
    assert status.status == 2 and status.json["lost_records"] == 40, "a loss is known without the router that met it"
    assert any("40 records were gone" in each for each in status.json["problems"])
    assert [(each["from"], each["to"]) for each in show(world)[0]["lost"]] == [(end, end + 40)]


def test_retention_that_overtakes_a_running_router(world, seed):
    """It is frozen while records come and go: its next fetch is below the log's start."""
    world.add_client()
    first = produce_rows(world, seed)
    router = world.run().await_ready()
    world.await_caught_up(router)
    end = world.broker.ends(world.raw)[0][1]
    router.signal(signal.SIGSTOP)
    try:
        produced = produce_rows(world, seed + 1)
        delete_records(world, 0, end + 40)
    finally:
        router.signal(signal.SIGCONT)
    world.await_caught_up(router)
    produced += produce_rows(world, seed + 2)
    world.await_caught_up(router)
    rows = Counter(row.place for row in world.warehouse.all_rows(world.raw))
    wanted = {each.place for each in first + produced}
    # A fetch that was under way when it was frozen may have brought the first of them.
    lost = wanted - set(rows)
    assert set(rows) <= wanted and set(rows.values()) == {1}
    assert lost == {(0, end + 40 - back) for back in range(1, len(lost) + 1)}
    until("the loss is counted", lambda: json.loads(
        router.get("/api/status")[1])["lost_to_retention"] == len(lost), alive=router.must_live)
    until("the loss is noted", lambda: world.sql(
        "SELECT count(*) FROM retention_losses WHERE group_id = %s", world.group) == [(1,)])
    assert_audit_names_losses(world, [(0, end + 40 - len(lost), end + 40)])


def assert_new_log_delivered(world, old, new):
    """Rows of the former log have the same coordinates: the record's time tells them apart."""
    rows = Counter((row.place, row.columns["received_at"]) for row in world.warehouse.all_rows(world.raw))
    assert rows == Counter((each.place, each.timestamp_ms) for each in old + new)


def test_a_topic_made_anew_while_it_was_away(world, seed):
    world.add_client()
    old = produce_rows(world, seed)
    world.catch_up(**DYNAMIC)
    make_topic_anew(world)
    new = produce_rows(world, seed + 1, count=60)
    router = world.run(**DYNAMIC)
    reasons = await_stopped(router, {0, 1, 2})
    assert all("past the log's end" in each for each in reasons.values())
    accept(world, "--all", "--earliest", reason="made anew")
    world.await_caught_up(router)
    new += produce_rows(world, seed + 2)
    world.await_caught_up(router)
    assert_new_log_delivered(world, old, new)
    audit = assert_audit_balances(world)
    assert audit["totals"]["readable"] == audit["totals"]["delivered"] == len(new)


def test_a_topic_made_anew_while_it_runs(world, seed):
    world.add_client()
    old = produce_rows(world, seed)
    router = world.run(KAFKA_CONFIG_TOPIC_METADATA_REFRESH_INTERVAL_MS=1000)
    world.await_caught_up(router)
    make_topic_anew(world)
    new = produce_rows(world, seed + 1, count=60)
    await_stopped(router, {0, 1, 2})
    accept(world, "--all", "--earliest", reason="made anew")
    world.await_caught_up(router)
    assert_new_log_delivered(world, old, new)
    assert router.terminate() == 0


def test_partitions_added_while_it_runs_are_read_from_their_start(world, seed):
    world.add_client()
    world.produce_mix(seed, COUNT)
    router = world.run(KAFKA_CONFIG_TOPIC_METADATA_REFRESH_INTERVAL_MS=1000).await_ready()
    for future in world.broker.admin.create_partitions([NewPartitions(world.raw, 6)]).values():
        future.result()
    fresh_clients(world)
    assert len(world.broker.partitions(world.raw)) == 6
    # Before the router knows of them, and after.
    world.produce_mix(seed + 1, COUNT)
    world.await_caught_up(router)
    world.produce_mix(seed + 2, COUNT)
    world.await_caught_up(router)
    world.account()
    assert len(show(world)) == 6


# The command itself


@pytest.mark.parametrize("arguments", [
    (), ("--all",), ("--earliest",), ("--all", "--earliest", "--latest"), ("--all", "--partition", "0", "--earliest"),
    ("--partition", "", "--earliest"), ("--partition", "0,x", "--earliest"), ("--partition", "-1", "--earliest"),
    ("--all", "--offset", "x"),
], ids=" ".join)
def test_wrong_usage_is_told(world, arguments):
    assert world.cli("offsets", "accept", *arguments, "--reason", "x", "--yes").status == 64


def test_without_a_terminal_it_wants_a_yes(world):
    remember(world, 0, 3)
    answer = world.cli("offsets", "accept", "--all", "--earliest", "--reason", "x")
    assert answer.status == 64 and "--yes" in answer.err, answer
    assert world.cli("offsets", "accept", "--all", "--earliest", "--yes").status == 64, "a reason is wanted"
    assert world.cli("offsets", "accept", "--all", "--earliest", "--yes", "--reason", " ").status == 1
    assert world.cli("offsets", "accept", "--all", "--earliest", "--yes", "--reason", "a\nb").status == 1
    assert not world.sql("SELECT 1 FROM offset_acceptances WHERE group_id = %s", world.group)


@pytest.mark.parametrize("typed, status", [("n", 1), ("", 1), ("yes", 0)])
def test_on_a_terminal_it_asks(world, typed, status):
    remember(world, 0, 3)
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [world.binary, "offsets", "accept", "--all", "--earliest", "--reason", "x"], env=world.environment({}),
        stdin=follower, stdout=subprocess.PIPE, stderr=follower)
    os.close(follower)
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(leader, 4096)
    os.write(leader, typed.encode() + b"\n")
    process.communicate(timeout=60)
    os.close(leader)
    assert process.returncode == status, seen
    assert b"goes on at offset 0" in seen
    assert len(world.sql("SELECT 1 FROM offset_acceptances WHERE group_id = %s", world.group)) == (status == 0)


def test_an_acceptance_is_for_one_situation(world, seed):
    """The group's state changes between the decision and the router that would take it."""
    world.add_client()
    world.produce_mix(seed, COUNT)
    remember(world, 0, 3)
    accept(world, "--all", "--latest")
    commit(world, 0, 10, "v9 other")
    router = world.run(**DYNAMIC)
    reasons = await_stopped(router, {0})
    assert "v9" in reasons[0] and "accept again" in reasons[0]
    assert world.sql("SELECT taken_at FROM offset_acceptances WHERE group_id = %s", world.group) == [(None,)]
    # The later decision takes the place of the one that waits.
    accept(world, "--all", "--earliest")
    world.await_caught_up(router)
    world.account()
    assert world.sql(
        "SELECT accepted_offset, replaced_at IS NOT NULL, taken_at IS NOT NULL FROM offset_acceptances "
        "WHERE group_id = %s ORDER BY 1", world.group)[0] == (0, False, True)


# A broker that does not keep the metadata string

FORGETFUL = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <librdkafka/rdkafka.h>

/* As a broker would answer that does not keep the string: the offset alone. */
rd_kafka_resp_err_t rd_kafka_committed(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list, int timeout_ms) {
    rd_kafka_resp_err_t (*real)(rd_kafka_t *, rd_kafka_topic_partition_list_t *, int) =
        dlsym(RTLD_NEXT, "rd_kafka_committed");
    rd_kafka_resp_err_t answer = real(rk, list, timeout_ms);
    for (int i = 0; i < list->cnt; i++) {
        free(list->elems[i].metadata);
        list->elems[i].metadata = NULL;
        list->elems[i].metadata_size = 0;
    }
    return answer;
}
"""


def test_a_broker_that_loses_the_metadata_is_told_loudly(world, seed, tmp_path):
    compiler = shutil.which("clang") or shutil.which("cc")
    assert compiler, "Swift's own toolchain brings clang"
    source, library = tmp_path / "forgetful.c", tmp_path / "forgetful.so"
    source.write_text(FORGETFUL)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    forgetful = SMALL | {"LD_PRELOAD": str(library), "KAFKA_CONFIG_GROUP_INSTANCE_ID": f"{world.group}-member"}
    world.add_client()
    world.produce_mix(seed, 1500, bad_share=0.05)
    for _ in range(3):
        router = world.run(**forgetful)
        until("some batches are complete", lambda: sum(
            each.get("message") == "batch completed" for each in router.log()) > 3
            or world.broker.caught_up(world.group, world.raw), interval=0.005, alive=router.must_live)
        router.kill()
    router = world.run(**forgetful)
    router.await_log("at-least-once", lambda record: "at-least-once" in record.get("message", "")
                     and record.get("level") == "critical")
    until("it is in /api/status", lambda: json.loads(router.get("/api/status")[1])["exactly_once"] is False,
          alive=router.must_live)
    world.await_caught_up(router)
    world.account()
