"""The benchmark of plugins runs, and every message arrives; how fast is never a test's to judge."""

from benchmarks import plugins


async def test_every_message_is_taken_beside_a_faulty_plugin(monkeypatch):
    monkeypatch.setattr(plugins, "WARM_S", 1.0)
    (_, _, row) = (await plugins.table(rate=10, seconds=1, kinds=("raise",), runs=1)).splitlines()

    assert ["raise", "10"] == [cell.strip() for cell in row.split("|")[1:3]]
