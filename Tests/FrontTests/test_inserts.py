"""Inserts: every way in, and nothing from a body that is cut short or refused."""

import gzip
import http.client
import json
import threading
import zlib

import lz4.frame
import pytest
import zstandard
from conftest import AUTHENTICATION, PASSWORD, USER, wait_until

ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "lz4": lz4.frame.compress,
}
INSERT = "INSERT INTO default.t FORMAT Native"


@pytest.fixture
def block(front):
    """500 rows in Native, as the engine writes them."""
    return front.post("SELECT number AS x, repeat('s', 50) AS s FROM numbers(500) FORMAT Native").body


@pytest.mark.parametrize("query, body", [
    ("INSERT INTO default.t FORMAT JSONEachRow", '{"x": 1, "s": "a"}\n{"x": 2, "s": "b"}'),
    ("INSERT INTO default.t (s, x) FORMAT CSV", '"a",1\n"b",2\n'),
    ("INSERT INTO default.t VALUES", "(1, 'a'), (2, concat('', 'b'))"),
    ("INSERT INTO default.t VALUES (1, 'a')", ", (2, 'b')"),
    ("INSERT INTO default.t FORMAT Values (1, 'a')", ", (2, 'b')"),
    ("INSERT INTO default.t SETTINGS max_block_size = 1 FORMAT TSV", "1\ta\n2\tb\n"),
    ("INSERT INTO default.t (x, s)", "VALUES (1, 'a'), (2, 'b')"),
    ("-- SELECT\ninsert into table default.`t` format TabSeparated", "1\ta\n2\tb\n"),
    ("INSERT INTO {d:Identifier}.{t:Identifier} (`x`, `s`) FORMAT TSV", "1\ta\n2\tb\n"),
    ("INSERT INTO default.t SELECT number + 1 AS x, ['a', 'b'][x] FROM numbers(2)", ""),
    ("INSERT INTO default.t (SELECT number + 1 AS x, ['a', 'b'][x] FROM numbers(2))", ""),
])
def test_statement_in_url_in_body_or_in_both(front, table, query, body):
    parameters = {"param_d": "default", "param_t": "t"}
    replies = [front.post(body, query=query, **parameters), front.post(query + "\n" + body, **parameters)]
    for reply in replies:
        assert reply.status == 200, reply.body
        assert reply.summary["written_rows"] == "2"
    assert front.sql("SELECT DISTINCT x, s FROM default.t ORDER BY x") == "1\ta\n2\tb"


def test_table_named_like_a_keyword(front):
    front.sql("CREATE TABLE IF NOT EXISTS default.format (values String) ENGINE = Memory")
    assert front.post("a\n", query="INSERT INTO default.format (values) FORMAT TSV").status == 200
    assert front.sql("SELECT * FROM default.format") == "a"


def test_data_that_looks_like_a_statement(front, table, count):
    assert front.post("INSERT INTO default.t FORMAT TSV\n1\t; DROP TABLE t -- '\n2\tFORMAT CSV\n").status == 200
    assert front.sql("SELECT s FROM default.t ORDER BY x") == "; DROP TABLE t -- \\'\nFORMAT CSV"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("encoding", [None, *ENCODERS])
def test_encodings(front, table, count, block, encoding, chunked):
    body = ENCODERS[encoding](block) if encoding else block
    headers = {"Content-Encoding": encoding} if encoding else {}
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
        body = [body[start:start + 97] for start in range(0, len(body), 97)]
    reply = front.post(body, headers, encode_chunked=chunked, query=INSERT)
    assert reply.status == 200, reply.body
    assert count() == 500 and reply.summary["written_rows"] == "500"


@pytest.mark.parametrize("encoding", ENCODERS)
def test_several_frames_are_one_body(front, table, count, block, encoding):
    assert front.post(ENCODERS[encoding](block[:1000]) + ENCODERS[encoding](block[1000:]),
                      {"Content-Encoding": encoding}, query=INSERT).status == 200
    assert count() == 500


@pytest.mark.parametrize("kept", [1, 10, 0.5, -1])
@pytest.mark.parametrize("encoding", ENCODERS)
def test_truncated_encoding_inserts_nothing(front, table, count, block, encoding, kept):
    whole = ENCODERS[encoding](block)
    cut = whole[:int(len(whole) * kept)] if isinstance(kept, float) else whole[:kept]
    for query in (INSERT, "INSERT INTO default.t (s) FORMAT LineAsString"):
        reply = front.post(cut, {"Content-Encoding": encoding}, query=query)
        assert (reply.status, reply.code) == (400, 117), reply.body
    assert count() == 0


@pytest.mark.parametrize("encoding", ENCODERS)
def test_damaged_and_unknown_encoding(front, table, count, encoding):
    assert front.post(b"this is nothing compressed", {"Content-Encoding": encoding}, query=INSERT).code == 117
    assert front.post(b"", {"Content-Encoding": "br"}, query=INSERT).code == 48
    assert count() == 0


@pytest.mark.parametrize("framing", ["length", "chunk", "between chunks", "before the last chunk"])
@pytest.mark.parametrize("format", ["Native", "TSV"])
def test_connection_lost_inside_the_body_inserts_nothing(front, table, count, block, framing, format):
    data = block if format == "Native" else b"1\ta\n" * 500
    headers = (f"POST /?query=INSERT+INTO+default.t+FORMAT+{format} HTTP/1.1\r\nHost: x\r\n"
               f"X-ClickHouse-User: {USER}\r\nX-ClickHouse-Key: {PASSWORD}\r\n")
    with front.raw() as raw:
        if framing == "length":
            raw.sendall(headers.encode() + b"Content-Length: %d\r\n\r\n" % (len(data) + 1) + data)
        else:
            raw.sendall(headers.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
            raw.sendall({"chunk": b"%x\r\n" % (len(data) + 1) + data,
                         "between chunks": b"%x\r\n" % len(data) + data,
                         "before the last chunk": b"%x\r\n" % len(data) + data + b"\r\n"}[framing])
        raw.shutdown(1)
        assert raw.recv(1) == b""
    wait_until(lambda: front.sql("SELECT count() FROM system.processes") == "1")
    assert count() == 0


def test_half_a_block_in_a_whole_body_inserts_nothing(front, table, count, block):
    for data in (block[:-1], block + block[:-1], block + b"\x01"):
        assert front.post(data, query=INSERT).code is not None
    assert front.post('{"x": 1}\n{"x": 2', query="INSERT INTO default.t FORMAT JSONEachRow").code is not None
    assert count() == 0


def test_constraint_refuses_the_whole_insert(front, table, count):
    for query in ("SELECT if(number = 499, 1000, number) AS x, '' AS s FROM numbers(500) FORMAT Native",
                  "SELECT number + 600 AS x, '' AS s FROM numbers(500) FORMAT JSONEachRow"):
        data = front.post(query).body
        reply = front.post(data, query="INSERT INTO default.t FORMAT " + query.split()[-1])
        assert (reply.status, reply.code) == (500, 469)
        assert reply.body.count(b"DB::Exception") == 1 and b"/proc/" not in reply.body
    assert count() == 0


def test_an_error_behind_the_parser_is_an_error(front, table, count, block):
    front.sql("CREATE MATERIALIZED VIEW default.v ENGINE = Memory AS SELECT throwIf(x = 499) AS y FROM default.t")
    try:
        assert front.post(block, query=INSERT).code == 395
    finally:
        front.sql("DROP TABLE default.v")


@pytest.mark.parametrize("query, code", [("INSERT INTO default.nowhere FORMAT Native", 60),
                                         ("INSERT INTO nowhere.t FORMAT Native", 81),
                                         ("INSERT INTO default.t (y) FORMAT Native", 16),
                                         ("INSERT INTO default.t FORMAT Nope", 73)])
def test_destination_errors(front, table, block, query, code):
    assert front.post(block, query=query).code == code


def test_token_makes_a_repeated_insert_do_nothing(front, table, count, block):
    other = front.post("SELECT 7 AS x, '' AS s FORMAT Native").body
    for token, data, expected in (("a", block, 500), ("a", block, 500), ("b", block, 1000),
                                  # Other rows under a known token are dropped too, and the reply is a success.
                                  ("a", other, 1000), ("c", other, 1001)):
        reply = front.post(data, query=INSERT, insert_deduplication_token=token, insert_deduplicate="1")
        assert reply.status == 200
        assert count() == expected
    # Without a token the rows themselves are one, and ClickHouse 26 heeds insert_deduplicate no longer by itself.
    for expected in (1002, 1003):
        front.post(other, query=INSERT, deduplicate_insert="disable")
        assert count() == expected


def test_rows_of_an_insert_are_one_part(front, table, block):
    front.post(block, query=INSERT)
    assert front.sql("SELECT count(), sum(rows) FROM system.parts WHERE table = 't' AND active") == "1\t500"


def test_missing_columns_get_their_defaults(front):
    front.sql("CREATE TABLE IF NOT EXISTS default.d (a UInt8, b UInt8 DEFAULT a + 1, c LowCardinality(String)) "
              "ENGINE = Memory")
    # The column of low cardinality comes as plain strings.
    data = front.post("SELECT toUInt8(1) AS a, 'x' AS c FORMAT Native").body
    assert front.post(data, query="INSERT INTO default.d (a, c) FORMAT Native").status == 200
    assert front.sql("SELECT * FROM default.d") == "1\t2\tx"


def test_several_inserts_at_once(front, table, count, block):
    failures = []

    def insert(number: int) -> None:
        for turn in range(5):
            reply = front.post(block, query=INSERT, insert_deduplication_token=f"{number}-{turn}")
            if reply.status != 200:
                failures.append(reply.body)

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and count() == 8 * 5 * 500


def test_a_client_that_leaves_does_not_cancel_its_insert(front, table, count, block):
    front.order(do="delay", seconds=60)
    connection = http.client.HTTPConnection("127.0.0.1", front.port)
    connection.request("POST", "/?query_id=left&query=INSERT+INTO+default.t+FORMAT+Native", block, AUTHENTICATION)
    running = "SELECT count() FROM system.processes WHERE startsWith(query_id, {prefix:String})"
    wait_until(lambda: front.sql(running, param_prefix="left") == "1")
    connection.close()
    assert count() == 0 and front.sql(running, param_prefix="left") == "1"
    front.request("DELETE", "/faults", headers=AUTHENTICATION)
    wait_until(lambda: front.sql(running, param_prefix="left") == "0")
    assert count() == 500


def test_faults(front, table, count, block):
    front.request("DELETE", "/faults", headers=AUTHENTICATION)
    front.order(do="refuse", code=242, contains="default.t", count=2)
    assert [front.post(block, query=INSERT).code for _ in range(3)] == [242, 242, None]
    assert count() == 500
    front.order(do="drop_reply")
    with pytest.raises(http.client.RemoteDisconnected):
        front.post(block, query=INSERT, insert_deduplication_token="x")
    assert count() == 1000
    front.order(do="close")
    with pytest.raises(http.client.RemoteDisconnected):
        front.post(block, query=INSERT, insert_deduplication_token="y")
    assert count() == 1000
    orders = json.loads(front.get("/faults", AUTHENTICATION).body)
    assert [(order["do"], order["done"]) for order in orders] == [("refuse", 2), ("drop_reply", 1), ("close", 1)]
    assert front.post('{"do": "dance"}', path="/faults").code == 36
    assert front.post('{"do": "refuse", "code": 1, "nope": 1}', path="/faults").code == 36
    assert front.get("/faults").code == 516
