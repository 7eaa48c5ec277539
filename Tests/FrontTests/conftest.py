"""A front of its own for each module of tests, with its own data, on a free port."""

import dataclasses
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

import clickhouse_connect
import pytest

FRONT = pathlib.Path(__file__).resolve().parents[2] / "dev" / "clickhouse-front"
USER, PASSWORD = "tester", "secret of the test"
# Generous: the machine may be busy with a build.
DEADLINE_SECONDS = 60


@dataclasses.dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def code(self) -> int | None:
        value = self.headers["X-ClickHouse-Exception-Code"]
        return None if value is None else int(value)

    @property
    def summary(self) -> dict:
        return json.loads(self.headers["X-ClickHouse-Summary"])


class Front:
    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.start()

    def start(self) -> None:
        self.log = open(self.directory / "log", "ab")
        self.process = subprocess.Popen(
            [sys.executable, FRONT, "--port", str(self.port), "--data", self.directory / "data", "--user", USER,
             "--faults"],
            env={**os.environ, "CLICKHOUSE_FRONT_PASSWORD": PASSWORD}, stdout=self.log, stderr=self.log)

        def answers() -> bool:
            assert self.process.poll() is None, (self.directory / "log").read_text()
            try:
                return self.get("/ping").status == 200
            except OSError:
                return False

        wait_until(answers)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        status = self.process.wait(DEADLINE_SECONDS)
        self.log.close()
        return status

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)

    def request(self, method: str, path: str, body=None, headers=None, **options) -> Reply:
        connection = self.connection()
        try:
            connection.request(method, path, body, headers or {}, **options)
            reply = connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def get(self, path: str, headers=None) -> Reply:
        return self.request("GET", path, headers=headers)

    def post(self, body=b"", headers=None, encode_chunked=False, path="/", **parameters) -> Reply:
        """`body` to the front as the right user, with `parameters` in the URL."""
        url = path + ("?" + urllib.parse.urlencode(parameters) if parameters else "")
        body = body.encode() if isinstance(body, str) else body
        return self.request("POST", url, body, {**AUTHENTICATION, **(headers or {})}, encode_chunked=encode_chunked)

    def sql(self, query: str, **parameters) -> str:
        """The answer to a query that has to succeed."""
        reply = self.post(query, **parameters)
        assert reply.code is None and reply.status == 200, reply.body
        return reply.body.decode().rstrip("\n")

    def order(self, **fields) -> None:
        reply = self.post(json.dumps(fields), path="/faults")
        assert reply.status == 200, reply.body

    def raw(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE_SECONDS)

    def client(self, **options):
        return clickhouse_connect.get_client(host="127.0.0.1", port=self.port, username=USER, password=PASSWORD,
                                             **options)


AUTHENTICATION = {"X-ClickHouse-User": USER, "X-ClickHouse-Key": PASSWORD}


def wait_until(condition, what: str = "") -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS} s: {what or condition}"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    front = Front(tmp_path_factory.mktemp("front"))
    yield front
    assert front.end(signal.SIGTERM) == 0


@pytest.fixture
def table(front):
    """An empty table whose values have to be below 1000 and that knows tokens."""
    front.sql("DROP TABLE IF EXISTS default.t SYNC")
    front.sql("CREATE TABLE default.t (x UInt64, s String, CONSTRAINT small CHECK x < 1000) ENGINE = MergeTree "
              "ORDER BY x SETTINGS non_replicated_deduplication_window = 100")
    return "default.t"


@pytest.fixture
def count(front, table):
    return lambda: int(front.sql(f"SELECT count() FROM {table}"))
