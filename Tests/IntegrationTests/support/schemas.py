"""Folders of migrations, commands killed or held at a chosen moment, and what is written down of schemas."""

import signal
import subprocess
from contextlib import contextmanager

from support.stack import REPOSITORY
from support.waiting import until

SHIPPED = REPOSITORY / "clickhouse" / "migrations"


class Folder:
    """A folder of migrations that begins with the shipped ones."""

    def __init__(self, path, shipped=True):
        self.path = path
        path.mkdir(parents=True)
        if shipped:
            for file in SHIPPED.glob("v*.sql"):
                (path / file.name).write_bytes(file.read_bytes())
        self.next = 1 + max([1, *(int(file.name[1:].split("_")[0]) for file in path.glob("v*.sql"))])

    def add(self, text, name="added", client=None, version=None):
        version = version or self.next
        folder = self.path / "clients" / client if client else self.path
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"v{version}_{name}.sql"
        file.write_text(text)
        if not client:
            self.next = version + 1
        return file


class Started:
    """A command under way."""

    def __init__(self, world, *arguments, **overrides):
        self.process = subprocess.Popen(
            [world.binary, *map(str, arguments)], env=world.environment(overrides), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=30)

    def end(self, seconds=120):
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out.decode(), err.decode()


def columns(world, database, table="events_base"):
    answer = world.warehouse.client.query(
        "SELECT name FROM system.columns WHERE database = {d:String} AND table = {t:String} ORDER BY position",
        parameters={"d": database, "t": table})
    return [name for (name,) in answer.result_rows]


def versions(world, client):
    return [version for (version,) in world.sql(
        "SELECT version FROM schema_versions WHERE client_id = %s ORDER BY version", client.client_id)]


def progress(world, client, version):
    return world.sql(
        "SELECT statement, state FROM schema_progress WHERE client_id = %s AND version = %s ORDER BY statement",
        client.client_id, version)


def outcomes(answer):
    return {each["client_id"]: each["outcome"] for each in answer.json["clients"]}


def running(world, contains):
    """How many queries stand in ClickHouse's list whose text holds `contains`."""
    answer = world.warehouse.client.query(
        "SELECT query FROM system.processes WHERE query NOT LIKE '%system.processes%'")
    return sum(contains in query for (query,) in answer.result_rows)


def until_running(world, contains):
    until(f"a query with {contains}", lambda: running(world, contains), 60, interval=0.02)


def until_not_running(world, contains):
    until(f"no query with {contains}", lambda: not running(world, contains), 60, interval=0.02)


@contextmanager
def held(world, statement, *values):
    """What `statement` locks in Postgres stays locked; who still waits for it at the end loses the connection."""
    with world.postgres() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(statement, values)
        try:
            yield
        finally:
            for (pid,) in world.sql("SELECT DISTINCT pid FROM pg_locks WHERE NOT granted"):
                world.sql("SELECT pg_terminate_backend(%s)", pid)
            until("no session waits", lambda: not waiting(world), 60, interval=0.02)
            cursor.execute("ROLLBACK")


def waiting(world, text=""):
    """How many sessions of Postgres wait for a lock with a statement that holds `text`."""
    return world.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event <> 'advisory' "
        "AND position(%s IN query) > 0", text)[0][0]


def until_waiting(world, text):
    until(f"somebody waits with {text}", lambda: waiting(world, text), 60, interval=0.02)
