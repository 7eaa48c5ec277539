"""Fixtures: one private stack for the session, one `World` for each test."""

import re

import pytest

from support.front import Front
from support.notes import NOTES
from support.process import find_binary
from support.secrecy import Secrets
from support.stack import Stack
from support.world import World, seed_of


@pytest.fixture(scope="session")
def stack():
    stack = Stack()
    try:
        stack.up()
        yield stack
    finally:
        stack.close()


@pytest.fixture(scope="session")
def binary():
    try:
        return find_binary()
    except FileNotFoundError as missing:
        pytest.fail(str(missing))


@pytest.fixture(scope="session")
def secrets():
    return Secrets()


@pytest.fixture
def seed(request):
    return seed_of(request)


@pytest.fixture
def bare_world(stack, binary, secrets, request, tmp_path):
    """Without topics."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    stack.up()  # a test that failed half-way may have left a server away
    world = World(stack, binary, secrets, name, tmp_path)
    yield world
    world.close()


@pytest.fixture
def world(bare_world):
    return bare_world.create_topics()


@pytest.fixture
def front(world):
    """Orders to the ClickHouse front; none is left afterwards."""
    orders = Front(world.settings)
    orders.clear()
    yield orders
    orders.clear()


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("seeds and accounts")
    for line in NOTES:
        terminalreporter.line(line)
