"""What a person did to a document, as data: made on the copy at hand, and made again on another one if that is dropped.

Knows the kinds of document that people write, and nothing of how they are stored or synced.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.document import Document
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.kinds import new_document
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain.holds import TAKEN, Hold
from crdt_sync.domain.ids import ActorId, Digest, DocumentKind, LaneId
from crdt_sync.errors import Refused

Kind = Literal["fields", "take", "note", "payload", "transition", "message"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one document: fields by key, a note's text, digest and text of a payload, or an entry's record.

    Who takes a lane is the lane, the actor and the time.
    """

    kind: Kind
    value: Any  # as JSON has it

    def make(self, document: Document) -> bytes:
        """Change the document, and return the update.

        Raises:
            Refused: fields or a payload that it does not hold.

        """
        match self.kind, document:
            case "fields", CardDocument() | FormDocument():
                return document.set_fields(self.value)
            case "take", CardDocument():
                lane, actor, at_ms = self.value
                return document.take(LaneId(lane), Hold(at_ms, ActorId(actor), TAKEN))
            case "note", FormDocument():
                return document.append_note(self.value)
            case "payload", FormDocument():
                return document.put_payload(Digest(self.value[0]), self.value[1])
            case "transition", SubmitDocument():
                return document.append_transition(self.value)
            case _:
                assert self.kind == "message", f"no document of this kind takes {self.kind}"
                assert isinstance(document, SubmitDocument), f"no document of this kind takes {self.kind}"
                return document.append_message(self.value)

    def fits(self, kind: DocumentKind) -> bool:
        """Tell whether a document of this kind takes it: a newer program may be stricter than the one that made it."""
        try:
            self.make(new_document(kind, 1))
        except Refused:
            return False
        return True

    def to_json(self) -> str:
        """Write it."""
        return json.dumps([self.kind, self.value])

    @classmethod
    def from_json(cls, text: str) -> "Edit":
        """Read what `to_json` wrote."""
        kind, value = json.loads(text)
        return cls(kind, value)
