"""Where the stack keeps things, on which ports it listens, and its passwords."""

import hashlib
import json
import os
import pathlib
import pwd
import secrets
import socket
import stat

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# Beside the servers' own standard ports, so that the stack and a system's own Postgres or Redis do not meet.
DEFAULT_PORTS = {"postgres": 15432, "redis": 16379, "kafka": 19092, "clickhouse": 18123}


class Place:
    """One stack's directory: `.dev/` of the checkout, or DEV_DIR, so that several stacks can live side by side."""

    def __init__(self) -> None:
        self.root = pathlib.Path(os.environ.get("DEV_DIR") or REPOSITORY / ".dev").absolute()
        self.run = self.root / "run"
        self.logs = self.root / "logs"
        self.secrets = self.root / "secrets"

    def prepare(self) -> None:
        for directory in (self.root, self.run, self.logs):
            directory.mkdir(parents=True, exist_ok=True)
        self.secrets.mkdir(mode=0o700, exist_ok=True)

    def pid_file(self, name: str) -> pathlib.Path:
        return self.run / f"{name}.json"

    def log_file(self, name: str) -> pathlib.Path:
        return self.logs / f"{name}.log"

    def data(self, name: str) -> pathlib.Path:
        """Where a server keeps its data: below our directory, except for Postgres where that cannot be reached."""
        inside = self.root / name
        if name == "postgres" and os.geteuid() == 0 and not everyone_can_reach(self.root):
            digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
            return pathlib.Path("/var/lib/router-dev") / digest / "postgres"
        return inside

    def password(self, name: str) -> str:
        """A server's password, made at the first call. Hexadecimal, so that no shell, URL or SQL has to quote it."""
        path = self.secrets / name
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(16))
        except FileExistsError:
            pass
        return path.read_text()

    def ports(self) -> dict[str, int]:
        """From the environment, else as this stack had them before, else the defaults. 0 picks a free port once."""
        remembered_file = self.root / "ports.json"
        try:
            remembered = json.loads(remembered_file.read_text())
        except FileNotFoundError:
            remembered = {}
        ports = {}
        for name, default in DEFAULT_PORTS.items():
            variable = f"DEV_{name.upper()}_PORT"
            wanted = os.environ.get(variable) or str(remembered.get(name, default))
            if not wanted.isdigit() or int(wanted) > 65535:
                raise ValueError(f"{variable} is {wanted!r}, which is no port: give 1 to 65535, "
                                 "or 0 for any that is free")
            ports[name] = int(wanted) or remembered.get(name) or free_port()
        if ports != remembered and self.root.is_dir():
            remembered_file.write_text(json.dumps(ports))
        return ports


def everyone_can_reach(directory: pathlib.Path) -> bool:
    """Whether any user may enter the directory: not so below /root, or below a directory of mode 700. Postgres refuses
    to run as root, so root's stack runs it as the user `postgres`, who has to come here."""
    for ancestor in (directory, *directory.parents):
        if ancestor.exists() and not ancestor.stat().st_mode & stat.S_IXOTH:
            return False
    return True


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def server_user(name: str) -> str | None:
    """The user a server has to run as, None for the caller's own."""
    if name != "postgres" or os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise RuntimeError("Postgres does not run as root and there is no user `postgres`: run dev/setup") from None
