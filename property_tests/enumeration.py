"""Every history of a few moves, found by the oracle alone: what the counts of W2 are derived from.

A *history* is a set of moves upon one opening. Each move is valid in some part of the others that is closed under
`after`, and names the newest of that part: somebody who had seen exactly this could make it. Histories are the same if
renaming the actors makes them so. Two people may make the same move after the same past; a history then has both.
"""

import functools
import itertools

from property_tests.model import Naive, listed

# A history is written as a *form*: for each move its label, "lane.name", and the bits of the moves in its past.


def form_of(moves):
    """The one form of a history, however its moves are ordered.

    Whoever has seen less stands first, then the label decides, then by how many a move was seen; what still ties is
    tried in every order and the smallest form taken. So two histories have one form exactly if they are the same.
    """
    seen_by = [sum(past >> i & 1 for _, past in moves) for i in range(len(moves))]
    ranks = [(past.bit_count(), label, seen_by[i]) for i, (label, past) in enumerate(moves)]
    ranked = sorted(range(len(moves)), key=ranks.__getitem__)
    ties = [list(tie) for _, tie in itertools.groupby(ranked, ranks.__getitem__)]
    orders = itertools.product(*map(itertools.permutations, ties))
    return min(_in_order(moves, [i for tie in order for i in tie]) for order in orders)


def _in_order(moves, order):
    """The moves that `order` lists, in that order, and of their past as much as is among them."""
    place = {i: n for n, i in enumerate(order)}
    return tuple((moves[i][0], sum(1 << place[x] for x in bits(moves[i][1]))) for i in order)


def bits(mask):
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


def views(form):
    """Every part of a history that someone may have seen: what is closed under the past."""
    return [mask for mask in range(1 << len(form)) if all(not form[i][1] & ~mask for i in bits(mask))]


@functools.cache
def seen(form, view):
    """The form of what someone has seen of a history."""
    return form_of(_in_order(form, bits(view)))


def grown(count, next_moves):
    """The histories of 0 to `count` moves, as sets of forms; `next_moves` says which labels may follow a history."""
    levels = [{()}]
    for _ in range(count):
        levels.append(
            {
                form_of([*form, (label, view)])
                for form in levels[-1]
                for view in views(form)
                for label in next_moves(seen(form, view))
            }
        )
    return levels


def found_by_oracle(spec, lanes, count):
    """The histories of 0 to `count` moves in some lanes of a lifecycle, as the definitions allow them."""

    @functools.cache
    def next_moves(form):
        naive, view = _judged(spec, form)
        labels = [f"{lane}.{name}" for lane in lanes for name in spec["lanes"][lane]["transitions"]]
        return [label for label in labels if naive.verdict(_record(naive, label, view), view) is None]

    return grown(count, next_moves)


def _judged(spec, form):
    """The oracle after a history, and the ids in it: the opening is 0, the moves are numbers from 1."""
    naive = Naive(spec)
    naive.learn(0, {"lane": naive.control, "after": [], "lifecycle": naive.digest})
    for i, (label, past) in enumerate(form, 1):
        naive.learn(i, _record(naive, label, {0} | {x + 1 for x in bits(past)}))
        assert naive.code[i] is None
    return naive, set(range(len(form) + 1))


def _record(naive, label, view):
    lane, _, name = label.partition(".")
    rule = naive.lanes[lane]["transitions"][name]
    return {
        "ticket": 0,
        "lane": lane,
        "name": name,
        "roles": listed(rule.get("by", naive.lanes[lane]["owner"])),
        "after": [x for x in view if not any(x in naive.past[y] for y in view)],
        "lifecycle": naive.digest,
        "payload": None,
    }
