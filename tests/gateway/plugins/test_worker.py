import pytest

from crdt_sync.errors import Malformed
from gateway.plugins import worker
from gateway.plugins.api import Context
from gateway.plugins.settings import PluginSettings, Start
from tests.gateway.plugins.packages import installed


def context(**options):
    return Context("faulty", None, "core:1", None, options, token=str, secret=str)


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    installed(tmp_path, monkeypatch, faulty="tests.gateway.plugins.faulty:Faulty")
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
        PluginSettings(name="crm", token="env:T", options={"a": 1, "b": "file:/x"}), 7, "core:1", None, "data"
    )
    assert start == Start.read(start.spelt())
