"""What a document knows about clocks: which are deleted, and in which root and under which key each was inserted.

Plain bookkeeping in memory. It is rebuilt from the updates whenever a document is loaded and is never stored.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from crdt_sync.documents.updates import Content, Deletion, Id, Struct

_GC = Content.GC


class Deleted:
    """The deleted clocks of a document, as disjoint ranges by client."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: dict[int, list[int]] = {}
        self._ends: dict[int, list[int]] = {}

    def __contains__(self, deletion: Deletion) -> bool:
        starts = self._starts.get(deletion.client)
        if starts is None:
            return False
        index = bisect_right(starts, deletion.clock) - 1
        return index >= 0 and self._ends[deletion.client][index] >= deletion.end

    def __iter__(self) -> Iterator[Deletion]:
        """Yield the ranges, in the order of clients and clocks."""
        for client in sorted(self._starts):
            for start, end in zip(self._starts[client], self._ends[client], strict=True):
                yield Deletion(client, start, end - start)

    def add(self, deletions: Iterable[Deletion]) -> None:
        """Take these as deleted."""
        for deletion in deletions:
            starts = self._starts.setdefault(deletion.client, [])
            ends = self._ends.setdefault(deletion.client, [])
            if ends and ends[-1] == deletion.clock:  # a key that is set again and again, a text deleted forwards
                ends[-1] = deletion.end
                continue
            first = bisect_left(ends, deletion.clock)
            last = bisect_right(starts, deletion.end)
            start = min([deletion.clock, *starts[first : first + 1]])
            end = max([deletion.end, *ends[max(first, last - 1) : last]])
            if first == last:
                start, end = deletion.clock, deletion.end
            starts[first:last] = [start]
            ends[first:last] = [end]


class Place(NamedTuple):
    """The root, or the id of the nested type, in which an element was inserted, and its key if that is a map."""

    root: str | Id
    key: str | None


Placed = Sequence[tuple[Struct, Place | None]]
"""Structs, each with its place; None if it was collected with what held it."""


class Places:
    """The places of a document's elements. With a `base` it is a draft, which holds only what the base does not."""

    __slots__ = ("_base", "_keys", "_places", "_starts")

    def __init__(self, base: "Places | None" = None) -> None:
        self._base = base
        self._starts: dict[int, list[int]] = {}
        self._places: dict[int, list[Place | None]] = {}
        self._keys: dict[str, set[str]] = {}

    def add(self, item: Struct) -> Place | None:
        """Take the next struct of a client and return its place, None if it was collected with what held it."""
        place, _ = self.locate(item, item.clock)
        self.put(item, place)
        return place

    def put(self, item: Struct, place: Place | None) -> None:
        """Take the next struct of a client, whose place is known."""
        places = self._places.get(item.client)
        if places is None:
            self._starts[item.client], self._places[item.client] = [item.clock], [place]
        elif places[-1] != place:
            places.append(place)
            self._starts[item.client].append(item.clock)
        else:
            return  # nothing that is not known
        if place is not None and place.key is not None and isinstance(place.root, str):
            self._keys.setdefault(place.root, set()).add(place.key)

    def locate(self, item: Struct, known: int) -> tuple[Place | None, bool]:
        """Return the place of a struct, and whether it is torn: a neighbour, or its part before `known`, is elsewhere.

        The place is None if the struct was collected with what held it.
        """
        left = self.find(item.origin) if item.origin is not None else None
        right = self.find(item.right_origin) if item.right_origin is not None else None
        place = Place(item.parent, item.parent_sub) if item.parent is not None else left or right
        if item.kind is _GC:
            return place, False
        torn = (left is not None and left != place) or (right is not None and right != place)
        if item.clock < known:
            torn = torn or self.find(Id(item.client, known - 1)) != place
        return place, torn

    def locate_all(self, fresh: Sequence[Struct], state: Mapping[int, int]) -> tuple[Placed, bool]:
        """Do the same for structs that follow each other, behind the clocks of `state`; torn if any is."""
        places = self if len(fresh) == 1 else Places(self)  # a draft: one may build on another
        placed: list[tuple[Struct, Place | None]] = []
        any_torn = False
        before: Struct | None = None
        for item in fresh:
            if before is not None and _goes_on(item, before):
                place = placed[-1][1]
            else:
                place, torn = places.locate(item, state.get(item.client, 0))
                any_torn = any_torn or torn
                if places is not self:
                    places.put(item, place)
            placed.append((item, place))
            before = item
        return placed, any_torn

    def keys(self, root: str) -> set[str]:
        """Return the keys that were ever set in a root."""
        own = self._keys.get(root, set())
        return own | self._base.keys(root) if self._base is not None else own

    def find(self, wanted: Id) -> Place | None:
        """Return the place of a known element."""
        starts = self._starts.get(wanted.client)
        if starts is None or wanted.clock < starts[0]:
            return self._base.find(wanted) if self._base is not None else None
        return self._places[wanted.client][bisect_right(starts, wanted.clock) - 1]


def _goes_on(item: Struct, before: Struct) -> bool:
    """Whether a struct stands behind the one before it and nothing else says where: it is in the same place."""
    client, clock, _, kind, _, origin, right_origin, parent, _ = item
    return (
        client == before.client
        and origin == (client, clock - 1)
        and clock == before.end
        and right_origin is None
        and parent is None
        and kind is not _GC
    )
