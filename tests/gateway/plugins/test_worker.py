import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from crdt_sync.errors import Malformed
from gateway.plugins import worker
from gateway.plugins.api import Context
from gateway.plugins.settings import PluginSettings, Start
from tests.gateway.plugins.packages import Held, installed


def context(**options):
    return Context("faulty", None, "core:1", None, options, token=str, secret=str)


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    places = {"faulty": "tests.gateway.plugins.faulty:Faulty", "spinner": "tests.gateway.plugins.faulty:Spinner"}
    installed(tmp_path, monkeypatch, **places)
    monkeypatch.syspath_prepend(tmp_path)


def test_plugin_of_this_version_is_found_with_its_hooks():
    assert ["message", "answer"] == worker.hooks_of(worker.load(context(), "faulty"))


@pytest.mark.parametrize(
    ("name", "options"), [("nowhere", {}), ("faulty", {"version": 2}), ("faulty", {"version": "1"})]
)
def test_plugin_that_is_not_there_or_of_another_version_is_refused(name, options):
    with pytest.raises(Malformed, match=r"entry point|version"):
        worker.load(context(**options), name)


def test_what_a_process_is_told_is_read_back():
    start = Start(
        PluginSettings(name="crm", accounts=["shop"], token="env:T", options={"a": 1, "b": "file:/x"}),
        7,
        "core:1",
        None,
        "data",
    )
    assert start == Start.read(start.spelt())


IMPATIENT = "import sys, gateway.plugins.__main__ as begin; begin.IDLE_S_MAX = 0; sys.exit(begin.main())"


@pytest.mark.parametrize("begun", [("-m", "gateway.plugins"), ("-c", IMPATIENT)], ids=["idle", "at once"])
def test_spinning_process_and_its_child_end_with_the_gateway(tmp_path, begun):
    """The gateway's death is the end of what it holds open; it can ask for nothing any more."""
    ours, theirs = socket.socketpair()
    with ours, theirs, closing(Held(tmp_path / "held")) as held:
        start = Start(PluginSettings(name="spinner"), theirs.fileno(), "core:1", None, str(tmp_path))
        command = [sys.executable, *begun]
        with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(theirs.fileno(),)) as process:
            process.stdin.write(start.spelt().encode() + b"\n")
            process.stdin.flush()
            try:
                while not (tmp_path / "spinning").exists():
                    assert process.poll() is None
                    time.sleep(0.01)
                assert held.lives()
                assert "-c" not in begun or b"--at-once" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
                process.stdin.close()
                assert -signal.SIGKILL == process.wait(20)
                while held.lives():
                    time.sleep(0.01)
            finally:
                process.kill()
