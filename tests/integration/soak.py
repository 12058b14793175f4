"""Fault runs against the real service: kills at chosen points and at random, full disks, failing syncs, a CRM that is
killed and one that is down for ten minutes, receivers of webhooks.

`python -m tests.integration.soak --kills 30` prints a table and one line of JSON, and exits with 1 if anything was
lost, doubled or relayed without being kept, or if a point of a commit was never hit.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.server_process import ServerProcess, verified
from tests.integration import mortal
from tests.integration.aims import Phase
from tests.integration.crm_kill import World as CrmWorld
from tests.integration.faults import Trouble, full_disk, unsyncable_disk
from tests.integration.gateway_kill import Plan
from tests.integration.gateway_kill import kills as kills_of_both
from tests.integration.kill import Outcome, Trial
from tests.integration.load import PATHS, Size
from tests.integration.webhook_kill import kills as kills_while_receivers_fail

SIZE = Size(acks=100)
CRM_ROUNDS = 5  # of four kills each
CRM_AWAY_S = 600.0
WEBHOOK_KILLS = 10
MARKED = (sys.executable, "-m", "tests.integration.marked_serve")
EAGER = (sys.executable, "-m", "tests.integration.careless_serve", "eager")

_ROW = "{:<24} {:>6} {:>8} {:>9} {:>6} {:>6} {:>8} {:>8}"


async def kills(count: int, data: Path, chance: random.Random) -> tuple[list[Outcome], bool]:
    """Kill so many times; return what was seen, and whether at the end all is there once and verified."""
    outcomes = []
    with ServerProcess(data, program=MARKED) as server:
        trial = Trial(server, SIZE, chance)
        for _ in range(count):
            hits, tries = Counter(one.phase for one in outcomes), Counter(one.aimed for one in outcomes)
            # Not every aim is met, so the rarest is next.
            one = await trial.round(min(Phase, key=lambda phase: (hits[phase], tries[phase])))
            outcomes.append(one)
            print(f"kill {one.number}: {one.phase or 'elsewhere'}, {one.total} acks", file=sys.stderr, flush=True)
        missing, doubled = await trial.wrong()
    wrong = verified(data)
    print(wrong, file=sys.stderr, end="")
    return outcomes, not (missing or doubled or wrong)


def report(outcomes: Sequence[Outcome], troubles: Sequence[Trouble], *, whole: bool, seconds: float) -> bool:
    """Print the table and the line; tell whether all is as it should be."""
    print(_ROW.format("service died", "kills", "acks", "unacked*", "lost", "gone**", "missing", "doubled"))
    for phase in Phase:
        these = [one for one in outcomes if one.phase is phase]
        counts = [len(these), *(sum(column) for column in zip(*map(_row, these), strict=True))] if these else [0] * 7
        print(_ROW.format(phase, *counts))
    elsewhere = sum(one.phase is None for one in outcomes)
    print(_ROW.format("elsewhere", elsewhere, "", "", "", "", "", ""))
    print("* sent, not acknowledged, and there all the same   ** relayed to a bystander, and not there")
    for one in troubles:
        print(f"{one.name}: not ready after {one.noticed_s:.1f} s, {one.acks_meanwhile} acks and {one.heard_meanwhile}"
              f" relays while it lasted, ready again after {one.recovered_s:.1f} s, {one.acks} acks, {one.lost} lost,"
              f" {one.doubled} doubled, integrity {one.integrity}")  # fmt: skip
    phases = Counter(one.phase for one in outcomes if one.phase is not None)
    hit = all(phases[phase] for phase in Phase)
    good = whole and hit and all(one.is_good for one in (*outcomes, *troubles))
    line = {
        "kills": len(outcomes),
        "phases": {phase.value: phases[phase] for phase in Phase},
        "acks": sum(one.total for one in outcomes),
        "acks_by_path": {path: sum(one.acks[path] for one in outcomes) for path in PATHS},
        "lost": sum(len(one.lost | one.missing) for one in outcomes),
        "doubled": sum(len(one.doubled) for one in outcomes),
        "relayed_and_gone": sum(len(one.unkept) for one in outcomes),
        "disks": {one.name: {"acks": one.acks, "lost": one.lost, "doubled": one.doubled} for one in troubles},
        "seconds": round(seconds),
        "good": good,
    }
    print(json.dumps(line), flush=True)
    return good


async def careless(data: Path) -> bool:
    """Kill a service that acknowledges before its commit; tell whether that was seen on every path."""
    with ServerProcess(data, program=EAGER) as server:
        load, outcome = await Trial(server, SIZE).strike()
    caught = [path for path, tally in load.tallies.items() if tally.acked & outcome.lost]
    print(f"a service that acknowledges before its commit: lost {len(outcome.lost)} of {outcome.total}, on {caught}")
    return list(PATHS) == caught


async def gateways(folder: Path, turns: int, chance: random.Random) -> bool:
    """Kill the gateway and the service at each point so often; tell whether all is well, and careless ones are not."""
    careless_one = await kills_of_both(
        folder / "careless", Plan(turns=1, answers=False, gateway=mortal.CARELESS, service=()), chance
    )
    wrong = careless_one.verdict
    print(f"a gateway that acknowledges early, and one that forwards under new keys: {wrong}")
    outcome = await kills_of_both(folder / "both", Plan(turns=turns), chance)
    print(outcome.table(), flush=True)
    return outcome.is_good and bool(wrong.lost) and bool(wrong.doubled)


async def main() -> bool:
    """Run everything that was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--disks", type=int, default=2, help="full disks, and as many with failing syncs")
    parser.add_argument(
        "--turns", type=int, default=1, help="kills of the gateway and the service at each of 12 points"
    )
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seen = await careless(folder / "careless")
        outcomes, whole = await kills(chosen.kills, folder / "kills", random.Random(chosen.seed))
        troubles = []
        for number in range(chosen.disks):
            troubles.append(await full_disk(folder / f"full-{number}", SIZE))
            troubles.append(await unsyncable_disk(folder / f"sync-{number}", SIZE))
        good = report(outcomes, troubles, whole=whole, seconds=time.monotonic() - began) and seen
        crm = await CrmWorld(folder / "crm").run(CRM_ROUNDS * chosen.turns, random.Random(chosen.seed))
        print(crm, flush=True)
        away = await CrmWorld(folder / "crm-away").outage(CRM_AWAY_S)
        print(away, flush=True)
        chance = random.Random(chosen.seed)
        told = await kills_while_receivers_fail(folder / "webhooks", WEBHOOK_KILLS * chosen.turns, chance)
        print(told, flush=True)
        both = await gateways(folder / "gateways", chosen.turns, random.Random(chosen.seed))
        return both and good and crm.is_good and away.is_good and told.is_good


def _row(one: Outcome) -> tuple[int, ...]:
    return one.total, one.unacked, len(one.lost), len(one.unkept), len(one.missing), len(one.doubled)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main()) else 1)
