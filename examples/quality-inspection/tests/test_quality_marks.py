from contextlib import closing

from quality_inspection.marks import Marks
from quality_inspection.rules import Rules

RULES = Rules(forbidden=("guarantee",))


def test_what_was_inspected_is_known_after_a_restart(tmp_path):
    with closing(Marks(tmp_path / "marks.db", RULES)) as marks:
        marks.put("t1", 2, "b")
    with closing(Marks(tmp_path / "marks.db", RULES)) as marks:
        assert 2 == marks.done("t1", ["a", "b", "c"])
        assert 0 == marks.done("t2", ["a", "b", "c"])


def test_what_came_in_between_has_all_inspected_again(tmp_path):
    with closing(Marks(tmp_path / "marks.db", RULES)) as marks:
        marks.put("t1", 2, "b")
        assert [0, 0, 0] == [marks.done("t1", there) for there in (["a", "new", "b"], ["a"], [])]


def test_other_rules_have_all_inspected_again(tmp_path):
    with closing(Marks(tmp_path / "marks.db", RULES)) as marks:
        marks.put("t1", 1, "a")
    with closing(Marks(tmp_path / "marks.db", Rules())) as marks:
        assert 0 == marks.done("t1", ["a"])
