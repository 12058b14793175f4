"""The benchmark of plugins runs, and every message arrives; how fast is never a test's to judge."""

from collections import Counter

from benchmarks import plugins


def cells(row):
    return [cell.strip() for cell in row.split("|")[1:-1]]


async def test_every_message_is_taken_beside_a_faulty_plugin(monkeypatch):
    monkeypatch.setattr(plugins, "SETTLED_S", 0)
    head, _, none, row = (await plugins.table(rate=10, seconds=1, kinds=("raise",), runs=1)).splitlines()

    assert ["plugin", "messages", "asked", "faults", "off"] == cells(head)[:5]
    assert ["none", "10", "0", "", "0"] == cells(none)[:5]
    assert ["raise", "10"] == cells(row)[:2]


def test_a_row_tells_what_its_plugin_did_and_how_often_its_messages_took_as_long():
    counts = Counter({"asked": 3, "fault.raised": 2, "late": 1, "message": 0})
    none, some = plugins.Figures([1.0] * 9, [2.0] * 9), plugins.Figures([2.0] * 9, [3.0] * 9, counts, 1)

    assert ["raise", "9", "3", "2 raised, 1 late", "1", *["2.0 (2.00)"] * 3, *["3.0 (1.50)"] * 3] == cells(
        some.row("raise", none)
    )
