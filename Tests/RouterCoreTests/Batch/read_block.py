"""Reads a Native block with two readers that were not written here, and compares what they find with what was meant.

usage: read_block.py BODY EXPECTED SCHEMA…

BODY is the body of an INSERT, EXPECTED has a JSON object a row, with strings in base64, SCHEMA files are SQL with
{database}. The first reader is clickhouse-connect's Python one, the second the engine of ClickHouse itself, into a table
made by the SCHEMA files. Prints the differences; status 1 if there are any.
"""

import base64
import json
import re
import sys
import tempfile
import uuid

from chdb.session import Session
from clickhouse_connect.driver import ctypes as readers
from clickhouse_connect.driver.query import QueryContext
from clickhouse_connect.driver.transform import NativeTransform

UUIDS = ("event_id", "client_id", "batch_id")
TIMES = ("event_timestamp", "received_at", "ingested_at")
STRINGS = ("event_name", "user_id", "session_id", "event_properties", "extra_fields", "source_topic")
NUMBERS = ("source_partition", "source_offset")
COLUMNS = ("event_id", "client_id", "event_name", "user_id", "session_id", "event_timestamp", "event_properties",
           "extra_fields", "received_at", "ingested_at", "batch_id", "source_topic", "source_partition", "source_offset")


class Source:
    last_message = None
    exception_tag = None

    def __init__(self, body):
        self.gen = iter([body])

    def close(self):
        pass


def read_with_python(body):
    """As clickhouse-connect reads an answer; strings as bytes, times as the integers they are."""
    context = QueryContext(query_formats={"String": "bytes", "DateTime64*": "int", "UUID": "native"})
    result = NativeTransform.parse_response(readers.RespBuffCls(Source(body)), context)
    rows = list(zip(*result.result_columns)) if result.result_columns else []
    return [dict(zip(result.column_names, row)) for row in rows]


def read_with_engine(body, schemas):
    with tempfile.TemporaryDirectory() as folder:
        session = Session(folder + "/data")
        for path in schemas:
            with open(path) as file:
                text = re.sub(r"--[^\n]*", "", file.read()).replace("{database}", "`client_x`")
            # Every statement twice: provisioning repeats them.
            for statement in 2 * [part for part in text.split(";") if part.strip()]:
                session.query(statement)
        inserter = session._conn.send_insert(
            f"INSERT INTO client_x.events_base ({', '.join(COLUMNS)}) SETTINGS max_partitions_per_insert_block = 0",
            "Native")
        for start in range(0, len(body), 1 << 20):
            inserter.append(body[start:start + (1 << 20)])
        inserter.finish()
        shown = ([f"toString({name}) AS {name}" for name in UUIDS] + [f"toString(toUnixTimestamp64Milli({name})) AS {name}"
                 for name in TIMES] + [f"base64Encode({name}) AS {name}" for name in STRINGS]
                 + [f"toString({name}) AS {name}" for name in NUMBERS])
        answer = str(session.query(
            f"SELECT * FROM (SELECT {', '.join(shown)} FROM client_x.events_base) ORDER BY toInt64(source_offset)",
            "JSONEachRow"))
        session.close()
        return [json.loads(line) for line in answer.splitlines() if line]


def comparable(row, from_engine):
    plain = {}
    for name in UUIDS:
        plain[name] = str(uuid.UUID(str(row[name])))
    for name in TIMES + NUMBERS:
        plain[name] = int(row[name])
    for name in STRINGS:
        plain[name] = row[name] if from_engine else base64.b64encode(bytes(row[name])).decode()
    return plain


def differences(who, found, expected):
    if len(found) != len(expected):
        yield f"{who}: {len(found)} rows, expected {len(expected)}"
    for index, (one, other) in enumerate(zip(found, expected)):
        for name in COLUMNS:
            if one[name] != other[name]:
                yield f"{who}: row {index}, {name}: {str(one[name])[:80]} instead of {str(other[name])[:80]}"


def main():
    body_path, expected_path, *schemas = sys.argv[1:]
    with open(body_path, "rb") as file:
        body = file.read()
    with open(expected_path) as file:
        expected = [json.loads(line) for line in file]
    python_rows = [comparable(row, False) for row in read_with_python(body)]
    engine_rows = [comparable(row, True) for row in read_with_engine(body, schemas)]
    found = list(differences("clickhouse-connect", python_rows, expected))
    found += differences("the engine", engine_rows, sorted(expected, key=lambda row: row["source_offset"]))
    for line in found[:20]:
        print(line)
    print(f"{len(expected)} rows compared, {len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
