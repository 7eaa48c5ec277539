"""The engine of ClickHouse, in this process (PyPI's chdb-core)."""

import dataclasses
import os

# The engine reads it when it is loaded: the server's time zone is not to depend on the machine's.
os.environ["TZ"] = "UTC"
import chdb._chdb  # noqa: E402

import errors  # noqa: E402
from errors import ClickHouseError  # noqa: E402
from statement import quoted  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Result:
    """A whole answer. `data` is the engine's own memory and lives as long as this object does."""

    data: memoryview | bytes
    read_rows: int
    read_bytes: int
    written_rows: int
    written_bytes: int
    elapsed_nanoseconds: int


class Engine:
    """One directory of data. Each request has a connection of its own (0.1 ms), so that no setting outlives it."""

    def __init__(self, path: str) -> None:
        self._path = path
        # The engine ends with its last connection and would be started anew by the next one.
        self._keep_alive = chdb._chdb.connect(path)
        self.version = bytes(self._keep_alive.query("SELECT version()", "TSVRaw").bytes()).decode().strip()

    def close(self) -> None:
        self._keep_alive.close()

    def run(self, sql: str, format: str, database: str, settings: dict[str, str], parameters: dict[str, str],
            read_only: bool) -> Result:
        connection = chdb._chdb.connect(self._path)
        try:
            return self._run(connection, sql, format, database, settings, parameters, read_only)
        except ClickHouseError:
            raise
        except Exception as error:
            raise errors.from_engine(str(error)) from None
        finally:
            connection.close()

    def _run(self, connection, sql: str, format: str, database: str, settings: dict[str, str],
             parameters: dict[str, str], read_only: bool) -> Result:
        if database:
            connection.query("USE " + _identifier(database), "Null")
        # On in this library, off in a server: it takes a misspelt word for a column.
        changed = {"implicit_select": "0", **settings}
        if read_only:
            # As a server does for GET: settings may still be changed by the query, data may not.
            changed["readonly"] = "2"
        connection.query("SET " + ", ".join(f"{_identifier(key)} = {quoted(value)}" for key, value in changed.items()),
                         "Null")
        if connection.classify_query(sql)["statement_count"] > 1:
            raise ClickHouseError(errors.SYNTAX_ERROR, "Syntax error: Multi-statements are not allowed.")
        result = connection.query(sql, format, params=parameters)
        return Result(bytes(result.bytes()), result.rows_read(), result.bytes_read(), result.rows_written(),
                      result.bytes_written(), int(result.elapsed() * 1e9))


def _identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
