"""The command: runs the stories of many seeds on every core, and tells the first that breaks a promise, made short."""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing import get_context

from property_tests.simulation.deeds import Deed
from property_tests.simulation.run import Report, run
from property_tests.simulation.shrink import shrunk

CHUNK = 5  # seeds that a worker takes at once
TRIES_MAX = 150  # runs that may be spent on one story, some forty seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return the exit code: 0 if no promise was broken."""
    asked = _asked(arguments)
    began = time.perf_counter()
    counts: Counter[str] = Counter()
    failing: list[int] = []
    for report in _reports(range(asked.first, asked.first + asked.seeds), asked.workers):
        counts += Counter({"histories": 1, "deeds": len(report.deeds)}) + report.counts
        if report.findings:
            failing.append(report.seed)
            print(f"seed {report.seed}: {report.findings[0].promise}", flush=True)
            if asked.fail_fast:
                break
    print(summary(counts, time.perf_counter() - began))
    if failing:
        print(f"\n{len(failing)} of {counts['histories']} histories broke a promise: {sorted(failing)[:20]}\n")
        print(story(min(failing)))
    return int(bool(failing))


def story(seed: int) -> str:
    """Return the shortest part of a seed's story that breaks the same promise, in sentences."""
    whole = run(seed)
    promise = whole.findings[0].promise

    def fails(deeds: Sequence[Deed]) -> bool:
        return any(finding.promise == promise for finding in run(seed, deeds).findings)

    short = run(seed, shrunk(whole.deeds, fails, tries_max=TRIES_MAX))
    found = next(finding for finding in short.findings if finding.promise == promise)
    told = [f"Seed {seed}, {len(short.deeds)} of {len(whole.deeds)} deeds:", *short.story]
    told += [
        f"Broken: {promise}. {found.detail}",
        f"Again: python -m property_tests.simulation --first {seed} --seeds 1",
    ]
    return "\n".join(told)


def summary(counts: Counter[str], seconds: float) -> str:
    """Return the figures of many runs."""
    struck = sorted((key, count) for key, count in counts.items() if key.startswith(("fault: ", "attack: ")))
    total = sum(count for _, count in struck)
    lines = [
        f"{counts['histories']} histories of {counts['deeds']} deeds in {seconds:.1f} s",
        f"{counts['transitions']} transitions, {counts['frames']} frames",
        f"{counts['views']} views and {counts['acknowledgements']} acknowledgements judged",
        f"{total} faults and attacks:",
    ]
    return "\n".join([*lines, *(f"  {count:>7}  {key}" for key, count in struck)])


def _reports(seeds: range, workers: int) -> Iterator[Report]:
    if workers <= 1:
        yield from map(run, seeds)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(run, seeds, CHUNK)


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m property_tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first finding")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
