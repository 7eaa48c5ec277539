"""Every column by its value, at every boundary: what clickhouse-connect reads back against values written down here.

The other tests compare with `reference.py`; this one has the expected value beside each case, so that an error of the
reference cannot hide one of the router. Times are compared as numbers and as the text that ClickHouse shows: a time
beyond a column's range would keep its number and show another date.
"""

import json
import time
import uuid
from datetime import datetime, timedelta, timezone

import pytest

from generator import Sample
from reference import MAX_EVENT_BYTES

MS = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
NOW = "2026-01-31T12:00:00.000Z"


def ms(text):
    """Milliseconds of a UTC time such as 1999-12-31T23:59:59.999Z, by Python's calendar."""
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH) // MS


def shown(milliseconds):
    """As ClickHouse writes a DateTime64(3, 'UTC')."""
    return (EPOCH + milliseconds * MS).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


class Case:
    """Raw members of one event beside its credentials and, where they do not give one, a name; and what its row holds."""

    def __init__(self, name, members="", at=NOW, **columns):
        self.name, self.members, self.columns = name, members, columns
        self.record_ms = ms(at) if isinstance(at, str) else at

    def sample(self, client):
        head = f'"client_id":"{client.client_id}","api_key_hash":"{client.api_key_hash}"'
        given = '"event_name"' in self.members
        parts = [head, *([] if given else ['"event_name":"e"']), *([self.members] if self.members else [])]
        return Sample(self.name, ("{" + ",".join(parts) + "}").encode(), timestamp_ms=self.record_ms)

    def expected(self, client):
        default = {
            "event_name": "e", "user_id": "", "session_id": "", "event_properties": "{}", "extra_fields": "{}",
            "event_timestamp": self.record_ms, "client_id": client.client_id, "received_at": self.record_ms,
        }
        return default | self.columns


def stamp(text, moment, at=None):
    """An event whose `timestamp` is the raw JSON `text`, and stands for `moment`."""
    return Case(f"timestamp {text}", f'"timestamp":{text}', at or moment, event_timestamp=ms(moment))


TIMES = [
    # Kafka's own time stands for a missing one: the limits of DateTime64(3), both sides of 1970, leap days.
    *(Case(f"the record's {moment}", "", moment) for moment in (
        "1900-01-01T00:00:00.000Z", "1969-12-31T23:59:59.998Z", "1970-01-01T00:00:00.001Z",
        "1999-12-31T23:59:59.999Z", "2000-02-29T00:00:00.000Z", "2024-02-29T23:59:59.999Z", "2038-01-19T03:14:08.000Z",
        "2106-02-07T06:28:16.000Z", "2149-06-07T00:00:00.000Z", "2262-04-11T23:47:16.855Z", "2299-12-31T23:59:59.999Z")),
    stamp('"1900-01-01T00:00:00Z"', "1900-01-01T00:00:00.000Z"),
    stamp('"1900-01-01T00:00:00.000Z"', "1900-01-01T00:00:00.000Z", "1904-12-31T23:59:59.999Z"),
    stamp('"1925-06-30T12:30:45.678Z"', "1925-06-30T12:30:45.678Z"),
    stamp('"2299-12-31T23:59:59.999Z"', "2299-12-31T23:59:59.999Z"),
    stamp('"2299-12-31T23:59:59.999999999Z"', "2299-12-31T23:59:59.999Z", "2299-12-31T00:00:00.000Z"),
    stamp('"1970-01-01T00:00:00Z"', "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.500Z"),
    stamp('"1969-12-31T23:59:59.999Z"', "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00.500Z"),
    stamp("0", "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.500Z"),
    stamp("-0", "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.500Z"),
    stamp("-1", "1969-12-31T23:59:59.000Z", "1970-01-01T00:00:00.500Z"),
    stamp("-0.5", "1969-12-31T23:59:59.500Z", "1970-01-01T00:00:00.500Z"),
    stamp("-2208988800", "1900-01-01T00:00:00.000Z"),
    stamp("10413791999.999", "2299-12-31T23:59:59.999Z"),
    stamp("10413791999999", "2299-12-31T23:59:59.999Z"),
    stamp("100000000000", "1973-03-03T09:46:40.000Z"),
    stamp('"2024-02-29T12:00:00Z"', "2024-02-29T12:00:00.000Z"),
    stamp('"2000-02-29T23:59:59.999Z"', "2000-02-29T23:59:59.999Z"),
    # Five years back and a day ahead, to the millisecond; 28 February where there is no 29th.
    stamp('"2021-01-31T12:00:00Z"', "2021-01-31T12:00:00.000Z", NOW),
    stamp('"2026-02-01T12:00:00Z"', "2026-02-01T12:00:00.000Z", NOW),
    stamp('"2019-02-28T06:00:00Z"', "2019-02-28T06:00:00.000Z", "2024-02-29T06:00:00.000Z"),
    # A leap second is the instant behind it.
    stamp('"2016-12-31T23:59:60Z"', "2017-01-01T00:00:00.000Z"),
    stamp('"2016-12-31T18:59:60.250-05:00"', "2017-01-01T00:00:00.250Z"),
    # Zones
    stamp('"2026-01-31T12:00:00+23:59"', "2026-01-30T12:01:00.000Z", NOW),
    stamp('"2026-01-31T12:00:00-23:59"', "2026-02-01T11:59:00.000Z", NOW),
    stamp('"2026-01-31T12:00:00-00:00"', NOW),
    stamp('"2026-01-31T17:45:00+05:45"', NOW),
    stamp('"2026-01-31t12:00:00z"', NOW),
    stamp('"2026-01-31 12:00:00Z"', NOW),
    # Fractions are cut, not rounded.
    *(stamp(f'"2026-01-31T11:59:59.{"9" * count}Z"', f"2026-01-31T11:59:59.{('9' * count)[:3].ljust(3, '0')}Z", NOW)
      for count in range(1, 21)),
    stamp('"2026-01-31T11:59:59.0009Z"', "2026-01-31T11:59:59.000Z", NOW),
    stamp("1769860799.0009", "2026-01-31T11:59:59.000Z", NOW),
    stamp("1769860799.999999999999999999999", "2026-01-31T11:59:59.999Z", NOW),
    stamp("1769860799001.999", "2026-01-31T11:59:59.001Z", NOW),
    stamp("1.769860799001e12", "2026-01-31T11:59:59.001Z", NOW),
    stamp("1769860799001000000000e-12", "2026-01-31T11:59:59.001Z", NOW),
]

BORDERS = "\x7f\x80\u07ff\u0800\ud7ff\ue000\ufffe\uffff\U00010000\U0010fffe\U0010ffff"
"""The first and last characters of one, two, three and four bytes of UTF-8, beside the surrogates' gap."""
ESCAPED = r"\u0000\u007f\u0080\u07FF\u0800\uffff\ud800\udc00\udbff\udfff\"\\\/\b\f\n\r\t"
DECODED = "\x00\x7f\x80\u07ff\u0800\uffff\U00010000\U0010ffff\"\\/\b\f\n\r\t"
LONG = MAX_EVENT_BYTES - 1000

TEXTS = [
    Case("empty strings", '"user_id":"","session_id":""'),
    Case("nulls", '"user_id":null,"session_id":null,"event_properties":null,"event_id":null,"timestamp":null'),
    *(Case(f"U+{ord(each):X}", f'"event_name":"{each}","user_id":"{each}","session_id":"<{each}>","x":"{each}"',
           event_name=each, user_id=each, session_id=f"<{each}>", extra_fields=f'{{"x":"{each}"}}') for each in BORDERS),
    Case("every length of UTF-8", f'"user_id":"{BORDERS}","event_properties":{{"{BORDERS}":"{BORDERS}"}}',
         user_id=BORDERS, event_properties=f'{{"{BORDERS}":"{BORDERS}"}}'),
    Case("escapes are decoded", f'"event_name":"{ESCAPED}","user_id":"{ESCAPED}","session_id":"{ESCAPED}"',
         event_name=DECODED, user_id=DECODED, session_id=DECODED),
    Case("escapes are kept", f'"event_properties":{{"{ESCAPED}":"{ESCAPED}"}},"{ESCAPED}":"{ESCAPED}"',
         event_properties=f'{{"{ESCAPED}":"{ESCAPED}"}}', extra_fields=f'{{"{ESCAPED}":"{ESCAPED}"}}'),
    Case("zero bytes", r'"event_name":"\u0000","user_id":"\u0000\u0000","session_id":"a\u0000b"',
         event_name="\0", user_id="\0\0", session_id="a\0b"),
    Case("lone surrogates are kept", r'"event_properties":{"\ud800":["\udfff","\udc00\ud800"]},"\udbff":"\udc00"',
         event_properties=r'{"\ud800":["\udfff","\udc00\ud800"]}', extra_fields=r'{"\udbff":"\udc00"}'),
    Case("the longest names", f'"event_name":"{"n" * 256}"', event_name="n" * 256),
    Case("the longest name of four bytes", f'"event_name":"{"😀" * 64}"', event_name="😀" * 64),
    Case("the longest name in escapes", f'"event_name":"{chr(92)}u0061{"é" * 127}b"', event_name=f"a{'é' * 127}b"),
    # 127 and 128 bytes, 16,383 and 16,384: where the length of a string takes one more byte on the wire.
    *(Case(f"{count} bytes", f'"user_id":"{"u" * count}","session_id":"{"s" * (count - 1)}"',
           user_id="u" * count, session_id="s" * (count - 1)) for count in (1, 127, 128, 129, 16_383, 16_384, 16_385)),
    Case("one MiB of user", f'"user_id":"{"u" * LONG}"', user_id="u" * LONG),
    Case("one MiB of session", f'"session_id":"{"é" * (LONG // 2)}"', session_id="é" * (LONG // 2)),
    Case("one MiB of properties", f'"event_properties":{{"p":"{"p" * LONG}"}}',
         event_properties=f'{{"p":"{"p" * LONG}"}}'),
    Case("one MiB of extra fields", f'"x":"{"x" * LONG}"', extra_fields=f'{{"x":"{"x" * LONG}"}}'),
    Case("one MiB of escapes", '"user_id":"' + r"\u00e9" * (LONG // 6) + '"', user_id="é" * (LONG // 6)),
]

NUMBERS = [
    *(Case(f"{number} as ids", f'"user_id":{number},"session_id":{number}', user_id=number, session_id=number)
      for number in ("0", "-0", "-0.0", "1e400", "-1E-400", "12345678901234567890", "-18446744073709551617", "1.50",
                     "1e+02", "9" * 400)),
    Case("numbers keep their text", '"event_properties":{"a":-0,"b":1e400,"c":12345678901234567890.10},"d":1E+02',
         event_properties='{"a":-0,"b":1e400,"c":12345678901234567890.10}', extra_fields='{"d":1E+02}'),
]

OBJECTS = [
    Case("properties keep their bytes", '"event_properties" : { "b" : [ 1 ,\t2 ] ,\n"a":{ }, "a":null } ',
         event_properties='{ "b" : [ 1 ,\t2 ] ,\n"a":{ }, "a":null }'),
    Case("extra fields keep order and bytes", ' "z" : [ 1 , 2 ] , "a":{ "b" :null}, "z":false , "":"" , "Client_id":1',
         extra_fields='{"z":[ 1 , 2 ],"a":{ "b" :null},"z":false,"":"","Client_id":1}'),
    Case("known names inside", '"event_properties":{"client_id":"x","user_id":1},"x":{"api_key_hash":2}',
         event_properties='{"client_id":"x","user_id":1}', extra_fields='{"x":{"api_key_hash":2}}'),
    Case("depth 512", '"event_properties":' + '{"a":' * 510 + "[]" + "}" * 510,
         event_properties='{"a":' * 510 + "[]" + "}" * 510),
    Case("escaped names", r'"us\u0065r_id":"u","\u0074imestamp":0,"event_\u0070roperties":{"a":1}',
         "1970-01-01T00:00:00.500Z", user_id="u", event_timestamp=0, event_properties='{"a":1}'),
]

IDS = [
    Case("a given id", '"event_id":"0f8fad5b-d9cb-469f-a165-70867728950e"',
         event_id="0f8fad5b-d9cb-469f-a165-70867728950e"),
    Case("an upper-case id", '"event_id":"ABCDEF01-2345-6789-ABCD-EF0123456789"',
         event_id="abcdef01-2345-6789-abcd-ef0123456789"),
    Case("the least id", f'"event_id":"{uuid.UUID(int=0)}"', event_id=str(uuid.UUID(int=0))),
    Case("the greatest id", f'"event_id":"{uuid.UUID(int=(1 << 128) - 1)}"', event_id=str(uuid.UUID(int=(1 << 128) - 1))),
]

REFUSED = [
    # The record's own time has no place in a column: no month to file it under, whatever the event says.
    Case("the record is of 2300", "", "2300-01-01T00:00:00.000Z"),
    Case("the record is of 2300, the event of 2299", '"timestamp":"2299-12-31T23:59:59Z"', "2300-01-01T00:00:00.000Z"),
    Case("the record is of 1899", "", "1899-12-31T23:59:59.999Z"),
    Case("the record's time is in microseconds", "", 1_769_860_800_000_000),
    Case("microseconds, and the event is right", f'"timestamp":"{NOW}"', 1_769_860_800_000_000),
    Case("the greatest time of a record", "", (1 << 63) - 1),
    Case("the event is of 2300", '"timestamp":"2300-01-01T00:00:00Z"', "2299-12-31T23:59:59.999Z"),
    Case("the event is of 1899", '"timestamp":"1899-12-31T23:59:59.999Z"', "1900-01-01T00:00:00.000Z"),
    Case("five years and a millisecond", '"timestamp":"2021-01-31T11:59:59.999Z"'),
    Case("a day and a millisecond", '"timestamp":"2026-02-01T12:00:00.001Z"'),
]


def stored(world, client):
    """Offset (of partition 0) to the row as the client reads it, the two times also as ClickHouse shows them."""
    rows = {row.columns["source_offset"]: row.columns for row in world.warehouse.rows(client.database, world.raw)}
    answer = world.warehouse.client.query(
        "SELECT source_offset, toString(event_timestamp), toString(received_at), _partition_id "
        f"FROM `{client.database}`.events_base")
    for offset, event, received, month in answer.result_rows:
        rows[offset] |= {"event as shown": event, "received as shown": received, "month": month}
    return rows


def compare(world, client, cases):
    produced = world.produce([case.sample(client) for case in cases], partition=0)
    by_name = {each.sample.kind: each for each in produced}
    assert len(by_name) == len(cases), "two cases of one name"
    before = int(time.time() * 1000)
    world.catch_up()
    after = int(time.time() * 1000)
    rows = stored(world, client)
    assert len(rows) == world.warehouse.row_count(client.database) == len(cases)
    for case in cases:
        record = by_name[case.name]
        row, expected = rows[record.offset], case.expected(client)
        assert record.timestamp_ms == case.record_ms, "the broker changed a record's time"
        different = {name: (row[name], value) for name, value in expected.items() if row[name] != value}
        assert not different, (case.name, {name: repr(pair)[:300] for name, pair in different.items()})
        assert row["event as shown"] == shown(expected["event_timestamp"]), case.name
        assert row["received as shown"] == shown(case.record_ms), case.name
        assert row["month"] == row["event as shown"][:7].replace("-", ""), case.name
        assert (row["source_topic"], row["source_partition"]) == (world.raw, 0)
        assert before <= row["ingested_at"] <= after
        uuid.UUID(row["batch_id"])
        if "event_id" not in case.columns:
            assert uuid.UUID(row["event_id"]).version == 8
    derived = [rows[by_name[case.name].offset]["event_id"] for case in cases if "event_id" not in case.columns]
    assert len(set(derived)) == len(derived)
    return rows


@pytest.mark.parametrize("cases", [TIMES, TEXTS, NUMBERS, OBJECTS, IDS],
                         ids=["times", "texts", "numbers", "objects", "ids"])
def test_columns_by_value(world, cases):
    compare(world, world.add_client(), cases)


def test_texts_are_bytes_for_clickhouse_too(world):
    """clickhouse-connect decodes what it reads: lengths and bytes as the server itself has them."""
    client = world.add_client()
    texts = [case for case in TEXTS if len(case.members) < 100_000]
    rows = compare(world, client, texts)
    answer = world.warehouse.client.query(
        "SELECT source_offset, hex(event_name), hex(user_id), hex(session_id), hex(event_properties), hex(extra_fields) "
        f"FROM `{client.database}`.events_base")
    names = ("event_name", "user_id", "session_id", "event_properties", "extra_fields")
    for offset, *found in answer.result_rows:
        assert [bytes.fromhex(each) for each in found] == [rows[offset][name].encode() for name in names]


def test_what_no_column_can_hold_is_a_dead_letter(world):
    client = world.add_client()
    produced = world.produce([case.sample(client) for case in REFUSED], partition=0)
    world.catch_up()
    letters = {int(letter.last["router.origin.offset"]): letter for letter in world.dead_letters()}
    assert world.warehouse.row_count(client.database) == 0
    for record in produced:
        letter = letters[record.offset]
        assert letter.reason == "timestamp_out_of_range", record.sample.kind
        assert letter.value == record.sample.value
        assert letter.last["router.client_id"] == client.client_id
        beyond = not ms("1900-01-01T00:00:00.000Z") <= record.timestamp_ms < ms("2300-01-01T00:00:00.000Z")
        assert ("record's own timestamp is outside" in letter.last["router.detail"]) == beyond, record.sample.kind
    assert len(letters) == len(REFUSED)


def test_a_record_without_a_time_of_its_own(world):
    """Kafka writes -1 for none. Then the event has to bring its own, and the router's clock stands in `received_at`."""
    client = world.add_client()
    dated = Case("dated", '"timestamp":"2100-12-31T23:59:59.999Z"', -1).sample(client)
    undated = Case("undated", "", -1).sample(client)
    late = Case("late", '"timestamp":"2101-01-01T00:00:00Z"', -1).sample(client)
    produced = world.produce([dated, undated, late], partition=0)
    before = int(time.time() * 1000)
    world.catch_up()
    (row,) = world.warehouse.rows(client.database, world.raw)
    assert row.columns["source_offset"] == produced[0].offset
    assert row.columns["event_timestamp"] == ms("2100-12-31T23:59:59.999Z")
    assert before <= row.columns["received_at"] <= int(time.time() * 1000)
    reasons = {int(letter.last["router.origin.offset"]): letter.reason for letter in world.dead_letters()}
    assert reasons == {produced[1].offset: "missing_field", produced[2].offset: "timestamp_out_of_range"}


def test_uppercase_credentials_are_the_same_client(world):
    client = world.add_client()
    upper = {"client_id": client.client_id.upper(), "api_key_hash": client.api_key_hash.upper(), "event_name": "E"}
    headers = tuple((name, value.encode()) for name, value in upper.items() if name != "event_name")
    world.produce([
        Sample("in the value", json.dumps(upper).encode(), timestamp_ms=ms(NOW)),
        Sample("in the headers", b'{"event_name":"E"}', headers=headers, timestamp_ms=ms(NOW)),
    ])
    world.catch_up()
    rows = world.warehouse.rows(client.database, world.raw)
    assert [row.columns["client_id"] for row in rows] == [client.client_id] * 2
    assert all(row.columns["extra_fields"] == "{}" for row in rows)
