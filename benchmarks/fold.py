"""What one new transition costs on a ticket of 10, 200 and 1,000: `python -m benchmarks.fold`.

A ticket comes from three replicas that act apart (`replicas`). Its last tenth, at most `WINDOW` transitions, is timed:
each of them is decoded, judged, added, and the state read, as a service does when it takes one in. The state was read
before as well, so that each reading follows one change. The table holds medians over all timed transitions, in
microseconds.
"""

import argparse
import gc
import statistics
import time

from benchmarks.replicas import OurFold, acted, shipped
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.transition import Transition, decode

SIZES = (10, 200, 1_000)
WINDOW = 20
STEPS = ("decode", "judge", "add", "state")


def timed(size: int, seed: int) -> list[dict[str, float]]:
    """Return, for each transition of the window at the end of a ticket of `size`, what each step took (µs)."""
    lifecycle = shipped()
    replica = acted(lifecycle, OurFold, moves=size, fresh_chance=0.5, seed=seed)
    journal = list(replica.held.values())
    window = max(1, min(WINDOW, size // 10))
    fold = Fold(lifecycle, journal[0].id)
    for transition in journal[:-window]:
        fold.add(transition)
        fold.state()
    return [_steps(fold, transition.record.encode()) for transition in journal[-window:]]


def _steps(fold: Fold, data: bytes) -> dict[str, float]:
    clock = time.perf_counter_ns
    start = clock()
    transition = decode(data)
    decoded = clock()
    assert isinstance(transition, Transition)
    fold.judge(transition)
    judged = clock()
    fold.add(transition)
    added = clock()
    fold.state()
    read = clock()
    times = (decoded - start, judged - decoded, added - judged, read - added)
    return {step: taken / 1_000 for step, taken in zip(STEPS, times, strict=True)}


def table(sizes: tuple[int, ...], tickets: int) -> str:
    """Return the medians as a Markdown table."""
    lines = ["| transitions | decode | judge | add | state | judge to state | of ten, the slowest | all |"]
    lines.append("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for size in sizes:
        found = [steps for seed in range(tickets) for steps in timed(size, seed)]
        folded = sorted(steps["judge"] + steps["add"] + steps["state"] for steps in found)
        shown = [statistics.median(steps[step] for steps in found) for step in STEPS]
        shown += [statistics.median(folded), folded[len(folded) * 9 // 10]]
        shown.append(statistics.median(sum(steps.values()) for steps in found))
        lines.append(f"| {size:,} | " + " | ".join(f"{value:.0f}" for value in shown) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What one new transition costs, in microseconds.")
    parser.add_argument("--tickets", type=int, default=20, help="tickets of each size")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="transitions of a ticket")
    chosen = parser.parse_args()
    gc.disable()  # its pauses belong to whoever allocates, which is the histories' making
    print(table(tuple(chosen.sizes), chosen.tickets))


if __name__ == "__main__":
    main()
