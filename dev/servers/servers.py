"""The servers: how each is started, asked whether it answers, and ended. Kafka's are in brokers.py."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import process
from place import REPOSITORY, Place, server_user

# From nothing to a real answer. The slowest is the ClickHouse engine, a second on an idle machine; the rest is for one
# that builds and tests at the same time.
READY_TIMEOUT_SECONDS = 120
# What one question may take before the server counts as not answering.
PROBE_TIMEOUT_SECONDS = 5

POSTGRES_BINARIES = pathlib.Path("/usr/lib/postgresql/15/bin")
POSTGRES_USER = "router"
POSTGRES_DATABASE = "router"
CLICKHOUSE_USER = "router"


class Server:
    """What all have in common. A subclass says how to start the server and asks it one real question."""

    name = ""
    stop_signal = signal.SIGTERM

    def __init__(self, place: Place, port: int) -> None:
        self.place = place
        self.port = port
        self.data = place.data(self.name)
        self.pid_file = place.pid_file(self.name)
        self.log_file = place.log_file(self.name)

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {}

    def prepare(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)

    def probe(self) -> None:
        """Asks one question; raises when there is no good answer."""
        raise NotImplementedError

    def running_process(self) -> process.Process | None:
        return process.load(self.pid_file)

    def state(self) -> str:
        """`down`, `frozen`, `answering`, or `not answering`."""
        running = self.running_process()
        if running is None:
            return "down"
        if running.is_frozen():
            return "frozen"
        try:
            self.probe()
        except Exception:
            return "not answering"
        return "answering"

    def up(self) -> bool:
        """Starts the server where it is not there, and returns when it answers; false when it was there already."""
        running = self.running_process()
        started = running is None
        if running is None:
            if port_is_taken(self.port):
                raise RuntimeError(
                    f"{self.name} cannot start: another program listens on port {self.port}. "
                    f"Set DEV_{self.name.upper()}_PORT to another port (0 for any that is free)")
            self.prepare()
            running = process.start(self.command(), self.pid_file, self.log_file, server_user(self.name),
                                    self.environment())
        elif running.is_frozen():
            running.send(signal.SIGCONT, whole_tree=True)
        self.wait_until_ready(running)
        self.after_start()
        return started

    def after_start(self) -> None:
        pass

    def wait_until_ready(self, running: process.Process) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while True:
            try:
                return self.probe()
            except Exception as error:
                last = error
            process.reap(running.pid)
            if not running.is_alive():
                raise RuntimeError(f"{self.name} ended while starting; its log, {self.log_file}, ends with:\n"
                                   + last_lines(self.log_file))
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not answer on port {self.port} after {READY_TIMEOUT_SECONDS} s "
                                   f"({last}); its log is {self.log_file}")
            time.sleep(0.05)

    def down(self) -> str:
        running = self.running_process()
        if running is None:
            self.pid_file.unlink(missing_ok=True)
            return "was not running"
        return "ended" if process.stop(running, self.pid_file, self.stop_signal) else "did not end by itself: killed"

    def remove_data(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        if self.place.root not in self.data.parents:
            # The directory of this one stack, in the place for those that others cannot reach.
            shutil.rmtree(self.data.parent, ignore_errors=True)


class Postgres(Server):
    name = "postgres"
    # The manual's "fast shutdown": it ends open sessions; SIGTERM would wait for them to leave by themselves.
    stop_signal = signal.SIGINT

    def prepare(self) -> None:
        if (self.data / "PG_VERSION").exists():
            self.remove_stale_lock()
            return
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True)
        user = server_user(self.name)
        if user:
            shutil.chown(self.data, user, user)
        privileges = {"user": user, "group": user, "extra_groups": []} if user else {}
        # initdb takes the password from a file only, which the server's user has to be able to read.
        password_file = self.data.with_name("postgres.password")
        with open(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(self.place.password("postgres") + "\n")
        if user:
            shutil.chown(password_file, user, user)
        try:
            with open(self.log_file, "ab") as log:
                done = subprocess.run(
                    [POSTGRES_BINARIES / "initdb", "--pgdata", self.data, "--username", POSTGRES_USER,
                     "--encoding", "UTF8", "--locale", "C", "--auth", "scram-sha-256", "--pwfile", password_file],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **privileges)
        finally:
            password_file.unlink()
        if done.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise RuntimeError(f"initdb failed: {last_lines(self.log_file)}")

    def remove_stale_lock(self) -> None:
        """Removes the lock file that a killed Postgres left, where the process it names is dead.

        Postgres asks kill(pid, 0) whether that process lives, and a zombie answers yes. In a container whose first
        process collects no orphans, a killed Postgres stays a zombie for ever, and the next one would never start."""
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        stat = process.read_stat(pid)
        if stat is None or stat.state == "Z":
            lock.unlink()

    def command(self) -> list[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            # No socket file: its path may be at most 107 bytes long, and a checkout may lie deep.
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        command = [str(POSTGRES_BINARIES / "postgres"), "-D", str(self.data)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        return command

    def connect(self, database: str = "postgres"):
        import psycopg2
        return psycopg2.connect(host="127.0.0.1", port=self.port, user=POSTGRES_USER, dbname=database,
                                password=self.place.password("postgres"), connect_timeout=PROBE_TIMEOUT_SECONDS,
                                options=f"-c statement_timeout={PROBE_TIMEOUT_SECONDS * 1000}")

    def probe(self) -> None:
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        finally:
            connection.close()

    def after_start(self) -> None:
        connection = self.connect()
        try:
            # CREATE DATABASE cannot run inside a transaction.
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (POSTGRES_DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(f'CREATE DATABASE "{POSTGRES_DATABASE}"')
        finally:
            connection.close()
        self.apply_schema()

    def apply_schema(self) -> None:
        """postgres/sql/*.sql in the order of their names; each is safe to apply again."""
        for file in sorted((REPOSITORY / "postgres" / "sql").glob("*.sql")):
            done = subprocess.run(
                ["psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", file, "--host", "127.0.0.1",
                 "--port", str(self.port), "--username", POSTGRES_USER, "--dbname", POSTGRES_DATABASE],
                env={**os.environ, "PGPASSWORD": self.place.password("postgres"),
                     "PGOPTIONS": "-c client_min_messages=warning"},
                stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode != 0:
                raise RuntimeError(f"{file} cannot be applied: {done.stderr.strip()}")


class Redis(Server):
    name = "redis"

    def command(self) -> list[str]:
        # A cache that everybody can do without: nothing is kept, so that a restart is the harshest one.
        return ["/usr/bin/redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.data),
                "--save", "", "--appendonly", "no", "--daemonize", "no"]

    def probe(self) -> None:
        import redis
        client = redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=PROBE_TIMEOUT_SECONDS,
                             socket_connect_timeout=PROBE_TIMEOUT_SECONDS)
        try:
            client.ping()
        finally:
            client.close()


class ClickHouse(Server):
    name = "clickhouse"

    def command(self) -> list[str]:
        command = [sys.executable, str(REPOSITORY / "dev" / "clickhouse-front"), "--port", str(self.port),
                   "--data", str(self.data), "--user", CLICKHOUSE_USER]
        if os.environ.get("DEV_CLICKHOUSE_FAULTS") == "1":
            command.append("--faults")
        return command

    def environment(self) -> dict[str, str]:
        return {"CLICKHOUSE_FRONT_PASSWORD": self.place.password("clickhouse")}

    def probe(self) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/?query=SELECT%201", headers={
            "X-ClickHouse-User": CLICKHOUSE_USER, "X-ClickHouse-Key": self.place.password("clickhouse")})
        # Without a proxy, whatever the environment says.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=PROBE_TIMEOUT_SECONDS) as reply:
            if reply.read() != b"1\n":
                raise RuntimeError("SELECT 1 did not answer 1")


def port_is_taken(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), PROBE_TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True


def last_lines(file: pathlib.Path, count: int = 20) -> str:
    try:
        return "\n".join(file.read_text(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return "(it has no log)"
