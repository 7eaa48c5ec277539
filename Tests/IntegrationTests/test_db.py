"""`router db`: the router's own tables in Postgres, in a database of the test's own, with psycopg2 as the witness."""

import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg2
import pytest

from support.stack import REPOSITORY
from support.waiting import until

FILES = sorted((REPOSITORY / "postgres" / "sql").glob("*.sql"))
VERSIONS = [int(file.name.split("_")[0]) for file in FILES]


class Database:
    """An empty database on the stack's server."""

    def __init__(self, world):
        self.world = world
        self.name = "it_" + uuid.uuid4().hex[:12]
        world.sql(f'CREATE DATABASE "{self.name}"')

    @contextmanager
    def connection(self):
        settings = self.world.settings
        connection = psycopg2.connect(
            host=settings["POSTGRES_METADATA_HOST"], port=settings["POSTGRES_METADATA_PORT"], dbname=self.name,
            user=settings["POSTGRES_METADATA_USER"], password=settings["POSTGRES_METADATA_PASSWORD"])
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()

    def sql(self, statement, *values):
        with self.connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def apply_by_hand(self, files):
        for file in files:
            with self.connection() as connection, connection.cursor() as cursor:
                cursor.execute(file.read_text())

    def tables(self):
        return {name for (name,) in self.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}

    def cli(self, *arguments, **overrides):
        return self.world.cli("db", *arguments, POSTGRES_METADATA_DB=self.name, **overrides)


@pytest.fixture
def database(bare_world):
    database = Database(bare_world)
    yield database
    bare_world.sql(f'DROP DATABASE "{database.name}" WITH (FORCE)')


def test_an_empty_database_gets_every_table_and_a_second_run_changes_nothing(database):
    before = database.cli("status", "--json")
    assert before.status == 2 and not before.json["usable"]
    assert {each["state"] for each in before.json["versions"]} == {"missing"}
    first = database.cli("upgrade", "--json")
    assert first.status == 0 and first.json["applied"] == VERSIONS and first.json["usable"], first
    assert database.sql("SELECT version FROM router_schema ORDER BY version") == [(each,) for each in VERSIONS]
    assert {"clients", "schema_versions", "partition_progress", "pauses", "router_schema"} <= database.tables()
    rows = database.sql("SELECT * FROM router_schema ORDER BY version")
    second = database.cli("upgrade", "--json")
    assert second.status == 0 and second.json["applied"] == []
    assert database.sql("SELECT * FROM router_schema ORDER BY version") == rows
    assert database.cli("status").status == 0


def test_the_checksums_are_those_of_the_files(database):
    assert database.cli("upgrade").status == 0
    sums = subprocess.run(["sha256sum", *FILES], capture_output=True, text=True, check=True).stdout.split()[::2]
    assert [each for (each,) in database.sql("SELECT checksum FROM router_schema ORDER BY version")] == sums


def test_a_database_made_by_hand_is_taken_over_with_its_rows(database):
    database.apply_by_hand(FILES)
    database.sql("INSERT INTO clients (client_name, api_key_hash) VALUES ('n', repeat('a', 64))")
    assert database.cli("status").status == 0
    assert database.cli("upgrade", "--json").json["applied"] == VERSIONS
    assert database.sql("SELECT client_name FROM clients") == [("n",)]


def test_two_upgrades_at_once_both_end_well(database):
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: database.cli("upgrade", "--json"), range(2)))
    assert [each.status for each in answers] == [0, 0], answers
    assert sorted(len(each.json["applied"]) for each in answers) == [0, len(VERSIONS)]
    assert database.sql("SELECT count(*) FROM router_schema") == [(len(VERSIONS),)]


def test_an_upgrade_waits_for_one_that_is_under_way(database):
    """The session lock of another process holds the command back; it goes on when the lock is free."""
    with database.connection() as holder, ThreadPoolExecutor(1) as pool:
        cursor = holder.cursor()
        cursor.execute("SELECT pg_advisory_lock(hashtext('router schema'))")
        waiting = pool.submit(database.cli, "upgrade", "--json")
        until("the command asks for the lock", lambda: database.sql(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'router db' AND datname = %s", database.name))
        assert not waiting.done() and database.tables() == set()
        cursor.execute("SELECT pg_advisory_unlock(hashtext('router schema'))")
        assert waiting.result().status == 0


def test_a_changed_file_is_refused_until_it_is_asked_for(database):
    assert database.cli("upgrade").status == 0
    database.sql("UPDATE router_schema SET checksum = repeat('0', 64) WHERE version = 1")
    assert database.cli("status").status == 2
    refused = database.cli("upgrade")
    assert refused.status == 1 and "01_clients.sql" in refused.err and "--reapply-changed" in refused.err, refused
    again = database.cli("upgrade", "--reapply-changed", "--json")
    assert again.status == 0 and again.json["applied"] == [1]
    assert database.cli("status").status == 0


def test_run_says_that_the_database_is_too_old(database):
    database.apply_by_hand(FILES[:3])
    router = database.world.run(POSTGRES_METADATA_DB=database.name)
    assert router.wait(60) == 1
    assert "older than this program" in router.tail() and "router db upgrade" in router.tail()
    answer = database.world.cli("client", "list", "--json", POSTGRES_METADATA_DB=database.name)
    assert answer.status == 1 and "router db upgrade" in answer.err, "a command that meets it says what to do, too"


def test_run_says_that_there_are_no_tables(database):
    router = database.world.run(POSTGRES_METADATA_DB=database.name)
    assert router.wait(60) == 1
    assert "clients" in router.tail() and "router db upgrade" in router.tail()


def test_run_goes_on_with_a_newer_database_and_says_so(database):
    assert database.cli("upgrade").status == 0
    database.sql("INSERT INTO router_schema (version, name, checksum) VALUES (9999, 'later', repeat('0', 64))")
    assert database.cli("status").status == 2
    world = database.world.create_topics()
    router = world.run("--until-caught-up", POSTGRES_METADATA_DB=database.name)
    assert router.wait(60) == 0
    assert any(each.get("level") == "warning" and "9999" in each["message"] for each in router.log())


def test_a_role_that_may_not_make_tables_is_told_what_to_do(database):
    role = "it_" + uuid.uuid4().hex[:12]
    database.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'it'")
    try:
        database.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        answer = database.cli("upgrade", POSTGRES_METADATA_USER=role, POSTGRES_METADATA_PASSWORD="it")
        assert answer.status == 1 and "owner" in answer.err and not answer.out.strip(), answer
        assert database.tables() == set()
    finally:
        database.sql(f"DROP ROLE {role}")
