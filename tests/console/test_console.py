"""What the console's own tools say of it; `make console` runs these with the rest."""

import subprocess

import pytest

from tests.conformance import node_tools

TOOLS = node_tools.CONSOLE / "node_modules"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["typescript/bin/tsc"], id="types"),
        pytest.param(["@biomejs/biome/bin/biome", "ci", "--error-on-warnings"], id="style"),
        pytest.param(["vitest/vitest.mjs", "run"], id="tests"),
    ],
)
def test_console_passes(command):
    tool, *arguments = command
    if not (TOOLS / tool).is_file():
        pytest.fail("The console's tools are not installed: run `make node-modules`.")
    run = [node_tools.find().node, TOOLS / tool, *arguments]
    answer = subprocess.run(run, cwd=node_tools.CONSOLE, capture_output=True, text=True, check=False)
    assert 0 == answer.returncode, answer.stdout + answer.stderr
