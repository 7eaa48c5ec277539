"""The commands that README.md shows are run, or the reason why not is said."""

import os
import re
import subprocess

import pytest

from support.stack import REPOSITORY

README = REPOSITORY / "README.md"
FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CANNOT_RUN = {
    "docker": "there is no Docker here", "kubectl": "there is no cluster here", "git clone": "there is no network here",
    "sudo": "it would change this machine", "apt": "it would change this machine",
}
SERVICES = ("router run",)
"""They run until they are ended; test_start.py and others run them."""


def blocks():
    """(line, text) of every block marked `sh`."""
    if not README.exists():
        return []
    text = README.read_text()
    return [(text[: match.start()].count("\n") + 1, match[1]) for match in FENCE.finditer(text)]


def commands(block):
    joined = block.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]


def test_there_is_a_readme_with_commands():
    assert blocks(), "README.md shows no command in a block marked sh"


@pytest.mark.parametrize("line, block", blocks(), ids=lambda value: f"line-{value}" if isinstance(value, int) else "")
def test_a_block_can_be_run(world, line, block):
    for word, reason in CANNOT_RUN.items():
        if re.search(rf"(^|\s){re.escape(word)}", block):
            pytest.skip(f"README.md line {line}: {reason}")
    runnable = []
    for command in commands(block):
        if command.startswith("make ") or command == "make":
            # Run as a whole by whoever runs `make`; here it is enough that the target is there.
            subprocess.run(["make", "--dry-run", *command.split("#")[0].split()[1:]], cwd=REPOSITORY, check=True,
                           stdout=subprocess.DEVNULL)
        elif any(re.search(rf"{service}(?! --(help|until))", command) for service in SERVICES):
            assert world.cli("run", "--help").status == 0
        else:
            runnable.append(command)
    if not runnable:
        return
    client = world.add_client()
    environment = world.environment({
        "PATH": f"{world.binary.parent}:{os.environ['PATH']}", "CLIENT_ID": client.client_id,
        **{name: value for name, value in world.stack.environment.items() if name.startswith("DEV_")},
    })
    before = set(world.sql("SELECT client_id::text FROM clients"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(runnable)], cwd=REPOSITORY, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180)
    for (made,) in set(world.sql("SELECT client_id::text FROM clients")) - before:
        world.sql("DELETE FROM clients WHERE client_id = %s", made)
    assert done.returncode == 0, f"README.md line {line}, status {done.returncode}:\n{block}\n{done.stdout[-3000:]}"
