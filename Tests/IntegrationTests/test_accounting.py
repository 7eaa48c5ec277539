"""The account itself: every kind of fault that it is there to find is put in, and must be found. No server needed."""

import hashlib
import time
from dataclasses import replace

import pytest

from generator import Sample, every_kind
from reference import Client, Dead, Row
from support.accounting import CONNECT_HEADERS, ROUTER_HEADERS, expected_of, take_account
from support.broker import DeadLetter, Produced
from support.secrecy import Secrets
from support.warehouse import StoredRow

CLIENTS = [
    Client("11111111-1111-4111-8111-111111111111", "1a" * 32, "client_1"),
    Client("22222222-2222-4222-8222-222222222222", "2b" * 32, "client_2"),
]
TOPIC = "raw"
SEED = 7


@pytest.fixture
def balanced():
    """What a faultless router would have made of some of every kind."""
    now = int(time.time() * 1000)
    produced = [
        Produced(sample, TOPIC, index % 3, index // 3, sample.timestamp_ms)
        for index, sample in enumerate(every_kind(SEED, CLIENTS, now, 3))
    ]
    expected = expected_of(produced, {each.client_id: each for each in CLIENTS}, 1 << 20)
    stored, letters = [], []
    for each in produced:
        verdict = expected[each.place]
        if isinstance(verdict, Row):
            own = {"source_topic": TOPIC, "source_partition": each.partition, "source_offset": each.offset,
                   "ingested_at": now}
            event_id = verdict.columns["event_id"] or "00000000-0000-8000-8000-000000000000"
            stored.append(StoredRow(verdict.database, verdict.columns | own | {"event_id": event_id}))
        else:
            letters.append(letter_of(each, verdict))
    return produced, expected, stored, letters


def letter_of(record, verdict):
    origin = {"topic": TOPIC, "partition": str(record.partition), "offset": str(record.offset)}
    added = dict.fromkeys(ROUTER_HEADERS | CONNECT_HEADERS, "x")
    added |= {f"router.origin.{name}": value for name, value in origin.items()}
    added |= {f"__connect.errors.{name}": value for name, value in origin.items()}
    added |= {
        "router.reason": verdict.reason, "router.attempt": "1", "router.origin.timestamp": str(record.timestamp_ms),
        "router.failed_at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
    }
    if verdict.client_id:
        added["router.client_id"] = verdict.client_id
    headers = tuple(record.sample.headers) + tuple((name, value.encode()) for name, value in added.items())
    return DeadLetter(0, 0, record.sample.key, record.sample.value, headers, 0)


def with_header(letter, name, value):
    index = max(i for i, (each, _) in enumerate(letter.headers) if each == name)
    headers = list(letter.headers)
    headers[index] = (name, value)
    return replace(letter, headers=tuple(headers))


def test_a_balanced_account_says_how_many(balanced):
    produced, expected, stored, letters = balanced
    account = take_account(produced, expected, stored, letters, TOPIC)
    assert (account.rows, account.dead, account.both) == (len(stored), len(letters), 0)


def test_a_row_and_a_dead_letter_count_as_delivered_once(balanced):
    produced, expected, stored, letters = balanced
    place = stored[0].place
    record = next(each for each in produced if each.place == place)
    account = take_account(
        produced, expected, stored, letters + [letter_of(record, Dead("destination_unavailable"))], TOPIC)
    assert account.both == 1 and account.rows == len(stored)


FAULTS = {
    "a lost row": lambda stored, letters: stored.pop(),
    "a row twice": lambda stored, letters: stored.append(stored[0]),
    "a lost dead letter": lambda stored, letters: letters.pop(),
    "a row in another database": lambda stored, letters: stored.__setitem__(
        0, replace(stored[0], database="client_2" if stored[0].database == "client_1" else "client_1")),
    "a wrong column": lambda stored, letters: stored.__setitem__(
        0, replace(stored[0], columns=stored[0].columns | {"extra_fields": '{"x":1}'})),
    "a row never produced": lambda stored, letters: stored.append(
        replace(stored[0], columns=stored[0].columns | {"source_offset": 10**6})),
    "a changed value": lambda stored, letters: letters.__setitem__(0, replace(letters[0], value=b"other")),
    "a changed key": lambda stored, letters: letters.__setitem__(0, replace(letters[0], key=b"other")),
    "a header less": lambda stored, letters: letters.__setitem__(0, replace(letters[0], headers=letters[0].headers[:-1])),
    "a header more": lambda stored, letters: letters.__setitem__(
        0, replace(letters[0], headers=letters[0].headers + (("router.more", b"x"),))),
    "a header before the record's own": lambda stored, letters: letters.__setitem__(
        0, replace(letters[0], headers=(("router.more", b"x"),) + letters[0].headers)),
    "another reason": lambda stored, letters: letters.__setitem__(
        0, with_header(letters[0], "router.reason", b"destination_rejected")),
    "another origin": lambda stored, letters: letters.__setitem__(
        0, with_header(letters[0], "router.origin.offset", b"77777")),
    "an origin that is no number": lambda stored, letters: letters.__setitem__(
        0, with_header(letters[0], "router.origin.offset", b"-1")),
    "another timestamp": lambda stored, letters: letters.__setitem__(
        0, with_header(letters[0], "router.origin.timestamp", b"5")),
    "an empty detail": lambda stored, letters: letters.__setitem__(0, with_header(letters[0], "router.detail", b"")),
    "a secret": lambda stored, letters: letters.__setitem__(
        0, with_header(letters[0], "router.detail", CLIENTS[0].api_key_hash.upper().encode())),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(balanced, fault):
    produced, expected, stored, letters = balanced
    secrets = Secrets()
    for client in CLIENTS:
        secrets.add("a key's hash", client.api_key_hash)
    take_account(produced, expected, stored, letters, TOPIC, secrets)
    FAULTS[fault](stored, letters)
    with pytest.raises(AssertionError):
        take_account(produced, expected, stored, letters, TOPIC, secrets)


LARGE = Sample("large", b"no json", b"the key", (("name", b"text"), ("null", None)), 1_700_000_000_000)
LARGE_HEADERS = (b"\0\0\0\4name" b"\0\0\0\4text" b"\0\0\0\4null" b"\xff\xff\xff\xff", 12)
PARTS = {"value": (b"no json", 7), "headers": LARGE_HEADERS, "key": (b"the key", 7)}


def letter_without(*parts):
    """The account of one record whose dead letter goes without some parts, as the contract says it."""
    record = Produced(LARGE, TOPIC, 0, 0, LARGE.timestamp_ms)
    letter = letter_of(record, Dead("malformed_json"))
    said = tuple(
        pair for part in parts for pair in (
            (f"router.{part}_bytes", str(PARTS[part][1]).encode()),
            (f"router.{part}_sha256", hashlib.sha256(PARTS[part][0]).hexdigest().encode())))
    letter = replace(letter, headers=letter.headers[2 if "headers" in parts else 0:] + said)
    return record, replace(letter, **{part: None for part in parts if part != "headers"})


def account_of(record, letter):
    return take_account([record], {record.place: Dead("malformed_json")}, [], [letter], TOPIC)


@pytest.mark.parametrize("parts", [("value",), ("value", "headers"), ("value", "headers", "key")])
def test_a_dead_letter_may_go_with_less(parts):
    assert account_of(*letter_without(*parts)).dead == 1


@pytest.mark.parametrize("parts", [("headers",), ("key",), ("value", "key")])
def test_no_part_goes_before_what_goes_first(parts):
    with pytest.raises(AssertionError, match="goes first"):
        account_of(*letter_without(*parts))


@pytest.mark.parametrize("name", [f"router.{part}_{what}" for part in PARTS for what in ("bytes", "sha256")])
def test_what_replaces_a_part_has_to_be_right(name):
    record, letter = letter_without(*PARTS)
    with pytest.raises(AssertionError):
        account_of(record, with_header(letter, name, b"8"))
    with pytest.raises(AssertionError):
        account_of(record, replace(letter, headers=tuple(each for each in letter.headers if each[0] != name)))


def test_a_part_is_not_replaced_and_there():
    record, letter = letter_without(*PARTS)
    for there in ({"value": LARGE.value}, {"key": LARGE.key}, {"headers": LARGE.headers + letter.headers}):
        with pytest.raises(AssertionError):
            account_of(record, replace(letter, **there))
