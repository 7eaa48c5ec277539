"""`router dlq`: dead letters counted, chosen, shown, replayed once, and given up; judged by the rows and the topic alone."""

import base64
import json
import random
import re
import time
from collections import Counter

import pytest

from generator import Sample
from support.front import Front
from support.notes import note
from support.process import Router
from support.waiting import until

COUNTS = ("selected", "already_delivered", "discarded", "exhausted", "not_reached", "delivered", "skipped", "failed",
          "vanished", "delivered_by_client", "failed_by_reason", "in_flight", "malformed", "of_other_topics")
ALL_ROWS = ("plain", "with_event_id", "credentials_in_headers", "credentials_in_both", "numbers_as_ids", "escaped_keys")


def dlq(world, *arguments, **more):
    answer = world.cli("dlq", *arguments, "--json", **more)
    assert answer.status in (0, 2), f"{answer}\n{answer.out}"
    return answer.json


def replay(world, *arguments, status=0, **more):
    answer = world.cli("dlq", "replay", *arguments, "--json", **more)
    assert answer.status == status, f"{answer}\n{answer.out}"
    return answer.json


def counts(report):
    return {name: report[name] for name in COUNTS}


def places(listed):
    return {(each["partition"], each["offset"]) for each in listed["dead_letters"]}


def origins(world, wanted=lambda letter: True):
    return {(int(each.origin[1]), int(each.origin[2])) for each in world.dead_letters() if wanted(each)}


def rows(world):
    """How often each place is a row, over all databases."""
    total = Counter()
    for database in world.warehouse.databases():
        answer = world.warehouse.client.query(
            f"SELECT source_partition, source_offset, count() FROM `{database}`.events_base "
            "WHERE source_topic = {topic:String} GROUP BY 1, 2", parameters={"topic": world.raw})
        for partition, offset, count in answer.result_rows:
            total[partition, offset] += count
    return total


def assert_balanced(world):
    answer = world.audit()
    assert answer.status == 0, f"{answer}\n{answer.out}"
    return answer.json


def background(world, *arguments, **overrides):
    world.commands += 1
    log = world.directory / f"router-{world.commands:02}.log"
    process = Router(world.binary, world.environment(overrides), log, arguments)
    world.routers.append(process)
    return process


@pytest.fixture
def suspended(world, seed):
    """Three clients; what one of them sent became dead letters because it was suspended, and it is active again. Besides,
    dead letters of every other kind."""
    for _ in range(3):
        world.add_client()
    first = next(iter(world.clients.values()))
    world.produce_mix(seed, 300, bad_share=0.3)
    world.catch_up()
    world.set_status(first, "suspended")
    world.produce_mix(seed + 1, 100, bad_share=0)
    world.produce(Sample("tombstone", None, None, (), world.now()) for _ in range(3))
    from generator import Make

    rng = random.Random(seed)
    world.produce(
        Sample("plain", Make(rng, first, world.now()).event(event_id=None, ordinal=index), b"k", (), world.now())
        for index in range(200))
    world.catch_up()
    world.set_status(world.clients[first.client_id], "active")
    return world


def test_replay_delivers_what_can_be_delivered_and_only_once(suspended):
    world = suspended
    before = rows(world)
    chosen = origins(world, lambda each: each.reason == "client_not_active")
    assert len(chosen) == 200
    dry = replay(world, "--dry-run")
    assert rows(world) == before, "a dry run inserted"
    assert dry["delivered"] == 200 and dry["failed"] > 0 and dry["dry_run"] is True
    done = replay(world, status=2)
    assert counts(done) == counts(dry), "the dry run said something else than what happened"
    after = rows(world)
    assert set(after.values()) == {1} and after.keys() - before.keys() == chosen
    again = replay(world, status=2)
    assert again["delivered"] == 0 and again["already_delivered"] == 200 and again["failed"] == done["failed"]
    assert rows(world) == after
    world.account()
    assert assert_balanced(world)["totals"]["delivered_and_dead_lettered"] == 200
    assert len(world.dead_letters()) == len(origins(world)), "a replay wrote to the dead-letter topic"
    ((state, delivered),) = world.sql(
        "SELECT state, delivered FROM replay_runs WHERE topic = %s ORDER BY started_at LIMIT 1", world.raw)
    assert (state, delivered) == ("done", 200)


def test_every_filter_chooses_what_it_says(suspended):
    world = suspended
    letters = world.dead_letters()
    first = next(iter(world.clients))

    def check(wanted, *arguments):
        expected = {(int(each.origin[1]), int(each.origin[2])) for each in letters if wanted(each)}
        listed = dlq(world, "list", "--limit", "100000", *arguments)
        assert places(listed) == expected and listed["total"] == len(expected), arguments
        stats = dlq(world, "stats", *arguments)
        assert stats["open"] == stats["total"] == len(expected), arguments
        assert replay(world, "--dry-run", *arguments)["selected"] == len(expected), arguments
        return expected

    def value(each):
        try:
            return json.loads(each.value)
        except (ValueError, TypeError):
            return {}

    everything = check(lambda each: True)
    assert everything
    assert check(lambda each: each.reason == "empty_payload", "--reason", "empty_payload")
    assert check(lambda each: each.reason in ("empty_payload", "client_not_active"),
                 "--reason", "empty_payload", "--reason", "client_not_active")
    assert check(lambda each: each.origin[1] == "1", "--partition", "1")
    some = sorted(int(each.origin[2]) for each in letters)[len(letters) // 2]
    assert check(lambda each: int(each.origin[2]) == some, "--offset", some)
    assert check(lambda each: 5 <= int(each.origin[2]) <= some, "--offset", f"5-{some}")
    assert check(lambda each: isinstance(value(each), dict) and value(each).get("ordinal") == 17,
                 "--where", "ordinal = 17")
    assert check(lambda each: each.reason == "client_not_active" and value(each)["ordinal"] != 17,
                 "--reason", "client_not_active", "--where", ".ordinal != 17")
    assert check(lambda each: each.reason == "client_not_active"
                 and value(each)["event_properties"]["url"] == "/p/7" and value(each)["event_name"] == "purchase",
                 "--reason", "client_not_active", "--where", 'event_properties.url = "/p/7"',
                 "--where", "event_name = purchase") is not None
    mine = lambda each: (each.last.get("router.client_id") or str(value(each).get("client_id")).lower()) == first
    assert check(lambda each: each.reason == "client_not_active" and mine(each),
                 "--reason", "client_not_active", "--client", first)
    assert not check(lambda each: False, "--client", "99999999-9999-4999-8999-999999999999")
    times = sorted(each.last["router.failed_at"] for each in letters)
    middle = times[len(times) // 2]
    check(lambda each: each.last["router.failed_at"] >= middle, "--since", middle)
    check(lambda each: each.last["router.failed_at"] < middle, "--until", middle)
    assert not check(lambda each: False, "--until", "1h")
    assert check(lambda each: True, "--since", "1h") == everything
    assert len(dlq(world, "list", "--limit", "7")["dead_letters"]) == 7


@pytest.mark.parametrize("arguments", [
    ("list", "--reason", "bad_luck"), ("list", "--since", "yesterday"), ("list", "--offset", "9-3"),
    ("list", "--where", "a b"), ("list", "--where", "= 1"), ("list", "--limit", "-1"), ("show", "17"),
    ("replay", "--rate", "0"), ("replay", "--max-attempts", "0"), ("replay", "--follow", "--dry-run"),
    ("discard", "--yes"), ("discard", "--why", " ", "--yes"), (),
], ids=" ".join)
def test_wrong_usage_is_64(world, arguments):
    answer = world.cli("dlq", *arguments)
    assert answer.status == 64 and answer.err.strip(), answer


def test_stats_and_show_agree_with_the_topic(suspended):
    world = suspended
    letters = world.dead_letters()
    stats = dlq(world, "stats")
    assert stats["by_reason"] == Counter(each.reason for each in letters)
    assert stats["by_day"] == Counter(each.last["router.failed_at"][:10] for each in letters)
    verified = Counter(each.last["router.client_id"] for each in letters if "router.client_id" in each.last)
    assert {each["client_id"]: each["open"] for each in stats["by_client"] if each["verified"]} == verified
    assert sum(each["open"] for each in stats["by_client"]) == len(letters)
    letter = next(each for each in letters if each.reason == "client_not_active")
    shown = dlq(world, "show", f"{letter.origin[1]}/{letter.origin[2]}")
    by_place = dlq(world, "show", f"{world.dead}/{letter.partition}/{letter.offset}")
    assert shown == by_place
    assert shown["detail"] == letter.last["router.detail"] and shown["state"] == "open"
    assert re.sub("[0-9a-fA-F]{64}", "*" * 64, letter.value.decode()) == shown["value"]["text"]
    revealed = dlq(world, "show", f"{letter.origin[1]}/{letter.origin[2]}", "--reveal", prints_key=True)
    assert revealed["value"]["text"].encode() == letter.value
    assert world.cli("dlq", "show", "0/99999999").status == 1
    for command in (("stats",), ("list",), ("show", f"{letter.origin[1]}/{letter.origin[2]}"), ("replay", "--dry-run")):
        text = world.cli("dlq", *command)
        assert text.status == 0 and text.out.strip() and max(map(len, text.out.splitlines())) < 2000, text
        if command[0] in ("stats", "list"):
            assert max(map(len, text.out.splitlines())) <= 100, text.out


def test_export_is_the_topic(suspended):
    world = suspended
    world.produce([Sample("malformed_json", b"\xff\xfe{", b"\x00\xff", (("h", b"\xfe"), ("h", None)), world.now())])
    world.catch_up()
    answer = world.cli("dlq", "export", prints_key=True)
    assert answer.status == 0, answer
    exported = [json.loads(line) for line in answer.out.splitlines()]

    def data(field):
        return None if field is None else base64.b64decode(field["base64"]) if "base64" in field else field["text"].encode()

    def own(letter):
        names = [name for name, _ in letter.headers]
        return letter.headers[: len(names) - 1 - names[::-1].index("router.reason")]

    found = {(each["partition"], each["offset"]): (
        data(each.get("key")), data(each.get("value")), each["reason"],
        tuple((header["name"], data(header.get("value"))) for header in each["headers"])) for each in exported}
    expected = {(int(each.origin[1]), int(each.origin[2])): (each.key, each.value, each.reason, own(each))
                for each in world.dead_letters()}
    assert found == expected
    values = world.cli("dlq", "export", "--values", "--reason", "client_not_active", prints_key=True)
    assert sorted(values.out.encode().splitlines()) == sorted(
        each.value.replace(b"\r", b" ").replace(b"\n", b" ") for each in world.dead_letters()
        if each.reason == "client_not_active")


def test_a_jq_program_mends_what_it_is_for(world, seed):
    client = world.add_client()
    from generator import Make

    rng = random.Random(seed)

    def event(*without, **more):
        return Make(rng, client, world.now()).event(*without, **more)

    made = {
        "nameless": event("event_name", user_id="ü\u2028\"x\\"), "skipped": event("event_name", kind="skip"),
        "many": event("event_name", kind="many"), "fails": event("event_name", kind="fail"),
        "none": event("event_name", kind="other"), "broken": event()[:-1], "tombstone": None, "bytes": b"\xff\xfe",
        "still": event("event_name", kind="still"),
    }
    produced = world.produce([Sample(name, value, None, (), world.now()) for name, value in made.items()], partition=0)
    at = {each.sample.kind: each.offset for each in produced}
    world.catch_up()
    program = """
        if . == null then empty
        elif type == "string" then (. + "}" | fromjson)
        elif .kind == "skip" then empty elif .kind == "many" then ., .
        elif .kind == "fail" then error("no: " + .api_key_hash)
        elif .kind == "still" then .
        else .event_name = "mended" end # a comment
    """
    dry = replay(world, "--jq", program, "--dry-run")
    done = replay(world, "--jq", program, status=2)
    assert counts(dry) == counts(done)
    assert done["delivered"] == 3 and done["skipped"] == 2
    assert {each["offset"]: each["reason"] for each in done["failures"]} == {
        at["many"]: "jq_failed", at["fails"]: "jq_failed", at["bytes"]: "jq_failed", at["still"]: "missing_field"}
    stored = {row.place[1]: row.columns for row in world.warehouse.all_rows(world.raw)}
    assert stored.keys() == {at["nameless"], at["none"], at["broken"]}
    assert stored[at["nameless"]]["event_name"] == "mended"
    assert stored[at["nameless"]]["user_id"] == "ü\u2028\"x\\"
    assert stored[at["broken"]]["event_name"] == json.loads(made["broken"] + b"}")["event_name"]
    assert replay(world, "--jq", program, status=2)["delivered"] == 0
    assert_balanced(world)


@pytest.mark.parametrize("program", ["(", ".a |", "nonsense(1)", "1) | (2", "-1 +"])
def test_a_bad_jq_program_touches_nothing(suspended, program):
    answer = suspended.cli("dlq", "replay", "--jq", program)
    assert answer.status == 1 and "jq" in answer.err, answer
    assert not suspended.sql("SELECT 1 FROM replay_runs WHERE topic = %s", suspended.raw)
    assert not rows(suspended).keys() & origins(suspended)


@pytest.mark.parametrize("program", ["input", "halt_error"])
def test_a_jq_program_that_breaks_out_stops_the_replay(suspended, program):
    before = rows(suspended)
    answer = suspended.cli("dlq", "replay", "--jq", program)
    assert answer.status == 1 and "jq" in answer.err, answer
    assert rows(suspended) == before
    assert replay(suspended, "--reason", "client_not_active")["delivered"] == 200


def test_jq_sees_nothing_of_the_environment(suspended):
    program = '.event_name = (env | keys | map(select(test("PASSWORD|KAFKA|CLICKHOUSE"))) | join(",") | "env:" + .)'
    assert replay(suspended, "--reason", "client_not_active", "--jq", program)["delivered"] == 200
    mended = origins(suspended)
    names = {row.columns["event_name"] for row in suspended.warehouse.all_rows(suspended.raw) if row.place in mended}
    assert names == {"env:"}


def test_limit_rate_and_attempts(suspended):
    world = suspended
    assert replay(world, "--reason", "client_not_active", "--limit", "30")["delivered"] == 30
    start = time.monotonic()
    assert replay(world, "--reason", "client_not_active", "--limit", "40", "--rate", "20")["delivered"] == 40
    assert time.monotonic() - start >= 0.9
    failed = replay(world, "--reason", "empty_payload", status=2)["failed"]
    assert failed > 0
    once = replay(world, "--reason", "empty_payload", "--max-attempts", "2", status=2)
    assert once["failed"] == failed and once["exhausted"] == 0
    twice = replay(world, "--reason", "empty_payload", "--max-attempts", "2")
    assert twice["failed"] == 0 and twice["exhausted"] == failed
    place = next(iter(origins(world, lambda each: each.reason == "empty_payload")))
    shown = dlq(world, "show", f"{place[0]}/{place[1]}")
    assert (shown["attempt"], shown["replay_attempts"]) == (1, 2)


def test_two_at_once_exclude_each_other_and_a_killed_one_is_waited_out(suspended):
    world = suspended
    first = background(world, "dlq", "replay", "--reason", "client_not_active", "--rate", "10")
    until("the first replay has delivered some",
          lambda: len(rows(world).keys() & origins(world)) >= 10, alive=first.must_live)
    second = world.cli("dlq", "replay", "--reason", "client_not_active", "--json")
    assert second.status == 1 and "replay_busy" in second.err, second
    assert replay(world, "--reason", "client_not_active", "--dry-run")["already_delivered"] > 0
    first.kill()
    done = replay(world, "--reason", "client_not_active")
    assert done["already_delivered"] >= 10 and done["delivered"] + done["already_delivered"] == 200
    assert set(rows(world).values()) == {1}
    states = Counter(state for (state,) in world.sql("SELECT state FROM replay_runs WHERE topic = %s", world.raw))
    assert states == {"lost": 1, "done": 1}
    world.account()
    assert_balanced(world)


def test_an_insert_that_a_killed_replay_left_under_way_lands_once(suspended):
    world = suspended
    front = Front(world.settings)
    front.clear()
    first = next(iter(world.clients.values()))
    # It stands in system.processes for longer than the next replay takes to get there.
    front.order("delay", first.database, count=6, seconds=15)
    killed = background(world, "dlq", "replay", "--reason", "client_not_active")
    until("the insert is at the server", lambda: front.done() > 0, alive=killed.must_live)
    killed.kill()
    try:
        replay(world, "--reason", "client_not_active")
    finally:
        front.clear()
    found = rows(world)
    assert set(found.values()) == {1} and origins(world, lambda each: each.reason == "client_not_active") <= found.keys()
    world.account()


@pytest.mark.parametrize("fault", [
    {"do": "drop_reply", "count": 3}, {"do": "close", "count": 2}, {"do": "refuse", "code": 241, "count": 2},
], ids=lambda fault: fault["do"])
def test_lost_and_refused_answers(suspended, fault):
    world = suspended
    front = Front(world.settings)
    front.clear()
    first = next(iter(world.clients.values()))
    front.order(contains=first.database, **fault)
    try:
        done = replay(world, "--reason", "client_not_active")
        assert front.done() > 0
    finally:
        front.clear()
    assert done["delivered"] == 200 and set(rows(world).values()) == {1}
    world.account()


def test_a_client_whose_table_is_gone_stops_no_other(suspended):
    world = suspended
    first, second, _ = world.clients.values()
    world.set_status(second, "suspended")
    world.produce_mix(1, 1)
    from generator import Make

    rng = random.Random(1)
    world.produce(Sample("plain", Make(rng, second, world.now()).event(), None, (), world.now()) for _ in range(50))
    world.catch_up()
    world.set_status(world.clients[second.client_id], "active")
    world.warehouse.command(f"RENAME TABLE `{first.database}`.events_base TO `{first.database}`.away")
    done = replay(world, "--reason", "client_not_active", status=2)
    assert done["delivered"] == 50 and done["failed_by_reason"] == {"destination_unavailable": 200}
    world.warehouse.command(f"RENAME TABLE `{first.database}`.away TO `{first.database}`.events_base")
    assert replay(world, "--reason", "client_not_active")["delivered"] == 200
    assert set(rows(world).values()) == {1}


def test_a_row_that_clickhouse_refuses_fails_alone(suspended):
    world = suspended
    first = next(iter(world.clients.values()))
    world.warehouse.command(
        f"ALTER TABLE `{first.database}`.events_base ADD CONSTRAINT c CHECK "
        "JSONExtractInt(extra_fields, 'ordinal') NOT IN (3, 77)")
    done = replay(world, "--reason", "client_not_active", status=2)
    assert done["delivered"] == 198 and done["failed_by_reason"] == {"destination_rejected": 2}
    assert set(rows(world).values()) == {1}
    world.warehouse.command(f"ALTER TABLE `{first.database}`.events_base DROP CONSTRAINT c")
    assert replay(world, "--reason", "client_not_active")["delivered"] == 2
    world.account()


def test_rows_deleted_since_come_back_though_their_token_is_known(suspended):
    world = suspended
    first = next(iter(world.clients.values()))
    assert replay(world, "--reason", "client_not_active")["delivered"] == 200
    world.warehouse.command(
        f"ALTER TABLE `{first.database}`.events_base DELETE WHERE JSONHas(extra_fields, 'ordinal') "
        "SETTINGS mutations_sync = 2")
    assert replay(world, "--reason", "client_not_active")["delivered"] == 200
    assert set(rows(world).values()) == {1}
    world.account()


def test_discarded_ones_are_known_as_such(suspended):
    world = suspended
    total = dlq(world, "stats")["open"]
    assert world.cli("dlq", "discard", "--why", "nobody asked").status == 1
    would = dlq(world, "discard", "--reason", "empty_payload", "--why", "tombstones of a test", "--dry-run")
    assert dlq(world, "stats")["open"] == total
    done = dlq(world, "discard", "--reason", "empty_payload", "--why", "tombstones of a test", "--yes")
    assert done["discarded"] == would["discarded"] == len(origins(world, lambda each: each.reason == "empty_payload")) > 0
    stats = dlq(world, "stats")
    assert (stats["open"], stats["discarded"]) == (total - done["discarded"], done["discarded"])
    assert dlq(world, "list", "--reason", "empty_payload")["total"] == 0
    assert {each["state"] for each in dlq(world, "list", "--reason", "empty_payload", "--all")["dead_letters"]} == {
        "discarded"}
    assert replay(world, "--reason", "empty_payload")["discarded"] == done["discarded"]
    ((why, count, operator),) = world.sql(
        "SELECT why, dead_letters, operator FROM dead_letter_discards WHERE topic = %s", world.raw)
    assert (why, count) == ("tombstones of a test", done["discarded"]) and operator
    totals = assert_balanced(world)["totals"]
    assert totals["discarded"] == done["discarded"]
    assert totals["readable"] == totals["delivered"] + totals["dead_lettered"] + totals["discarded"]
    assert dlq(world, "discard", "--reason", "empty_payload", "--why", "again", "--yes")["discarded"] == 0


def test_junk_and_forged_headers_do_nothing(suspended):
    world = suspended
    letter = next(each for each in world.dead_letters() if each.reason == "client_not_active")
    ends = world.broker.ends(world.raw)
    delivered = world.warehouse.all_rows(world.raw)[0]

    def forged(**origin):
        headers = dict(letter.headers) | {f"router.origin.{name}": str(value).encode() for name, value in origin.items()}
        return Sample("forged", letter.value, letter.key, tuple(headers.items()), world.now())

    world.broker.produce(world.dead, [
        Sample("junk", b"{}", None, (), world.now()), Sample("junk", None, None, (("router.origin.offset", None),), world.now()),
        forged(topic="another"), forged(partition=99), forged(partition=-1), forged(offset="0x1"), forged(offset="9" * 40),
        forged(offset=ends[0][1] + 1000),
        # With another time it would pass for one of a former log, where the topic was made anew.
        forged(partition=delivered.place[0], offset=delivered.place[1], timestamp=delivered.columns["received_at"]),
    ])
    done = replay(world, "--reason", "client_not_active")
    assert done["delivered"] == 200 and done["already_delivered"] == 1
    assert (done["malformed"], done["of_other_topics"], done["in_flight"]) == (6, 1, 1)
    assert set(rows(world).values()) == {1}
    world.broker.produce(world.dead, [
        Sample("again", letter.value, letter.key, letter.headers, world.now()) for _ in range(3)])
    again = replay(world, "--reason", "client_not_active")
    assert again["delivered"] == 0 and set(rows(world).values()) == {1}


def test_replay_beside_a_running_router_doubles_nothing(world, seed):
    """Dead letters of batches that the router may still redo are left alone until it has committed them."""
    first, second = world.add_client(), world.add_client()
    world.set_status(first, "suspended")
    router = world.run(ROUTER_BATCH_MAX_ROWS=50, ROUTER_BATCH_MAX_AGE_MS=20).await_ready()
    for turn in range(6):
        world.produce_mix(seed + turn, 100, bad_share=0)
        from generator import samples

        world.produce(samples(seed + turn, [first], 150, world.now(), 0))
        if turn in (1, 3):
            router.kill()
            router = world.run(ROUTER_BATCH_MAX_ROWS=50, ROUTER_BATCH_MAX_AGE_MS=20)
        world.sql("UPDATE clients SET status = %s WHERE client_id = %s", "active" if turn % 2 else "suspended",
                  first.client_id)
        answer = world.cli("dlq", "replay", "--json")
        assert answer.status in (0, 2), answer
    world.set_status(world.clients[first.client_id], "active")
    world.await_caught_up(router)
    done = replay(world)
    assert done["in_flight"] == 0 and done["failed"] == 0
    router.terminate()
    assert set(rows(world).values()) == {1}
    world.account()
    assert_balanced(world)


def test_following_delivers_what_comes_and_what_is_mended(world, seed):
    first = world.add_client()
    world.set_status(first, "suspended")
    follower = background(world, "dlq", "replay", "--follow", "--interval", "0.2", "--reason", "client_not_active")
    from generator import samples

    world.produce(samples(seed, [first], 50, world.now(), 0))
    world.catch_up()
    until("the follower has tried them in vain", lambda: world.sql(
        "SELECT 1 FROM dead_letter_attempts WHERE topic = %s", world.raw), alive=follower.must_live)
    first = world.set_status(world.clients[first.client_id], "active")
    until("the follower has delivered them", lambda: len(rows(world)) == 50, seconds=90, alive=follower.must_live)
    assert follower.terminate() == 0
    assert set(rows(world).values()) == {1}
    world.account()


def some_dead_letters(world, seed, count):
    """Mixed reasons straight from the router, most of them mendable: by a client's status, or by a fix-up."""
    rng = random.Random(seed)
    first, second, active = world.clients.values()
    now = world.now()
    for index in range(count):
        chance = rng.random()
        client = active if chance < 0.1 else first if rng.random() < 0.7 else second
        fields = {"client_id": client.client_id, "api_key_hash": client.api_key_hash, "event_name": "e", "n": index}
        if client is active:
            del fields["event_name"]
        value = json.dumps(fields).encode()
        yield Sample("bulk", value[:-1] if 0.1 <= chance < 0.15 else value, None, (), now)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_hundred_thousand_replayed_and_killed_three_times(world, seed):
    first, second, _ = world.add_client(), world.add_client(), world.add_client()
    for client in (first, second):
        world.set_status(client, "suspended")
    rng = random.Random(seed)
    world.produce(some_dead_letters(world, seed, 100_000))
    world.catch_up(seconds=300)
    letters = Counter(each.reason for each in world.dead_letters())
    assert sum(letters.values()) == 100_000
    for client in (first, second):
        world.set_status(world.clients[client.client_id], "active")
    arguments = ("--reason", "client_not_active", "--client", first.client_id)
    expected = {(each.partition, each.offset) for each in world.produced
                if each.sample.value.endswith(b"}") and json.loads(each.sample.value)["client_id"] == first.client_id}
    dry = replay(world, *arguments, "--dry-run")
    assert dry["delivered"] == len(expected)
    kills = 0
    while kills < 3:
        life = background(world, "dlq", "replay", *arguments, "--rate", "6000")
        have = len(rows(world))
        enough = have + rng.randrange(1, 12_000)
        until(f"more than {enough} rows", lambda: len(rows(world)) > enough, alive=life.must_live, interval=0.01)
        life.kill()
        kills += 1
        assert len(rows(world)) < len(expected), "it was done before it was killed"
    start = time.monotonic()
    done = replay(world, *arguments, seconds=300)
    seconds = time.monotonic() - start
    assert done["delivered"] + done["already_delivered"] == len(expected) and done["failed"] == 0
    found = rows(world)
    assert found.keys() == expected and set(found.values()) == {1}
    stats = dlq(world, "stats")
    assert stats["open"] == 100_000 - len(expected) and stats["delivered"] == len(expected)
    assert {name: stats["by_reason"].get(name) for name in letters if name != "client_not_active"} == {
        name: count for name, count in letters.items() if name != "client_not_active"}
    balanced = assert_balanced(world)["totals"]
    assert balanced["readable"] == 100_000 and balanced["delivered"] == len(expected)
    note(f"{world.name}: {len(expected)} of 100,000 replayed over 3 kills; the last life delivered "
         f"{done['delivered']} in {seconds:.1f} s")
