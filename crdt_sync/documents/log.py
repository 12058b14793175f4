"""A ticket's `log`: every admitted transition, and the codes of what was refused. The service alone writes it."""

from collections.abc import Iterable, Mapping

import pycrdt

from crdt_sync.documents.document import APPLIED, Document, Received
from crdt_sync.documents.ranges import Placed
from crdt_sync.documents.updates import Update
from crdt_sync.domain.ids import ActorId, DocumentKind
from crdt_sync.errors import Forbidden


class ServiceDocument(Document):
    """A document that takes nothing from sessions; replicas take it with `apply_committed`."""

    def _judge(self, update: Update, placed: Placed, actor: ActorId) -> Received:  # noqa: ARG002
        if placed or any(deletion not in self._deleted for deletion in update.deletes):
            raise Forbidden("Only the service writes this document.", code="read_only")
        return APPLIED

    def _is_foreign(self, theirs: Mapping[int, int]) -> bool:
        return any(clock > self._state.get(client, 0) for client, clock in theirs.items())


class LogDocument(ServiceDocument):
    """An array of transitions' records and a map of refusals."""

    kind = DocumentKind.LOG

    def __init__(self, client_id: int) -> None:
        super().__init__(client_id)
        self._log = self._doc.get("log", type=pycrdt.Array[str])
        self._refused = self._doc.get("refused", type=pycrdt.Map[str])

    def transitions(self) -> list[str]:
        """Return the admitted records, in the order of the array, which means nothing."""
        return list(self._log)

    def refused(self) -> dict[str, str]:
        """Return the code of each refused entry by its key."""
        return dict(self._refused.to_py() or {})

    def refusal(self, key: str) -> str | None:
        """Return the code of one entry, None if it is not refused; all of them are thousands at worst."""
        code: str | None = self._refused.get(key)
        return code

    def append(self, records: Iterable[str]) -> bytes:
        """Append admitted records; return the one update that does it."""
        return self._write(lambda: self._log.extend(records))

    def refuse(self, codes: Mapping[str, str]) -> bytes:
        """Note the code of each refused entry by its key; return the update."""
        return self._write(lambda: self._refused.update(codes))

    def clear(self, keys: Iterable[str]) -> bytes:
        """Forget refusals, for entries that are judged anew; return the update."""
        return self._write(lambda: self._clear(keys))

    def _clear(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._refused.pop(key, None)
