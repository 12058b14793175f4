"""The benchmark of the consoles runs, and finds every ticket and edit; how fast is never a test's to judge."""

import shutil

import pytest

from benchmarks import consoles


async def test_list_and_edits_are_a_row_each():
    if not any(map(shutil.which, consoles.PROGRAMS)):
        pytest.skip("No Chromium is installed; on Debian: apt-get install chromium.")
    _, _, *rows = (await consoles.table(60, 3)).splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]

    assert ["frame, 60 tickets", "edit on another screen"] == [name for name, *_ in cells]
    assert "3" == cells[1][1]
    assert all(0 < float(time) for _, _, *times in cells for time in times)
