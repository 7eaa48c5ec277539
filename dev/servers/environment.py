"""The settings of DESIGN's section on settings, for a router that works with this stack."""

import os

from brokers import Kafka
from place import Place
from servers import CLICKHOUSE_USER, POSTGRES_DATABASE, POSTGRES_USER

DEFAULT_HTTP_PORT = 8080


def settings(place: Place, kafka: Kafka, slot: int, dynamic: bool) -> dict[str, str]:
    """NAME → value. No value holds a space or a quote: `env $(dev/stack env)` and a shell's `.` both read them."""
    ports = place.ports()
    result = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "KAFKA_GROUP_ID": os.environ.get("KAFKA_GROUP_ID") or "router-dev",
    } | kafka.router_settings(slot, dynamic)
    base_port = int(os.environ.get("DEV_ROUTER_PORT") or DEFAULT_HTTP_PORT)
    result |= {
        "POSTGRES_METADATA_HOST": "127.0.0.1",
        "POSTGRES_METADATA_PORT": str(ports["postgres"]),
        "POSTGRES_METADATA_DB": POSTGRES_DATABASE,
        "POSTGRES_METADATA_USER": POSTGRES_USER,
        "POSTGRES_METADATA_PASSWORD": place.password("postgres"),
        "POSTGRES_METADATA_SSLMODE": "disable",
        "REDIS_URL": f"redis://127.0.0.1:{ports['redis']}",
        "CLICKHOUSE_HOST": "127.0.0.1",
        "CLICKHOUSE_PORT_HTTP": str(ports["clickhouse"]),
        "CLICKHOUSE_USER": CLICKHOUSE_USER,
        "CLICKHOUSE_PASSWORD": place.password("clickhouse"),
        "CLICKHOUSE_SECURE": "false",
        "ROUTER_HTTP_PORT": str(base_port + slot),
    }
    return result
