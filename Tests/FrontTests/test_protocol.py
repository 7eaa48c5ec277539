"""Queries, parameters, settings, authentication, formats, errors: what a client of ClickHouse relies on."""

import base64
import http.client
import signal
import urllib.parse

import pytest
from conftest import AUTHENTICATION, PASSWORD, USER, Front


def test_ping_needs_no_password(front):
    for path in ("/ping", "/"):
        reply = front.get(path)
        assert (reply.status, reply.body) == (200, b"Ok.\n")
    assert front.get("/nowhere").status == 404


def test_query_in_url_in_body_and_in_both(front):
    assert front.get("/?query=SELECT+1", AUTHENTICATION).body == b"1\n"
    assert front.post("SELECT 2").body == b"2\n"
    assert front.post("+ 2", query="SELECT 1").body == b"3\n"
    assert front.post("SELECT 4", encode_chunked=True, headers={"Transfer-Encoding": "chunked"}).status == 200
    reply = front.post("")
    assert (reply.status, reply.code) == (400, 62)


def test_parameters_are_escaped_as_clickhouse_escapes_them(front):
    assert front.sql("SELECT {s:String}, {n:UInt8}, {a:Array(String)} FORMAT JSONCompactEachRow", param_s="a\\tb'c",
                     param_n="7", param_a="['x','y']") == '["a\\tb\'c", 7, ["x","y"]]'
    assert front.sql("SELECT {n:Nullable(Int8)}", param_n="\\N") == "\\N"
    reply = front.post("SELECT {missing:String}")
    assert reply.code == 456


def test_any_other_key_is_a_setting_of_this_request_only(front):
    assert front.sql("SELECT getSetting('max_block_size')", max_block_size="123") == "123"
    assert front.sql("SELECT getSetting('max_block_size')") != "123"
    reply = front.post("SELECT 1", no_such_setting="1")
    assert (reply.status, reply.code) == (404, 115)


def test_database_by_url_and_by_header(front):
    front.sql("CREATE DATABASE IF NOT EXISTS `odd \\`name`")
    assert front.sql("SELECT currentDatabase()", database="odd `name") == "odd `name"
    assert front.post("SELECT currentDatabase()", {"X-ClickHouse-Database": "system"}).body == b"system\n"
    reply = front.post("SELECT 1", database="nowhere")
    assert (reply.status, reply.code) == (404, 81)


@pytest.mark.parametrize("way", ["headers", "basic", "url"])
@pytest.mark.parametrize("user, password, right", [(USER, PASSWORD, True), (USER, "wrong", False), (USER, "", False),
                                                   ("other", PASSWORD, False), ("ö", "ä", False)])
def test_three_ways_to_authenticate(front, way, user, password, right):
    headers, path = {}, "/?query=SELECT+1"
    if way == "headers":
        headers = {"X-ClickHouse-User": user.encode(), "X-ClickHouse-Key": password.encode()}
    elif way == "basic":
        headers = {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
    else:
        path += "&" + urllib.parse.urlencode({"user": user, "password": password})
    reply = front.get(path, headers)
    assert (reply.status, reply.code) == ((200, None) if right else (403, 516))
    assert password == "" or password.encode() not in reply.body


def test_no_credentials_and_broken_credentials(front):
    for headers in ({}, {"Authorization": "Basic !!!"}, {"Authorization": "Bearer x"}):
        assert front.get("/?query=SELECT+1", headers).code == 516


def test_formats_out(front):
    reply = front.post("SELECT 1 AS a FORMAT JSONEachRow")
    assert reply.body == b'{"a":1}\n' and reply.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert reply.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert front.post("SELECT 1 AS a", default_format="CSVWithNames").body == b'"a"\n1\n'
    assert front.post("SELECT 1 AS a", {"X-ClickHouse-Format": "JSONCompactEachRow"}).body == b"[1]\n"
    # The clause wins, and is no clause inside a string.
    assert front.post("SELECT ' FORMAT CSV' FORMAT TSV", default_format="JSON").body == b" FORMAT CSV\n"
    # By ClickHouse's documentation of Native: columns, rows, name, type, data.
    assert front.post("SELECT toUInt8(7) AS a FORMAT Native").body == b"\x01\x01\x01a\x05UInt8\x07"
    assert front.post("SELECT 1 FORMAT Nope").code == 73


@pytest.mark.parametrize("query, status, code", [
    ("SELEC 1", 400, 62),
    ("SELEC", 400, 62),
    ("INSERT INTO default.t", 400, 62),
    ("INSERT INTO default.t FORMAT", 400, 62),
    ("INSERT", 400, 62),
    ("SELECT * FROM default.nowhere", 404, 60),
    ("SELECT * FROM nowhere.t", 404, 81),
    ("SELECT nowhere", 404, 47),
    ("SELECT throwIf(1)", 500, 395),
    ("SELECT 1; SELECT 2", 400, 62),
    ("SELECT toDate('x')", 400, 38),
    ("INSERT INTO default.t FROM INFILE '/etc/passwd' FORMAT CSV", 404, 78),
    ("SELECT '\udcff'".encode(errors="surrogateescape"), 400, 62),
])
def test_errors(front, table, query, status, code):
    reply = front.post(query)
    assert (reply.code, reply.status) == (code, status), reply.body
    text = reply.body.decode()
    assert text.startswith(f"Code: {code}. DB::Exception: ") and text.count("DB::Exception") == 1
    assert text.rstrip().endswith("(version 26.9.2.1)")


def test_max_execution_time_ends_a_query(front):
    reply = front.post("SELECT count() FROM numbers(1e12) SETTINGS max_threads = 1", max_execution_time="0.5")
    assert (reply.status, reply.code) == (408, 159)


def test_get_changes_nothing(front, table, count):
    query = urllib.parse.quote("INSERT INTO default.t VALUES (1, '')")
    assert front.get(f"/?query={query}", AUTHENTICATION).code == 164
    assert count() == 0


def test_one_connection_serves_many_requests(front, table):
    connection = front.connection()
    # After a success, after the engine's error, and after large and empty bodies.
    large = b"SELECT '" + b"x" * 100_000 + b"'"
    for body, status in ((b"SELECT 1", 200), (b"SELEC", 400), (b"", 400), (large, 200)) * 3:
        connection.request("POST", "/", body, AUTHENTICATION)
        reply = connection.getresponse()
        reply.read()
        assert reply.status == status
    assert connection.sock is not None
    connection.close()


def test_refused_before_its_body_is_read_the_reply_still_arrives(front):
    reply = front.request("POST", "/?query=INSERT+INTO+t+FORMAT+Native", b"x" * 20_000_000)
    assert (reply.status, reply.code) == (403, 516)


def test_expect_100_continue(front):
    with front.raw() as raw:
        raw.sendall(f"POST / HTTP/1.1\r\nHost: x\r\nX-ClickHouse-User: {USER}\r\nX-ClickHouse-Key: {PASSWORD}\r\n"
                    "Content-Length: 8\r\nExpect: 100-continue\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        raw.sendall(b"SELECT 9")
        reply = http.client.HTTPResponse(raw)
        reply.begin()
        assert reply.read() == b"9\n"


def test_query_id_comes_back_and_is_made_when_missing(front):
    assert front.post("SELECT 1", query_id="batch-1").headers["X-ClickHouse-Query-Id"] == "batch-1"
    made = {front.post("SELECT 1").headers["X-ClickHouse-Query-Id"] for _ in range(3)}
    assert len(made) == 3
    assert front.post("SELEC", query_id="batch-2").headers["X-ClickHouse-Query-Id"] == "batch-2"


def test_block_format_and_external_tables_are_refused_not_ignored(front):
    assert front.post("SELECT 1", compress="1").code == 48
    assert front.post("SELECT 1", decompress="1").code == 48
    assert front.post("x", {"Content-Type": "multipart/form-data; boundary=x"}).code == 48


def test_log_holds_no_password(front):
    front.get(f"/?query=SELEC&password={urllib.parse.quote(PASSWORD)}&user={USER}")
    front.post("SELEC")
    log = (front.directory / "log").read_text()
    assert "(SYNTAX_ERROR)" in log and PASSWORD not in log


def test_ends_by_sigterm_after_the_query_under_way(tmp_path):
    front = Front(tmp_path)
    connection = front.connection()
    connection.request("POST", "/", "SELECT sleep(2)", AUTHENTICATION)
    while front.sql("SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleep%'") == "0":
        pass
    assert front.end(signal.SIGTERM) == 0
    with pytest.raises(OSError):
        front.get("/ping")
