"""The check of import direction: what it lets pass and what it refuses."""

import pathlib
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
MANIFEST = """// swift-tools-version: 6.0
import PackageDescription
let package = Package(name: "p", targets: [
    .target(name: "Bottom"),
    .target(name: "Middle", dependencies: ["Bottom"]),
    .target(name: "Top", dependencies: ["Middle"]),
])
"""


def check(directory: pathlib.Path, top: str) -> subprocess.CompletedProcess:
    (directory / "Package.swift").write_text(MANIFEST)
    for name, text in (("Bottom", "import Foundation\n"), ("Middle", "import Bottom\n"), ("Top", top)):
        (directory / "Sources" / name).mkdir(parents=True)
        (directory / "Sources" / name / "File.swift").write_text(text)
    return subprocess.run([REPOSITORY / "dev" / "check-imports", directory], capture_output=True, text=True)


@pytest.mark.parametrize("text", [
    "import Middle\n",
    "@testable import Middle\nimport struct Middle.Thing\n",
    "// import Bottom\n/*\nimport Bottom\n*/\nlet text = \"\"\"\n    import Bottom\n    \"\"\"\n",
])
def test_declared_imports_pass(tmp_path, text):
    done = check(tmp_path, text)
    assert (done.returncode, done.stdout) == (0, "imports: 3 passed, 0 failed\n"), done.stderr


@pytest.mark.parametrize("text", [
    # Bottom is a dependency of Middle, so the compiler would take it.
    "import Bottom\n",
    "import Middle\n    @preconcurrency @_spi(Test) public import struct Bottom.Thing\n",
    "import Unheard\n",
])
def test_undeclared_and_transitive_imports_fail(tmp_path, text):
    done = check(tmp_path, text)
    assert (done.returncode, done.stdout) == (1, "imports: 2 passed, 1 failed\n")
    assert "Sources/Top/File.swift: error: imports" in done.stderr
