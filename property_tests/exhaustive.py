"""W2: every history of a few moves, folded in all orders of arrival. `make exhaustive` runs this file in full.

What a history is says `enumeration`, which finds all of them by the oracle alone. The fold finds them here once more,
by what it offers a writer, `frontier_of` and `judge`; both must find the same, as many as `SCOPES` has written down.

Then each history is folded. Its entries are the opening and its moves. With up to four moves they arrive in every
order, and in each any one of them arrives a second time at any later place. With five moves they arrive in every order
that has parents first, and in each of these backwards, so that all wait for the opening; after each arrival all that
came before arrive again. Whatever the order, the state must be the oracle's.
"""

import functools
import itertools
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.transition import decode, make
from property_tests import model
from property_tests.enumeration import bits, form_of, found_by_oracle
from property_tests.strategies import History, read, shipped
from property_tests.subject import lifecycle, written

SMALL = """\
lifecycle: small              # reaches within five moves: a conflict, its settlement, a newer round, guards on a lane
version: 1                    # and on the stage, a close that comes too early
title: {en: Small, zh: 小}
open: {by: [office]}
lanes:
  case:
    owner: office
    control: true
    initial: active
    states: [active, closed]
    order: ["active < closed"]
    transitions:
      close:  {from: active, to: closed, if: {stage: [agreed, refused]}}
      reopen: {from: closed, to: active, resets: true}
  deal:
    owner: sales
    initial: asked
    states: [asked, yes, no]
    order: ["asked < yes", "asked < no"]
    conflicts: {unclear: [yes, no]}
    transitions:
      agree:     {from: [asked, yes], to: yes, payload: {contract: text}}
      refuse:    {from: asked, to: no, if: {case: active}}
      rule_yes:  {settles: unclear, to: yes}
      rule_no:   {settles: unclear, to: no}
      ask_again: {from: [yes, no], to: asked, resets: true}
stages:
  - {stage: torn,             kind: attention, when: {deal: unclear}, owes: [{deal: [rule_yes, rule_no]}]}
  - {stage: closed_too_early, kind: attention, when: {case: closed, deal: [asked, no]}}
  - {stage: agreed,           kind: settled,   when: {deal: yes}}
  - {stage: refused,          kind: settled,   when: {deal: no}}
  - {stage: open,             kind: normal,    when: {}}
"""
EVERY_ORDER_MOVES_MAX = 4  # a history of five moves has 15,120 orders with one entry twice


@dataclass(frozen=True)
class Scope:
    """The histories of some lanes of a lifecycle, and how many there are of 0, 1, 2 and more moves."""

    name: str
    lanes: tuple[str, ...]
    golden: tuple[int, ...]

    @property
    def spec(self):
        return _specs()[self.name]

    @property
    def lifecycle(self):
        return _lifecycle(self.name)

    @property
    def labels(self):
        return [f"{lane}.{name}" for lane in self.lanes for name in self.spec["lanes"][lane]["transitions"]]


@functools.cache
def _specs():
    return {"connect-order": shipped(), "small": read(SMALL)}


@functools.cache
def _lifecycle(name):
    return lifecycle(_specs()[name])


SCOPES = [
    Scope("connect-order", ("case", "sales", "tech", "support"), (1, 3, 17, 135, 1_470)),
    Scope("small", ("case", "deal"), (1, 2, 8, 42, 294, 2_693)),
    Scope("connect-order", ("sales", "tech"), (1, 2, 7, 34, 224, 1_958)),
    Scope("connect-order", ("case", "sales"), (1, 2, 8, 43, 308, 2_924)),
    Scope("connect-order", ("case", "support"), (1, 1, 3, 10, 42, 219)),
    Scope("connect-order", ("tech", "support"), (1, 1, 3, 10, 42, 219)),
    Scope("connect-order", ("case", "tech"), (1, 0, 0, 0, 0, 0)),  # nothing starts without a deal
    Scope("connect-order", ("sales", "support"), (1, 3, 16, 118, 1_176, 15_548)),
]


def found_by_fold(scope, count):
    """The histories of 0 to `count` moves that the fold lets its writers make."""
    levels = [{()}]
    for _ in range(count):
        levels.append({longer for form in levels[-1] for longer in _longer(scope, form)})
    return levels


def _longer(scope, form):
    """What a history can become by one more move, of somebody who has seen any part of it."""
    fold, ids = _folded_form(scope, form)
    views = {}
    for subset in range(1 << len(form)):
        view = functools.reduce(lambda mask, i: mask | form[i][1], bits(subset), subset)
        views[fold.frontier_of([ids[0], *(ids[i + 1] for i in bits(subset))])] = view
    for after, view in views.items():
        for label in scope.labels:
            if fold.judge(_record(scope, label, ids[0], after)).valid:
                yield form_of([*form, (label, view)])


def _folded_form(scope, form):
    """The fold of a history, and the ids of the opening and the moves; the records are the fold's own."""
    opening = _record(scope, f"{scope.lifecycle.control.id}.open", None, ())
    fold, ids = Fold(scope.lifecycle, opening.id), [opening.id]
    fold.add(opening)
    for label, past in form:
        after = fold.frontier_of([ids[0], *(ids[i + 1] for i in bits(past))])
        record = _record(scope, label, ids[0], after, actor=f"a{len(ids)}")
        fold.add(record)
        ids.append(record.id)
    assert all(fold.verdict(i).valid for i in ids)
    assert fold.frontier() == fold.frontier_of(ids)
    return fold, ids


def _record(scope, label, ticket, after, actor="x"):
    lane, _, name = label.partition(".")
    by = scope.lifecycle.lanes[lane].transitions[name].by if ticket else scope.lifecycle.open_by
    digest, subject = scope.lifecycle.digest, None if ticket else "s"
    return make(
        ticket=ticket, lane=lane, name=name, actor=actor, roles=by, after=after, lifecycle=digest, at=0, subject=subject
    )


def foldings(scope, form, every_order_moves_max=EVERY_ORDER_MOVES_MAX):
    """Fold a history in many orders of arrival; how many. The state is the oracle's each time."""
    history, ids = History(scope.spec), []
    ids.append(history.open())
    for label, past in form:
        seen = [ids[0], *(ids[i + 1] for i in bits(past))]
        ids.append(history.add(history.record(*label.split("."), seen)))
    entries = [decode(line) for line in history.lines.values()]
    expected = _folded(scope.lifecycle, ids[0], entries).state()  # states that are equal are written equally
    assert written(model.fold(scope.spec, history.lines.values())) == written(expected.to_json()), history
    orders = each_with_one_twice(entries) if len(form) <= every_order_moves_max else each_in_a_storm(entries)
    count = 0
    for order in orders:
        count += 1
        if expected != _folded(scope.lifecycle, ids[0], order).state():
            keys = {entry.id: str(n) for n, entry in enumerate(entries)}
            raise AssertionError(f"{history!r} in the order {', '.join(keys[entry.id] for entry in order)}")
    return count


def _folded(lifecycle, ticket, order):
    fold = Fold(lifecycle, ticket)
    for entry in order:
        fold.add(entry)
    return fold


def each_with_one_twice(entries):
    """Every order of the entries in which one of them, whichever, arrives once more at some later place."""
    for order in itertools.permutations(entries):
        for first, again in itertools.combinations(range(len(order) + 1), 2):
            yield [*order[:again], order[first], *order[again:]]


def each_in_a_storm(entries):
    """Every order with parents first, and each backwards; after each arrival all that have arrived arrive again."""
    for order in parents_first(entries):
        for arrivals in (order, order[::-1]):
            yield [entry for n in range(1, len(order) + 1) for entry in (arrivals[n - 1], *arrivals[:n])]


def parents_first(entries, order=()):
    """Every order of the entries that goes on from `order` and in which parents come before their children."""
    if len(order) == len(entries):
        yield order
    arrived = {entry.id for entry in order}
    for entry in entries:
        if entry.id not in arrived and arrived.issuperset(entry.after):
            yield from parents_first(entries, (*order, entry))


def run(scope, known, map_over):
    """Find the histories of a scope and fold those that `known` does not hold yet; how many, and in how many orders."""
    start, moves_max = time.perf_counter(), len(scope.golden) - 1
    found = found_by_oracle(scope.spec, scope.lanes, moves_max)
    assert found == found_by_fold(scope, moves_max), "the oracle and the fold find other histories"
    assert scope.golden == tuple(map(len, found)), "the counts are not those that are written down"
    fresh = sorted(set().union(*found) - known[scope.name], key=lambda form: (len(form), form))
    known[scope.name].update(fresh)
    count = sum(map_over(functools.partial(foldings, scope), fresh))
    golden = ", ".join(f"{number:,}" for number in scope.golden)
    seconds = time.perf_counter() - start
    print(
        f"| {scope.name} | {' '.join(scope.lanes)} | {golden} | {len(fresh):,} | {count:,} | {seconds:.0f} |",
        flush=True,
    )
    return len(fresh), count


def main():
    workers = int(sys.argv[1]) if sys.argv[1:] else 2
    start, known = time.perf_counter(), defaultdict(set)
    print("| lifecycle | lanes | histories of 0, 1, 2, … moves | of them new | foldings | seconds |")
    print("|---|---|---|---:|---:|---:|", flush=True)
    with ProcessPoolExecutor(workers) as pool:
        totals = [run(scope, known, functools.partial(pool.map, chunksize=16)) for scope in SCOPES]
    histories, count = map(sum, zip(*totals, strict=True))
    print(
        f"\n{histories:,} histories, {count:,} foldings, {time.perf_counter() - start:.0f} s; all as the oracle says."
    )


if __name__ == "__main__":
    main()
