"""The benchmark of the consoles runs, and finds every ticket and edit; how fast is never a test's to judge."""

import pytest

from benchmarks import chromium, consoles


async def test_list_and_edits_are_a_row_each():
    if chromium.program() is None:
        pytest.skip(chromium.ABSENT)
    _, _, *rows = (await consoles.table(60, 3)).splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]

    assert ["frame, 60 tickets", "edit on another screen"] == [name for name, *_ in cells]
    assert "3" == cells[1][1]
    assert all(0 < float(time) for _, _, *times in cells for time in times)
