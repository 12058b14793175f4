"""Characters that take two UTF-16 code units, and what would cut one in two.

Yjs counts text in such units; yrs loses the text behind a character that was cut, where Yjs keeps it.
"""

from collections.abc import Iterable, Mapping, Sequence

from crdt_sync.documents.updates import Content, Id, Struct, Update


def halves(structs: Iterable[Struct]) -> set[Id]:
    """Return the ids at which a text would be cut inside a character that takes two UTF-16 code units."""
    found: set[Id] = set()
    for item in structs:
        if item.kind == Content.STRING and isinstance(item.content, str) and len(item.content) != item.length:
            clock = item.clock
            for character in item.content:
                clock += 1
                if character > "\uffff":
                    found.add(Id(item.client, clock))
                    clock += 1
    return found


def cuts(update: Update, fresh: Sequence[Struct], state: Mapping[int, int]) -> Iterable[Id]:
    """Yield every id before which the update splits what was inserted as one."""
    for item in fresh:
        yield Id(item.client, max(item.clock, state.get(item.client, 0)))
        if item.origin is not None:
            yield Id(item.origin.client, item.origin.clock + 1)
        if item.right_origin is not None:
            yield item.right_origin
    for deletion in update.deletes:
        yield Id(deletion.client, deletion.clock)
        yield Id(deletion.client, deletion.end)
