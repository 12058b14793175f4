"""The former lives of a document, which ended when it was made anew: who names them holds a copy of one."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from crdt_sync.documents.updates import Id, Update
from crdt_sync.errors import Reset


class Former(NamedTuple):
    """The client ids that have ended, and whether the store was restored: then it may know less than it once told."""

    ended: frozenset[int] = frozenset()
    restored: bool = False

    def refuse(self, named: Iterable[int]) -> None:
        """Refuse who names a client of a former life.

        Raises:
            Reset: one is named.

        """
        if self.ended and not self.ended.isdisjoint(named):
            raise made_anew()


def clients_named(update: Update) -> Iterator[int]:
    """Yield every client that the update names: of its structs, of what they build on, and of its deletions."""
    for item in update.structs:
        yield item.client
        for needed in (item.origin, item.right_origin, item.parent):
            if isinstance(needed, Id):
                yield needed.client
    for deletion in update.deletes:
        yield deletion.client


def made_anew() -> Reset:
    """Return the error for a copy of a former life."""
    return Reset(
        "The document was made anew, and this copy is of its former life.",
        advice="Keep what only the copy has, drop the copy, sync, and submit again.",
    )
