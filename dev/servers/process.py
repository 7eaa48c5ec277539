"""Processes that outlive the command that started them: start, find again, signal, stop.

A process is remembered in a pid file together with its start time and the machine's boot: a pid alone may by now belong
to somebody else, and dev/stack ends only what it started.
"""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time

BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()

# A server gets this long to end by itself before it is killed: noida-db writes its whole data file at the end.
STOP_TIMEOUT_SECONDS = 30


@dataclasses.dataclass(frozen=True)
class Process:
    pid: int
    start_ticks: int
    boot_id: str

    def is_alive(self) -> bool:
        stat = read_stat(self.pid)
        return (stat is not None and stat.state != "Z" and stat.start_ticks == self.start_ticks
                and self.boot_id == BOOT_ID)

    def is_frozen(self) -> bool:
        stat = read_stat(self.pid)
        return self.is_alive() and stat is not None and stat.state in "Tt"

    def send(self, number: int, whole_tree: bool = False) -> None:
        """Signals the process, or it and all its descendants: each child of Postgres is a process group of its own, so
        a signal to the group would leave a frozen server answering and a killed one half alive."""
        if not self.is_alive():
            return
        for pid in [self.pid] + (descendants(self.pid) if whole_tree else []):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def wait_until_dead(self, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        while self.is_alive():
            reap(self.pid)
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


@dataclasses.dataclass(frozen=True)
class Stat:
    parent: int
    state: str
    start_ticks: int


def read_stat(pid: int) -> Stat | None:
    """The line of /proc/PID/stat; proc(5): the second field is the name in parentheses and may itself hold any byte, so
    counting starts behind the last parenthesis."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Stat(parent=int(fields[1]), state=fields[0].decode(), start_ticks=int(fields[19]))


def descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := read_stat(int(entry))):
            children.setdefault(stat.parent, []).append(int(entry))
    found, open_pids = [], [root]
    while open_pids:
        below = children.get(open_pids.pop(), [])
        found += below
        open_pids += below
    return found


def reap(pid: int) -> None:
    """Collects a child of this very command that ended, which would otherwise stay as a zombie until we end."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def load(pid_file: pathlib.Path) -> Process | None:
    """The process that the file names, when that one is still there."""
    try:
        process = Process(**json.loads(pid_file.read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None
    return process if process.is_alive() else None


def start(command: list[str], pid_file: pathlib.Path, log_file: pathlib.Path, user: str | None = None,
          environment: dict[str, str] | None = None) -> Process:
    """Starts a server in a session of its own, so that Ctrl-C at the terminal does not reach it."""
    privileges = {"user": user, "group": user, "extra_groups": []} if user else {}
    # Not the caller's: a lock or a pipe that the server inherits would be held as long as it lives.
    with open(log_file, "ab") as log:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", close_fds=True,
                                 start_new_session=True, env={**os.environ, **(environment or {})}, **privileges)
    stat = read_stat(child.pid)
    if stat is None:
        raise RuntimeError(f"{command[0]} ended at once: see {log_file}")
    process = Process(pid=child.pid, start_ticks=stat.start_ticks, boot_id=BOOT_ID)
    temporary = pid_file.with_suffix(".new")
    temporary.write_text(json.dumps(dataclasses.asdict(process)))
    temporary.rename(pid_file)
    return process


def stop(process: Process, pid_file: pathlib.Path, number: int) -> bool:
    """Ends a server; false when it had to be killed."""
    process.send(signal.SIGCONT, whole_tree=True)
    process.send(number)
    ended = process.wait_until_dead(STOP_TIMEOUT_SECONDS)
    if not ended:
        kill(process, pid_file)
    pid_file.unlink(missing_ok=True)
    return ended


def kill(process: Process, pid_file: pathlib.Path) -> None:
    process.send(signal.SIGKILL, whole_tree=True)
    if not process.wait_until_dead(STOP_TIMEOUT_SECONDS):
        raise RuntimeError(f"process {process.pid} survives SIGKILL: it waits in the kernel, for a disk perhaps")
    pid_file.unlink(missing_ok=True)
