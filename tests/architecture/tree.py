"""The project's own files, as the architecture tests see them. Reads only; knows no rule."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("crdt_sync", "gateway")
GENERATED = ROOT / "crdt_sync" / "rpc" / "ticketsync"


def modules() -> list[Path]:
    """Every module that people write: sources of both packages, without generated code and empty files."""
    found = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return [path for path in found if not path.is_relative_to(GENERATED) and path.read_text(encoding="utf-8").strip()]


def console_modules() -> list[Path]:
    """Every module of the console that people write; Biome holds the length of their functions."""
    return sorted((ROOT / "console" / "src").rglob("*.ts"))


def shown(path: Path) -> str:
    """The path as people write it."""
    return path.relative_to(ROOT).as_posix()


def dotted(path: Path) -> str:
    """The name under which a module is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    """Every dotted name that a file imports; `from a import b` may mean the module `a.b` or a name in `a`: both."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file that is tracked, or would be if it were added, with its content."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for path in (ROOT / name for name in sorted(set(names)) if name):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if b"\0" not in content:
                yield path, content.decode("utf-8")
