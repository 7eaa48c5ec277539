"""dev/stack: what starts, what stays, and whose processes it ends."""

import json
import os
import pathlib
import socket
import stat
import subprocess

import psycopg2
import pytest
import redis
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
NAMES = ["postgres", "redis", "kafka", "clickhouse"]


class Stack:
    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("DEV_", "KAFKA_"))}
        self.environment = kept | {"DEV_DIR": str(directory)}

    def run(self, *arguments: str, status: int | None = 0, **environment: str) -> subprocess.CompletedProcess:
        done = subprocess.run([REPOSITORY / "dev" / "stack", *arguments], env=self.environment | environment,
                              capture_output=True, text=True, timeout=180)
        assert status is None or done.returncode == status, done.stdout + done.stderr
        return done

    def states(self) -> dict[str, str]:
        return {name: row["state"] for name, row in self.rows().items()}

    def rows(self) -> dict[str, dict]:
        return {row["name"]: row for row in json.loads(self.run("status", "--json", status=None).stdout)["servers"]}

    def env(self, *arguments: str, **environment: str) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.run("env", *arguments, **environment).stdout.splitlines())


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    directory = tmp_path_factory.mktemp("stack")
    # pytest keeps its directories from others, and root's Postgres runs as a user of its own: run by root, this tests
    # the other place for its data.
    stack = Stack(directory / "dev")
    stack.run("up", **{f"DEV_{name.upper()}_PORT": "0" for name in NAMES})
    yield stack
    stack.run("reset")
    assert not stack.directory.exists()
    assert set(stack.states().values()) == {"down"}
    stack.run("reset")


def postgres(stack: Stack):
    env = stack.env()
    return psycopg2.connect(host=env["POSTGRES_METADATA_HOST"], port=env["POSTGRES_METADATA_PORT"],
                            user=env["POSTGRES_METADATA_USER"], password=env["POSTGRES_METADATA_PASSWORD"],
                            dbname=env["POSTGRES_METADATA_DB"])


def test_up_is_safe_to_repeat(stack):
    before = stack.rows()
    assert set(stack.states().values()) == {"answering"}
    stack.run("up")
    after = stack.rows()
    assert [after[name]["pid"] for name in NAMES] == [before[name]["pid"] for name in NAMES]


def test_listens_on_loopback_only(stack):
    ports = {str(row["port"]) for row in stack.rows().values()}
    assert len(ports) == 4
    listening = [line.split()[1:4] for name in ("tcp", "tcp6")
                 for line in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    found = {str(int(local.split(":")[1], 16)): local.split(":")[0] for local, _, state in listening if state == "0A"}
    # 127.0.0.1 as the kernel prints it.
    assert {found[port] for port in ports} == {"0100007F"}


def test_schema_is_applied_and_can_be_applied_again(stack):
    with postgres(stack) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM clients")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("name", NAMES)
def test_killed_and_brought_back(stack, name):
    before = stack.rows()
    stack.run("down", "--kill", name)
    assert stack.states() == {other: "down" if other == name else "answering" for other in NAMES}
    stack.run("up", name)
    after = stack.rows()
    assert after[name]["state"] == "answering" and after[name]["pid"] != before[name]["pid"]
    assert all(after[other]["pid"] == before[other]["pid"] for other in NAMES if other != name)


@pytest.mark.parametrize("name", NAMES)
def test_frozen_answers_nothing_until_thawed(stack, name):
    # A session of before: its process is a child of Postgres, with a process group of its own.
    connection = postgres(stack)
    pids = [stack.rows()[name]["pid"]] + ([connection.info.backend_pid] if name == "postgres" else [])
    stack.run("freeze", name)
    try:
        assert stack.states()[name] == "frozen"
        assert [process_state(pid) for pid in pids] == ["T"] * len(pids)
    finally:
        stack.run("thaw", name)
    assert stack.states()[name] == "answering" and "T" not in [process_state(pid) for pid in pids]
    connection.close()


def process_state(pid: int) -> str:
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_up_thaws_and_down_ends_what_is_frozen(stack):
    stack.run("freeze", "redis")
    stack.run("up", "redis")
    assert stack.states()["redis"] == "answering"
    stack.run("freeze", "redis")
    assert "ended" in stack.run("down", "redis").stderr
    stack.run("up", "redis")


def test_ends_only_what_it_started(stack, tmp_path):
    """A pid file whose number now belongs to somebody else."""
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        pid_file = stack.directory / "run" / "redis.json"
        ours = json.loads(pid_file.read_text())
        pid_file.write_text(json.dumps(ours | {"pid": stranger.pid}))
        stack.run("down", "redis")
        stack.run("down", "--kill", "redis")
        assert stranger.poll() is None
        pid_file.write_text(json.dumps(ours))
        assert stack.states()["redis"] == "answering"
    finally:
        stranger.kill()
        stranger.wait()


def test_port_taken_by_somebody_else_is_named(stack):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        stack.run("down", "redis")
        before = stack.rows()["redis"]["port"]
        done = stack.run("up", "redis", status=1, DEV_REDIS_PORT=port)
        assert "DEV_REDIS_PORT" in done.stderr and port in done.stderr
    stack.run("up", "redis", DEV_REDIS_PORT=str(before))
    assert stack.run("up", status=1, DEV_REDIS_PORT="seven").stderr.count("DEV_REDIS_PORT") == 1


def test_env_has_the_settings_and_the_servers_take_them(stack):
    env = stack.env("--slot", "3")
    assert env["KAFKA_CONFIG_GROUP_INSTANCE_ID"] == "router-dev-3" and env["ROUTER_HTTP_PORT"] == "8083"
    assert "KAFKA_CONFIG_GROUP_INSTANCE_ID" not in stack.env("--dynamic")
    assert stack.env(KAFKA_BOOTSTRAP_SERVERS="elsewhere:9")["KAFKA_BOOTSTRAP_SERVERS"] == "elsewhere:9"
    assert redis.Redis.from_url(env["REDIS_URL"]).ping()
    script = 'set -a; . <(dev/stack env); env $(dev/stack env) printenv REDIS_URL; echo "$REDIS_URL"'
    shell = subprocess.run(["bash", "-c", script], cwd=REPOSITORY, env=stack.environment, text=True,
                           capture_output=True)
    assert shell.stdout.splitlines() == [env["REDIS_URL"]] * 2


def test_passwords_are_for_the_owner_alone(stack):
    assert stat.S_IMODE((stack.directory / "secrets").stat().st_mode) == 0o700
    for name in ("postgres", "clickhouse"):
        assert stat.S_IMODE((stack.directory / "secrets" / name).stat().st_mode) == 0o600
    command_lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    logs = "".join(file.read_text(errors="replace") for file in (stack.directory / "logs").iterdir())
    for name in ("postgres", "clickhouse"):
        password = (stack.directory / "secrets" / name).read_text()
        assert len(password) == 32 and password not in command_lines and password not in logs


def test_wrong_password_is_refused(stack):
    env = stack.env()
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(host="127.0.0.1", port=env["POSTGRES_METADATA_PORT"], user="router", password="x",
                         dbname="router")


def test_broker_keeps_records_headers_and_offset_metadata(stack):
    servers = stack.env()["KAFKA_BOOTSTRAP_SERVERS"]
    # Kept in a variable: an admin client that is collected drops its requests.
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic("t", 2, 1)])["t"].result(30)
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True})
    for number in range(100):
        producer.produce("t", key=None if number % 2 else b"k", value=b"%d" % number,
                         headers=[("h", b"1"), ("h", None)])
    assert producer.flush(30) == 0
    settings = {"bootstrap.servers": servers, "group.id": "g", "group.instance.id": "one", "enable.auto.commit": False,
                "auto.offset.reset": "earliest", "partition.assignment.strategy": "cooperative-sticky",
                "receive.message.max.bytes": 2147483647}
    consumer = Consumer(settings)
    consumer.subscribe(["t"])
    seen = []
    while len(seen) < 100:
        message = consumer.poll(30)
        assert message is not None and message.error() is None
        assert message.headers() == [("h", b"1"), ("h", None)]
        seen.append(int(message.value()))
    assert sorted(seen) == list(range(100))
    consumer.commit(offsets=[TopicPartition("t", 0, 5, metadata="v1 état")], asynchronous=False)
    consumer.close()
    reader = Consumer(settings | {"group.instance.id": "two"})
    committed = reader.committed([TopicPartition("t", 0)], timeout=30)[0]
    reader.close()
    assert (committed.offset, committed.metadata) == (5, "v1 état")


def test_names_are_checked(stack):
    assert "mysql" in stack.run("up", "mysql", status=2).stderr
    stack.run("freeze", status=2)
