"""Copies of the tree in which a run may break things; the checkout itself is never touched."""

import shutil
from pathlib import Path

from tests.architecture.tree import ROOT, texts


def copy_tree(into: Path) -> None:
    """Put a fresh copy of every text file that is tracked, or would be, into a folder; what was there is gone."""
    shutil.rmtree(into, ignore_errors=True)
    for path, _ in texts():
        copy = into / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
