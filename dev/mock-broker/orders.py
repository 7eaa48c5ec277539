"""Orders to the mock cluster, over HTTP on loopback: one JSON object each."""

import http.server
import json

from cluster import REQUESTS, MockCluster

# An order is a line or two.
MAX_ORDER_BYTES = 65_536


class OrderServer(http.server.ThreadingHTTPServer):
    def __init__(self, cluster: MockCluster) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cluster = cluster
        self.url = f"http://127.0.0.1:{self.server_address[1]}/orders"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        try:
            length = int(self.headers.get("Content-Length") or 0)
            if length > MAX_ORDER_BYTES:
                raise ValueError(f"an order has at most {MAX_ORDER_BYTES} bytes")
            obey(self.server.cluster, json.loads(self.rfile.read(length)))
        except KeyError as missing:
            self.answer(400, f"the order lacks {missing}")
        except (TypeError, ValueError) as error:
            self.answer(400, str(error))
        else:
            self.answer(200, "done")

    def answer(self, status: int, text: str) -> None:
        body = (text + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


def obey(cluster: MockCluster, order: dict) -> None:
    if "request" in order and order["request"] not in REQUESTS:
        raise ValueError(f"no request {order['request']!r}: there are {', '.join(REQUESTS)}")
    match order.get("do"):
        case "create_topic":
            cluster.create_topic(order["name"], int(order["partitions"]))
        case "fail":
            cluster.push_errors(order["request"], [int(code) for code in order["codes"]])
        case "stop_failing":
            cluster.clear_errors(order["request"])
        case "round_trip":
            cluster.set_round_trip(int(order.get("broker", 1)), int(order["milliseconds"]))
        case "broker_up" | "broker_down":
            cluster.set_up(int(order.get("broker", 1)), order["do"] == "broker_up")
        case "coordinator":
            cluster.set_coordinator(order["group"], int(order["broker"]))
        case other:
            raise ValueError(f"no such order: {other!r}")
