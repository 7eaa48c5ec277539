"""dev/mock-broker as a process of the test's own: groups that put dead members out, and errors on order."""

import json
import subprocess
import sys
import urllib.request

from support.stack import REPOSITORY, clean_environment
from support.waiting import until


class MockBroker:
    def __init__(self, directory):
        self.address_file = directory / "mock-broker.json"
        self.log = open(directory / "mock-broker.log", "wb")
        self.process = subprocess.Popen(
            [sys.executable, REPOSITORY / "dev" / "mock-broker", "--address-file", self.address_file],
            env=clean_environment(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        until("the mock broker's address", self.address_file.exists, alive=self.must_live)
        address = json.loads(self.address_file.read_text())
        self.bootstrap_servers, self.orders = address["bootstrap_servers"], address["orders"]

    def must_live(self):
        assert self.process.poll() is None, f"the mock broker ended with {self.process.returncode}: {self.log.name}"

    def order(self, do, **what):
        request = urllib.request.Request(self.orders, data=json.dumps({"do": do} | what).encode())
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20):
            pass

    def create_topics(self, **partitions):
        for name, count in partitions.items():
            self.order("create_topic", name=name, partitions=count)

    def fail(self, request, *codes):
        """The next requests of this kind, whoever sends them, get these errors, one each."""
        self.order("fail", request=request, codes=codes)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
