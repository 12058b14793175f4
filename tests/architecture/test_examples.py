"""An example stands on what every package may stand on, and on nothing else of the project."""

import tomllib
from importlib.metadata import entry_points

from gateway.plugins.api import GROUP
from tests.architecture.tree import ROOT, imported, shown

PUBLIC = ("gateway.plugins.api", "gateway.plugins.connector", "crdt_sync.rpc", "crdt_sync.replica")
EXAMPLES = sorted((ROOT / "examples").glob("*/pyproject.toml"))


def sources():
    packages = (path for example in EXAMPLES for path in example.parent.glob("*/__init__.py"))
    return [path for package in packages for path in sorted(package.parent.glob("*.py"))]


def test_examples_import_the_public_interface_alone():
    assert EXAMPLES
    foreign = {
        (shown(path), name)
        for path in sources()
        for name in imported(path)
        if name.startswith(("gateway", "crdt_sync", "tests"))
        and not name.startswith(PUBLIC)
        and not any(public.startswith(f"{name}.") for public in PUBLIC)
    }
    assert set() == foreign


def test_what_examples_stand_on_stands_alone():
    """Whatever else a gateway needs, the interface of plugins imports none of it."""
    files = [ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in (*PUBLIC[:2], "gateway.plugins.breaker")]
    own = {name for path in files for name in imported(path) if name.startswith(("gateway", "crdt_sync"))}
    assert set() == {name for name in own if not name.startswith((*PUBLIC[:2], "gateway.plugins.breaker"))}


def test_each_example_is_installed_with_its_entry_points():
    told = [tomllib.loads(path.read_text("utf-8"))["project"]["entry-points"][GROUP] for path in EXAMPLES]
    installed = {one.name: one.value for one in entry_points(group=GROUP)}
    assert {name: value for each in told for name, value in each.items()} == installed, "run `make setup`"
