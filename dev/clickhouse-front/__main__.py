"""An HTTP front over the engine of ClickHouse, for development and tests: README.md says what it is and is not."""

import argparse
import os
import pathlib
import signal
import sys
import threading

# At the end, queries under way get this long before they are cut off.
SHUTDOWN_TIMEOUT_SECONDS = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="clickhouse-front", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1, and on nothing else")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="the engine's directory")
    parser.add_argument("--user", default="default", help="the only user; its password is in CLICKHOUSE_FRONT_PASSWORD")
    parser.add_argument("--faults", action="store_true", help="obey orders to misbehave, at /faults")
    arguments = parser.parse_args()
    password = os.environ.pop("CLICKHOUSE_FRONT_PASSWORD", "")
    arguments.data.mkdir(parents=True, exist_ok=True)

    # Only now, so that --help needs no engine.
    from engine import Engine
    from faults import Faults
    from server import Server

    engine = Engine(str(arguments.data.absolute()))
    server = Server(arguments.port, engine, arguments.user, password, Faults() if arguments.faults else None)
    # shutdown() waits for serve_forever(), which is what a signal interrupts: so in another thread.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"ClickHouse {engine.version} on 127.0.0.1:{arguments.port}, data in {arguments.data}", file=sys.stderr,
          flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    idle = server.running.wait_until_idle(SHUTDOWN_TIMEOUT_SECONDS)
    if not idle:
        print("queries are still under way: they are cut off", file=sys.stderr, flush=True)
        os._exit(1)
    engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
