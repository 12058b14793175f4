"""The list of planted bugs fits today's source, and the harness believes nothing that it has not seen."""

import ast

import pytest

from tests.architecture.tree import ROOT
from tests.mutation.bugs import BUGS, STORIES_ASIDE, Bug, Edit, patched
from tests.mutation.copies import copy_tree
from tests.mutation.planted import noticed_by

ASKED_FOR = {
    "drop rounds",
    "forget `settled`",
    "judge by arrival order",
    "acknowledge before commit",
    "relay before commit",
    "skip the actor check",
    "trust the client's clock",
    "lose a pending child",
    "count inert transitions as heads",
    "obligations from a stale row",
}


def test_every_bug_that_matters_is_planted():
    assert ASKED_FOR <= {bug.name for bug in BUGS}


@pytest.mark.parametrize("bug", [*BUGS, STORIES_ASIDE], ids=lambda bug: bug.name)
def test_a_patch_changes_todays_source_into_other_code(bug):
    for path, text in patched(bug, ROOT):
        assert ast.dump(ast.parse(path.read_text(encoding="utf-8"))) != ast.dump(ast.parse(text)), path


def test_a_patch_whose_text_has_moved_says_so(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\nx = 1\n", encoding="utf-8")

    for old in ("x = 1", "x = 2"):
        with pytest.raises(LookupError, match=r"named bug: a\.py has"):
            list(patched(Bug("named bug", (Edit("a.py", old, "x = 3"),), ()), tmp_path))


def test_a_copy_holds_the_tree_and_nothing_that_was_there(tmp_path):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "left_over").touch()
    copy_tree(tmp_path / "copy")

    assert not (tmp_path / "copy" / "left_over").exists()
    assert (ROOT / "pyproject.toml").read_bytes() == (tmp_path / "copy" / "pyproject.toml").read_bytes()


def test_a_suite_notices_what_fails_and_names_it(tmp_path):
    (tmp_path / "test_one.py").write_text("def test_good(): pass\ndef test_bad(): assert 0 == 1\n", encoding="utf-8")

    assert "test_one.py::test_bad" == noticed_by("test_one.py", tmp_path)
    assert "" == noticed_by("test_one.py::test_good", tmp_path)
