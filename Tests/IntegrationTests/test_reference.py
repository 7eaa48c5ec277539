"""The reference and the generator, held against each other and against Python's own json. No server is needed."""

import json
import time
import uuid

import pytest

from generator import KINDS, every_kind, samples
from reference import Client, Dead, Record, Row, Unspecified, judge
from strict_json import Malformed, parse

SEED = 20240501
CLIENT = Client(str(uuid.UUID(int=SEED)), "ab" * 32, "client_x")
CLIENTS = {CLIENT.client_id: CLIENT}


def verdict(sample):
    return judge(Record(sample.value, sample.headers, sample.timestamp_ms), CLIENTS)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_becomes_what_it_is_meant_to_become(name):
    meant = KINDS[name][0]
    for sample in samples(SEED, [CLIENT], 200, int(time.time() * 1000), kinds={name}):
        found = verdict(sample)
        assert meant == (found.reason if isinstance(found, Dead) else "row"), sample


def test_every_reason_that_a_payload_can_cause_has_a_kind():
    without_servers = {outcome for outcome, _ in KINDS.values()} - {"row"}
    assert without_servers == {
        "malformed_json", "not_an_object", "empty_payload", "missing_field", "invalid_field", "timestamp_out_of_range",
        "unknown_client", "invalid_api_key",
    }  # payload_too_large, client_not_active and destination_* have tests of their own


def test_the_strict_parser_takes_what_pythons_takes_and_keeps_the_bytes():
    agreed = 0
    for sample in every_kind(SEED, [CLIENT], int(time.time() * 1000), 50):
        if sample.value is None or b"NaN" in sample.value or b"Infinity" in sample.value:
            continue
        try:
            theirs = json.loads(sample.value.decode("utf-8"))
        except (ValueError, RecursionError):
            theirs = None
        try:
            ours = parse(sample.value)
        except Malformed:
            assert theirs is None or sample.kind == "nested_513", sample
            continue
        if theirs is None:
            assert sample.value.strip() == b"null", sample
        elif isinstance(theirs, dict):
            assert ours.raw == sample.value.strip()
            assert list(dict.fromkeys(name for name, _, _ in ours.members)) == list(theirs)
            for name, _, value in ours.members:
                json.loads(value.raw)
            agreed += 1
    assert agreed > 1000


@pytest.mark.parametrize(
    "text, found",
    [
        ("2024-05-01T10:00:00Z", 1714557600000),
        ("2024-05-01T12:00:00.9999+02:00", 1714557600999),
        ("2024-02-29T23:59:59.001-00:30", 1709252999001),
        (1714557600, 1714557600000),
        (1714557600.5, 1714557600500),
        (1714557600999, 1714557600999),
    ],
)
def test_timestamps_become_milliseconds(text, found):
    event = {"client_id": CLIENT.client_id, "api_key_hash": CLIENT.api_key_hash, "event_name": "e", "timestamp": text}
    row = judge(Record(json.dumps(event).encode(), (), 1714557600000), CLIENTS)
    assert isinstance(row, Row) and row.columns["event_timestamp"] == found


def test_what_the_contract_leaves_open_is_said_to_be_open():
    event = {"client_id": CLIENT.client_id, "api_key_hash": CLIENT.api_key_hash, "event_name": "e"}
    for stamp in ("2024-05-01t10:00:00z", "2024-05-01 10:00:00Z", "2016-12-31T23:59:60Z"):
        with pytest.raises(Unspecified):
            judge(Record(json.dumps(event | {"timestamp": stamp}).encode(), (), 1714557600000), CLIENTS)
