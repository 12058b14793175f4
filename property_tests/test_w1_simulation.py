"""W1: whole worlds on virtual time keep every promise, a seed repeats its world, and a planted bug becomes a story."""

import asyncio
import os
import random
import subprocess
import sys

import pytest

from crdt_sync.service.committer import Committer
from property_tests.simulation.__main__ import story, summary
from property_tests.simulation.deeds import VERBS
from property_tests.simulation.loop import Process, VirtualLoop
from property_tests.simulation.run import run
from property_tests.simulation.shrink import shrunk

SEEDS = 10  # some five seconds; `make simulate SEEDS=1000` runs more
DIGEST = "import sys; from property_tests.simulation.run import run; print(run(int(sys.argv[1])).digest)"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_promise_holds_whatever_fails_and_whoever_attacks(seed):
    report = run(seed)
    assert () == report.findings, "\n".join(report.story)


def test_a_seed_repeats_its_world_event_for_event_in_any_process():
    seed = 3
    digest = run(seed).digest
    assert digest == run(seed).digest
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    found = subprocess.run([sys.executable, "-c", DIGEST, str(seed)], env=environment, capture_output=True, check=True)
    assert digest == found.stdout.decode().strip()


def test_two_seeds_give_two_worlds():
    assert run(1).digest != run(2).digest


def test_a_relay_before_the_commit_is_found_and_told_as_a_short_story(monkeypatch):
    write = Committer._write

    async def early(self, draft, *more):
        for room, relays in draft.relays.items():
            room.relay(relays)
        return await write(self, draft, *more)

    monkeypatch.setattr(Committer, "_write", early)
    seed = next(seed for seed in range(200) if run(seed).findings)
    told = story(seed).splitlines()
    assert "Broken: committed when shown." in told[-2]
    assert f"Again: python -m property_tests.simulation --first {seed} --seeds 1" == told[-1]
    assert len(told) <= 3 + 4, told


def test_what_is_printed_counts_faults_by_kind():
    report = run(1)
    struck = {key: count for key, count in report.counts.items() if key.startswith(("fault: ", "attack: "))}
    assert struck
    lines = summary(report.counts, 1.5).splitlines()
    assert f"{sum(struck.values())} faults and attacks:" in lines
    assert {f"  {count:>7}  {key}" for key, count in struck.items()} == set(lines[4:])


def test_a_story_is_shrunk_to_what_fails_and_no_more():
    dice = random.Random(1)
    deeds = list(range(40))
    dice.shuffle(deeds)
    assert [deed for deed in deeds if deed in {3, 17, 38}] == shrunk(
        deeds, lambda part: {3, 17, 38} <= set(part), tries_max=999
    )
    assert [] == shrunk(deeds, lambda part: True, tries_max=999)
    assert deeds == shrunk(deeds, lambda part: len(part) == len(deeds), tries_max=999)


def test_every_verb_says_what_it_does():
    assert [] == [verb for verb, (perform, weight) in VERBS.items() if not perform.__doc__ or weight < 1]


def test_a_day_on_virtual_time_passes_at_once():
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(asyncio.sleep(86_400))
        assert 86_400 <= runner.get_loop().time() < 86_401


def test_a_process_that_is_killed_does_nothing_more():
    done = []

    async def work():
        await asyncio.to_thread(done.append, "written")
        done.append("before")
        await asyncio.sleep(1)
        done.append("after")

    async def main():
        process = Process("p")
        process.spawn(work())
        await asyncio.sleep(0.5)
        late = process.run(asyncio.get_running_loop().run_in_executor, None, done.append, "late")
        await process.kill()
        await asyncio.sleep(5)
        return late

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert not runner.run(main()).done()
    assert ["written", "before"] == done
