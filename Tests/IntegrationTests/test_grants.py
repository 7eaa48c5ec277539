"""`deploy/`: the router as a user with the rights of `postgres-grants.sql` and no more."""

import os
import subprocess
import uuid

import pytest

from support.stack import REPOSITORY

DEPLOY = REPOSITORY / "deploy"


@pytest.fixture
def roles(world):
    """Makes a login of one of the file's roles; answers the settings that use it."""
    settings = world.settings
    subprocess.run(
        ["psql", "--no-psqlrc", "--quiet", "--file", DEPLOY / "postgres-grants.sql", "--host",
         settings["POSTGRES_METADATA_HOST"], "--port", settings["POSTGRES_METADATA_PORT"], "--username",
         settings["POSTGRES_METADATA_USER"], "--dbname", settings["POSTGRES_METADATA_DB"]],
        env=os.environ | {"PGPASSWORD": settings["POSTGRES_METADATA_PASSWORD"]}, check=True, capture_output=True)
    made = []

    def login(role):
        name = "it_" + uuid.uuid4().hex[:12]
        world.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'it' IN ROLE {role}")
        made.append(name)
        return {"POSTGRES_METADATA_USER": name, "POSTGRES_METADATA_PASSWORD": "it"}

    yield login
    for name in made:
        world.sql(f"DROP OWNED BY {name}")
        world.sql(f"DROP ROLE {name}")


def test_the_service_runs_with_its_role_alone(world, roles, seed):
    run = roles("router_run")
    client = world.add_client()
    router = world.run(**run).await_ready()
    world.produce_mix(seed, 500, bad_share=0.2)
    world.await_caught_up(router)
    # A change of a client reaches it, so it may listen, too.
    world.set_status(client, "suspended")
    router.await_log("a change that it follows", lambda each: True)
    assert router.terminate() == 0
    world.set_status(client, "active")
    world.account()
    assert world.sql("SELECT count(*) > 0 FROM partition_progress WHERE group_id = %s", world.group) == [(True,)]
    assert world.cli("doctor", "--json", **run).status in (0, 1), "schema_versions is not for it to read"


def test_the_services_role_changes_no_client(world, roles):
    run = roles("router_run")
    client = world.add_client()
    for command in (["client", "add", "--name", "n"], ["pause", "--client", client.client_id, "--reason", "r"],
                    ["db", "upgrade", "--reapply-changed"]):
        answer = world.cli(*command, prints_key=True, **run)
        assert answer.status == 1 and not answer.out.strip(), answer
        assert "permission denied" in answer.err or "must be owner" in answer.err, answer
    assert world.sql("SELECT count(*) FROM pauses WHERE client_id = %s", client.client_id) == [(0,)]


def test_an_operators_role_does_what_operators_do(world, roles, seed):
    operator = roles("router_operator")
    made = world.cli("client", "add", "--name", "n", "--json", prints_key=True, **operator)
    assert made.status == 0, made
    client_id = made.json["client_id"]
    try:
        for command in (["provision", client_id], ["client", "list"], ["pause", "--client", client_id, "--reason", "r"],
                        ["resume", "--client", client_id], ["offsets", "show"], ["audit"], ["doctor"]):
            answer = world.cli(*command, **operator)
            assert answer.status == 0, answer
        refused = world.cli("db", "upgrade", **operator)
        assert refused.status == 1 and "owner" in refused.err
    finally:
        world.warehouse.command(f"DROP DATABASE IF EXISTS `{made.json['ch_database_name']}`")
        world.sql("DELETE FROM clients WHERE client_id = %s", client_id)


def test_no_table_of_the_router_is_forgotten(world, roles):
    """A new file of postgres/sql/ needs its line in the grants."""
    roles("router_operator")
    lacking = world.sql(
        """SELECT c.relname, p.name FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p(name)
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'router_schema'
              AND NOT has_table_privilege('router_operator', c.oid, p.name)""")
    assert not lacking


def test_the_acls_name_the_settings_topics_and_group():
    answer = subprocess.run(
        [DEPLOY / "kafka-acls.sh", "--bootstrap-server", "broker:9092"], capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "DRY_RUN": "1", "KAFKA_RAW_TOPIC": "raw-1", "KAFKA_GROUP_ID": "group-1"})
    assert answer.returncode == 0 and answer.stderr == ""
    lines = answer.stdout.splitlines()
    assert all("--bootstrap-server broker:9092 --add" in line for line in lines)
    writers = [line for line in lines if "shared_dead_letter" in line and "Write" in line]
    assert len(writers) == 1 and "User:router " in writers[0], "only the service writes dead letters"
    assert any("raw-1" in line and "Read" in line for line in lines) and any("group-1" in line for line in lines)
    usage = subprocess.run([DEPLOY / "kafka-acls.sh"], capture_output=True, text=True)
    assert usage.returncode == 64 and "--bootstrap-server" in usage.stderr
