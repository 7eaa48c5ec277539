"""Standard output that takes nothing: a full disk, a reader that went away, a descriptor that is closed.

Every command of the program has its case here, with real work to tell of. What it did is looked up in Postgres,
ClickHouse and Kafka, never in what it says.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import uuid

import pytest

from generator import Sample
from support.process import run_command
from support.schemas import Folder, columns
from support.stack import clean_environment
from support.waiting import LONG_ENOUGH_SECONDS, until
from test_command_line import help_of_all, leaves  # noqa: F401  (a fixture)

FULL = "standard output could not be written: No space left on device"
DONE = "done all the same"
KEY_MARK = "rk_"
"""Every API key begins so: none may stand in an error."""


def status_of(world, client):
    return world.sql("SELECT status FROM clients WHERE client_id = %s", client.client_id)[0][0]


def topic_size(world, topic):
    return sum(end - start for start, end in world.broker.ends(topic).values())


# What each command is asked for, the words of its error, and a look at what it did. `turn` is 0 for the form for people,
# 1 for --json: a change is made in each of them, so none may be what the other has done already.


def reading(*arguments):
    """A command that changes nothing."""
    return lambda world, client, turn: (arguments, "not whole", lambda: None)


def client_add(world, client, turn):
    name = f"{world.raw} added {turn}"

    def look():
        assert world.sql("SELECT 1 FROM clients WHERE client_name = %s", name) == [], "a client without a key"
    return ["client", "add", "--name", name], "no client was made", look


def client_import(world, client, turn):
    name = f"{world.raw} imported {turn}"
    path = world.directory / f"clients-{turn}.csv"
    path.write_text(f"client_name\n{name}\n")

    def look():
        assert world.sql("SELECT 1 FROM clients WHERE client_name = %s", name) == [], "a client without a key"
    return ["client", "import", path], "no client was added", look


def client_rotate_key(world, client, turn):
    def look():
        assert world.sql(
            "SELECT api_key_hash, previous_api_key_hash FROM clients WHERE client_id = %s", client.client_id
        ) == [(client.api_key_hash, None)], "nobody has seen the key that is asked for now"
    return ["client", "rotate-key", client.client_id], "the key was not changed", look


def client_status(word, before, after):
    def case(world, client, turn):
        world.set_status(client, before)

        def look():
            assert status_of(world, client) == after
            world.set_status(client, "active")
        return ["client", word, client.client_id], client.client_id, look
    return case


def client_rename(world, client, turn):
    name = f"{world.raw} renamed {turn}"

    def look():
        assert world.sql("SELECT client_id::text FROM clients WHERE client_name = %s", name) == [
            (client.client_id,)]
    return ["client", "rename", client.client_id, "--name", name], client.client_id, look


def client_set(world, client, turn):
    days = 4000 + turn

    def look():
        assert world.sql(
            "SELECT days FROM client_retention WHERE client_id = %s AND ended_at IS NULL", client.client_id
        ) == [(days,)]
    return ["client", "set", client.client_id, "--retention", days], DONE, look


def client_erase_user(world, client, turn):
    def look():
        assert world.warehouse.command(
            f"SELECT count() FROM `{client.database}`.events_base WHERE user_id = 'user {turn}'") == 0
    return ["client", "erase-user", client.client_id, f"user {turn}", "--reason", "a test", "--yes"], "Erased 1 rows", look


def provision(world, client, turn):
    pending = world.add_client(provision=False)

    def look():
        assert status_of(world, pending) == "active" and pending.database in world.warehouse.databases()
        world.set_status(pending, "active")
    return ["provision", pending.client_id], "1 provisioned", look


def migrate_up(world, client, turn):
    folder = Folder(world.directory / f"up-{turn}")
    if turn:
        folder.add("ALTER TABLE {database}.events_base ADD COLUMN IF NOT EXISTS c0 String;\n")
    folder.add(f"ALTER TABLE {{database}}.events_base ADD COLUMN IF NOT EXISTS c{turn} String;\n")

    def look():
        assert f"c{turn}" in columns(world, client.database)
    return ["migrate", "up", "--migrations", folder.path, "--client", client.client_id], "1 migrated", look


def migrate_new(world, client, turn):
    folder = Folder(world.directory / f"new-{turn}")
    path = folder.path / f"v{folder.next}_wanted.sql"
    return ["migrate", "new", "wanted", "--migrations", folder.path], path.name, lambda: path.read_text()


def migrate_repair(world, client, turn):
    text = "ALTER TABLE {database}.events_base ADD COLUMN IF NOT EXISTS r String;\n"
    folder = Folder(world.directory / f"repair-{turn}")
    version, file = folder.next, folder.add(text)
    assert world.cli("migrate", "up", "--migrations", folder.path, "--client", client.client_id, "--json").status in (0, 2)
    file.write_text(f"-- a remark {turn}\n" + text)

    def look():
        assert world.sql("SELECT count(*) FROM schema_repairs WHERE client_id = %s", client.client_id) == [
            (turn + 1,)]
    return ["migrate", "repair", client.client_id, "--migrations", folder.path, "--migration", version,
            "--accept-checksum", "--reason", "a test"], "the repair is recorded", look


def deprovision(world, client, turn):
    leaving = world.add_client()

    def look():
        # The form for people shows first what will go. Where nobody sees that, nothing goes.
        assert status_of(world, leaving) == ("deprovisioned" if turn else "active")
        assert (leaving.database in world.warehouse.databases()) == (not turn)
        world.set_status(leaving, status_of(world, leaving), in_postgres=False)
    return ["deprovision", leaving.client_id, "--yes"], "database dropped" if turn else "nothing was deprovisioned", look


def dlq_show(world, client, turn):
    place = next(letter.origin for letter in world.dead_letters())
    return ["dlq", "show", f"{place[1]}/{place[2]}"], "not whole", lambda: None


def dlq_replay(world, client, turn):
    before = world.warehouse.row_count(client.database)
    made = Sample("plain", json.dumps({
        "client_id": client.client_id, "api_key_hash": client.api_key_hash, "event_name": "e"}).encode(),
        timestamp_ms=world.now())
    world.set_status(client, "suspended")
    world.produce([made])
    world.catch_up()
    world.set_status(client, "active")

    def look():
        assert world.warehouse.row_count(client.database) == before + 1
    return ["dlq", "replay", "--reason", "client_not_active"], "1 delivered", look


def dlq_discard(world, client, turn):
    reason = ("malformed_json", "empty_payload")[turn]

    def look():
        assert world.sql(
            "SELECT count(*) FROM dead_letter_discards WHERE why = %s", f"{world.raw} {turn}")[0][0] > 0
    return ["dlq", "discard", "--reason", reason, "--why", f"{world.raw} {turn}", "--yes"], "dead letters discarded", look


def rebuild(world, client, turn):
    held = world.warehouse.row_count(client.database)
    world.warehouse.command(f"TRUNCATE TABLE `{client.database}`.events_base")

    def look():
        assert world.warehouse.row_count(client.database) == held > 0
    return ["rebuild", client.client_id], f"{held} were put back", look


def offsets_accept(world, client, turn):
    # What Postgres remembers lies beyond the log: the partition stands still.
    world.sql("DELETE FROM partition_progress WHERE group_id = %s", world.group)
    group = f"{world.group}-{turn}"
    world.sql("INSERT INTO partition_progress (group_id, topic, partition, last_completed_offset) VALUES (%s, %s, 0, 3)",
              group, world.raw)
    world.settings["KAFKA_GROUP_ID"] = group

    def look():
        assert world.sql("SELECT count(*) FROM offset_acceptances WHERE group_id = %s", group) == [(1,)]
    return ["offsets", "accept", "--all", "--earliest", "--reason", "a test", "--yes"], "accepted", look


def send(world, client, turn):
    before = topic_size(world, world.raw)

    def look():
        assert topic_size(world, world.raw) == before + 7
    return ["send", "--count", 7, "--client", client.client_id], "7 events were sent", look


def pause(world, client, turn):
    def look():
        assert (turn,) in world.sql("SELECT partition FROM pauses WHERE group_id = %s AND resumed_at IS NULL", world.group)
    return ["pause", "--partition", turn, "--reason", "a test"], "changed", look


def resume(world, client, turn):
    assert world.cli("pause", "--partition", turn, "--reason", "a test").status == 0

    def look():
        assert world.sql("SELECT partition FROM pauses WHERE group_id = %s AND resumed_at IS NULL", world.group) == []
    return ["resume", "--partition", turn], "changed", look


def run(world, client, turn):
    before = world.warehouse.row_count(client.database)
    world.produce([Sample("plain", json.dumps({
        "client_id": client.client_id, "api_key_hash": client.api_key_hash, "event_name": "e"}).encode(),
        timestamp_ms=world.now())])

    def look():
        assert world.warehouse.row_count(client.database) == before + 1
    return ["run", "--until-caught-up"], "consumed 1, delivered 1", look


def of_the_client(*arguments):
    return lambda world, client, turn: ([*arguments, client.client_id], "not whole", lambda: None)


CASES = {
    ("run",): run,
    ("client", "add"): client_add,
    ("client", "import"): client_import,
    ("client", "list"): reading("client", "list"),
    ("client", "show"): of_the_client("client", "show"),
    ("client", "rotate-key"): client_rotate_key,
    ("client", "suspend"): client_status("suspend", "active", "suspended"),
    ("client", "resume"): client_status("resume", "suspended", "active"),
    ("client", "rename"): client_rename,
    ("client", "set"): client_set,
    ("client", "erase-user"): client_erase_user,
    ("provision",): provision,
    ("migrate", "up"): migrate_up,
    ("migrate", "status"): of_the_client("migrate", "status", "--client"),
    ("migrate", "verify"): of_the_client("migrate", "verify", "--client"),
    ("migrate", "new"): migrate_new,
    ("migrate", "repair"): migrate_repair,
    ("deprovision",): deprovision,
    ("audit",): reading("audit"),
    ("dlq", "stats"): reading("dlq", "stats"),
    ("dlq", "list"): reading("dlq", "list"),
    ("dlq", "show"): dlq_show,
    ("dlq", "replay"): dlq_replay,
    ("dlq", "discard"): dlq_discard,
    ("dlq", "export"): reading("dlq", "export"),
    ("rebuild",): rebuild,
    ("offsets", "show"): reading("offsets", "show"),
    ("offsets", "accept"): offsets_accept,
    ("send",): send,
    ("pause",): pause,
    ("resume",): resume,
    ("db", "upgrade"): lambda world, client, turn: (["db", "upgrade"], DONE, lambda: None),
    ("db", "status"): reading("db", "status"),
    ("doctor",): reading("doctor"),
    ("status",): reading("status"),
    ("completions",): reading("completions", "bash"),
}
WITHOUT_JSON = {("completions",)}


def test_every_command_has_its_case(help_of_all):
    assert set(CASES) == set(leaves(help_of_all))


@pytest.fixture
def client(world):
    """One with rows, and dead letters of several reasons beside them."""
    client = world.add_client()
    world.produce(Sample("plain", json.dumps({
        "client_id": client.client_id, "api_key_hash": client.api_key_hash, "event_name": "e", "user_id": user}).encode(),
        timestamp_ms=world.now()) for user in ("user 0", "user 1", "somebody else"))
    world.produce(Sample(kind, value, timestamp_ms=world.now())
                  for kind, value in (("malformed", b"{"), ("tombstone", None)) for _ in range(3))
    world.catch_up()
    return client


@pytest.mark.parametrize("words", CASES, ids=" ".join)
def test_a_full_disk_is_told_and_so_is_what_was_done(world, client, words):
    for turn, form in enumerate([[]] if words in WITHOUT_JSON else [[], ["--json"]]):
        arguments, told, look = CASES[words](world, client, turn)
        with open("/dev/full", "wb") as full:
            answer = world.cli(*arguments, *form, stdout=full)
        assert answer.status == 1, f"{answer}\nstandard output took nothing, and it ended with {answer.status}"
        errors = [line for line in answer.err.splitlines() if "output_failed" in line]
        assert len(errors) == 1 and FULL in errors[0] and told in errors[0], answer.err
        assert KEY_MARK not in answer.err and "exported" not in answer.err
        look()


# A reader that went away


def without_reader(world, *arguments, seconds=120):
    """As behind `| head -1` once head has ended."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return world.cli(*arguments, stdout=writing, seconds=seconds)
    finally:
        os.close(writing)


BROKEN_PIPE = 128 + signal.SIGPIPE


@pytest.mark.parametrize("arguments", [
    ["client", "list"], ["dlq", "list", "--json"], ["dlq", "export"], ["status", "--watch"], ["audit"],
], ids=" ".join)
def test_a_reader_that_went_away_ends_a_command_quietly(world, client, arguments):
    answer = without_reader(world, *arguments)
    assert answer.status == BROKEN_PIPE and "router:" not in answer.err and "exported" not in answer.err, answer


def test_the_work_is_finished_though_nobody_reads_any_more(world):
    clients = [world.add_client(provision=False) for _ in range(3)]
    answer = without_reader(world, "provision", *(each.client_id for each in clients))
    assert answer.status == BROKEN_PIPE and "router:" not in answer.err, answer
    assert [status_of(world, each) for each in clients] == ["active"] * 3
    for each in clients:
        world.set_status(each, "active", in_postgres=False)


def test_a_verdict_is_kept_though_nobody_reads_it(world, client):
    world.warehouse.command(f"TRUNCATE TABLE `{client.database}`.events_base")
    answer = without_reader(world, "audit")
    assert answer.status == 2 and "router:" not in answer.err, answer


def test_no_client_is_made_whose_key_nobody_reads(world):
    name = f"{world.raw} unread"
    answer = without_reader(world, "client", "add", "--name", name)
    assert answer.status == 1 and "no client was made" in answer.err and KEY_MARK not in answer.err, answer
    assert world.sql("SELECT 1 FROM clients WHERE client_name = %s", name) == []


# Other states of the descriptors


def test_a_closed_output_is_told_and_no_connection_takes_its_place(world):
    """The first file that is opened would get the number 1, and what is printed would go into it."""
    name = f"{world.raw} closed"
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" <&- >&-', world.binary, "client", "add", "--name", name], env=world.environment({}),
        stderr=subprocess.PIPE, text=True, timeout=LONG_ENOUGH_SECONDS)
    assert done.returncode == 1 and "Bad file descriptor; no client was made" in done.stderr, done
    assert world.sql("SELECT 1 FROM clients WHERE client_name = %s", name) == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["client", "add", "--help"], ["help", "run"]], ids=" ".join)
def test_help_that_cannot_be_shown_is_a_failure(binary, arguments):
    with open("/dev/full", "wb") as full:
        answer = run_command(binary, clean_environment(), arguments, stdout=full)
    assert answer.status == 1 and FULL in answer.err, answer


def test_an_error_that_cannot_be_shown_changes_no_status(world):
    with open("/dev/full", "wb") as full:
        for arguments, status in ((["client", "list"], 0), (["client", "show", str(uuid.uuid4())], 1), (["nonsense"], 64)):
            done = subprocess.run(
                [world.binary, *arguments], env=world.environment({}), stdout=subprocess.PIPE, stderr=full,
                timeout=LONG_ENOUGH_SECONDS)
            assert done.returncode == status, arguments


def test_output_that_does_not_block_is_waited_for(binary):
    """Another program may have set the terminal or pipe so. The pipe is made too small for the text and is read only once
    it is full."""
    whole = run_command(binary, clean_environment(), ["--experimental-dump-help"]).out.encode()
    reading, writing = os.pipe()
    size = fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    assert len(whole) > 2 * size
    os.set_blocking(writing, False)
    process = subprocess.Popen(
        [binary, "--experimental-dump-help"], env=clean_environment(), stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)

    def held():
        return int.from_bytes(fcntl.ioctl(reading, termios.FIONREAD, b"\0" * 4), sys.byteorder)
    until("the pipe is full", lambda: held() >= size // 2, LONG_ENOUGH_SECONDS)
    with open(reading, "rb") as pipe:
        assert pipe.read() == whole
    assert process.wait(LONG_ENOUGH_SECONDS) == 0 and process.stderr.read() == b""
