"""What every command owes a person: examples, completions, a manual page, errors that say what to do."""

import shutil
import subprocess

import pytest

from support.process import run_command
from support.stack import REPOSITORY, clean_environment


@pytest.fixture(scope="module")
def help_of_all(binary):
    """By the words of the command: what the program says of it."""
    answer = run_command(binary, clean_environment(), ["--experimental-dump-help"])
    found = {}

    def walk(node, path):
        path = path + (node["commandName"],)
        if node["commandName"] != "help":
            found[path[1:]] = node
        for each in node.get("subcommands") or []:
            walk(each, path)

    walk(answer.json["command"], ())
    return found


def leaves(help_of_all):
    return {words: node for words, node in help_of_all.items()
            if not [each for each in node.get("subcommands") or [] if each["commandName"] != "help"]}


def test_every_command_has_an_example_that_names_it(binary, help_of_all):
    assert len(leaves(help_of_all)) >= 10
    for words in leaves(help_of_all):
        answer = run_command(binary, clean_environment(), [*words, "--help"])
        assert answer.status == 0
        text = answer.out
        assert "Example" in text, f"router {' '.join(words)} --help has no example"
        examples = text[text.index("Example"):].split("\n\nARGUMENTS")[0].split("\n\nOPTIONS")[0]
        assert f"router {' '.join(words)}" in " ".join(examples.split()), words
        assert help_of_all[words].get("abstract"), words


def test_every_command_that_reports_can_do_so_in_json(help_of_all):
    silent = {("completions",)}
    for words, node in leaves(help_of_all).items():
        if words in silent:
            continue
        options = [each["name"] for argument in node.get("arguments") or [] for each in argument.get("names") or []]
        assert "json" in options, f"router {' '.join(words)} has no --json"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_know_every_command(binary, help_of_all, shell):
    answer = run_command(binary, clean_environment(), ["completions", shell])
    assert answer.status == 0
    for words in help_of_all:
        assert all(word in answer.out for word in words), words
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=answer.out, text=True, check=True, capture_output=True)


def test_the_manual_has_every_command_and_option(binary, help_of_all):
    dump = run_command(binary, clean_environment(), ["--experimental-dump-help"]).out
    page = subprocess.run([REPOSITORY / "dev" / "manual"], input=dump, capture_output=True, text=True, check=True).stdout
    plain = page.replace("\\-", "-").replace("\\e", "\\")
    for words, node in leaves(help_of_all).items():
        assert f'.SH "ROUTER {" ".join(words).upper()}"' in plain
        for argument in node.get("arguments") or []:
            for each in argument.get("names") or []:
                assert each["name"] in plain
    if shutil.which("groff"):
        shown = subprocess.run(["groff", "-man", "-Tutf8", "-ww"], input=page, capture_output=True, text=True, check=True)
        assert shown.stderr == ""


@pytest.mark.parametrize("arguments, words", [
    (["pause", "--partition", "1"], "--reason"), (["client"], "add"), (["db"], "upgrade"), (["doctr"], "router --help"),
    (["resume"], "--client")])
def test_an_error_says_what_to_do_next(binary, arguments, words):
    answer = run_command(binary, clean_environment(), arguments)
    assert answer.status == 64 and words in answer.err and not answer.out, answer


def test_a_setting_that_is_wrong_is_named(binary):
    answer = run_command(binary, clean_environment() | {"ROUTER_HTTP_PORT": "x"}, ["status", "--json"])
    assert answer.status == 64 and "ROUTER_HTTP_PORT" in answer.err and not answer.out
