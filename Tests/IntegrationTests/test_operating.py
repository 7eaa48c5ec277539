"""The runbook, docs/OPERATING.md: every command in it is run, section by section, in the situation it is written for."""

import os
import re
import subprocess

import pytest

from support.stack import REPOSITORY

RUNBOOK = REPOSITORY / "docs" / "OPERATING.md"
FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAY_NEED_A_PERSON = re.compile(r"#\s*status 2\b")
DYNAMIC = {"KAFKA_CONFIG_GROUP_INSTANCE_ID": ""}
"""A member that leaves politely, so that its group can be deleted."""
SECTIONS = ("First day", "New client", "Key leaked", "Client leaving", "Schema change", "Dead letters rising",
            "Lag rising", "ClickHouse full", "Kafka offsets lost", "Upgrade without downtime")


def sections():
    """Title and commands of each section that has any, in order."""
    found = {}
    for part in re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        commands = [line for block in FENCE.findall(text) for line in block.replace("\\\n", " ").splitlines()
                    if line.strip() and not line.startswith("#")]
        if commands:
            found[title] = commands
    return found


def test_the_runbook_has_its_sections():
    assert set(SECTIONS) <= set(sections()), "a section is gone, or has lost its commands"


def lose_the_offsets(world):
    for future in world.broker.admin.delete_consumer_groups([world.group]).values():
        future.result()


@pytest.mark.parametrize("title", sections())
def test_a_section_can_be_followed(world, title, seed):
    client, staying = world.add_client(), world.add_client()
    world.produce_mix(seed, 200, bad_share=0.2)
    world.catch_up(**DYNAMIC)
    if title == "Kafka offsets lost":
        lose_the_offsets(world)
    known = set(world.sql("SELECT client_id::text FROM clients"))
    environment = world.environment(DYNAMIC | {
        "PATH": f"{world.binary.parent}:{os.environ['PATH']}", "CLIENT": client.client_id,
        "STAYING_CLIENT": staying.client_id, "BACKUP": world.directory / "backup",
    })
    try:
        for command in sections()[title]:
            done = subprocess.run(
                ["bash", "-uo", "pipefail", "-c", command], cwd=REPOSITORY, env=environment, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=180)
            allowed = (0, 2) if MAY_NEED_A_PERSON.search(command) else (0,)
            assert done.returncode in allowed, (
                f"{title}: {command}\nstatus {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    finally:
        for (made,) in set(world.sql("SELECT client_id::text FROM clients")) - known:
            world.sql("DELETE FROM schema_versions WHERE client_id = %s", made)
            world.sql("DELETE FROM clients WHERE client_id = %s", made)
