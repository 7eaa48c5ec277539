"""librdkafka's mock cluster as a process of its own: README.md says what it is good for, and how it takes orders."""

import argparse
import json
import os
import pathlib
import signal
import sys
import threading

# The mock names a member by the address of its record. Were an address used again, a member that was put out and one
# that came later would have one name, and the mock would take the one for the other. With room for every freed block
# in glibc's per-thread cache, from which calloc never takes, an address once given is not given to a member again.
ADDRESS_TUNABLE = "glibc.malloc.tcache_count=65535"


def main() -> int:
    parser = argparse.ArgumentParser(prog="mock-broker", description=__doc__)
    parser.add_argument("--address-file", type=pathlib.Path, required=True,
                        help="JSON with `bootstrap_servers` and `orders` (a URL) is written here")
    parser.add_argument("--topic", type=topic, action="append", default=[], metavar="NAME:PARTITIONS", dest="topics")
    parser.add_argument("--brokers", type=int, default=1)
    arguments = parser.parse_args()
    if ADDRESS_TUNABLE not in os.environ.get("GLIBC_TUNABLES", ""):
        # It is read when a program starts.
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]],
                  os.environ | {"GLIBC_TUNABLES": ADDRESS_TUNABLE})

    from cluster import MockCluster
    from orders import OrderServer

    # Before any other thread is there, so that every one of them leaves the signals to sigwait.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    cluster = MockCluster(arguments.brokers)
    for name, partitions in arguments.topics:
        cluster.create_topic(name, partitions)
    orders = OrderServer(cluster)
    threading.Thread(target=orders.serve_forever, daemon=True).start()
    address = {"bootstrap_servers": cluster.bootstrap_servers, "orders": orders.url}
    temporary = arguments.address_file.with_suffix(".new")
    temporary.write_text(json.dumps(address))
    temporary.rename(arguments.address_file)
    print(f"mock cluster of librdkafka {cluster.version}: {address}", file=sys.stderr, flush=True)
    signal.sigwait(signals)
    arguments.address_file.unlink(missing_ok=True)
    orders.shutdown()
    cluster.close()
    return 0


def topic(text: str) -> tuple[str, int]:
    name, _, partitions = text.rpartition(":")
    if not name or not partitions.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:PARTITIONS")
    return name, int(partitions)


if __name__ == "__main__":
    sys.exit(main())
