"""The program under test, as a process: started, watched through its log and its HTTP port, ended by signals."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from support.stack import REPOSITORY
from support.waiting import LONG_ENOUGH_SECONDS, until

COMMAND_SECONDS = 120


def find_binary():
    named = os.environ.get("ROUTER_BINARY")
    places = [Path(named)] if named else [REPOSITORY / ".build" / kind / "router" for kind in ("release", "debug")]
    for place in places:
        if place.is_file():
            return place.resolve()
    raise FileNotFoundError(f"no router at {' or '.join(map(str, places))}: build it with `make build`")


@dataclass
class Finished:
    """A command that has ended."""

    arguments: tuple
    status: int
    out: str
    err: str

    @property
    def json(self):
        """The one JSON document on standard output; anything beside it fails."""
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise AssertionError(f"{self} did not print exactly one JSON document: {error}\n{self.out!r}") from None

    def __str__(self):
        return f"router {' '.join(self.arguments)} (status {self.status}):\n{self.err[-3000:]}"


def run_command(binary, environment, arguments, seconds=COMMAND_SECONDS, input=None, stdout=subprocess.PIPE):
    """`stdout` may be another file than the pipe that is read to its end."""
    arguments = tuple(map(str, arguments))
    done = subprocess.run(
        [binary, *arguments], env=environment, input=input, stdin=None if input else subprocess.DEVNULL,
        stdout=stdout, stderr=subprocess.PIPE, timeout=seconds,
    )
    return Finished(arguments, done.returncode, (done.stdout or b"").decode(), done.stderr.decode(errors="replace"))


class Router:
    """One life of `router run`."""

    def __init__(self, binary, environment, log_path, arguments=("run",)):
        self.log_path = Path(log_path)
        self.port = int(environment["ROUTER_HTTP_PORT"])
        self.out_path = self.log_path.with_suffix(".out")
        self._log = LogReader(self.log_path)
        with open(self.log_path, "wb") as log, open(self.out_path, "wb") as out:
            self.process = subprocess.Popen(
                [binary, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=log
            )

    @property
    def status(self):
        """None while it lives; negative after a signal."""
        return self.process.poll()

    def must_live(self):
        assert self.status is None, f"router ended with status {self.status}:\n{self.tail()}"

    def tail(self, characters=3000):
        return self.log_path.read_text(errors="replace")[-characters:]

    def log(self):
        """The log's records so far, each a dictionary."""
        return self._log.read()

    def await_log(self, what, condition, seconds=LONG_ENOUGH_SECONDS):
        """The first record of the log for which `condition` holds."""
        return until(
            f"a line in the log with {what}", lambda: next((each for each in self.log() if condition(each)), None),
            seconds, alive=self.must_live)

    def get(self, path, seconds=5):
        """(status, body) of the router's own HTTP endpoint."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=seconds) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def await_ready(self, ready=True, seconds=LONG_ENOUGH_SECONDS):
        until(
            f"/readyz answers {200 if ready else 503}", lambda: self.get("/readyz")[0] == (200 if ready else 503),
            seconds, alive=self.must_live)
        return self

    def signal(self, number):
        if self.status is None:
            self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait(30)

    def terminate(self, seconds=LONG_ENOUGH_SECONDS):
        """Asks it to end and answers its status."""
        self.signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def wait(self, seconds=COMMAND_SECONDS):
        return self.process.wait(seconds)


class LogReader:
    """Follows a file of JSON lines; a last line that is still being written waits for its end."""

    def __init__(self, path):
        self.path = path
        self.position = 0
        self.records = []

    def read(self):
        with open(self.path, "rb") as file:
            file.seek(self.position)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self.position += len(whole)
        for line in whole.splitlines():
            self.records.append(self.record(line))
        return self.records

    @staticmethod
    def record(line):
        try:
            fields = json.loads(line)
        except ValueError:
            return {"message": line.decode(errors="replace"), "not_json": True}
        return fields | fields.get("metadata", {}) if isinstance(fields, dict) else {"message": str(fields)}
