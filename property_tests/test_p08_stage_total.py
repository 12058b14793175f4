"""P8: whatever happened, and whatever part of it has arrived, the ticket is in a stage of the file."""

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests.strategies import histories, schedules
from property_tests.subject import lifecycle


@given(st.data(), histories())
def test_there_is_always_a_stage(data, history):
    kinds = {row["stage"]: row["kind"] for row in history.spec["stages"]}
    arrived = [history.lines[history.opening]]
    for update in data.draw(schedules(list(history.lines.values()))):
        arrived += update
        result = fold_lines(lifecycle(history.spec), arrived)
        assert (result["stage"], kinds.get(result["stage"])) == (result["stage"], result["kind"])
        assert result["stage"] in kinds
