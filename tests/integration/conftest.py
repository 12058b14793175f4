import shutil
import subprocess

import pytest


@pytest.fixture
def strace():
    """Without it nothing would be proven, so its absence is a failure."""
    program = shutil.which("strace")
    if program is None:
        pytest.fail("strace is not installed: the durability of acknowledgements cannot be shown.")
    tried = subprocess.run([program, "-qq", "-e", "trace=none", "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.fail(f"strace may not trace here (a container needs SYS_PTRACE): {tried.stderr.strip()}")
