"""dev/stack: Postgres, Redis, Kafka and ClickHouse for development and tests, on this machine's loopback only."""

import argparse
import contextlib
import fcntl
import json
import os
import signal
import sys

import brokers
import environment
import process
from place import DEFAULT_PORTS, Place
from servers import ClickHouse, Postgres, Redis, Server

EPILOG = """
Data, logs and passwords live in .dev/ of the checkout, or in the directory that DEV_DIR names: several stacks can live
side by side. Started by root with a checkout below a directory that others may not enter (/root, mode 700), Postgres
keeps its data in /var/lib/router-dev/ instead, because it refuses to run as root and its own user has to reach them.

environment:
  DEV_DIR                                            another data directory
  DEV_POSTGRES_PORT, DEV_REDIS_PORT, DEV_KAFKA_PORT, DEV_CLICKHOUSE_PORT
                                                     ports (15432, 16379, 19092, 18123); 0 picks one that is free. A
                                                     stack remembers its ports, so later commands need only DEV_DIR
  DEV_ROUTER_PORT                                    `env`: ROUTER_HTTP_PORT of slot 0 (8080)
  DEV_CLICKHOUSE_FAULTS=1                            `up`: the ClickHouse front takes orders to misbehave
  KAFKA_BOOTSTRAP_SERVERS                            a broker of yours: no other is started, `env` and `status` use it
  KAFKA_GROUP_ID                                     `env`: used instead of the stack's own
"""


def main() -> int:
    arguments = parse()
    place = Place()
    try:
        place.prepare()
        ports = place.ports()
        kafka = brokers.chosen(place, getattr(arguments, "broker", None))
        # In the order in which they are started.
        servers = [kind(place, ports[kind.name]) for kind in (Postgres, Redis, kafka, ClickHouse)]
        names = getattr(arguments, "names", None) or list(DEFAULT_PORTS)
        chosen = [server for server in servers if server.name in names]
        return arguments.run(arguments, place, chosen)
    except (RuntimeError, ValueError, OSError) as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev/stack", description=__doc__, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run, text: str, names: str | None = None) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        if names:
            # No `choices=`: argparse would check the empty list of nargs="*" against them.
            sub.add_argument("names", nargs=names, metavar="NAME", type=server_name,
                             help=", ".join(DEFAULT_PORTS) + (" (all of them)" if names == "*" else ""))
        return sub

    up_command = command("up", up, "start what is not running and return when each server answers", "*")
    up_command.add_argument("--broker", choices=list(brokers.BROKERS),
                            help="what answers as Kafka; the stack remembers it "
                                 f"({brokers.DEFAULT_BROKER}; README.md says what each is good for)")
    down_command = command("down", down, "end the servers that this stack started", "*")
    down_command.add_argument("--kill", action="store_true", help="with SIGKILL, for tests of faults")
    command("freeze", freeze, "stop servers in their tracks (SIGSTOP), for tests of faults", "+")
    command("thaw", thaw, "let frozen servers go on", "+")
    command("reset", reset, "end all servers and remove their data, passwords and logs")
    status_command = command("status", status, "which servers run, where, and whether they answer (status 1: not all)")
    status_command.add_argument("--json", action="store_true")
    env_command = command("env", env, "print NAME=value lines for the router")
    env_command.add_argument("--slot", type=int, default=0, metavar="N",
                             help="one member of the group: its own static group id and HTTP port")
    env_command.add_argument("--dynamic", action="store_true", help="no static group id")
    logs_command = command("logs", logs, "print the servers' logs", "*")
    logs_command.add_argument("-f", "--follow", action="store_true", help="and what comes")
    logs_command.add_argument("-n", "--lines", type=int, default=50, metavar="N", help="of each at most (50)")
    return parser.parse_args()


def server_name(text: str) -> str:
    if text not in DEFAULT_PORTS:
        raise argparse.ArgumentTypeError(f"there is no server {text!r}: there are {', '.join(DEFAULT_PORTS)}")
    return text


@contextlib.contextmanager
def alone(place: Place):
    """One command changes a stack at a time: two `up` at once would start everything twice."""
    with open(place.run / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(server: Server, text: str) -> None:
    print(f"{server.name:<10} {text}", file=sys.stderr)


def up(arguments: argparse.Namespace, place: Place, servers: list[Server]) -> int:
    with alone(place):
        failed = 0
        for server in servers:
            try:
                started = server.up()
            except (RuntimeError, OSError) as error:
                # The others are started all the same: the caller sees every fault in one go.
                say(server, str(error))
                failed = 1
            else:
                say(server, f"{'started' if started else 'is up'}, port {server.port}")
        return failed


def down(arguments: argparse.Namespace, place: Place, servers: list[Server]) -> int:
    with alone(place):
        for server in reversed(servers):
            running = server.running_process()
            if arguments.kill and running:
                process.kill(running, server.pid_file)
                say(server, "killed")
            else:
                say(server, server.down())
    return 0


def freeze(arguments: argparse.Namespace, place: Place, servers: list[Server]) -> int:
    return signal_all(servers, signal.SIGSTOP, "frozen")


def thaw(arguments: argparse.Namespace, place: Place, servers: list[Server]) -> int:
    return signal_all(servers, signal.SIGCONT, "thawed")


def signal_all(servers: list[Server], number: int, word: str) -> int:
    missing = 0
    for server in servers:
        running = server.running_process()
        if running:
            running.send(number, whole_tree=True)
            say(server, word)
        else:
            say(server, "is not running")
            missing = 1
    return missing


def reset(arguments: argparse.Namespace, place: Place, servers: list[Server]) -> int:
    down(argparse.Namespace(kill=True), place, servers)
    for server in servers:
        server.remove_data()
    # Only what we made, and by name: DEV_DIR may be any directory, and .dev/ holds the Python environment too.
    for directory in (place.logs, place.secrets, place.run):
        for file in directory.iterdir():
            file.unlink()
        directory.rmdir()
    for name in ("ports.json", "broker"):
        (place.root / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        place.root.rmdir()
    return 0


def status(arguments: argparse.Namespace, place: Place, servers: list[Server]) -> int:
    rows = []
    for server in servers:
        running = server.running_process()
        rows.append({"name": server.name, "state": server.state(), "port": server.port,
                     "broker": getattr(server, "broker", None),
                     "pid": running.pid if running else None, "data": str(server.data), "log": str(server.log_file)})
    if arguments.json:
        print(json.dumps({"directory": str(place.root), "servers": rows}, indent=2))
    else:
        print(f"{'SERVER':<10} {'STATE':<14} {'PORT':>5} {'PID':>8}  DATA")
        for row in rows:
            what = f"{row['data']} ({row['broker']})" if row["broker"] else row["data"]
            print(f"{row['name']:<10} {row['state']:<14} {row['port']:>5} {row['pid'] or '-':>8}  {what}")
    return 0 if all(row["state"] == "answering" for row in rows) else 1


def env(arguments: argparse.Namespace, place: Place, servers: list[Server]) -> int:
    kafka = next(server for server in servers if isinstance(server, brokers.Kafka))
    for name, value in environment.settings(place, kafka, arguments.slot, arguments.dynamic).items():
        print(f"{name}={value}")
    return 0


def logs(arguments: argparse.Namespace, place: Place, servers: list[Server]) -> int:
    files = [str(server.log_file) for server in servers if server.log_file.exists()]
    if not files:
        print("stack: there are no logs yet", file=sys.stderr)
        return 1
    os.execvp("tail", ["tail", *(["-F"] if arguments.follow else []), "-n", str(arguments.lines), *files])


if __name__ == "__main__":
    sys.exit(main())
