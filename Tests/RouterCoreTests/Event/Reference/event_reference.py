#!/usr/bin/env python3
"""Judges events by the payload contract, independently of the router, and compares with its verdicts.

Reads JSON lines (one case each, with the router's verdict) from standard input and prints one JSON document: how many
cases there were, how many of them valid JSON and accepted, how often each reason was given, and the first disagreements.

Python's json is the reference for the grammar. Its differences from RFC 8259 are taken out: NaN and Infinity are
refused, bytes are decoded as strict UTF-8 first, numbers stay text. Nesting is counted here.
"""

import calendar
import datetime
import hashlib
import json
import re
import struct
import sys
import uuid
from base64 import b64decode
from fractions import Fraction

sys.setrecursionlimit(20000)
sys.set_int_max_str_digits(0)

MAX_DEPTH = 512
DAY = 86_400_000
# What DateTime64(3) holds.
START_1900, START_2300 = -2_208_988_800_000, 10_413_792_000_000
KNOWN = ["client_id", "api_key_hash", "event_name", "event_id", "user_id", "session_id", "timestamp", "event_properties"]
UUID_FORM = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
HASH_FORM = re.compile(r"[0-9a-fA-F]{64}")
TIME_FORM = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))")


class Refused(Exception):
    pass


class Number(str):
    """A JSON number, as its text."""


class Members(list):
    """A JSON object, as a list of keys and values."""


def no_constant(name):
    raise ValueError(name)


DECODER = json.JSONDecoder(
    parse_int=Number, parse_float=Number, parse_constant=no_constant, object_pairs_hook=Members)
SPACE = re.compile(r"[ \t\n\r]*")


def depth(value):
    deepest, open_values = 0, [(value, 1)]
    while open_values:
        value, level = open_values.pop()
        if isinstance(value, Members):
            open_values += [(member, level + 1) for _, member in value]
        elif isinstance(value, list):
            open_values += [(member, level + 1) for member in value]
        else:
            continue
        deepest = max(deepest, level)
    return deepest


def parse(payload):
    """The value of the whole document, and its text."""
    try:
        text = payload.decode("utf-8")
        start = SPACE.match(text).end()
        value, end = DECODER.raw_decode(text, start)
        if SPACE.match(text, end).end() != len(text) or text.startswith("\ufeff"):
            raise Refused("malformed_json")
    except (ValueError, RecursionError):
        raise Refused("malformed_json") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and depth(value) > MAX_DEPTH:
        raise Refused("malformed_json")
    return value, text


def spans(text):
    """The members of a valid object: key, value, the key's text, the value's text."""
    at = SPACE.match(text, SPACE.match(text).end() + 1).end()
    while text[at] != "}":
        key, end = json.decoder.scanstring(text, at + 1, True)
        key_text = text[at:end]
        at = SPACE.match(text, SPACE.match(text, end).end() + 1).end()
        value, end = DECODER.raw_decode(text, at)
        yield key, value, key_text, text[at:end]
        at = SPACE.match(text, end).end()
        if text[at] == ",":
            at = SPACE.match(text, at + 1).end()


def as_text(value):
    """The UTF-8 bytes of a string field."""
    if isinstance(value, Number) or not isinstance(value, str):
        raise Refused("invalid_field")
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError:
        raise Refused("invalid_field") from None


def as_form(form, value):
    text = as_text(value).decode("utf-8")
    if not form.fullmatch(text):
        raise Refused("invalid_field")
    return text.lower()


def day_number(year, month, day):
    """Days since 1970-01-01. Python has the years 1 to 9999 only; the calendar repeats every 400 years."""
    in_cycle = datetime.date(2000 + year % 400, month, day).toordinal() - datetime.date(1970, 1, 1).toordinal()
    return in_cycle + (year // 400 - 5) * 146_097


def days_in_month(year, month):
    return calendar.monthrange(2000 + year % 400, month)[1]


def rfc3339(text):
    match = TIME_FORM.fullmatch(text)
    if not match:
        raise Refused("invalid_field")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, zone_hours, zone_minutes = match.groups()[6:]
    if not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 60 or int(zone_hours or 0) > 23 or int(zone_minutes or 0) > 59:
        raise Refused("invalid_field")
    if not 1 <= day <= days_in_month(year, month):
        raise Refused("invalid_field")
    offset = (int(zone_hours or 0) * 60 + int(zone_minutes or 0)) * (-1 if sign == "-" else 1)
    minutes = (day_number(year, month, day) * 24 + hour) * 60 + minute - offset
    if second == 60:
        # A leap second is the last one of a month in UTC: the next minute is the first of a first day.
        first_days = {day_number(year + years, months, 1) for years in (-1, 0, 1) for months in range(1, 13)}
        if (minutes + 1) % 1440 or (minutes + 1) // 1440 not in first_days:
            raise Refused("invalid_field")
    return (minutes * 60 + second) * 1000 + int(((fraction or "") + "000")[:3])


def epoch(number):
    """Milliseconds of a number of any size, as exact arithmetic; None when far beyond any range."""
    mantissa, _, exponent = number.lower().partition("e")
    if not mantissa.strip("-0."):
        return 0
    exponent = int(exponent or 0)
    if exponent > 200_000:
        return None
    if exponent < -200_000:
        return 0
    value = Fraction(mantissa) * Fraction(10) ** exponent
    milliseconds = int(value * 1000) if value < 10**11 else int(value)
    return milliseconds if abs(milliseconds) < 10**18 else None


def years_before(milliseconds, years):
    days, rest = divmod(milliseconds, DAY)
    cycles, days = divmod(days, 146_097)
    moment = datetime.date(1970, 1, 1) + datetime.timedelta(days)
    year = moment.year + 400 * cycles - years
    return day_number(year, moment.month, min(moment.day, days_in_month(year, moment.month))) * DAY + rest


def credentials(case, members, twice):
    headers = case.get("clientIDHeader"), case.get("apiKeyHashHeader")
    both_headers = None not in headers
    given = [name in twice or members.get(name) is not None for name in KNOWN[:2]]
    if not both_headers and not all(given):
        raise Refused("missing_field")
    if case["repeatedHeader"]:
        raise Refused("invalid_field")
    found = []
    for name, form, header, is_given in zip(KNOWN, (UUID_FORM, HASH_FORM), headers, given):
        if name in twice:
            raise Refused("invalid_field")
        values = [as_form(form, members[name])] if is_given else []
        if both_headers:
            values.append(as_form(form, header))
        if len(set(values)) != 1:
            raise Refused("invalid_field")
        found.append(values[0])
    return found


def identifier(members, name):
    value = members.get(name)
    if value is None:
        return b""
    return value.encode("utf-8") if isinstance(value, Number) else as_text(value)


def judge(case, payload):
    if payload is None or not payload.strip(b" \t\r\n"):
        raise Refused("empty_payload")
    if len(payload) > case["maxEventBytes"]:
        raise Refused("payload_too_large")
    value, text = parse(payload)
    if not isinstance(value, Members):
        raise Refused("not_an_object")
    members, texts, twice, extra = {}, {}, set(), []
    for key, value, key_text, value_text in spans(text):
        if key not in KNOWN:
            extra.append(key_text + ":" + value_text)
            continue
        if key in members:
            twice.add(key)
        members[key], texts[key] = value, value_text
    client, key_hash = credentials(case, members, twice)

    def once(name):
        if name in twice:
            raise Refused("invalid_field")
        return members.get(name)

    name = once("event_name")
    if name is None:
        raise Refused("missing_field")
    name = as_text(name)
    if not 1 <= len(name) <= 256:
        raise Refused("invalid_field")
    event_id = once("event_id")
    if event_id is not None:
        event_id = as_form(UUID_FORM, event_id)
    else:
        origin = case["topic"].encode() + b"\0" + struct.pack(">iq", case["partition"], case["offset"])
        digest = bytearray(hashlib.sha256(origin).digest()[:16])
        digest[6] = digest[6] & 0x0F | 0x80
        digest[8] = digest[8] & 0x3F | 0x80
        event_id = str(uuid.UUID(bytes=bytes(digest)))
    once("user_id")
    user = identifier(members, "user_id")
    once("session_id")
    session = identifier(members, "session_id")
    timestamp, record = once("timestamp"), case.get("timestamp")
    if timestamp is None:
        if record is None:
            raise Refused("missing_field")
        milliseconds, low, high = record, record, record
    else:
        milliseconds = epoch(timestamp) if isinstance(timestamp, Number) else rfc3339(as_text(timestamp).decode("utf-8"))
        low, high = (years_before(record, 5), record + DAY) if record is not None else (946_684_800_000, 4_133_980_799_999)
    properties = once("event_properties")
    if properties is not None and not isinstance(properties, Members):
        raise Refused("invalid_field")
    storable = all(START_1900 <= each < START_2300 for each in (milliseconds, record) if each is not None)
    if milliseconds is None or not low <= milliseconds <= high or not storable:
        raise Refused("timestamp_out_of_range")
    return {
        "client": client,
        "keyHash": key_hash,
        "eventID": event_id,
        "eventName": name,
        "userID": user,
        "sessionID": session,
        "timestamp": milliseconds,
        "eventProperties": texts["event_properties"].encode("utf-8") if properties is not None else b"{}",
        "extraFields": ("{" + ",".join(extra) + "}").encode("utf-8"),
    }


def main():
    cases = valid = accepted = disagreements = 0
    reasons, shown = {}, []
    bytes_fields = ("eventName", "userID", "sessionID", "eventProperties", "extraFields")
    for line in sys.stdin:
        case = json.loads(line)
        payload = None if case.get("value") is None else b64decode(case["value"])
        router = case.get("event") or case.get("reason")
        if isinstance(router, dict):
            for name in bytes_fields:
                router[name] = b64decode(router[name])
        try:
            expected = judge(case, payload)
            accepted += 1
        except Refused as refused:
            expected = str(refused)
            reasons[expected] = reasons.get(expected, 0) + 1
        cases += 1
        valid += expected not in ("malformed_json", "empty_payload", "payload_too_large")
        if router != expected:
            disagreements += 1
            if len(shown) < 10:
                shown.append(f"{payload!r:.2000} headers {case.get('clientIDHeader')}, {case.get('apiKeyHashHeader')}: "
                             f"router {router}, reference {expected}")
    json.dump({"cases": cases, "validJSON": valid, "accepted": accepted, "reasons": reasons,
               "disagreements": disagreements, "shown": shown}, sys.stdout)


main()
