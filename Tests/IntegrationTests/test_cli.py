"""The commands as a script sees them: one JSON document, the exit status, a clear refusal."""

import hashlib
import json
import uuid

import pytest

JSON_COMMANDS = (["client", "list"], ["audit"])
USAGE_FAULTS = (
    ["nonsense"], ["run", "--nonsense"], ["client"], ["client", "nonsense"], ["client", "add"],
    ["client", "add", "--name"], ["client", "add", "--name", "n", "--id", "not-a-uuid"], ["client", "show"],
    ["client", "show", "not-a-uuid"], ["provision"], ["provision", "not-a-uuid"], ["audit", "--client", "not-a-uuid"],
    ["audit", "--nonsense"], ["send", "--nonsense"],
)


def find(document, **wanted):
    """The first object anywhere in `document` that has these members."""
    if isinstance(document, dict):
        if all(document.get(name) == value for name, value in wanted.items()):
            return document
        document = list(document.values())
    if isinstance(document, list):
        for each in document:
            found = find(each, **wanted)
            if found is not None:
                return found
    return None


def test_a_client_from_nothing_to_active(world):
    client = world.add_client(provision=False)
    assert str(uuid.UUID(client.client_id)) == client.client_id
    assert hashlib.sha256(world.keys[client.client_id].encode()).hexdigest() == client.api_key_hash
    assert client.database == "client_" + client.client_id.replace("-", "_")
    assert world.sql("SELECT status, ch_database_name, api_key_hash FROM clients WHERE client_id = %s",
                     client.client_id) == [("pending", client.database, client.api_key_hash)]
    assert client.database not in world.warehouse.databases()
    shown = world.cli("client", "show", client.client_id, "--json")
    assert shown.status == 0 and find(shown.json, client_id=client.client_id, status="pending")
    world.provision(client)
    assert client.database in world.warehouse.databases()
    shown = world.cli("client", "show", client.client_id.upper(), "--json")
    assert find(shown.json, client_id=client.client_id, status="active", ch_database_name=client.database)
    assert find(world.cli("client", "list", "--json").json, client_id=client.client_id, status="active")


def test_id_name_and_database_may_be_chosen(world):
    chosen = str(uuid.uuid4())
    name = "O'Brien; DROP TABLE clients; -- \"größe\" `x`"
    database = "chosen_" + chosen[:8]
    client = world.add_client("--id", chosen, "--database", database, name=name)
    assert (client.client_id, client.database) == (chosen, database)
    assert world.sql("SELECT client_name FROM clients WHERE client_id = %s", chosen) == [(name,)]
    assert find(world.cli("client", "show", chosen, "--json").json, client_id=chosen)["client_name"] == name
    assert database in world.warehouse.databases()


def test_what_is_there_already_is_refused_and_left_as_it_is(world):
    client = world.add_client()
    before = world.sql("SELECT * FROM clients WHERE client_id = %s", client.client_id)
    same_id = world.cli("client", "add", "--name", "n", "--id", client.client_id, prints_key=True)
    assert same_id.status == 1 and client.client_id in same_id.err and not same_id.out.strip()
    same_database = world.cli("client", "add", "--name", "n", "--database", client.database, prints_key=True)
    assert same_database.status == 1 and client.database in same_database.err
    assert world.sql("SELECT * FROM clients WHERE client_id = %s", client.client_id) == before


@pytest.mark.parametrize("database", ["a`b", "a b", "a;b", "../x", "", "x" * 300, "system", "INFORMATION_SCHEMA"])
def test_a_database_name_that_cannot_be_is_refused(world, database):
    answer = world.cli("client", "add", "--name", "n", "--database", database, prints_key=True)
    assert answer.status in (1, 64) and answer.err.strip() and not answer.out.strip()
    assert world.sql("SELECT count(*) FROM clients WHERE ch_database_name = %s", database) == [(0,)]


def test_an_unknown_client_is_a_failure(world):
    for command in (["client", "show"], ["provision"]):
        answer = world.cli(*command, str(uuid.uuid4()))
        assert answer.status == 1 and answer.err.strip(), answer


def test_provision_is_safe_to_repeat_and_keeps_the_rows(world, seed):
    client = world.add_client()
    world.produce_mix(seed, 50, bad_share=0, kinds={"plain"})
    world.catch_up()
    for arguments in ([client.client_id], ["--all"]):
        answer = world.cli("provision", *arguments, "--json")
        assert answer.status == 0 and answer.json is not None, answer
    assert world.warehouse.row_count(client.database) == 50
    assert world.sql("SELECT status FROM clients WHERE client_id = %s", client.client_id) == [("active",)]


def test_provision_all_takes_every_pending_client(world):
    pending = [world.add_client(provision=False) for _ in range(3)]
    assert world.cli("provision", "--all", "--json").status == 0
    assert {client.database for client in pending} <= set(world.warehouse.databases())
    for client in pending:
        assert world.sql("SELECT status FROM clients WHERE client_id = %s", client.client_id) == [("active",)]


def test_provision_does_not_wake_a_suspended_client(world):
    client = world.set_status(world.add_client(), "suspended")
    world.cli("provision", client.client_id)
    assert world.sql("SELECT status FROM clients WHERE client_id = %s", client.client_id) == [("suspended",)]


@pytest.mark.parametrize("arguments", USAGE_FAULTS, ids=" ".join)
def test_wrong_usage_is_64(world, arguments):
    answer = world.cli(*arguments)
    assert answer.status == 64 and answer.err.strip() and not answer.out.strip(), answer


@pytest.mark.parametrize("arguments", JSON_COMMANDS, ids=" ".join)
def test_json_is_one_document_also_when_the_log_is_loud(world, arguments):
    world.add_client()
    assert world.cli(*arguments, "--json", LOG_LEVEL="trace").json is not None


def test_every_command_has_help(world):
    for command in ([], ["run"], ["client"], ["client", "add"], ["client", "list"], ["client", "show"],
                    ["provision"], ["audit"], ["send"]):
        answer = world.cli(*command, "--help")
        assert answer.status == 0 and "usage" in answer.out.lower(), answer


def test_a_server_that_is_away_is_a_failure_that_names_it(world):
    world.add_client()  # without one, an audit need not ask ClickHouse at all
    answer = world.cli("client", "list", POSTGRES_METADATA_PORT="1")
    assert answer.status == 1 and "postgres" in answer.err.lower(), answer
    answer = world.cli("audit", CLICKHOUSE_PORT_HTTP="1")
    assert answer.status == 1 and "clickhouse" in answer.err.lower(), answer


# `router send`: the contract names the command, not its options; these are the ones this test relies on.
COUNT, CLIENTS_FILE, SEED, BAD_SHARE, FROM_FILE = "--count", "--clients", "--seed", "--bad", "--file"


def send_clients(world):
    """The file that tells `router send` whose events to make: what `client add --json` printed, one a line."""
    path = world.directory / "clients.jsonl"
    path.write_text("".join(
        json.dumps({"client_id": each.client_id, "api_key_hash": each.api_key_hash}) + "\n"
        for each in world.clients.values()))
    return path


def sent(world):
    return [(each.key, each.value, each.headers) for each in
            sorted(world.broker.read_all(world.raw), key=lambda each: (each.partition, each.offset))]


def test_send_makes_events_that_the_router_takes(world):
    for _ in range(2):
        world.add_client()
    answer = world.cli("send", CLIENTS_FILE, send_clients(world), COUNT, 500, SEED, 1, "--json")
    assert answer.status == 0 and answer.json is not None, answer
    assert len(sent(world)) == 500
    world.catch_up()
    assert sum(world.warehouse.row_count(client.database) for client in world.clients.values()) == 500
    assert not world.dead_letters()
    names = {row.columns["event_name"] for row in world.warehouse.all_rows(world.raw)}
    assert len(names) >= 3, f"sessions, page views and purchases were to be expected, found {names}"


def test_send_makes_bad_events_too(world):
    world.add_client()
    assert world.cli("send", CLIENTS_FILE, send_clients(world), COUNT, 1000, SEED, 2, BAD_SHARE, 0.2).status == 0
    world.catch_up()
    reasons = {letter.reason for letter in world.dead_letters()}
    assert 100 <= len(world.dead_letters()) <= 300
    assert len(reasons) >= 6, reasons


def test_send_takes_lines_as_they_are(world):
    lines = [b'{"a":1}', b"not json", b"\xff\xfe", b'{"a": "\xc3\xa9"}']
    answer = world.cli("send", FROM_FILE, "-", input=b"\n".join(lines) + b"\n")
    assert answer.status == 0, answer
    assert sorted(value for _, value, _ in sent(world)) == sorted(lines)


def test_send_to_a_topic_that_is_missing_is_refused_and_makes_none(world):
    misspelt = world.raw + "s"
    answer = world.cli("send", FROM_FILE, "-", input=b"{}\n", KAFKA_RAW_TOPIC=misspelt)
    assert answer.status == 1 and "kafka_topic_missing" in answer.err and misspelt in answer.err, answer
    assert f"'{world.raw}'" in answer.err, "the topic with the nearest name is named"
    assert misspelt not in world.broker.admin.list_topics(timeout=20).topics
    made = world.cli("send", FROM_FILE, "-", "--create-topics", "--json", input=b"{}\n", KAFKA_RAW_TOPIC=misspelt)
    assert made.status == 0 and made.json["created_topics"] == [misspelt] and made.json["sent"] == 1


def test_send_makes_the_default_topic_on_a_fresh_cluster(world):
    default, dead = "shared_raw_events", "shared_dead_letter"
    world.broker.delete_topics(default, dead)
    made = world.cli("send", FROM_FILE, "-", "--json", input=b"{}\n", KAFKA_RAW_TOPIC="", KAFKA_DEAD_LETTER_TOPIC="")
    assert made.status == 0 and set(made.json["created_topics"]) == {default, dead} and made.json["sent"] == 1
    world.broker.delete_topics(default, dead)


def test_a_misspelt_variable_is_a_warning_with_the_nearest_name(world):
    value = "a-value-that-may-be-a-secret"
    misspelt = {
        "KAFKA_BOOTSTRAP_SERVER": "KAFKA_BOOTSTRAP_SERVERS", "CLICKHOUSE_PASWORD": "CLICKHOUSE_PASSWORD",
        "POSTGRES_METADATA_PASSWORD_FIL": "POSTGRES_METADATA_PASSWORD_FILE", "REDIS_URI": "REDIS_URL",
    }
    others = {"CLICKHOUSE_SERVICE_HOST": "10.0.0.1", "KAFKA_PORT": "tcp://10.0.0.1:9092", "REDIS_TLS": "1"}
    answer = world.cli("client", "list", "--json", **dict.fromkeys(misspelt, value), **others)
    assert answer.status == 0 and answer.json is not None
    for name, meant in misspelt.items():
        (line,) = [each for each in answer.err.splitlines() if f"variable {name} " in each]
        assert f"did you mean {meant}?" in line
    assert value not in answer.err and not any(name in answer.err for name in others)
    assert "is not a setting" not in world.cli("client", "list").err
