"""A ticket's `talk`: the customer's conversation, what became of each answer, and the contents of its parts.

The service alone writes it. A message never changes; what is known of it later stands beside it, by message and part.
"""

from collections.abc import Iterable, Mapping

import pycrdt

from crdt_sync.documents.log import ServiceDocument
from crdt_sync.domain.ids import DocumentKind


class TalkDocument(ServiceDocument):
    """An array of messages' records, a map of delivery states, and a map of contents as `domain.media` spells them."""

    kind = DocumentKind.TALK

    def __init__(self, client_id: int) -> None:
        super().__init__(client_id)
        self._messages = self._doc.get("messages", type=pycrdt.Array[str])
        self._delivery = self._doc.get("delivery", type=pycrdt.Map[str])
        self._media = self._doc.get("media", type=pycrdt.Map[str])

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

    def media(self) -> dict[str, str]:
        """Return what is known of the content of each message and part by its key."""
        return dict(self._media.to_py() or {})

    def content(self, key: str) -> str | None:
        """Return what is known of the content of one part."""
        known: str | None = self._media.get(key)
        return known

    def set_media(self, contents: Mapping[str, str]) -> bytes:
        """Set contents, or why there are none; return the update."""
        return self._write(lambda: self._media.update(contents))
