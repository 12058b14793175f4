"""The benchmark of the consoles runs, and finds every ticket and edit; how fast is never a test's to judge."""

import pytest

from benchmarks import chromium, consoles


async def test_list_and_edits_are_a_row_each():
    if chromium.program() is None:
        pytest.skip(chromium.ABSENT)
    rows = await consoles.measured(60, 3)

    assert ["frame, 60 tickets", "edit on another screen"] == [row.name for row in rows]
    assert 3 == len(rows[1].times)
    assert all(0 < time for row in rows for time in row.times)


def test_a_row_says_whether_its_bars_hold():
    frames = [10.0] * 96 + [50.0] * 4
    within = consoles.Row("frame", frames, 33, 100)
    slow, jerky = consoles.Row("frame", frames, 9, 100), consoles.Row("frame", frames, 33, 40)

    assert "| frame | 100 | 10.0 | 10.0 | 50.0 | p95 ≤ 33, longest ≤ 100: holds |" == str(within)
    assert (True, False, False) == (within.holds, slow.holds, jerky.holds)
    assert str(slow).endswith("p95 ≤ 9, longest ≤ 100: DOES NOT HOLD |")
