"""A ticket's `talk`: the customer's conversation and what became of each answer. The service alone writes it."""

from collections.abc import Iterable, Mapping

import pycrdt

from crdt_sync.documents.log import ServiceDocument
from crdt_sync.domain.ids import DocumentKind


class TalkDocument(ServiceDocument):
    """An array of messages' records and a map of delivery states."""

    kind = DocumentKind.TALK

    def __init__(self, client_id: int) -> None:
        super().__init__(client_id)
        self._messages = self._doc.get("messages", type=pycrdt.Array[str])
        self._delivery = self._doc.get("delivery", type=pycrdt.Map[str])

    def messages(self) -> list[str]:
        """Return the admitted records, in the order of the array."""
        return list(self._messages)

    def deliveries(self) -> dict[str, str]:
        """Return the delivery state of each message and part by its key."""
        return dict(self._delivery.to_py() or {})

    def delivery(self, key: str) -> str | None:
        """Return the delivery state of one part."""
        state: str | None = self._delivery.get(key)
        return state

    def append(self, records: Iterable[str]) -> bytes:
        """Append admitted records; return the one update that does it."""
        return self._write(lambda: self._messages.extend(records))

    def set_deliveries(self, states: Mapping[str, str]) -> bytes:
        """Set delivery states, which the caller has merged; return the update."""
        return self._write(lambda: self._delivery.update(states))
