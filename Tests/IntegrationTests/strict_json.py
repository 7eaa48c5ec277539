"""RFC 8259 read to the letter, with the bytes of every value kept. Python's own `json` takes NaN, forgets the text of
numbers and merges repeated keys, so it can only stand beside this (see test_reference.py)."""

import re
from dataclasses import dataclass, field

MAX_DEPTH = 512
SPACE = re.compile(rb"[ \t\r\n]*")
NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
LITERALS = {b"true": "true", b"false": "false", b"null": "null"}
SHORT_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "/": "/"}
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\(.)", re.DOTALL)


class Malformed(Exception):
    pass


@dataclass
class Value:
    kind: str
    """object, array, string, number, true, false or null."""
    raw: bytes
    members: list = field(default_factory=list)
    """Of the outermost object only: (decoded name, raw name, Value) in order."""


def parse(data):
    """The one document that `data` holds, white space around it allowed."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8: {error}") from None
    value, position = read(data, skip(data, 0))
    if skip(data, position) != len(data):
        raise Malformed(f"something follows the document at byte {position}")
    return value


def skip(data, position):
    return SPACE.match(data, position).end()


def scalar(data, position):
    """(kind, end) of a string, number or literal."""
    first = data[position : position + 1]
    if first == b'"':
        match = STRING.match(data, position)
        if not match:
            raise Malformed(f"bad string at byte {position}")
        return "string", match.end()
    for word, kind in LITERALS.items():
        if data.startswith(word, position):
            return kind, position + len(word)
    match = NUMBER.match(data, position)
    if not match:
        raise Malformed(f"no value at byte {position}")
    return "number", match.end()


def read(data, start):
    """Reads one value without recursion: the stack holds the closing bytes that are still awaited."""
    kind = {b"{": "object", b"[": "array"}.get(data[start : start + 1])
    if kind is None:
        kind, end = scalar(data, start)
        return Value(kind, data[start:end]), end
    members = []
    awaited = []
    position = start
    pending = None  # the name and the start of an outermost member's value
    while True:
        opening = data[position : position + 1]
        if opening in (b"{", b"["):
            if len(awaited) == MAX_DEPTH:
                raise Malformed(f"nested deeper than {MAX_DEPTH} at byte {position}")
            awaited.append(b"}" if opening == b"{" else b"]")
            position = skip(data, position + 1)
            if data[position : position + 1] != awaited[-1]:
                position, pending = before_value(data, position, awaited, pending)
                continue
            position += 1
            awaited.pop()
        else:
            _, position = scalar(data, position)
        while True:  # a value has just ended: separators and closings follow
            if not awaited:
                return Value(kind, data[start:position], members), position
            if len(awaited) == 1 and kind == "object" and pending is not None:
                raw_name, value_start = pending
                members.append((decode_string(raw_name), raw_name, sliced(data, value_start, position)))
                pending = None
            position = skip(data, position)
            sign = data[position : position + 1]
            if sign == b",":
                position, pending = before_value(data, skip(data, position + 1), awaited, pending)
                break
            if sign != awaited[-1]:
                raise Malformed(f"expected a comma or {awaited[-1].decode()} at byte {position}")
            awaited.pop()
            position += 1


def before_value(data, position, awaited, pending):
    """Inside an object, passes the name and the colon; answers where the value starts."""
    if awaited[-1] != b"}":
        return position, pending
    match = STRING.match(data, position)
    if not match:
        raise Malformed(f"no name at byte {position}")
    colon = skip(data, match.end())
    if data[colon : colon + 1] != b":":
        raise Malformed(f"no colon at byte {colon}")
    value_start = skip(data, colon + 1)
    return value_start, (match.group(), value_start) if len(awaited) == 1 else pending


def sliced(data, start, end):
    raw = data[start:end]
    kinds = {b"{": "object", b"[": "array", b'"': "string", b"t": "true", b"f": "false", b"n": "null"}
    return Value(kinds.get(raw[:1], "number"), raw)


def decode_string(raw):
    """The text of a JSON string; a lone surrogate stays one, a pair becomes its character."""
    text = ESCAPE.sub(
        lambda match: chr(int(match[1], 16)) if match[1] else SHORT_ESCAPES[match[2]], raw[1:-1].decode()
    )
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
