"""The files that take longest are begun first."""

from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parents[2]


def test_what_takes_longest_is_there_and_comes_first(request):
    (rules,) = (each for each in request.config.pluginmanager.get_plugins() if hasattr(each, "LONG"))
    assert all((ROOT / name).is_file() for name in rules.LONG)

    items = [SimpleNamespace(nodeid=f"{name}::test") for name in ("tests/a.py", *rules.LONG, "tests/b.py")]
    rules.pytest_collection_modifyitems(items)
    assert [*rules.LONG, "tests/a.py", "tests/b.py"] == [item.nodeid.removesuffix("::test") for item in items]
