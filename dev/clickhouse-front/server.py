"""The HTTP side: requests, authentication, replies."""

import base64
import binascii
import hmac
import http.server
import json
import socket
import socketserver
import sys
import time
import traceback
import urllib.parse
import uuid

import body as bodies
import query as queries
from engine import Engine, Result
from errors import (AUTHENTICATION_FAILED, INCORRECT_DATA, NOT_IMPLEMENTED, SOCKET_TIMEOUT, STD_EXCEPTION,
                    ClickHouseError)
from faults import DropConnection, Faults
from running import Query, Running

# How long a connection may be silent, between requests and inside one.
IDLE_TIMEOUT_SECONDS = 300

CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values", "TSV": "text/tab-separated-values",
    "TabSeparatedWithNames": "text/tab-separated-values", "TSVWithNames": "text/tab-separated-values",
    "CSV": "text/csv", "CSVWithNames": "text/csv", "XML": "application/xml",
    "Native": "application/octet-stream", "RowBinary": "application/octet-stream",
    "RowBinaryWithNamesAndTypes": "application/octet-stream", "Parquet": "application/octet-stream",
    "Arrow": "application/octet-stream", "ArrowStream": "application/octet-stream",
}


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A thread a connection; the engine does its work outside of Python's lock."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, engine: Engine, user: str, password: str, faults: Faults | None) -> None:
        self.engine = engine
        self.user = user
        self.password = password
        self.faults = faults
        self.running = Running()
        super().__init__(("127.0.0.1", port), Handler)

    def server_bind(self) -> None:
        # HTTPServer would look up the host's name here, which can take seconds where there is no name server.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address) -> None:
        # A client that went away in the middle is its own business.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in two writes, and Nagle's algorithm would hold back the second one for 40 ms.
    disable_nagle_algorithm = True
    timeout = IDLE_TIMEOUT_SECONDS
    server: Server

    def do_GET(self) -> None:
        self.handle_request(read_only=True)

    def do_HEAD(self) -> None:
        self.handle_request(read_only=True)

    def do_POST(self) -> None:
        self.handle_request(read_only=False)

    def do_PUT(self) -> None:
        self.handle_request(read_only=False)

    def do_DELETE(self) -> None:
        self.handle_request(read_only=False)

    def handle_request(self, read_only: bool) -> None:
        self.query_id = ""
        self.body_is_read = False
        started = time.monotonic()
        try:
            self.route(read_only, started)
        except ClickHouseError as error:
            self.reply_error(error, started)
        except TimeoutError:
            self.reply_error(ClickHouseError(SOCKET_TIMEOUT, "Timeout exceeded while reading the body."), started)
        except (bodies.CutShort, DropConnection):
            self.drop()
        except OSError:
            # The client left, before its body was whole or before the reply: the query, if any, was carried out.
            self.close_connection = True
        except Exception as error:
            # A fault of this front is an error like any other for the client, who may be testing how it takes errors.
            traceback.print_exc()
            self.reply_error(ClickHouseError(STD_EXCEPTION, f"The front failed: {type(error).__name__}."), started)

    def route(self, read_only: bool, started: float) -> None:
        url = urllib.parse.urlsplit(self.path)
        # ClickHouse takes the last of several values; a key without value is an empty string.
        parameters = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if url.path == "/ping" or url.path == "/replicas_status" or (url.path == "/" and not url.query
                                                                    and self.command in ("GET", "HEAD")):
            self.read_body().close()
            self.reply(200, b"Ok.\n", "text/html; charset=UTF-8")
        elif url.path == "/faults" and self.server.faults:
            self.authenticate(parameters)
            self.answer_faults(self.server.faults)
        elif url.path in ("/", "/query", ""):
            self.answer_query(parameters, read_only, started)
        else:
            self.read_body().close()
            self.reply(404, f"There is no handle {url.path}\n".encode(), "text/plain; charset=UTF-8")

    def answer_query(self, parameters: dict[str, str], read_only: bool, started: float) -> None:
        self.query_id = parameters.get("query_id") or str(uuid.uuid4())
        user = self.authenticate(parameters)
        request = queries.Request(
            user=user,
            database=parameters.get("database") or self.headers.get("X-ClickHouse-Database") or "",
            query_id=self.query_id,
            parameters=parameters,
            default_format=self.headers.get("X-ClickHouse-Format") or parameters.get("default_format") or "",
            read_only=read_only,
            started=started)
        queries.check(request)
        entry = Query(self.query_id, user, request.database or "default", parameters.get("query", ""), started)
        with self.server.running.entry(entry):
            body = self.read_body()
            try:
                if not entry.text:
                    entry.text = body.head(1000).decode(errors="replace")
                result, format = queries.execute(request, body, self.server.engine, self.server.running,
                                                 self.server.faults)
            finally:
                body.close()
        self.reply_result(result, format)

    def answer_faults(self, faults: Faults) -> None:
        body = self.read_body()
        try:
            text = body.head(bodies.MAX_BODY_BYTES)
        finally:
            body.close()
        if self.command == "POST":
            try:
                fields = json.loads(text)
            except ValueError as error:
                raise ClickHouseError(INCORRECT_DATA, f"The order is not JSON: {error}.") from None
            faults.add(fields if isinstance(fields, dict) else {})
        elif self.command == "DELETE":
            faults.clear()
        self.reply(200, json.dumps(faults.report()).encode() + b"\n", "application/json; charset=UTF-8")

    def authenticate(self, parameters: dict[str, str]) -> str:
        """ClickHouse's three ways, headers first."""
        user, password = self.headers.get("X-ClickHouse-User"), self.headers.get("X-ClickHouse-Key")
        if user is None and password is None:
            scheme, _, credentials = (self.headers.get("Authorization") or "").partition(" ")
            if scheme.lower() == "basic":
                try:
                    user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
                except (binascii.Error, UnicodeDecodeError):
                    user = password = ""
            else:
                user, password = parameters.get("user"), parameters.get("password")
        user, password = user or "default", password or ""
        known = hmac.compare_digest(user.encode(), self.server.user.encode())
        right = hmac.compare_digest(password.encode(), self.server.password.encode())
        if not (known and right):
            raise ClickHouseError(AUTHENTICATION_FAILED, f"{user}: Authentication failed: password is incorrect, or "
                                                         "there is no user with such name.")
        return user

    def read_body(self) -> bodies.Body:
        if self.headers.get("Content-Type", "").startswith("multipart/form-data"):
            raise ClickHouseError(NOT_IMPLEMENTED, "This front does not know external tables (multipart/form-data).")
        transfer = self.headers.get("Transfer-Encoding", "").strip().lower()
        if transfer not in ("", "chunked"):
            raise ClickHouseError(NOT_IMPLEMENTED, f"Transfer-Encoding {transfer!r} is not known.")
        length = self.headers.get("Content-Length")
        if length is not None and not (length.isascii() and length.isdigit()):
            raise ClickHouseError(INCORRECT_DATA, "Content-Length is not a number.")
        encoding = self.headers.get("Content-Encoding", "").strip().lower()
        body = bodies.read(self.rfile, int(length) if length else None, transfer == "chunked", encoding)
        self.body_is_read = True
        return body

    def reply_result(self, result: Result, format: str) -> None:
        summary = {"read_rows": result.read_rows, "read_bytes": result.read_bytes,
                   "written_rows": result.written_rows, "written_bytes": result.written_bytes,
                   "total_rows_to_read": 0, "result_rows": result.written_rows, "result_bytes": result.written_bytes,
                   "elapsed_ns": result.elapsed_nanoseconds}
        content_type = CONTENT_TYPES.get(format, "application/json" if format.startswith("JSON") else "text/plain")
        if content_type != "application/octet-stream":
            content_type += "; charset=UTF-8"
        self.reply(200, result.data, content_type, {
            "X-ClickHouse-Format": format,
            # ClickHouse: all of its numbers are strings.
            "X-ClickHouse-Summary": json.dumps({key: str(value) for key, value in summary.items()},
                                               separators=(",", ":"))})

    def reply_error(self, error: ClickHouseError, started: float) -> None:
        if not self.body_is_read:
            # What is left of the request would be taken for the next one. The rest is read, to a limit, because a
            # connection closed over unread data is reset, and the reply with it.
            self.close_connection = True
        print(f"{self.command} {error.status} code {error.code} ({error.label}) after "
              f"{(time.monotonic() - started) * 1000:.0f} ms, query_id {self.query_id!r}", file=sys.stderr, flush=True)
        self.reply(error.status, error.body(self.server.engine.version), "text/plain; charset=UTF-8",
                   {"X-ClickHouse-Exception-Code": str(error.code)})
        if not self.body_is_read:
            self.drain()

    def drain(self) -> None:
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(1)
        remaining_bytes = 1 << 28
        while remaining_bytes > 0:
            piece = self.rfile.read1(1 << 16)
            if not piece:
                return
            remaining_bytes -= len(piece)

    def reply(self, status: int, data: bytes, content_type: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-ClickHouse-Server-Display-Name", "clickhouse-front")
        self.send_header("X-ClickHouse-Timezone", "UTC")
        if self.query_id.isprintable() and self.query_id.isascii() and self.query_id:
            self.send_header("X-ClickHouse-Query-Id", self.query_id)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def drop(self) -> None:
        """Ends the connection with nothing said."""
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def version_string(self) -> str:
        return "clickhouse-front"

    def log_message(self, *arguments) -> None:
        # The URL may hold a password, so no request is logged; errors are, in reply_error.
        pass
