"""The benchmark of the gateway runs, and answers everybody; how fast is never a test's to judge."""

from benchmarks.gateway import gateway, measured, service


async def test_every_callback_is_answered_and_taken(tmp_path):
    async with service(tmp_path / "core") as core:
        with gateway(core, tmp_path / "core", tmp_path / "gateway") as target:
            figures = await measured(target, rate=20, seconds=1, first=0)

    assert (20, 20) == (figures.answered, target.settled())
    assert 0 < figures.p50_ms <= figures.p99_ms <= figures.max_ms
