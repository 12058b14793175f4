"""The table of docs/conformance.md: a row a scenario, a column a client. `python -m tests.conformance.table` writes it.

The page says of every cell that it passes; `make conformance` and `make test` fail unless it does.
"""

import inspect
import json
from types import ModuleType

from tests.conformance import matrix, node_tools, test_matrix, test_matrix_restarts, test_matrix_tokens
from tests.conformance.server_process import ROOT

PAGE = ROOT / "docs" / "conformance.md"
BEGIN, END = "<!-- the matrix begins -->", "<!-- the matrix ends -->"


def scenarios() -> dict[str, str]:
    """What each row is called, and what it says, in the order of the tests."""
    return {
        name.removeprefix("test_"): (inspect.getdoc(test) or "").splitlines()[0]
        for module in (test_matrix, test_matrix_tokens, test_matrix_restarts)
        for name, test in _rows(module)
    }


def versions() -> dict[str, str]:
    """What each column is called: the package and its locked version."""
    package = json.loads((node_tools.PACKAGES / "package.json").read_text(encoding="utf-8"))
    return {kind.name: _told(kind.package, package["dependencies"][kind.package]) for kind in matrix.KINDS}


def markdown() -> str:
    """The table, every cell passed."""
    columns = versions().values()
    lines = [f"| scenario | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, claim in scenarios().items():
        lines.append(f"| **{name.replace('_', ' ')}**: {claim} |" + " ✓ |" * len(columns))
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with the table of today."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{markdown()}\n\n{END}{after}"


def outcomes(cells: dict[tuple[str, str], str]) -> str:
    """What a run came to, for the terminal: cells by scenario and column."""
    columns = [kind.name for kind in matrix.KINDS]
    width = max(map(len, scenarios()))
    rows = [("", columns), *((name, [cells.get((name, column), "-") for column in columns]) for name in scenarios())]
    return "\n".join(f"{name:<{width}}" + "".join(f"{cell:>14}" for cell in row) for name, row in rows)


def _rows(module: ModuleType) -> list[tuple[str, object]]:
    return [(name, test) for name, test in vars(module).items() if matrix.kinds.mark in getattr(test, "pytestmark", [])]


def _told(package: str, version: str) -> str:
    alias = version.removeprefix("npm:")
    return alias.replace("provider@", "provider ") if alias != version else f"{package} {version}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
