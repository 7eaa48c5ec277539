"""The table of the neutral write, which tells the server's trouble from one client's; it is the whole stack's."""

from contextlib import contextmanager

DATABASE = "router_internal"
TABLE = f"{DATABASE}.write_probe"
AWAY = f"{DATABASE}.away"


def shape(world):
    """What each server of ours must have: engine, sorting key, columns. None without the table."""
    found = world.warehouse.client.query(
        "SELECT engine, sorting_key, (SELECT groupArray((name, type)) FROM (SELECT name, type FROM system.columns "
        f"WHERE database = '{DATABASE}' AND table = 'write_probe' ORDER BY position)) "
        f"FROM system.tables WHERE database = '{DATABASE}' AND name = 'write_probe'").result_rows
    return found[0] if found else None


def probers(world):
    """Who has written into it, and how often."""
    return dict(world.warehouse.client.query(f"SELECT prober, count() FROM {TABLE} GROUP BY prober").result_rows)


@contextmanager
def without_write_probe(world):
    """As on a server that was provisioned by an older edition. Tests of one stack run one after the other, so nobody else
    asks meanwhile; whatever happens, the table is there again afterwards."""
    assert shape(world), "a client has to be provisioned first: that makes the table"
    world.warehouse.command(f"RENAME TABLE {TABLE} TO {AWAY}")
    try:
        yield
    finally:
        # A command of the test may have made it anew.
        world.warehouse.command(f"DROP TABLE IF EXISTS {TABLE} SYNC")
        world.warehouse.command(f"RENAME TABLE {AWAY} TO {TABLE}")
