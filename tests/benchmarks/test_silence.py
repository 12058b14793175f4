"""The benchmark of silence runs, and drops whom it measures; what a socket costs is never a test's to judge."""

from benchmarks import silence


async def test_silence_is_a_row_a_kind(monkeypatch):
    monkeypatch.setattr(silence, "KINDS", {"no token": silence.HANDSHAKE})
    _, _, row = (await silence.table(5)).splitlines()
    kind, sockets, cost_kb, dropped_s = (cell.strip() for cell in row.strip("|").split("|"))

    assert ("no token", "5") == (kind, sockets)
    assert float(cost_kb) < 1_000
    assert float(dropped_s) > 0
