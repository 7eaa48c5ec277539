"""ClickHouse's own Python client, as the witness: it knows nothing of this front."""

import datetime
import uuid

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from conftest import PASSWORD


@pytest.fixture(params=["lz4", "zstd", "gzip", False])
def client(front, request):
    client = front.client(compress=request.param)
    client.command("DROP TABLE IF EXISTS events SYNC")
    client.command("CREATE TABLE events (id UUID, name LowCardinality(String), at DateTime64(3, 'UTC'), "
                   "tags Array(String), amount Nullable(Float64)) ENGINE = MergeTree ORDER BY at")
    yield client
    client.close()


def rows(count: int) -> list[list]:
    start = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.timezone.utc)
    return [[uuid.UUID(int=number), f"näme {number % 3}", start + datetime.timedelta(seconds=number),
             ["a", ""][:number % 3], None if number % 2 else number / 4] for number in range(count)]


def test_what_was_inserted_is_read_back(client):
    expected = rows(10_000)
    summary = client.insert("events", expected, column_names=["id", "name", "at", "tags", "amount"])
    assert summary.written_rows == 10_000
    result = client.query("SELECT * FROM events ORDER BY at", column_formats={"id": "native"})
    # The client gives times in UTC without their zone.
    found = [[*row[:2], row[2].replace(tzinfo=datetime.timezone.utc), *row[3:]] for row in result.result_rows]
    assert found == expected


def test_raw_formats_and_parameters(client):
    line = b'00000000-0000-0000-0000-000000000007,x,"2026-01-01 00:00:00.5"\n'
    client.raw_insert("events", ["id", "name", "at"], line, fmt="CSV")
    result = client.query("SELECT name, at FROM events WHERE name = {n:String}", parameters={"n": "x"})
    assert result.result_rows[0][0] == "x"
    assert client.raw_query("SELECT count() FROM events", fmt="TSV") == b"1\n"
    assert client.query("SELECT getSetting('max_block_size')", settings={"max_block_size": 77}).first_row == (77,)


def test_streams_and_databases(client, front):
    client.insert("events", rows(100), column_names=["id", "name", "at", "tags", "amount"])
    with client.query_rows_stream("SELECT id FROM events") as stream:
        assert len(list(stream)) == 100
    client.command("CREATE DATABASE IF NOT EXISTS other")
    with front.client(database="other") as other:
        assert other.command("SELECT currentDatabase()") == "other"


def test_errors_reach_the_caller(client, front):
    with pytest.raises(DatabaseError, match="Code: 60|UNKNOWN_TABLE|code 60"):
        client.query("SELECT * FROM nowhere")
    with pytest.raises(DatabaseError, match="516"):
        clickhouse_connect.get_client(host="127.0.0.1", port=front.port, username="tester", password=PASSWORD + "x")
