"""An independent reading of the payload contract: for any record, the row or the reason that is expected.

It shares no code with the router and was written from the contract's words alone. It is slow and plain on purpose.
Where the contract leaves a choice, it answers `Unspecified`, and no test may depend on it.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from strict_json import Malformed, decode_string, parse

WHITE_SPACE = b" \t\r\n"
MAX_EVENT_BYTES = 1024 * 1024
MAX_EVENT_NAME_BYTES = 256
UUID_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
HASH_FORM = re.compile(r"[0-9a-f]{64}", re.IGNORECASE | re.ASCII)
RFC3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})", re.ASCII
)
KNOWN = (
    "client_id", "api_key_hash", "event_name", "event_id", "user_id", "session_id", "timestamp", "event_properties",
)
DAY_MS = 86_400_000
STORABLE_MS = range(-2_208_988_800_000, 10_413_792_000_000)
"""What a DateTime64(3) column holds: the years 1900 to 2299."""


@dataclass(frozen=True)
class Client:
    """What Postgres says of one client."""

    client_id: str
    api_key_hash: str
    database: str
    status: str = "active"


@dataclass(frozen=True)
class Record:
    """A Kafka record as a producer made it; `timestamp_ms` is the broker's answer to it."""

    value: bytes | None
    headers: tuple = ()
    timestamp_ms: int = 0


@dataclass(frozen=True)
class Dead:
    reason: str
    client_id: str | None = None
    """Only when the key was verified: what `router.client_id` must say."""


@dataclass(frozen=True)
class Row:
    database: str
    columns: dict = field(default_factory=dict)
    """Column name to value; `event_id` is None where the router derives it."""


class Unspecified(Exception):
    """The contract does not decide this record."""


class Refused(Exception):
    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


def judge(record, clients, max_event_bytes=MAX_EVENT_BYTES):
    """The `Row` or the `Dead` that the contract demands for `record`; `clients` maps a client's id to a `Client`."""
    verified = None
    try:
        members = open_payload(record.value, max_event_bytes)
        given = [name for name, _, _ in members]
        fields = {name: value for name, _, value in members if name in KNOWN}
        twice = {name for name in KNOWN if given.count(name) > 1}
        client_id, api_key_hash = credentials(record.headers, fields, twice)
        client = clients.get(client_id)
        if client is None:
            raise Refused("unknown_client")
        if client.api_key_hash.lower() != api_key_hash:
            raise Refused("invalid_api_key")
        verified = client.client_id
        if client.status != "active":
            raise Refused("client_not_active")
        return Row(client.database, other_columns(record, members, fields, twice) | {"client_id": client.client_id})
    except Refused as refused:
        return Dead(refused.reason, verified)


def open_payload(payload, max_event_bytes):
    """The top-level members as (decoded name, raw name, value), in order."""
    if payload is None or not payload.strip(WHITE_SPACE):
        raise Refused("empty_payload")
    if len(payload) > max_event_bytes:
        raise Refused("payload_too_large")
    try:
        document = parse(payload)
    except Malformed:
        raise Refused("malformed_json") from None
    if document.kind != "object":
        raise Refused("not_an_object")
    return document.members


def credentials(headers, fields, twice):
    ids = [value for name, value in headers if name == "client_id"]
    hashes = [value for name, value in headers if name == "api_key_hash"]
    in_headers = bool(ids) and bool(hashes)
    if not in_headers and (len(ids) > 1 or len(hashes) > 1):
        raise Unspecified("one of the pair given twice, the other not at all")
    if in_headers and (None in ids or None in hashes):
        raise Unspecified("a credential header without a value")
    present = {name: value for name, value in fields.items() if value.kind != "null" or name in twice}
    if not in_headers and not {"client_id", "api_key_hash"} <= present.keys():
        raise Refused("missing_field")
    if in_headers and (len(ids) > 1 or len(hashes) > 1):
        raise Refused("invalid_field")
    found = []
    for name, form, from_headers in (("client_id", UUID_FORM, ids), ("api_key_hash", HASH_FORM, hashes)):
        answers = set()
        if in_headers:
            try:
                answers.add(matching(form, from_headers[0].decode()))
            except UnicodeDecodeError:
                raise Refused("invalid_field") from None
        if name in present:
            answers.add(matching(form, decoded_text(present[name], name in twice)))
        if len(answers) > 1:
            raise Refused("invalid_field")
        found.append(answers.pop())
    return found


def matching(form, text):
    if not form.fullmatch(text):
        raise Refused("invalid_field")
    return text.lower()


def decoded_text(value, twice=False):
    """A string field's text; a lone surrogate cannot be decoded, and a wrong type or a repeated field is invalid."""
    if twice or value.kind != "string":
        raise Refused("invalid_field")
    text = decode_string(value.raw)
    if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise Refused("invalid_field")
    return text


def other_columns(record, members, fields, twice):
    def get(name):
        if name in twice:
            raise Refused("invalid_field")
        value = fields.get(name)
        return None if value is None or value.kind == "null" else value

    name = get("event_name")
    if name is None:
        raise Refused("missing_field")
    event_name = decoded_text(name)
    if not 1 <= len(event_name.encode()) <= MAX_EVENT_NAME_BYTES:
        raise Refused("invalid_field")
    event_id = get("event_id")
    columns = {
        "event_name": event_name,
        "event_id": None if event_id is None else matching(UUID_FORM, decoded_text(event_id)),
        "user_id": text_or_number(get("user_id")),
        "session_id": text_or_number(get("session_id")),
    }
    stamp = get("timestamp")
    columns["event_timestamp"] = record.timestamp_ms if stamp is None else milliseconds(stamp)
    properties = get("event_properties")
    if properties is not None and properties.kind != "object":
        raise Refused("invalid_field")
    columns["event_properties"] = "{}" if properties is None else properties.raw.decode()
    extra = [raw_name + b":" + value.raw for decoded, raw_name, value in members if decoded not in KNOWN]
    columns["extra_fields"] = (b"{" + b",".join(extra) + b"}").decode()
    columns["received_at"] = record.timestamp_ms
    check_range(columns["event_timestamp"], record.timestamp_ms)
    return columns


def text_or_number(value):
    if value is None:
        return ""
    return value.raw.decode() if value.kind == "number" else decoded_text(value)


def milliseconds(value):
    """Milliseconds since 1970. Digits beyond the millisecond are cut, not rounded."""
    if value.kind == "number":
        number = Decimal(value.raw.decode())
        if abs(number) >= Decimal(10) ** 18:
            return 10**18 if number > 0 else -(10**18)
        if number < 0 and number != int(number):
            raise Unspecified("which way a negative fraction is cut")
        return int(number * 1000) if number < Decimal(10) ** 11 else int(number)
    text = decoded_text(value)
    match = RFC3339.fullmatch(text)
    if match is None:
        if re.fullmatch(RFC3339.pattern, text.upper().replace(" ", "T"), re.ASCII):
            raise Unspecified("RFC 3339 permits a lower-case t and z and a space, and leaves it to applications")
        raise Refused("invalid_field")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if second == 60 or year == 0:
        raise Unspecified("a leap second, or the year 0")
    zone = timedelta(0)
    if match[8] != "Z":
        if int(match[8][1:3]) > 23 or int(match[8][4:6]) > 59:
            raise Refused("invalid_field")
        zone = timedelta(hours=int(match[8][1:3]), minutes=int(match[8][4:6])) * (-1 if match[8][0] == "-" else 1)
    try:
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError:
        raise Refused("invalid_field") from None
    whole = (moment - datetime(1970, 1, 1)) - zone
    return (whole.days * 86_400 + whole.seconds) * 1000 + int((match[7] or "")[:3].ljust(3, "0"))


def check_range(event_ms, record_ms):
    """Five years back, one day ahead. Whether a year is a calendar's or 365.25 days is left open: within three days
    of that edge nothing is claimed. Beyond what the columns hold no time is in range, the record's own included."""
    if event_ms not in STORABLE_MS or record_ms not in STORABLE_MS:
        raise Refused("timestamp_out_of_range")
    record = datetime.fromtimestamp(record_ms // 1000, timezone.utc).replace(day=1)
    day = datetime.fromtimestamp(record_ms // 1000, timezone.utc).day
    earliest = int((record.replace(year=record.year - 5) + timedelta(days=day - 1)).timestamp()) * 1000
    if abs(event_ms - earliest) <= 3 * DAY_MS:
        raise Unspecified("the edge five years back")
    if not earliest <= event_ms <= record_ms + DAY_MS:
        raise Refused("timestamp_out_of_range")
