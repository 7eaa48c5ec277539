"""Every produced offset is exactly one row in the right database or a dead letter, with the right content."""

import re
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime

from reference import Dead, Record, Row, judge

ROUTER_HEADERS = {
    "router.reason", "router.detail", "router.failed_at", "router.attempt", "router.origin.topic",
    "router.origin.partition", "router.origin.offset", "router.origin.timestamp",
}
CONNECT_HEADERS = {
    f"__connect.errors.{name}"
    for name in (
        "topic", "partition", "offset", "connector.name", "stage", "exception.class.name", "exception.message")
}
UUID_V8 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
SHOWN = 12
"""How many faults a failure lists."""


@dataclass
class Account:
    """The result of a balanced account."""

    produced: int = 0
    rows: int = 0
    dead: int = 0
    both: int = 0
    reasons: Counter = None

    def __str__(self):
        return (f"{self.produced} produced, {self.rows} rows, {self.dead} dead letters only, "
                f"{self.both} with a row and a dead letter")


def expected_of(produced, clients, max_event_bytes):
    return {
        each.place: judge(
            Record(each.sample.value, each.sample.headers, each.timestamp_ms), clients, max_event_bytes)
        for each in produced
    }


def take_account(produced, expected, stored, letters, topic, secrets=None):
    """Compares what lies in ClickHouse (`stored`) and in the dead-letter topic (`letters`) with what is `expected`: a
    place to a `Row`, a `Dead`, or a tuple of those of which one must hold. Raises with all the faults it found."""
    by_place = {each.place: each for each in produced}
    assert len(by_place) == len(produced), "the broker gave one offset twice: the test itself is broken"
    rows, dead = defaultdict(list), defaultdict(list)
    faults = []
    for row in stored:
        rows[row.place].append(row)
    for letter in letters:
        place = origin_place(letter, topic)
        if place is None:
            faults.append(f"a dead letter with the origin {letter.origin}")
        else:
            dead[place].append(letter)
    faults += [f"{place}: a row for what was never produced" for place in rows.keys() - by_place.keys()]
    faults += [f"{place}: a dead letter for what was never produced" for place in dead.keys() - by_place.keys()]
    account = Account(len(produced), reasons=Counter())
    for place, record in by_place.items():
        found = rows.get(place, [])
        account.rows += bool(found)
        account.both += bool(found and dead.get(place))
        account.dead += bool(not found and dead.get(place))
        if not found and place in dead:
            account.reasons[dead[place][0].reason] += 1
        faults += [f"{place} ({record.sample.kind}): {fault}" for fault in place_faults(
            record, expected[place], found, dead.get(place, []), secrets)]
    assert not faults, f"{len(faults)} faults ({account}):\n" + "\n".join(faults[:SHOWN])
    return account


def origin_place(letter, topic):
    origin_topic, partition, offset = letter.origin
    if origin_topic != topic or not re.fullmatch(r"\d+", partition or "") or not re.fullmatch(r"\d+", offset or ""):
        return None
    return int(partition), int(offset)


def place_faults(record, expected, rows, letters, secrets):
    if not rows and not letters:
        return ["lost"]
    if len(rows) > 1:
        return [f"{len(rows)} rows, in {sorted({row.database for row in rows})}"]
    choices = expected if isinstance(expected, tuple) else (expected,)
    faults = []
    for letter in letters:
        faults += letter_faults(record, letter, secrets)
    if rows:
        wanted = next((each for each in choices if isinstance(each, Row)), None)
        if wanted is None:
            return faults + [f"a row where {choices} was expected"]
        return faults + row_faults(record, wanted, rows[0])
    wanted = {(each.reason, each.client_id) for each in choices if isinstance(each, Dead)}
    for letter in letters:
        found = letter.reason, letter.last.get("router.client_id") if added(record, letter, "router.client_id") else None
        if found not in wanted:
            faults.append(f"dead letter {found} ({letter.last.get('router.detail')}), expected {choices}")
    return faults


def row_faults(record, wanted, row):
    faults = []
    if row.database != wanted.database:
        faults.append(f"in {row.database}, expected in {wanted.database}")
    columns = wanted.columns | {
        "source_topic": record.topic, "source_partition": record.partition, "source_offset": record.offset}
    for name, value in columns.items():
        if name == "event_id" and value is None:
            if not UUID_V8.fullmatch(row.columns["event_id"]):
                faults.append(f"derived event_id {row.columns['event_id']} is no UUIDv8")
        elif row.columns[name] != value:
            faults.append(f"{name} is {shown(row.columns[name])}, expected {shown(value)}")
    if abs(row.columns["ingested_at"] - time.time() * 1000) > 3600_000:
        faults.append(f"ingested_at is {row.columns['ingested_at']}, not in the last hour")
    return faults


def shown(value):
    text = repr(value)
    return text if len(text) < 200 else f"{text[:100]}…{text[-80:]} ({len(text)} characters)"


def added(record, letter, name):
    """Whether the router itself added the header: what the producer sent comes first, untouched."""
    return any(each == name for each, _ in letter.headers[len(record.sample.headers):])


def letter_faults(record, letter, secrets=None):
    """What is wrong with one dead letter's form, whichever its reason."""
    faults = []
    original = tuple(record.sample.headers)
    if letter.headers[: len(original)] != original:
        faults.append(f"the record's own headers {original} became {letter.headers[: len(original)]}")
    names = [name for name, _ in letter.headers[len(original):]]
    if letter.value != record.sample.value and not ("router.value_sha256" in names and letter.value is None):
        faults.append(f"value {shown(record.sample.value)} became {shown(letter.value)}")
    if letter.key != record.sample.key:
        faults.append(f"key {record.sample.key!r} became {letter.key!r}")
    optional = {"router.client_id", "router.value_bytes", "router.value_sha256"}
    if sorted(set(names) - optional) != sorted(ROUTER_HEADERS | CONNECT_HEADERS) or len(set(names)) != len(names):
        faults.append(f"added headers are {names}")
        return faults
    last = letter.last
    for name, value in {
        "router.origin.topic": record.topic, "router.origin.partition": str(record.partition),
        "router.origin.offset": str(record.offset), "__connect.errors.topic": record.topic,
        "__connect.errors.partition": str(record.partition), "__connect.errors.offset": str(record.offset),
        "router.attempt": "1",
    }.items():
        if last[name] != value:
            faults.append(f"{name} is {last[name]!r}, expected {value!r}")
    if moment_ms(last["router.origin.timestamp"]) != record.timestamp_ms:
        faults.append(f"router.origin.timestamp is {last['router.origin.timestamp']}, expected {record.timestamp_ms}")
    if not RFC3339.fullmatch(last["router.failed_at"]) or abs(
            moment_ms(last["router.failed_at"]) - time.time() * 1000) > 3600_000:
        faults.append(f"router.failed_at is {last['router.failed_at']!r}")
    for name in ("router.detail", "__connect.errors.connector.name", "__connect.errors.stage",
                 "__connect.errors.exception.class.name", "__connect.errors.exception.message"):
        if not last[name]:
            faults.append(f"{name} is empty")
    if secrets is not None:
        text = "\n".join(repr(value) for _, value in letter.headers[len(original):])
        secrets.check(text, f"a header of the dead letter of {record.place}")
    return faults


def moment_ms(text):
    """The contract does not say in which form `router.origin.timestamp` is: milliseconds or RFC 3339 are both read."""
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)
