"""Orders to the ClickHouse front to misbehave (dev/clickhouse-front/README.md, "Faults on order")."""

import base64
import json
import urllib.request

ALWAYS = 1_000_000
"""More queries than any test asks."""


class Front:
    def __init__(self, settings):
        self.url = f"http://{settings['CLICKHOUSE_HOST']}:{settings['CLICKHOUSE_PORT_HTTP']}/faults"
        login = f"{settings['CLICKHOUSE_USER']}:{settings['CLICKHOUSE_PASSWORD']}"
        self.headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}

    def order(self, do, contains, count=1, **more):
        """The next `count` inserts whose statement, parameters or database hold `contains` obey."""
        self._ask("POST", {"do": do, "contains": contains, "count": count} | more)

    def done(self):
        """How many queries have obeyed since the last `clear`."""
        orders = self._ask("GET")
        return sum(each["done"] for each in (orders["orders"] if isinstance(orders, dict) else orders))

    def clear(self):
        self._ask("DELETE")

    def _ask(self, method, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url, data=data, method=method, headers=self.headers)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            text = answer.read().decode()
        try:
            return json.loads(text)
        except ValueError:
            return text
