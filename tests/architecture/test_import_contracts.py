from importlinter.cli import lint_imports

from tests.architecture.tree import ROOT


def test_imports_keep_their_direction(capsys):
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert 0 == status, capsys.readouterr().out
