"""A stack of servers of its own for the test session: its own ports, its own data, gone afterwards."""

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
SERVERS = ("postgres", "redis", "kafka", "clickhouse")
KEPT_FROM_OUTSIDE = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "USER")
UP_SECONDS = 180
"""The first start makes a Postgres cluster and loads the ClickHouse engine."""


def clean_environment():
    """Nothing that a developer has set for a router of theirs reaches the one under test."""
    return {name: os.environ[name] for name in KEPT_FROM_OUTSIDE if name in os.environ}


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Stack:
    def __init__(self):
        # Not under pytest's own directory: that is closed to others, and Postgres runs as a user of its own.
        self.directory = Path(tempfile.mkdtemp(prefix="router-it-"))
        self.directory.chmod(0o755)
        names = ("DEV_POSTGRES_PORT", "DEV_REDIS_PORT", "DEV_KAFKA_PORT", "DEV_CLICKHOUSE_PORT")
        ports = dict(zip(names, map(str, free_ports(len(names)))))
        # DEV_CLICKHOUSE_FAULTS starts the ClickHouse front with its fault mode (dev/clickhouse-front).
        faults = {"DEV_CLICKHOUSE_FAULTS": "1"}
        self.environment = clean_environment() | ports | faults | {"DEV_DIR": str(self.directory / "dev")}

    def run(self, *arguments, seconds=UP_SECONDS):
        done = subprocess.run(
            [REPOSITORY / "dev" / "stack", *arguments], env=self.environment, cwd=REPOSITORY, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds,
        )
        assert done.returncode == 0, f"dev/stack {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def up(self, *names):
        self.run("up", *names)

    def down(self, name, kill=False):
        self.run("down", *(["--kill"] if kill else []), name)

    @contextmanager
    def without(self, name, how):
        """The server `name` is away inside the block: `stopped`, `killed` or `frozen`. It is back afterwards."""
        if how == "frozen":
            self.run("freeze", name)
        else:
            self.down(name, kill=how == "killed")
        try:
            yield
        finally:
            if how == "frozen":
                self.run("thaw", name)
            else:
                self.up(name)

    def settings(self):
        """What `dev/stack env` tells a router."""
        lines = self.run("env").splitlines()
        pairs = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        return {name: value.strip("'\"") for name, value in pairs.items()}

    def close(self):
        try:
            self.run("down")
        finally:
            if not os.environ.get("ROUTER_TEST_KEEP"):
                shutil.rmtree(self.directory, ignore_errors=True)
