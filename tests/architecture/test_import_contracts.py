import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import ROOT


def test_imports_keep_their_direction():
    """In a process of its own: import-linter configures logging, which silences every logger that exists by then."""
    lint = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([lint, "--no-cache"], check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert 0 == checked.returncode, checked.stdout + checked.stderr
