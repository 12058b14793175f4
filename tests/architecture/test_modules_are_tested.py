from tests.architecture.tree import PACKAGES, ROOT, dotted, imported, modules, shown


def test_every_module_is_imported_by_a_test():
    """A module that no test names is proven by accident at best."""
    tests = [path for folder in ("tests", "property_tests") for path in sorted((ROOT / folder).rglob("*.py"))]
    named = {name for path in tests for name in imported(path) if name.startswith(PACKAGES)}
    assert [] == [shown(path) for path in modules() if dotted(path) not in named]
