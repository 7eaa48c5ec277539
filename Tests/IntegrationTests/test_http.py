"""What the service says of itself over HTTP, read by a strict parser."""

import json
import urllib.error
import urllib.request

import pytest

from support import exposition
from support.waiting import until

NAMES = {
    "router_events_consumed_total": "counter", "router_events_delivered_total": "counter",
    "router_events_dead_lettered_total": "counter", "router_consumer_lag": "gauge",
    "router_insert_duration_seconds": "histogram", "router_event_latency_seconds": "histogram",
    "router_inserts_total": "counter", "router_client_cache_lookups_total": "counter",
    "router_buffered_bytes": "gauge", "router_paused_partitions": "gauge", "router_build_info": "gauge",
}
PATHS = ("/healthz", "/readyz", "/metrics", "/api/status")


def metrics(router):
    status, body = router.get("/metrics")
    assert status == 200
    return exposition.read(body)


def test_metrics_account_for_every_event(world, seed, secrets):
    clients = [world.add_client() for _ in range(2)]
    router = world.run().await_ready()
    world.produce_mix(seed, 2000, bad_share=0.2)
    world.await_caught_up(router)
    account = world.account()

    def counted():
        families = metrics(router)
        return families if exposition.total(families, "router_events_consumed_total") == 2000 else None

    families = until("2000 events consumed by /metrics", counted)
    assert {name: families[name].kind for name in NAMES if name in families} == NAMES
    assert exposition.total(families, "router_events_delivered_total") == account.rows
    assert exposition.total(families, "router_events_dead_lettered_total") == account.dead
    rows = {client.client_id: world.warehouse.row_count(client.database) for client in clients}
    assert {
        client_id: exposition.total(families, "router_events_delivered_total", client=client_id) for client_id in rows
    } == rows
    for reason, count in account.reasons.items():
        assert exposition.total(families, "router_events_dead_lettered_total", reason=reason) == count
    lags = families["router_consumer_lag"].samples
    assert {dict(labels)["partition"] for _, labels in lags} == {"0", "1", "2"}
    until("no lag", lambda: sum(metrics(router)["router_consumer_lag"].samples.values()) == 0)
    assert families["router_event_latency_seconds"].samples["router_event_latency_seconds_count", ()] == account.rows
    assert exposition.total(families, "router_inserts_total") >= 2
    assert list(families["router_build_info"].samples.values()) == [1]
    assert all(family.help for name, family in families.items() if name in NAMES)
    for path in PATHS:
        secrets.check(router.get(path)[1], path)


def test_the_endpoints(world):
    router = world.run().await_ready()
    assert router.get("/healthz")[0] == 200
    status, body = router.get("/readyz")
    assert status == 200 and json.loads(body)
    status, body = router.get("/api/status")
    assert status == 200 and isinstance(json.loads(body), dict)
    assert router.get("/nothing/here")[0] == 404
    for method in ("POST", "DELETE"):
        request = urllib.request.Request(f"http://127.0.0.1:{router.port}/metrics", method=method)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=5)
        assert refused.value.code in (404, 405)


def test_the_log_is_json_lines(world, seed):
    world.add_client()
    world.produce_mix(seed, 100)
    router = world.catch_up(LOG_LEVEL="debug")
    records = router.log()
    assert records and not [each for each in records if each.get("not_json")]
    assert all({"ts", "level", "message"} <= each.keys() for each in records)
    sealed = [each for each in records if each["message"] == "batch sealed"]
    completed = [each for each in records if each["message"] == "batch completed"]
    assert sealed and {each["batch"] for each in sealed} == {each["batch"] for each in completed}
    assert all({"batch", "topic", "partition", "lo", "hi"} <= each.keys() for each in sealed)
