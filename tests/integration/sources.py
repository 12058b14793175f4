"""What the writers write: endless changes of one document each, every one with a mark that is found again."""

import itertools
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass

from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.document import Document
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.log import LogDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.documents.talk import TalkDocument
from crdt_sync.domain import message, transition
from crdt_sync.domain.ids import TicketId
from crdt_sync.domain.message import Message
from crdt_sync.domain.transition import Transition

DEPARTMENT = "sales"
ACTOR = "sales-1"
SALT = "0" * 32
NOTHING = b"\x00"  # the state vector of one who has nothing


@dataclass(frozen=True, slots=True)
class Mark:
    """What proves that one change was kept: `text` is found in the document `place`."""

    place: str
    text: str


def marks_in(document: Document) -> Counter[str]:
    """Every mark that a document holds, with how often it does; a ticket's opening is nobody's mark."""
    match document:
        case FormDocument():
            return Counter(document.notes().splitlines())
        case LogDocument():
            decoded = [transition.decode(record.encode()) for record in document.transitions()]
            return Counter(one.id for one in decoded if isinstance(one, Transition) and not one.is_opening)
        case TalkDocument():
            return Counter(_text(record) for record in document.messages())
        case CardDocument():
            newest = document.card().get("priority", 0)
            assert isinstance(newest, int | float)
            return Counter(str(number) for number in range(1, int(newest) + 1))
    raise AssertionError("no other kind is read")


def _text(record: str) -> str:
    decoded = message.decode(record.encode())
    assert isinstance(decoded, Message)
    return decoded.parts[0].get("text", "")


class Source(ABC):
    """One client's copy of one document."""

    def __init__(self, document: Document, name: str) -> None:
        self._document = document
        self.name = name
        self._numbers = itertools.count(1)

    def next(self) -> tuple[Mark, bytes]:
        """Make one more change; return its mark and the update."""
        return self._change(next(self._numbers))

    def everything(self) -> bytes:
        """What a client that comes back answers to somebody who may lack all of it."""
        return self._document.diff(NOTHING)

    @abstractmethod
    def _change(self, number: int) -> tuple[Mark, bytes]: ...


class Notes(Source):
    """Lines of the form's notes."""

    def __init__(self, ticket: str, client_id: int) -> None:
        self._form = FormDocument(client_id)
        super().__init__(self._form, f"ticket/{ticket}/form/{DEPARTMENT}")

    def _change(self, number: int) -> tuple[Mark, bytes]:
        line = f"note {number}"
        return Mark(self.name, line), self._form.append_note(f"{line}\n")


class Card(Source):
    """A number on the card that only grows, so that a number proves all before it."""

    def __init__(self, ticket: str, client_id: int) -> None:
        self._card = CardDocument(client_id)
        super().__init__(self._card, f"ticket/{ticket}/card")

    def _change(self, number: int) -> tuple[Mark, bytes]:
        return Mark(self.name, str(number)), self._card.set_fields({"priority": number})


class Submissions(Source):
    """Transitions and messages in turn. Each quote has seen the one before."""

    def __init__(self, ticket: str, client_id: int, lifecycle: str) -> None:
        self._submit = SubmitDocument(client_id)
        self._ticket = ticket
        self._lifecycle = lifecycle
        self._newest = ticket
        super().__init__(self._submit, f"ticket/{ticket}/submit/{DEPARTMENT}")

    def _change(self, number: int) -> tuple[Mark, bytes]:
        return self._quote(number) if number % 2 else self._message(number)

    def _quote(self, number: int) -> tuple[Mark, bytes]:
        made = transition.make(
            ticket=TicketId(self._ticket),
            lane="sales",
            name="quote",
            actor=ACTOR,
            roles=(DEPARTMENT,),
            after=(self._newest,),
            lifecycle=self._lifecycle,
            at=number,
        )
        self._newest = made.id
        return Mark(f"ticket/{self._ticket}/log", made.id), self._submit.append_transition(made.record)

    def _message(self, number: int) -> tuple[Mark, bytes]:
        text = f"answer {number}"
        posted = message.make(
            ticket=TicketId(self._ticket),
            kind="agent",
            author=ACTOR,
            at=number,
            parts=[{"type": "text", "text": text}],
            salt=SALT,
        )
        return Mark(f"ticket/{self._ticket}/talk", text), self._submit.append_message(posted.record)
