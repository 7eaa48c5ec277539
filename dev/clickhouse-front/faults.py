"""Misbehaviour on order, for tests of those who talk to ClickHouse. Only with `--faults`; README.md says how."""

import dataclasses
import threading

from errors import BAD_REQUEST_PARAMETER, ClickHouseError

KINDS = ("delay", "drop_reply", "close", "refuse")
# An order is a few lines; a test that sends more is mistaken.
MAX_ORDERS = 100


class DropConnection(Exception):
    """The connection is to be closed with no reply."""


@dataclasses.dataclass
class Order:
    """One order: what is done to the next `count` queries that match. It is used up when `count` is 0."""

    do: str
    # "insert", "select" (whatever else returns rows too) or "any".
    on: str = "insert"
    # Text that the statement, its parameters or its database have to contain.
    contains: str = ""
    count: int = 1
    seconds: float = 0
    code: int = 0
    text: str = "Refused on order."
    done: int = 0

    def check(self) -> None:
        wrong = []
        if self.do not in KINDS:
            wrong.append(f"`do` is one of {', '.join(KINDS)}")
        if self.on not in ("insert", "select", "any"):
            wrong.append("`on` is insert, select or any")
        if not isinstance(self.count, int) or self.count < 1:
            wrong.append("`count` is 1 or more")
        if self.do == "delay" and not self.seconds > 0:
            wrong.append("`delay` needs `seconds`")
        if self.do == "refuse" and not self.code > 0:
            wrong.append("`refuse` needs `code`")
        if wrong:
            raise ClickHouseError(BAD_REQUEST_PARAMETER, "; ".join(wrong) + ".")


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[Order] = []
        self._cleared = threading.Event()

    def add(self, fields: dict) -> None:
        try:
            order = Order(**fields)
            order.check()
        except TypeError as error:
            raise ClickHouseError(BAD_REQUEST_PARAMETER, f"An order cannot be read: {error}.") from None
        with self._lock:
            if len(self._orders) >= MAX_ORDERS:
                raise ClickHouseError(BAD_REQUEST_PARAMETER, f"There are {MAX_ORDERS} orders: clear them first.")
            self._orders.append(order)

    def clear(self) -> None:
        """Forgets all orders and ends every delay that is under way."""
        with self._lock:
            self._orders.clear()
            self._cleared.set()
            self._cleared = threading.Event()

    def report(self) -> list[dict]:
        with self._lock:
            return [dataclasses.asdict(order) for order in self._orders]

    def take(self, is_insert: bool, haystack: str) -> list[Order]:
        """The orders that this query has to obey: one of each kind at most. Orders that are used up stay in the list
        with what they did, so that a test can see it."""
        taken: dict[str, Order] = {}
        with self._lock:
            for order in self._orders:
                if (order.count > 0 and order.do not in taken and order.contains in haystack
                        and order.on in ("any", "insert" if is_insert else "select")):
                    order.count -= 1
                    order.done += 1
                    taken[order.do] = order
        return list(taken.values())

    def before(self, orders: list[Order]) -> None:
        """What happens once the query is known and its body is there, but the engine has not been asked."""
        for order in orders:
            if order.do == "delay":
                with self._lock:
                    cleared = self._cleared
                cleared.wait(order.seconds)
        for order in orders:
            if order.do == "refuse":
                raise ClickHouseError((order.code, "REFUSED_ON_ORDER"), order.text)
            if order.do == "close":
                raise DropConnection()

    def after(self, orders: list[Order]) -> None:
        """What happens when the engine has done its work."""
        if any(order.do == "drop_reply" for order in orders):
            raise DropConnection()
