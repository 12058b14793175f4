from tests.architecture.tree import PACKAGES, ROOT, dotted, imported, modules, shown


def test_every_module_is_proven_by_a_test():
    """A module is proven by a test that imports it, or as a part of a module beside it that is so proven.

    What no test reaches even so is proven by accident at best. Alembic runs its revisions by path, and a program's
    entry point is run as a program.
    """
    tests = [path for folder in ("tests", "property_tests") for path in sorted((ROOT / folder).rglob("*.py"))]
    proven = {name for path in tests for name in imported(path) if name.startswith(PACKAGES)}
    sources = {dotted(path): path for path in modules() if "migrations" not in path.parts and path.stem != "__main__"}
    beside = {
        name: {other for other in imported(path) if other.rpartition(".")[0] == name.rpartition(".")[0]}
        for name, path in sources.items()
    }
    grown = True
    while grown:
        parts = {part for name in proven & beside.keys() for part in beside[name]}
        grown = not parts <= proven
        proven |= parts
    assert [] == [shown(path) for name, path in sources.items() if name not in proven]
