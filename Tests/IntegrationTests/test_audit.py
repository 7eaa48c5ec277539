"""`router audit` tells the truth: what is tampered with is found and named, and what is well is called well."""

import re

import pytest

from generator import Sample
from support.front import Front

COUNT = 400


@pytest.fixture
def settled(world, seed):
    """Two clients, delivered events and dead letters, and an audit that balances."""
    for _ in range(2):
        world.add_client()
    world.produce_mix(seed, COUNT, bad_share=0.2)
    world.catch_up()
    world.account()
    return world


def numbers(document):
    """Every number anywhere in a document, also inside its texts."""
    if isinstance(document, dict):
        return {each for value in document.values() for each in numbers(value)}
    if isinstance(document, list):
        return {each for value in document for each in numbers(value)}
    if isinstance(document, bool) or document is None:
        return set()
    return {int(each) for each in re.findall(r"\d+", str(document))}


def some_row(world, above=100, besides=None):
    """A row at an offset that is not likely to be some count as well."""
    rows = [row for row in world.warehouse.all_rows(world.raw) if row.place[1] > above and row.place != besides]
    assert rows
    return rows[len(rows) // 2]


def where(row):
    partition, offset = row.place
    return (f"source_topic = '{row.columns['source_topic']}' AND source_partition = {partition} "
            f"AND source_offset = {offset}")


def insert_copy(world, row, database):
    # Another batch_id, or the engine would take it for a retry of the same insert and drop it.
    world.warehouse.command(
        f"INSERT INTO `{database}`.events_base SELECT * REPLACE (generateUUIDv4() AS batch_id) "
        f"FROM `{row.database}`.events_base WHERE {where(row)}")


def delete(world, row):
    world.warehouse.command(
        f"ALTER TABLE `{row.database}`.events_base DELETE WHERE {where(row)} SETTINGS mutations_sync = 2")


def other_database(world, row):
    return next(each.database for each in world.clients.values() if each.database != row.database)


def forge(world, **origin):
    """A dead letter as the router would write it, with another origin."""
    letter = world.dead_letters()[0]
    headers = dict(letter.headers) | {f"router.origin.{name}": str(value).encode() for name, value in origin.items()}
    world.broker.produce(world.dead, [Sample("forged", letter.value, letter.key, tuple(headers.items()), world.now())])


def assert_balanced(world):
    answer = world.audit()
    assert answer.status == 0, f"{answer}\n{answer.out}"
    assert answer.json is not None
    text = world.cli("audit")
    assert text.status == 0 and text.out.strip(), text


def assert_finds(world, offset):
    answer = world.audit()
    assert answer.status == 2, f"status {answer.status} though offset {offset} is wrong\n{answer.out}"
    assert offset in numbers(answer.json), f"offset {offset} is not named:\n{answer.out}"
    text = world.cli("audit")
    assert text.status == 2
    assert offset in numbers([text.out, text.err]), f"offset {offset} is not named:\n{text}"


def test_what_is_well_is_called_well(settled):
    assert_balanced(settled)


def test_an_empty_topic_balances(world):
    world.add_client()
    world.catch_up()
    assert_balanced(world)


def test_a_lost_row(settled):
    row = some_row(settled)
    delete(settled, row)
    assert_finds(settled, row.place[1])


def test_two_lost_rows_are_both_named(settled):
    one = some_row(settled)
    other = some_row(settled, besides=one.place)
    for row in (one, other):
        delete(settled, row)
    assert_finds(settled, one.place[1])
    assert_finds(settled, other.place[1])


def test_a_row_twice_in_its_own_table(settled):
    row = some_row(settled)
    insert_copy(settled, row, row.database)
    assert_finds(settled, row.place[1])


def test_a_row_in_two_databases(settled):
    row = some_row(settled)
    insert_copy(settled, row, other_database(settled, row))
    assert_finds(settled, row.place[1])


def test_a_row_in_a_wrong_database(settled):
    row = some_row(settled)
    insert_copy(settled, row, other_database(settled, row))
    delete(settled, row)
    assert_finds(settled, row.place[1])


def test_a_row_instead_of_another_does_not_cancel_out(settled):
    """Counts alone would balance."""
    lost, doubled = some_row(settled), some_row(settled, above=110)
    assert lost.place != doubled.place
    delete(settled, lost)
    insert_copy(settled, doubled, doubled.database)
    assert_finds(settled, lost.place[1])
    assert_finds(settled, doubled.place[1])


def test_a_row_and_a_dead_letter_is_delivered_once(settled):
    partition, offset = some_row(settled).place
    forge(settled, topic=settled.raw, partition=partition, offset=offset)
    assert_balanced(settled)


def test_the_same_dead_letter_twice_is_one(settled):
    letter = settled.dead_letters()[0]
    settled.broker.produce(
        settled.dead, [Sample("again", letter.value, letter.key, letter.headers, settled.now())])
    assert_balanced(settled)


@pytest.mark.parametrize("origin", [
    {"topic": "another-topic"}, {"partition": 99}, {"offset": "-1"}, {"offset": "0x10"}, {"partition": "one"},
    {"offset": ""}, {"offset": "9" * 30},
], ids=str)
def test_a_forged_dead_letter_accounts_for_nothing_else(settled, origin):
    row = some_row(settled)
    delete(settled, row)
    partition, offset = row.place
    forge(settled, **{"topic": settled.raw, "partition": partition, "offset": offset} | origin)
    assert_finds(settled, offset)


def test_junk_in_the_dead_letter_topic_is_no_crash(settled):
    settled.broker.produce(settled.dead, [
        Sample("junk", value, key, headers, settled.now())
        for value in (None, b"", b"\xff") for key in (None, b"k")
        for headers in ((), (("router.reason", None),), (("router.origin.offset", b"\xff"),))
    ])
    assert settled.audit().status in (0, 2)
    row = some_row(settled)
    delete(settled, row)
    assert_finds(settled, row.place[1])


def test_only_what_is_committed_is_judged(settled, seed):
    """Events that nobody has read yet are not missing."""
    settled.produce_mix(seed + 1, 100)
    assert_balanced(settled)
    settled.catch_up()
    assert_balanced(settled)


def test_one_client_may_be_asked_about(settled):
    row = some_row(settled)
    mine = next(each for each in settled.clients.values() if each.database == row.database)
    answer = settled.audit("--client", mine.client_id)
    assert answer.status == 0, f"{answer}\n{answer.out}"
    insert_copy(settled, row, row.database)
    answer = settled.audit("--client", mine.client_id)
    assert answer.status == 2 and row.place[1] in numbers(answer.json), f"{answer}\n{answer.out}"


def test_a_client_without_its_table(settled):
    client = next(iter(settled.clients.values()))
    settled.warehouse.command(f"DROP DATABASE `{client.database}` SYNC")
    answer = settled.audit()
    assert answer.status in (1, 2), f"{answer}\n{answer.out}"
    assert client.client_id in answer.out + answer.err or client.database in answer.out + answer.err


def test_a_client_whose_table_cannot_be_read_is_unknown(settled):
    """The others are judged as ever; what may be in that table is neither missing nor delivered."""
    first, second = settled.clients.values()
    rows = settled.warehouse.all_rows(settled.raw)
    theirs = [row for row in rows if row.database == first.database]
    lost, unseen = next(row for row in rows if row.database == second.database), theirs[0]
    delete(settled, lost)
    delete(settled, unseen)
    front = Front(settled.settings)
    front.clear()
    front.order("refuse", first.database, 1_000_000, on="select", code=74)
    try:
        answer = settled.audit()
        text = settled.cli("audit")
        others = settled.audit("--client", second.client_id)
    finally:
        front.clear()
    assert answer.status == 2, f"{answer}\n{answer.out}"
    (unknown,) = answer.json["unknown_clients"]
    assert unknown["client_id"] == first.client_id and unknown["ch_database_name"] == first.database
    assert "74" in unknown["error"]
    totals = answer.json["totals"]
    assert [(each["partition"], each["offset"]) for each in answer.json["missing"]] == [lost.place]
    assert totals["unknown"] == len(theirs) and totals["delivered"] == len(rows) - len(theirs) - 1
    assert text.status == 2 and first.client_id in text.out and "74" in text.out, text
    assert max(map(len, text.out.splitlines())) <= 100, text.out
    # The other one's audit does not wait for that table.
    assert others.status == 2 and others.json["totals"]["missing"] == 1 and not others.json["unknown_clients"]
    after = settled.audit()
    assert {(each["partition"], each["offset"]) for each in after.json["missing"]} == {lost.place, unseen.place}
    assert after.json["totals"]["unknown"] == 0 and not after.json["unknown_clients"]
