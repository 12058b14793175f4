"""Each benchmark runs, and its table has its rows; what it measures is never a test's to judge."""

import re

from benchmarks import compaction, fold, retroaction
from benchmarks.replicas import OurFold, acted, shipped
from benchmarks.rivals import LamportDiscard


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_the_cost_of_a_transition_is_a_row_a_size():
    head, _, *rows = cells(fold.table((3, 12), tickets=2))
    assert ["3", "12"] == [row[0] for row in rows]
    assert all(len(row) == len(head) and all(float(cell) >= 0 for cell in row[1:]) for row in rows)


async def test_compaction_is_a_row_a_kind_of_document():
    head, _, *rows = cells(await compaction.table(30))
    assert list(compaction.KINDS) == [row[0] for row in rows]
    assert all(len(row) == len(head) and all(float(cell) >= 0 for cell in row[1:]) for row in rows)


def test_retroaction_is_a_row_a_design_and_concurrency():
    head, _, *rows = cells(retroaction.table(tickets=3, moves=6))
    designs = list(retroaction.DESIGNS)
    assert [[one, design] for one in ("heavy", "light") for design in designs] == [row[:2] for row in rows]
    assert all(len(row) == len(head) for row in rows)
    assert {"0.0%"} == {row[2] for row in rows if row[1] == "this design"}, "nothing accepted is ever rejected"
    assert all(re.fullmatch(r"[\d.]+%", cell) for row in rows for cell in row[2:5])


def test_the_others_later_reject_what_was_accepted():
    """Else the benchmark would compare nothing."""
    tally = retroaction.tallied(shipped(), LamportDiscard, 0.25, tickets=5, moves=12)
    assert 0 < tally.lost < tally.rejected < tally.moves


def test_one_seed_gives_one_history():
    first, again, other = (acted(shipped(), OurFold, moves=8, fresh_chance=0.5, seed=seed) for seed in (1, 1, 2))
    assert list(first.held) == list(again.held) != list(other.held)
    assert 9 == len(first.held)


def test_replicas_that_hear_of_everything_make_a_chain():
    held = acted(shipped(), OurFold, moves=8, fresh_chance=1, seed=3).held
    assert [[], *([key] for key in list(held)[:-1])] == [list(made.after) for made in held.values()]
