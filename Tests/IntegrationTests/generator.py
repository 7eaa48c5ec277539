"""Records of every kind that the payload contract speaks of, from a seed: what a kind is meant to become is said beside
it, and `reference.judge` says it again from the bytes (test_reference.py holds the two together)."""

import json
import random
import uuid
from dataclasses import dataclass

from reference import DAY_MS

KINDS = {}
"""Name of the kind to (meant outcome, maker); the outcome is "row" or a reason."""


@dataclass(frozen=True)
class Sample:
    kind: str
    value: bytes | None
    key: bytes | None = None
    headers: tuple = ()
    timestamp_ms: int = 0


def kind(outcome):
    def register(maker):
        KINDS[maker.__name__] = (outcome, maker)
        return maker

    return register


class Make:
    """One sample under construction: a client, its key's hash, a clock, and a source of chance."""

    def __init__(self, rng, client, now_ms):
        self.rng = rng
        self.client = client
        self.now_ms = now_ms - rng.randrange(3600_000)
        self.headers = ()

    def fields(self, **more):
        return {
            "client_id": self.client.client_id,
            "api_key_hash": self.client.api_key_hash,
            "event_name": self.rng.choice(["page_view", "purchase", "session_start", "größe_gewählt", "ページ"]),
            "user_id": f"user-{self.rng.randrange(10_000)}",
            "session_id": str(uuid.UUID(int=self.rng.getrandbits(128))),
            "event_properties": {"url": f"/p/{self.rng.randrange(100)}", "price": self.rng.randrange(10**6) / 100},
        } | more

    def dump(self, members):
        """Half of the time with escapes for all that is not ASCII; always so for lone surrogates, which have no UTF-8."""
        text = json.dumps(members, separators=(",", ":"), ensure_ascii=self.rng.random() < 0.5)
        try:
            return text.encode()
        except UnicodeEncodeError:
            return json.dumps(members, separators=(",", ":")).encode()

    def event(self, *without, **more):
        return self.dump({name: value for name, value in self.fields(**more).items() if name not in without})

    def members(self, text, *without):
        """An event with `text`, raw JSON members, at a random place among the others."""
        parts = [
            f"{json.dumps(name)}:{json.dumps(value)}" for name, value in self.fields().items() if name not in without
        ]
        parts.insert(self.rng.randrange(len(parts) + 1), text)
        return ("{" + ",".join(parts) + "}").encode()

    def credential_headers(self):
        self.headers = (
            ("client_id", self.client.client_id.encode()),
            ("api_key_hash", self.client.api_key_hash.encode()),
        )


# Kinds that become rows.


@kind("row")
def plain(make):
    return make.event()


@kind("row")
def with_event_id(make):
    return make.event(event_id=str(uuid.UUID(int=make.rng.getrandbits(128))).upper())


@kind("row")
def only_what_is_required(make):
    return make.event("user_id", "session_id", "event_properties")


@kind("row")
def nulls_are_missing(make):
    return make.event(user_id=None, session_id=None, event_properties=None, event_id=None, timestamp=None)


@kind("row")
def upper_case_credentials(make):
    return make.event(client_id=make.client.client_id.upper(), api_key_hash=make.client.api_key_hash.upper())


@kind("row")
def credentials_in_headers(make):
    make.credential_headers()
    return make.event("client_id", "api_key_hash")


@kind("row")
def credentials_in_both(make):
    make.credential_headers()
    return make.event(client_id=make.client.client_id.upper())


@kind("row")
def headers_help_a_null_body(make):
    make.credential_headers()
    return make.event(client_id=None, api_key_hash=None)


@kind("row")
def one_header_is_ignored(make):
    make.headers = (make.rng.choice([("client_id", b"not a uuid"), ("api_key_hash", b"zz")]),)
    return make.event()


@kind("row")
def numbers_as_ids(make):
    return make.members('"user_id": 12345678901234567890123, "session_id":-1.50e+03', "user_id", "session_id")


@kind("row")
def escaped_keys(make):
    fields = make.fields()
    fields["client\\u005fid"] = fields.pop("client_id")
    fields["event_\\u006eame"] = fields.pop("event_name")
    return make.dump(fields).replace(b"\\\\u", b"\\u")


@kind("row")
def extra_fields_keep_order_and_bytes(make):
    return make.members('"zulu":1e400,"alpha":{"b" : [1, 2 ,null]},"z\\u0065ta":"\\ud800","alpha":-0.0,"":true')


@kind("row")
def properties_keep_their_bytes(make):
    return make.members('"event_properties":{ "a" :1.000, "a":1E+2,\t"\\u00e9":"\\udfff\\/"}', "event_properties")


@kind("row")
def white_space_around(make):
    return b" \r\n\t" + make.event() + b"\n \t\r"


@kind("row")
def timestamp_iso(make):
    return make.event(timestamp=make.rng.choice(stamps(make.now_ms)))


@kind("row")
def timestamp_number(make):
    seconds = make.now_ms // 1000
    return make.members(
        '"timestamp":' + make.rng.choice(
            [str(seconds), f"{seconds}.25", f"{seconds}.123999", str(make.now_ms), f"{make.now_ms}.9",
             f"{seconds // 1000}.{seconds % 1000:03}e3", f"{make.now_ms}E0"]))


@kind("row")
def timestamp_at_the_edge_ahead(make):
    return make.event(timestamp=make.now_ms + DAY_MS)


@kind("row")
def longest_event_name(make):
    return make.event(event_name=make.rng.choice(["n" * 256, "é" * 128, "😀" * 64]))


@kind("row")
def text_of_every_length(make):
    return make.event(
        user_id="a\u0000b\u007f\u0080߿ࠀ\uffff\U00010000\U0010ffff", session_id='"\\/\b\f\n\r\t', event_name="\u0000")


@kind("row")
def nested_512(make):
    return make.members('"event_properties":{"a":' + "[" * 510 + "]" * 510 + "}", "event_properties")


@kind("row")
def router_headers_mean_nothing(make):
    make.headers = (
        ("router.reason", b"malformed_json"), ("router.origin.offset", b"7"), ("router.client_id", b"somebody"),
        ("router.attempt", b"9"), ("__connect.errors.offset", b"1"),
    )
    return make.event()


@kind("row")
def odd_headers(make):
    make.headers = (("trace", b"\x00\xff"), ("trace", None), ("trace", b""), ("é", "é".encode()))
    return make.event()


# Kinds that become dead letters.


@kind("empty_payload")
def tombstone(make):
    return None


@kind("empty_payload")
def nothing(make):
    return make.rng.choice([b"", b" ", b"\t\r\n "])


@kind("malformed_json")
def malformed(make):
    event = make.event()
    return make.rng.choice([
        event[:-1], event + b"x", event + event, b"\xef\xbb\xbf" + event, event.replace(b":", b"=", 1), b"{'a':1}",
        event[:-1] + b",}", b"[1,]", b"nul", b"01", b"1.", b"+1", b".5", b"NaN", b"-Infinity", b"1e", b'"\\x"', b'"\t"',
        b'{"a":"\xc0\x80"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xf4\x90\x80\x80"}', b'{"a":"\xff"}', b'{"a":"\xe2\x82"}',
        b'{"a":"\\ud8"}', b"\x00", b"{" * 600, b"\x0c" + event, b"\xc2\xa0" + event, b'{"a":1 "b":2}', b'{"a"}', b"{1:2}",
        b"/**/{}", b'"\\u 123"', b"tru", b"truefalse", b"{}{}", b"]", b'{"a":}', b"-", b"--1", b"0x10", b"1_000",
    ])


@kind("malformed_json")
def nested_513(make):
    return make.members('"deep":' + "[" * 512 + "]" * 512)


@kind("not_an_object")
def not_an_object(make):
    return make.rng.choice(
        [b"[]", b"1", b'"{}"', b"true", b"null", b" -0.0e-7 ", b"[" + make.event() + b"]", b"1e400", b'"\\ud800"',
         b"[" * 512 + b"]" * 512])


@kind("missing_field")
def credential_missing(make):
    return make.rng.choice([
        make.event("client_id"), make.event("api_key_hash"), make.event(client_id=None), make.event(api_key_hash=None),
        make.event("client_id", api_key_hash="not hex"), make.event("client_id", "event_name"), b"{}",
    ])


@kind("missing_field")
def one_header_does_not_help(make):
    make.headers = (("client_id", make.client.client_id.encode()),)
    return make.event("client_id")


@kind("missing_field")
def event_name_missing(make):
    return make.rng.choice([make.event("event_name"), make.event(event_name=None, user_id=[], timestamp="x")])


@kind("invalid_field")
def credential_invalid(make):
    ours = make.client
    return make.rng.choice([
        make.event(client_id=ours.client_id.replace("-", "")), make.event(client_id="{" + ours.client_id + "}"),
        make.event(client_id=7), make.event(client_id=""), make.event(client_id=" " + ours.client_id),
        make.event(api_key_hash=ours.api_key_hash[:-1]), make.event(api_key_hash=ours.api_key_hash + "0"),
        make.event(api_key_hash="g" * 64), make.event(api_key_hash=[ours.api_key_hash]), make.event(client_id="\ud800"),
        make.event(client_id=ours.client_id + "\n"), make.event(client_id=True, event_name=None),
    ])


@kind("invalid_field")
def credential_twice(make):
    name = make.rng.choice(["client_id", "api_key_hash", "client\\u005fid"])
    value = make.client.api_key_hash if name == "api_key_hash" else make.client.client_id
    return make.members(f'"{name}":"{value}"')


@kind("invalid_field")
def credential_header_twice(make):
    make.credential_headers()
    make.headers += (make.headers[make.rng.randrange(2)],)
    return make.event("client_id", "api_key_hash")


@kind("invalid_field")
def credentials_disagree(make):
    make.credential_headers()
    return make.rng.choice([
        make.event(client_id=str(uuid.UUID(int=make.rng.getrandbits(128)))), make.event(api_key_hash="0" * 64),
        make.event(client_id=12), make.event(api_key_hash="short"),
    ])


@kind("invalid_field")
def credential_header_invalid(make):
    make.headers = (("client_id", b"\xff\xfe"), ("api_key_hash", make.client.api_key_hash.encode()))
    return make.event()


@kind("invalid_field")
def other_field_invalid(make):
    deep = {"event_name": None}
    return make.rng.choice([
        make.event(event_name=""), make.event(event_name=5), make.event(event_name="n" * 257),
        make.event(event_name="é" * 129), make.event(event_name="\udc00"), make.event(event_id="1234"),
        make.event(event_id=5), make.event(user_id=True), make.event(user_id=[1]), make.event(user_id={}),
        make.event(session_id=False), make.event(session_id="a\ud83d"), make.event(event_properties=[]),
        make.event(event_properties="{}"), make.event(event_properties=1), make.event(timestamp=True),
        make.event(timestamp=deep), make.event(user_id=[], timestamp=1),
    ])


@kind("invalid_field")
def field_twice(make):
    return make.members(make.rng.choice([
        '"user_id":"again"', '"session_id":null', '"event_name":"again"', '"event_\\u0070roperties":{}',
        '"\\u0075ser_id":"again"',
    ]))


@kind("invalid_field")
def timestamp_form(make):
    return make.event(timestamp=make.rng.choice([
        "2024-05-01", "2024-05-01T10:00:00", "yesterday", "", "2024-13-01T00:00:00Z", "2023-02-29T00:00:00Z",
        "2024-05-01T24:00:00Z", "2024-05-01T10:60:00Z", "2024-05-01T10:00Z", "2024-05-01T10:00:00.Z", "20240501T100000Z",
        "2024-05-01T10:00:00+0200", "2024-05-01T10:00:00+24:00", "1714557600", " 2024-05-01T10:00:00Z",
        "2024-05-01T10:00:00Z ", "2024-5-1T10:00:00Z", "2024-05-01T10:00:00,5Z", "2024-05-01T10:00:00+02:60",
        "2024-W18-3T10:00:00Z", "２０２４-05-01T10:00:00Z",
    ]))


@kind("timestamp_out_of_range")
def out_of_range(make):
    choice = make.rng.choice([
        make.now_ms + DAY_MS + 1, make.now_ms - 6 * 366 * DAY_MS, "9999-12-31T23:59:59Z", "1999-12-31T23:59:59.999Z", 0,
        1, -5, 10**11, 99_999_999_999, 10**30, -(10**30), "0001-01-01T00:00:00Z",
    ])
    return make.event(timestamp=choice)


@kind("timestamp_out_of_range")
def out_of_range_by_exponent(make):
    return make.members('"timestamp":' + make.rng.choice(["1e400", "-1e400", "1e-400", "1E11", "9.99e10"]))


@kind("unknown_client")
def unknown_client(make):
    return make.event("event_name", client_id=str(uuid.UUID(int=make.rng.getrandbits(128))), api_key_hash="0" * 64)


@kind("invalid_api_key")
def wrong_key(make):
    last = "1" if make.client.api_key_hash[-1] != "1" else "2"
    return make.event(api_key_hash=make.client.api_key_hash[:-1] + last, event_name="")


def stamps(now_ms):
    """The same moment, or close to it, in the forms that RFC 3339 allows."""
    from datetime import datetime, timedelta, timezone

    moment = datetime.fromtimestamp(now_ms // 1000, timezone.utc)
    east, west = moment + timedelta(hours=5, minutes=30), moment - timedelta(hours=8)
    form = "%Y-%m-%dT%H:%M:%S"
    return [
        moment.strftime(form) + "Z", moment.strftime(form) + ".1Z", moment.strftime(form) + ".1239999999999999999999Z",
        moment.strftime(form) + "+00:00", moment.strftime(form) + "-00:00", east.strftime(form) + ".999+05:30",
        west.strftime(form) + ".05-08:00", moment.strftime("%Y-02-28T23:59:59.999Z")
        if moment.month > 2 else moment.strftime(form) + "Z",
    ]


def make_sample(rng, name, client, now_ms):
    make = Make(rng, client, now_ms)
    value = KINDS[name][1](make)
    key = rng.choice([None, b"", client.client_id.encode(), b"\x00key\xff"])
    return Sample(name, value, key, make.headers, make.now_ms)


def samples(seed, clients, count, now_ms, bad_share=0.2, kinds=None):
    """`count` samples over `clients`; about `bad_share` of them are meant to be dead letters."""
    rng = random.Random(seed)
    good = [name for name, (outcome, _) in KINDS.items() if outcome == "row" and (not kinds or name in kinds)]
    bad = [name for name, (outcome, _) in KINDS.items() if outcome != "row" and (not kinds or name in kinds)]
    for _ in range(count):
        pool = bad if bad and (not good or rng.random() < bad_share) else good
        yield make_sample(rng, rng.choice(pool), rng.choice(clients), now_ms)


def every_kind(seed, clients, now_ms, each):
    """`each` samples of every kind, shuffled."""
    rng = random.Random(seed)
    made = [make_sample(rng, name, rng.choice(clients), now_ms) for name in KINDS for _ in range(each)]
    rng.shuffle(made)
    return made
