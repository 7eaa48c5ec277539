"""The queries under way: what `SELECT … FROM system.processes` answers."""

import contextlib
import dataclasses
import threading
import time

from errors import QUERY_WITH_SAME_ID, TOO_MANY_SIMULTANEOUS_QUERIES, ClickHouseError

# ClickHouse's max_concurrent_queries of its sample configuration. A thread and an engine query each.
MAX_RUNNING = 100


@dataclasses.dataclass
class Query:
    query_id: str
    user: str
    database: str
    text: str
    started: float

    def row(self) -> tuple:
        elapsed = time.monotonic() - self.started
        return (self.query_id, self.query_id, self.user, self.database, elapsed, 1, 0, self.text)


class Running:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queries: dict[str, Query] = {}

    @contextlib.contextmanager
    def entry(self, query: Query):
        """From the request's head to the end of its work, also when the client has long gone."""
        with self._lock:
            if query.query_id in self._queries:
                raise ClickHouseError(QUERY_WITH_SAME_ID, f"Query with id = {query.query_id} is already running.")
            if len(self._queries) >= MAX_RUNNING:
                raise ClickHouseError(TOO_MANY_SIMULTANEOUS_QUERIES,
                                      f"Too many simultaneous queries. Maximum: {MAX_RUNNING}.")
            self._queries[query.query_id] = query
        try:
            yield
        finally:
            with self._lock:
                del self._queries[query.query_id]

    def rows(self) -> list[tuple]:
        with self._lock:
            return [query.row() for query in self._queries.values()]

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            with self._lock:
                if not self._queries:
                    return True
            time.sleep(0.02)
        return False
