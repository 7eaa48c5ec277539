"""One request's query: from its parameters and its body to a result of the engine."""

import dataclasses
import time

import statement
from body import Body
from engine import Engine, Result
from errors import NOT_IMPLEMENTED, SYNTAX_ERROR, TIMEOUT_EXCEEDED, ClickHouseError
from faults import Faults
from running import Running

# Everything else in the URL is a setting of the engine, as with ClickHouse itself.
OWN_PARAMETERS = frozenset((
    "query", "database", "user", "password", "query_id", "default_format", "quota_key", "role",
    # A reply is always sent whole, when the query has ended.
    "wait_end_of_query", "buffer_size",
    # Every request stands alone: no session is kept. DESIGN's router uses none; clickhouse-connect sends an id only.
    "session_id", "session_timeout", "session_check", "close_session",
    "compress", "decompress", "stacktrace"))


@dataclasses.dataclass
class Request:
    """What the HTTP side found out. `parameters` holds the URL's, `format` that of the header, if any."""

    user: str
    database: str
    query_id: str
    parameters: dict[str, str]
    default_format: str
    read_only: bool
    started: float

    @property
    def settings(self) -> dict[str, str]:
        return {key: value for key, value in self.parameters.items()
                if key not in OWN_PARAMETERS and not key.startswith("param_")}

    @property
    def query_parameters(self) -> dict[str, str]:
        return {key.removeprefix("param_"): value for key, value in self.parameters.items()
                if key.startswith("param_")}

    @property
    def url_query(self) -> bytes:
        query = self.parameters.get("query", "")
        # ClickHouse: the body follows the URL's query on a new line.
        return query.encode() + b"\n" if query else b""


def check(request: Request) -> None:
    for name in ("compress", "decompress"):
        if request.parameters.get(name, "0") not in ("0", ""):
            raise ClickHouseError(NOT_IMPLEMENTED, f"{name}=1, ClickHouse's own block format, is not known to this "
                                                   "front: use Content-Encoding.")


def execute(request: Request, body: Body, engine: Engine, running: Running,
            faults: Faults | None) -> tuple[Result, str]:
    """Runs the query; gives the result and the name of its format."""
    head = request.url_query + body.head(statement.MAX_QUERY_BYTES)
    if not head.strip():
        raise ClickHouseError(SYNTAX_ERROR, "Syntax error: Empty query.")
    insert = statement.parse_insert(head)
    haystack = " ".join((request.url_query.decode(errors="replace") if request.url_query else
                         head[:insert.data_start if insert else len(head)].decode(errors="replace"),
                         request.database, *request.query_parameters.values()))
    orders = faults.take(insert is not None, haystack) if faults else []
    if faults:
        faults.before(orders)
    if insert:
        result, name = _run_insert(request, insert, head, body, engine)
    else:
        result, name = _run_other(request, body, engine, running)
    if faults:
        faults.after(orders)
    return result, name


def _run_insert(request: Request, insert: statement.Insert, head: bytes, body: Body, engine: Engine):
    behind_url = len(request.url_query)
    if insert.data_start == behind_url:
        return _run(request, insert.reading_from(body.path), "Null", engine), insert.format
    # The body begins with the statement, or the URL's query ends with data.
    data = Body()
    try:
        data.append(head[insert.data_start:behind_url])
        data.append_rest_of(body, max(0, insert.data_start - behind_url))
        return _run(request, insert.reading_from(data.path), "Null", engine), insert.format
    finally:
        data.close()


def _run_other(request: Request, body: Body, engine: Engine, running: Running):
    # Four bytes over: then the engine sees that it is too long, and says so.
    sql = request.url_query + body.head(statement.MAX_QUERY_BYTES + 4)
    name = statement.output_format(sql, request.default_format or "TabSeparated")
    if b"processes" in sql:
        sql = statement.with_processes(sql, running.rows())
    try:
        text = sql.decode()
    except UnicodeDecodeError:
        raise ClickHouseError(SYNTAX_ERROR, "Syntax error: the statement is not UTF-8.") from None
    return _run(request, text, request.default_format or "TabSeparated", engine), name


def _run(request: Request, sql: str, format: str, engine: Engine) -> Result:
    settings = request.settings
    limit = settings.get("max_execution_time", "0")
    try:
        limit_seconds = float(limit)
    except ValueError:
        # The engine has its own word for it.
        limit_seconds = 0
    if limit_seconds > 0:
        # The time of a query begins with its request: the body's arrival counts.
        elapsed = time.monotonic() - request.started
        if elapsed >= limit_seconds:
            raise ClickHouseError(TIMEOUT_EXCEEDED, f"Timeout exceeded: elapsed {elapsed:.3f} seconds, "
                                                    f"maximum: {limit_seconds}.")
        settings["max_execution_time"] = f"{limit_seconds - elapsed:.3f}"
    return engine.run(sql, format, request.database, settings, request.query_parameters, request.read_only)


