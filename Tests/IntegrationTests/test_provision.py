"""`router provision`: repeated, killed at every step, side by side, on a database that is somebody else's."""

import json
import uuid

import pytest

from support.schemas import (
    Folder, Started, columns, held, outcomes, progress, running, until_running, until_waiting, versions)
from support.waiting import until

SHIPPED_STATEMENTS = 8
"""Two of the base schema, six of version 2."""


def status(world, client):
    return world.sql("SELECT status FROM clients WHERE client_id = %s", client.client_id)[0][0]


def window(world, client):
    return world.warehouse.command(
        f"SELECT extract(engine_full, 'non_replicated_deduplication_window = (\\\\d+)') FROM system.tables "
        f"WHERE database = '{client.database}' AND name = 'events_base'")


def is_whole(world, client):
    assert status(world, client) == "active"
    assert versions(world, client) == [1, 2]
    assert {"event_id", "event_fields", "page_url", "revenue"} <= set(columns(world, client.database))
    assert "events" in columns(world, client.database, "events_daily")
    assert int(window(world, client)) == 10000
    assert {state for _, state in progress(world, client, 1) + progress(world, client, 2)} == {"done"}
    assert world.cli("migrate", "verify", "--client", client.client_id).status == 0
    return True


def test_a_client_is_made_whole_and_again_changes_nothing(world):
    client = world.add_client(provision=False)
    first = world.cli("provision", client.client_id, "--json")
    assert first.status == 0 and first.json["clients"][0]["statements"] == SHIPPED_STATEMENTS
    assert is_whole(world, client)
    before = world.sql("SELECT * FROM schema_versions WHERE client_id = %s ORDER BY version", client.client_id)
    again = world.cli("provision", client.client_id, "--json")
    assert again.status == 0 and again.json["clients"][0]["statements"] == 0
    assert outcomes(again) == {client.client_id: "unchanged"}
    assert world.sql("SELECT * FROM schema_versions WHERE client_id = %s ORDER BY version", client.client_id) == before


def test_killed_at_every_statement_it_goes_on(world, front):
    """The engine holds one statement after the other; the command is killed while it waits, and the statement lands later."""
    client = world.add_client(provision=False)
    table = f"`{client.database}`.events"
    held = [
        f"CREATE DATABASE IF NOT EXISTS `{client.database}`", f"CREATE TABLE IF NOT EXISTS {table}_base",
        "ADD COLUMN IF NOT EXISTS event_fields", "ADD COLUMN IF NOT EXISTS page_url",
        f"CREATE TABLE IF NOT EXISTS {table}_daily_states", f"CREATE VIEW IF NOT EXISTS {table}_daily",
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {table}_daily_fill", f"INSERT INTO {table}_daily_states"]
    assert len(held) == SHIPPED_STATEMENTS
    for number, text in enumerate(held):
        front.clear()
        front.order("delay", text, on="any", seconds=60)
        command = Started(world, "provision", client.client_id)
        until(f"ClickHouse holds {text}", front.done, 60, interval=0.01)
        command.kill()
        assert status(world, client) == "pending"
        written = [state for _, state in progress(world, client, 1) + progress(world, client, 2)]
        assert written == ["done"] * number + ["started"]
        if number == 2:
            # The next run waits for what this one has left under way.
            command = Started(world, "provision", client.client_id)
            until("it asks for the query", lambda: running(world, "event_fields"), 60)
            assert progress(world, client, 2) == [(1, "started")] and command.process.poll() is None
            command.kill()
    front.clear()
    assert world.cli("provision", client.client_id).status == 0
    assert is_whole(world, client)


def test_killed_between_a_statement_and_its_record(world, front):
    client = world.add_client(provision=False)
    with held(world, "LOCK TABLE schema_placement IN EXCLUSIVE MODE"):
        command = Started(world, "provision", client.client_id)
        until_waiting(world, "schema_placement")
        command.kill()
    assert client.database not in world.warehouse.command("SHOW DATABASES")
    # ClickHouse keeps the statement until Postgres takes no records any more.
    front.order("delay", f"CREATE TABLE IF NOT EXISTS `{client.database}`", on="any", seconds=60)
    command = Started(world, "provision", client.client_id)
    until_running(world, f"`{client.database}`.events_base")
    with held(world, "LOCK TABLE schema_progress IN EXCLUSIVE MODE"):
        front.clear()
        until_waiting(world, "UPDATE public.schema_progress")
        command.kill()
    assert client.database in world.warehouse.databases()
    assert progress(world, client, 1) == [(1, "done"), (2, "started")]
    assert world.cli("provision", client.client_id).status == 0
    assert is_whole(world, client)


def test_killed_before_the_status(world):
    client = world.add_client(provision=False)
    with held(world, "SELECT 1 FROM clients WHERE client_id = %s FOR SHARE", client.client_id):
        command = Started(world, "provision", client.client_id)
        until_waiting(world, "UPDATE public.clients")
        assert versions(world, client) == [1, 2]
        command.kill()
    assert status(world, client) == "pending"
    again = world.cli("provision", "--all", "--json")
    assert outcomes(again)[client.client_id] == "provisioned"
    assert next(each for each in again.json["clients"] if each["client_id"] == client.client_id)["statements"] == 0
    assert is_whole(world, client)


def test_a_lost_connection_to_postgres_stops_before_the_next_statement(world, front):
    """The lock is gone with the session, so nothing more may be sent."""
    client = world.add_client(provision=False)
    front.order("delay", f"CREATE DATABASE IF NOT EXISTS `{client.database}`", on="any", seconds=60)
    command = Started(world, "provision", client.client_id)
    until_running(world, f"CREATE DATABASE IF NOT EXISTS `{client.database}`")
    # One session, and two locks of it.
    ((holder,),) = world.sql("SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND granted")
    world.sql("SELECT pg_terminate_backend(%s)", holder)
    front.clear()
    code, _, err = command.end()
    assert code == 1 and "postgres" in err.lower(), err
    assert client.database in world.warehouse.command("SHOW DATABASES")
    assert columns(world, client.database) == []
    assert world.cli("provision", client.client_id).status == 0
    assert is_whole(world, client)


def test_a_lost_reply_is_no_failure(world, front):
    client = world.add_client(provision=False)
    front.order("drop_reply", client.database, count=3, on="any")
    answer = world.cli("provision", client.client_id)
    assert front.done() == 3
    front.clear()
    assert answer.status == 0, answer
    assert is_whole(world, client)


def test_many_at_once_and_one_that_fails(world, front):
    clients = [world.add_client(provision=False) for _ in range(8)]
    broken = clients[3]
    front.order("refuse", broken.database, count=1000, on="any", code=241, text="out of memory, says the test")
    answer = world.cli("provision", "--all", "--parallel", 8, "--json")
    front.clear()
    assert answer.status == 2
    assert {outcomes(answer)[client.client_id] for client in clients if client != broken} == {"provisioned"}
    assert outcomes(answer)[broken.client_id] == "failed" and "says the test" in answer.out
    assert status(world, broken) == "pending"
    assert world.cli("provision", "--all").status == 0
    assert all(is_whole(world, client) for client in clients)


def test_a_database_that_holds_something_is_refused_until_it_is_adopted(world):
    client = world.add_client(provision=False)
    world.warehouse.command(f"CREATE DATABASE `{client.database}`")
    world.warehouse.command(f"CREATE TABLE `{client.database}`.theirs (a Int8) ENGINE = MergeTree ORDER BY a")
    world.warehouse.command(f"INSERT INTO `{client.database}`.theirs VALUES (1), (2)")
    refused = world.cli("provision", client.client_id, "--json")
    assert refused.status == 2 and outcomes(refused) == {client.client_id: "refused"}
    assert "theirs (2 rows)" in refused.out and "--adopt" in refused.out
    assert status(world, client) == "pending" and columns(world, client.database) == []
    assert world.cli("provision", client.client_id, "--dry-run").status == 2
    adopted = world.cli("provision", client.client_id, "--adopt", "--json")
    assert adopted.status == 0 and status(world, client) == "active"
    assert world.warehouse.command(f"SELECT sum(a) FROM `{client.database}`.theirs") == 3


def test_an_empty_database_is_taken(world):
    client = world.add_client(provision=False)
    world.warehouse.command(f"CREATE DATABASE `{client.database}`")
    assert world.cli("provision", client.client_id).status == 0
    assert is_whole(world, client)


def test_another_clients_rows_are_refused_even_with_adopt(world):
    client = world.add_client(provision=False)
    other = world.add_client()
    world.warehouse.command(f"CREATE DATABASE `{client.database}`")
    world.warehouse.command(f"CREATE TABLE `{client.database}`.events_base AS `{other.database}`.events_base")
    world.warehouse.command(
        f"INSERT INTO `{client.database}`.events_base (client_id) VALUES ('{other.client_id}')")
    answer = world.cli("provision", client.client_id, "--adopt", "--json")
    assert answer.status == 2 and "another client" in answer.out
    assert status(world, client) == "pending"


def test_a_window_that_was_taken_away_is_found(world):
    client = world.add_client()
    world.warehouse.command(
        f"ALTER TABLE `{client.database}`.events_base MODIFY SETTING non_replicated_deduplication_window = 0")
    answer = world.cli("provision", client.client_id)
    assert answer.status == 2 and "MODIFY SETTING" in answer.out


def test_a_table_that_is_gone_is_made_again_with_all_versions(world):
    client = world.add_client()
    world.warehouse.command(f"DROP DATABASE `{client.database}` SYNC")
    answer = world.cli("provision", client.client_id, "--json")
    assert answer.status == 0 and "made again" in answer.out
    assert is_whole(world, client)


def test_names_with_quotes_and_semicolons_are_only_names(world):
    name = "x'; DROP TABLE clients; -- `\" \\"
    client = world.add_client(name=name, provision=False)
    plan = world.cli("provision", client.client_id, "--dry-run")
    assert plan.status == 0 and name not in plan.out
    assert world.cli("provision", client.client_id).status == 0
    assert is_whole(world, client)


def test_a_dry_run_prints_the_sql_and_changes_nothing(world):
    client = world.add_client(provision=False)
    plan = world.cli("provision", client.client_id, "--dry-run", "--json")
    assert plan.status == 0 and len(plan.json["statements"]) == SHIPPED_STATEMENTS
    assert client.database not in world.warehouse.command("SHOW DATABASES")
    assert status(world, client) == "pending" and progress(world, client, 1) == []
    # What it printed is what it would have sent: another client runs it.
    for statement in plan.json["statements"]:
        world.warehouse.command(statement["sql"])
    assert world.cli("provision", client.client_id, "--adopt").status == 0
    assert is_whole(world, client)
    assert "There is nothing to do" in world.cli("provision", client.client_id, "--dry-run").out


def test_a_clusters_sql_says_so_everywhere(world):
    client = world.add_client(provision=False)
    plan = world.cli("provision", client.client_id, "--dry-run", "--on-cluster", "main", "--with-user", "--json")
    assert plan.status == 0
    sql = [statement["sql"] for statement in plan.json["statements"]]
    assert len(sql) == SHIPPED_STATEMENTS + 2
    assert all("ON CLUSTER `main`" in each for each in sql if not each.startswith("INSERT"))
    assert sum("ReplicatedMergeTree(" in each for each in sql) == 1
    assert any("GRANT ON CLUSTER `main` SELECT ON" in each for each in sql)


def test_a_user_is_skipped_with_a_word_where_there_is_no_access_control(world):
    client = world.add_client(provision=False)
    answer = world.cli("provision", client.client_id, "--with-user", "--json")
    assert answer.status == 0 and "no ClickHouse user was made" in answer.out
    assert "ch_password" not in answer.json["clients"][0]
    assert is_whole(world, client)


def test_two_operators_on_one_client(world, front):
    """Both end well: the second finds done what the first did."""
    client = world.add_client(provision=False)
    front.order("delay", client.database, on="any", seconds=1, count=3)
    commands = [Started(world, "provision", client.client_id, "--json") for _ in range(2)]
    ended = [command.end() for command in commands]
    front.clear()
    assert [code for code, _, _ in ended] == [0, 0], ended
    sent = sorted(json.loads(out)["clients"][0]["statements"] for _, out, _ in ended)
    assert sent == [0, SHIPPED_STATEMENTS]
    assert is_whole(world, client)


def test_a_client_of_its_own_files(world):
    client, other = world.add_client(provision=False), world.add_client(provision=False)
    folder = Folder(world.directory / "migrations")
    folder.add("ALTER TABLE {database}.events_base ADD COLUMN IF NOT EXISTS own String DEFAULT '{database}'",
               client=client.client_id, version=1001)
    answer = world.cli("provision", client.client_id, other.client_id, "--migrations", folder.path)
    assert answer.status == 0, answer
    assert versions(world, client) == [1, 2, 1001] and versions(world, other) == [1, 2]
    assert "own" in columns(world, client.database) and "own" not in columns(world, other.database)


@pytest.mark.parametrize("arguments", [
    ["--all", "--parallel", "0"], ["--all", "--parallel", "65"], ["--all", "--wait", "-1"], ["--all", "--on-cluster", ""],
    ["--all", "--target", "0"]], ids=" ".join)
def test_wrong_usage(world, arguments):
    assert world.cli("provision", *arguments).status == 64


def test_a_folder_that_is_not_there_is_a_failure(world):
    answer = world.cli("provision", str(uuid.uuid4()), "--migrations", "/no/such/folder")
    assert answer.status == 1 and "/no/such/folder" in answer.err
