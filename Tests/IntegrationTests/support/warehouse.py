"""ClickHouse as seen by clickhouse-connect."""

from collections import Counter
from dataclasses import dataclass

import clickhouse_connect

COLUMNS = {
    "event_id": "toString(event_id)",
    "client_id": "toString(client_id)",
    "event_name": "toString(event_name)",
    "user_id": "user_id",
    "session_id": "session_id",
    "event_timestamp": "toUnixTimestamp64Milli(event_timestamp)",
    "event_properties": "event_properties",
    "extra_fields": "extra_fields",
    "received_at": "toUnixTimestamp64Milli(received_at)",
    "ingested_at": "toUnixTimestamp64Milli(ingested_at)",
    "batch_id": "toString(batch_id)",
    "source_topic": "toString(source_topic)",
    "source_partition": "source_partition",
    "source_offset": "source_offset",
}


@dataclass(frozen=True)
class StoredRow:
    database: str
    columns: dict

    @property
    def place(self):
        return self.columns["source_partition"], self.columns["source_offset"]


class Warehouse:
    def __init__(self, settings):
        self.arguments = dict(
            host=settings["CLICKHOUSE_HOST"], port=int(settings["CLICKHOUSE_PORT_HTTP"]),
            username=settings["CLICKHOUSE_USER"], password=settings["CLICKHOUSE_PASSWORD"],
            autogenerate_session_id=False)
        self._client = None

    @property
    def client(self):
        if self._client is None:
            self._client = clickhouse_connect.get_client(**self.arguments)
        return self._client

    def command(self, sql):
        return self.client.command(sql)

    def databases(self):
        """Every database that has an `events_base`, of whichever client."""
        answer = self.client.query("SELECT database FROM system.tables WHERE name = 'events_base' ORDER BY database")
        return [database for (database,) in answer.result_rows]

    def counts(self, topic):
        """Database to a Counter of (partition, offset): how often each place of `topic` is a row there."""
        return {database: Counter(row.place for row in self.rows(database, topic)) for database in self.databases()}

    def rows(self, database, topic):
        listed = ", ".join(f"{sql} AS {name}_" for name, sql in COLUMNS.items())
        answer = self.client.query(
            f"SELECT {listed} FROM `{database}`.events_base WHERE source_topic = {{topic:String}}",
            parameters={"topic": topic})
        return [StoredRow(database, dict(zip(COLUMNS, values))) for values in answer.result_rows]

    def row_count(self, database):
        return int(self.command(f"SELECT count() FROM `{database}`.events_base"))

    def all_rows(self, topic):
        return [row for database in self.databases() for row in self.rows(database, topic)]
