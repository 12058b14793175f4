"""How many accepted moves are later rejected, for this design and two others: `python -m benchmarks.retroaction`.

Three replicas act on tickets of the shipped lifecycle (`replicas`). A move is *accepted* when its author makes it: it
was possible in what the author's replica showed. It is *later rejected* if it counts for nothing once everybody has
heard of everything. The author may not mind, if somebody else's same move of the same moment was taken in its place:
what is left without such a *double* stands in a column of its own. Each design runs with its own view of what is
possible, so each has histories of its own from the same dice. The other designs are models (`rivals`); this one is the
very fold that services run. A ticket is *hit* if any of its moves is later rejected.

Of this design the table also says which share of the moves stands overtaken in the end, each with the reason and the
moves that overtook it, and which share stands contested: both sides hold, until a person decides.
"""

import argparse
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.replicas import MakeDesign, OurFold, acted, shipped
from benchmarks.rivals import LamportDiscard, TopologicalPrune
from crdt_sync.domain.ids import TransitionId
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.lifecycle.result import Standing
from crdt_sync.domain.transition import Transition

DESIGNS: dict[str, MakeDesign] = {
    "Lamport order, discard (git-bug, Actyx)": LamportDiscard,
    "topological order, prune (Radicle)": TopologicalPrune,
    "this design": OurFold,
}
# The chance that an author has heard of everything before a move.
CONCURRENCY = {"heavy": 0.25, "light": 0.95}


@dataclass(slots=True)
class Tally:
    """What became of the moves of many tickets."""

    moves: int = 0
    tickets: int = 0
    rejected: int = 0
    lost: int = 0  # rejected, and no double was taken
    tickets_hit: int = 0  # with a move that was rejected
    standings: Counter[Standing] = field(default_factory=Counter)

    def share(self, count: int) -> float:
        """Return a count of moves as a share of all."""
        return count / self.moves


def tallied(lifecycle: Lifecycle, make_design: MakeDesign, fresh_chance: float, *, tickets: int, moves: int) -> Tally:
    """Run `tickets` histories of `moves` moves each, with the seeds from 0."""
    tally = Tally(moves=tickets * moves, tickets=tickets)
    for seed in range(tickets):
        replica = acted(lifecycle, make_design, moves=moves, fresh_chance=fresh_chance, seed=seed)
        design, rejected = replica.design, replica.design.rejected()
        tally.rejected += len(rejected)
        tally.lost += len(rejected - doubled(replica.held, rejected))
        tally.tickets_hit += bool(rejected)
        if isinstance(design, OurFold):
            tally.standings.update(status.status for status in design.fold.state().status.values())
    return tally


def doubled(held: Mapping[TransitionId, Transition], rejected: set[TransitionId]) -> set[TransitionId]:
    """Return which of the rejected have a double: the same move, taken, and neither has seen the other."""
    past: dict[TransitionId, set[TransitionId]] = {}
    for key, transition in held.items():  # parents first
        past[key] = set(transition.after).union(*(past[parent] for parent in transition.after))
    return {
        key
        for key in rejected
        for other, taken in held.items()
        if other not in rejected and other not in past[key] and key not in past[other]
        if (taken.lane, taken.name) == (held[key].lane, held[key].name)
    }


def row(concurrency: str, name: str, tally: Tally) -> str:
    """Return one row of the table."""
    cells = [concurrency, name, f"{tally.share(tally.rejected):.1%}", f"{tally.share(tally.lost):.1%}"]
    cells.append(f"{tally.tickets_hit / tally.tickets:.0%}")
    shown = [Standing.OVERTAKEN, Standing.CONTESTED]
    cells += [f"{tally.share(tally.standings[one]):.1%}" if tally.standings else "–" for one in shown]
    return f"| {' | '.join(cells)} |"


def table(tickets: int, moves: int) -> str:
    """Return the Markdown table."""
    lifecycle = shipped()
    lines = [
        "| concurrency | design | later rejected | … without a double | tickets hit | overtaken, named | contested |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for concurrency, fresh_chance in CONCURRENCY.items():
        for name, make_design in DESIGNS.items():
            tally = tallied(lifecycle, make_design, fresh_chance, tickets=tickets, moves=moves)
            lines.append(row(concurrency, name, tally))
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Accepted moves that are later rejected, by design.")
    parser.add_argument("--tickets", type=int, default=1_000, help="tickets of each row")
    parser.add_argument("--moves", type=int, default=12, help="moves of a ticket")
    chosen = parser.parse_args()
    print(table(chosen.tickets, chosen.moves))
    print()
    print(f"Repeat it: python -m benchmarks.retroaction --tickets {chosen.tickets} --moves {chosen.moves}")


if __name__ == "__main__":
    main()
