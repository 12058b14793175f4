"""Which structs of an update are new to a document, in an order in which each comes behind what it builds on.

A gap is an update of which that cannot be said: a clock, an origin, a right origin or a parent is in neither the
document nor the update, or clocks are deleted that neither has. What becomes of it is the session's to say.
"""

from collections.abc import Mapping
from heapq import heappop, heappush

from crdt_sync.documents.updates import Content, Id, Struct, Update

_SKIP = Content.SKIP  # a member of an enumeration costs a call to look up, here for every keystroke


def missing(update: Update, state: Mapping[int, int]) -> bool:
    """Whether a document in this state lacks something that the update builds on."""
    return integrable(update, state) is None


def integrable(update: Update, state: Mapping[int, int]) -> list[Struct] | None:
    """Return the structs that are new to a document in this state, each behind all that it builds on; None is a gap."""
    reach: dict[int, int] = {}
    fresh: list[Struct] = []
    for item in update.structs:
        client, clock = item.client, item.clock
        known = reach.get(client)
        if known is None:
            known = reach[client] = state.get(client, 0)
        if item.kind is _SKIP or clock + item.length <= known:
            continue
        if clock > known:
            return None
        origin, parent = item.origin, item.parent
        if (
            (origin is None or (origin.client == client and origin.clock < known))
            and item.right_origin is None
            and (parent is None or isinstance(parent, str))
        ):
            pass  # it builds on its own client's last, if on anything, as nearly every keystroke does
        elif _lacking(item, state, reach) is not None:
            return _reordered(update, state)
        reach[client] = clock + item.length
        fresh.append(item)
    return fresh if not update.deletes or _deletes_known(update, state, reach) else None


def _reordered(update: Update, state: Mapping[int, int]) -> list[Struct] | None:
    """Do the same for structs of several clients that build on each other in an order other than the bytes'."""
    reach: dict[int, int] = {}
    queues: dict[int, list[Struct]] = {}
    for item in update.structs:
        reach[item.client] = known = state.get(item.client, 0)
        if item.kind is not _SKIP and item.end > known:
            queues.setdefault(item.client, []).append(item)
    fresh: list[Struct] = []
    waiting: dict[int, list[tuple[int, int]]] = {}  # by client: (the clock that must come, the client that waits)
    for queue in queues.values():
        queue.reverse()
    ready = list(queues)
    while ready:
        client = ready.pop()
        queue = queues[client]
        while queue and queue[-1].clock <= reach[client]:
            lacking = _lacking(queue[-1], state, reach)
            if lacking is not None:
                heappush(waiting.setdefault(lacking.client, []), (lacking.clock, client))
                break
            fresh.append(queue.pop())
            reach[client] = fresh[-1].end
        awaited = waiting.get(client, [])
        while awaited and awaited[0][0] < reach[client]:
            ready.append(heappop(awaited)[1])
    complete = not any(queues.values())
    return fresh if complete and _deletes_known(update, state, reach) else None


def _lacking(item: Struct, state: Mapping[int, int], reach: Mapping[int, int]) -> Id | None:
    """Return the first id that the struct builds on and that is not there."""
    for needed in (item.origin, item.right_origin, item.parent):
        if needed is None or isinstance(needed, str):
            continue
        there = reach.get(needed.client)
        if there is None:
            there = state.get(needed.client, 0)
        if needed.clock >= there:
            return needed
    return None


def _deletes_known(update: Update, state: Mapping[int, int], reach: Mapping[int, int]) -> bool:
    for client, clock, length in update.deletes:
        there = reach.get(client)
        if there is None:
            there = state.get(client, 0)
        if clock + length > there:
            return False
    return True
