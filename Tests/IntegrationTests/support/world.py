"""What one test sees: topics, a group, clients and databases of its own on the session's stack."""

import json
import os
import random
import time
import uuid
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from subprocess import PIPE

import psycopg2

from generator import samples
from reference import MAX_EVENT_BYTES, Client
from support.accounting import expected_of, take_account
from support.broker import Broker
from support.notes import note
from support.process import Router, run_command
from support.stack import clean_environment, free_ports
from support.waiting import NotInTime, until
from support.warehouse import Warehouse

PARTITIONS = 3
FAST = {
    "ROUTER_BATCH_MAX_AGE_MS": "100", "LOG_LEVEL": "info", "LOG_FORMAT": "json",
}
"""Small and quick, so that a test waits for little; each test may say otherwise."""
IDLE_SECONDS = 15
"""The status is written down a few times a second; two shared cores can make it seconds."""


class World:
    def __init__(self, stack, binary, secrets, name, directory):
        self.stack, self.binary, self.secrets, self.directory = stack, binary, secrets, directory
        self.name = name
        mark = f"{name}-{uuid.uuid4().hex[:8]}"
        self.raw, self.dead, self.group = f"{mark}-raw", f"{mark}-dead", f"{mark}-group"
        (port,) = free_ports(1)
        self.settings = stack.settings() | FAST | {
            "KAFKA_RAW_TOPIC": self.raw, "KAFKA_DEAD_LETTER_TOPIC": self.dead, "KAFKA_GROUP_ID": self.group,
            "KAFKA_CONFIG_GROUP_INSTANCE_ID": f"{mark}-member", "ROUTER_HTTP_PORT": str(port),
        }
        for setting, value in self.settings.items():
            if setting.endswith("PASSWORD") or setting.endswith("HMAC_KEY"):
                secrets.add(setting, value)
        self.broker = Broker(self.settings["KAFKA_BOOTSTRAP_SERVERS"])
        self.warehouse = Warehouse(self.settings)
        self.clients = {}
        self.keys = {}
        self.routers = []
        self.produced = []
        self.commands = 0

    # Topics, clients

    def create_topics(self, partitions=PARTITIONS, dead_partitions=2):
        self.broker.create_topics(**{self.raw: partitions, self.dead: dead_partitions})
        return self

    def add_client(self, *arguments, name=None, provision=True):
        """A client made by the program's own commands; `status` stays `pending` without `provision`."""
        name = name or f"{self.raw} client {len(self.clients)}"
        answer = self.cli("client", "add", "--name", name, *arguments, "--json", prints_key=True)
        assert answer.status == 0, answer
        made = answer.json
        self.secrets.add("an api key", made["api_key"])
        self.secrets.add("a key's hash", made["api_key_hash"])
        client = Client(made["client_id"], made["api_key_hash"], made["ch_database_name"], "pending")
        self.clients[client.client_id] = client
        self.keys[client.client_id] = made["api_key"]
        return self.provision(client) if provision else client

    def provision(self, client):
        answer = self.cli("provision", client.client_id, "--json")
        assert answer.status == 0, answer
        assert answer.json is not None
        return self.set_status(client, "active", in_postgres=False)

    def set_status(self, client, status, in_postgres=True):
        if in_postgres:
            self.sql("UPDATE clients SET status = %s WHERE client_id = %s", status, client.client_id)
        self.clients[client.client_id] = replace(client, status=status)
        return self.clients[client.client_id]

    @contextmanager
    def postgres(self):
        connection = psycopg2.connect(
            host=self.settings["POSTGRES_METADATA_HOST"], port=self.settings["POSTGRES_METADATA_PORT"],
            dbname=self.settings["POSTGRES_METADATA_DB"], user=self.settings["POSTGRES_METADATA_USER"],
            password=self.settings["POSTGRES_METADATA_PASSWORD"])
        connection.autocommit = True
        try:
            yield connection.cursor()
        finally:
            connection.close()

    def sql(self, statement, *values):
        with self.postgres() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    # The program

    def environment(self, overrides):
        settings = clean_environment() | self.settings | {name: str(value) for name, value in overrides.items()}
        return {name: value for name, value in settings.items() if value != ""}

    def cli(self, *arguments, prints_key=False, input=None, seconds=120, stdout=PIPE, **overrides):
        """Runs a command; what it prints is searched for secrets, but for the key that `client add` shows once."""
        done = run_command(self.binary, self.environment(overrides), arguments, seconds, input, stdout)
        self.secrets.check(done.err, f"standard error of router {' '.join(done.arguments)}")
        if not prints_key:
            self.secrets.check(done.out, f"standard output of router {' '.join(done.arguments)}")
        return done

    def run(self, *arguments, **overrides):
        """Starts `router run`; the caller need not end it."""
        self.commands += 1
        log = self.directory / f"router-{self.commands:02}.log"
        router = Router(self.binary, self.environment(overrides), log, ("run", *arguments))
        self.routers.append(router)
        return router

    def catch_up(self, seconds=120, **overrides):
        """`router run --until-caught-up`, which must end with status 0."""
        router = self.run("--until-caught-up", **overrides)
        status = router.wait(seconds)
        assert status == 0, f"run --until-caught-up ended with {status}:\n{router.tail()}"
        return router

    def audit(self, *arguments):
        return self.cli("audit", "--json", *arguments)

    # Records and the account of them

    def produce(self, made, partition=None):
        produced = self.broker.produce(self.raw, made, partition)
        self.produced += produced
        return produced

    def produce_mix(self, seed, count, bad_share=0.1, kinds=None):
        """Records of mixed kinds over all active clients."""
        active = [each for each in self.clients.values() if each.status == "active"]
        return self.produce(samples(seed, active, count, self.now(), bad_share, kinds))

    @staticmethod
    def now():
        return int(time.time() * 1000)

    def await_caught_up(self, router=None, seconds=120):
        """Everything is committed, and a `router` holds nothing any more: see `idle`."""
        self.broker.await_caught_up(self.group, self.raw, seconds, alive=router.must_live if router else None)
        if router:
            self.idle(router)

    @staticmethod
    def idle(router):
        """What is delivered is given back: an idle router counts no bytes, and pauses no partition but those that a
        person has paused or has to decide about."""
        def is_idle():
            status = json.loads(router.get("/api/status")[1])
            held = {each["partition"]: each for each in status["partitions"]
                    if each["is_paused"] and not each.get("pause") and not each.get("stopped")}
            found.update(buffered_bytes=status["buffered_bytes"], paused=held)
            return not status["buffered_bytes"] and not held

        # A member of a group on a port of the system's choice cannot be asked.
        if not router.port:
            return
        found = {}
        try:
            until("the router is idle", is_idle, IDLE_SECONDS, alive=router.must_live)
        except NotInTime as late:
            raise AssertionError(f"everything is committed, and the router holds {found}: {late}") from None

    def expected(self, max_event_bytes=MAX_EVENT_BYTES):
        return expected_of(self.produced, self.clients, max_event_bytes)

    def dead_letters(self):
        return self.broker.read_all(self.dead)

    def account(self, expected=None, max_event_bytes=MAX_EVENT_BYTES):
        """Fails unless every produced offset is exactly one row in its client's database or a dead letter, as
        `expected` (by default: by the reference), and everything is committed."""
        expected = self.expected(max_event_bytes) | (expected or {})
        account = take_account(
            self.produced, expected, self.warehouse.all_rows(self.raw), self.dead_letters(), self.raw, self.secrets)
        ends = self.broker.ends(self.raw)
        committed = {each: offset for each, (offset, _) in self.broker.committed(self.group, self.raw).items()}
        behind = {each: (committed[each], high) for each, (low, high) in ends.items()
                  if low < high and committed[each] != high}
        assert not behind, f"not committed to the end, partition to (committed, end): {behind}"
        assert Counter(each.partition for each in self.produced) == Counter(
            {each: high - low for each, (low, high) in ends.items() if low < high})
        note(f"{self.name}: {account}")
        return account

    def close(self):
        """Ends what runs and removes what the test made. What the program printed is searched for secrets last."""
        for router in self.routers:
            router.kill()
        try:
            for client in self.clients.values():
                self.warehouse.command(f"DROP DATABASE IF EXISTS `{client.database}`")
            self.broker.delete_topics(self.raw, self.dead)
            ids = list(self.clients)
            with self.postgres() as cursor:
                cursor.execute("DELETE FROM schema_versions WHERE client_id = ANY(%s::uuid[])", (ids,))
                cursor.execute("DELETE FROM clients WHERE client_id = ANY(%s::uuid[])", (ids,))
        finally:
            for router in self.routers:
                self.secrets.check_file(router.log_path)
                self.secrets.check_file(router.out_path)


def seed_of(request):
    """The test's seed: `ROUTER_TEST_SEED` or a new one; it is printed, so that a failure can be run again."""
    seed = int(os.environ.get("ROUTER_TEST_SEED") or random.SystemRandom().randrange(1 << 31))
    note(f"{request.node.name}: seed {seed} (again with ROUTER_TEST_SEED={seed})")
    return seed
