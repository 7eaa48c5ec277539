"""Every produced offset is exactly one row in the right database or a dead letter, with the right content."""

import hashlib
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
PARTS = ("value", "headers", "key")
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
        names = {name for name, _ in added(record, letter)}
        found = letter.reason, letter.last["router.client_id"] if "router.client_id" in names else None
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


def own_headers(record, letter):
    """How many of a dead letter's headers are the record's own: they come first, untouched, or were left out as a whole."""
    original = tuple(record.sample.headers)
    left_out = letter.headers[: len(original)] != original and "router.headers_sha256" in letter.last
    return 0 if left_out else len(original)


def added(record, letter):
    """The headers that the router added."""
    return letter.headers[own_headers(record, letter):]


def framed(headers):
    """What `router.headers_sha256` is of: each name and each value behind its length, four bytes with the big end first;
    ffffffff is the length of a null."""
    def part(text):
        return b"\xff\xff\xff\xff" if text is None else len(text).to_bytes(4, "big") + text
    return b"".join(part(name.encode()) + part(value) for name, value in headers)


def replaced(record):
    """The parts that a dead letter may go without where no topic takes it whole, in the order in which they go: of each
    the record's own, and its size and SHA-256 as the headers have to tell them."""
    sample, headers = record.sample, tuple(record.sample.headers)
    sizes = {"value": len(sample.value or b""), "key": len(sample.key or b""),
             "headers": sum(len(name.encode()) + len(value or b"") for name, value in headers)}
    parts = {"value": (sample.value, sample.value), "headers": (headers or None, framed(headers)),
             "key": (sample.key, sample.key)}
    return {name: (part, {f"router.{name}_bytes": str(sizes[name]).encode(),
                          f"router.{name}_sha256": hashlib.sha256(hashed or b"").hexdigest().encode()})
            for name, (part, hashed) in parts.items()}


def part_faults(record, letter):
    """Value, headers and key are the record's own, or replaced by size and hash, and none before what goes first."""
    ours = dict(added(record, letter))
    found = {"value": letter.value, "headers": letter.headers[: own_headers(record, letter)] or None, "key": letter.key}
    faults, kept = [], None
    for name, (part, wanted) in replaced(record).items():
        said = {each: ours[each] for each in wanted if each in ours}
        if not said:
            kept = kept or (name if part is not None else None)
            if found[name] != part:
                faults.append(f"{name} {shown(part)} became {shown(found[name])}")
        elif part is None or found[name] is not None or said != wanted:
            faults.append(f"{name} {shown(part)} became {shown(found[name])} with {said}, expected {wanted}")
        elif kept:
            faults.append(f"{name} was left out, though {kept} goes first")
    return faults


def letter_faults(record, letter, secrets=None):
    """What is wrong with one dead letter's form, whichever its reason."""
    names = [name for name, _ in added(record, letter)]
    faults = part_faults(record, letter)
    optional = {"router.client_id"} | {f"router.{part}_{what}" for part in PARTS for what in ("bytes", "sha256")}
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
        text = "\n".join(repr(value) for _, value in added(record, letter))
        secrets.check(text, f"a header of the dead letter of {record.place}")
    return faults


def moment_ms(text):
    """The contract does not say in which form `router.origin.timestamp` is: milliseconds or RFC 3339 are both read."""
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)
