"""What a replica believes of a ticket: its fold over the log and its own department's submissions.

Own moves show at once; those that the service refused do not. What is pending or refused is read off the documents.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from crdt_sync.documents.document import Entry as Submitted
from crdt_sync.documents.log import LogDocument
from crdt_sync.documents.submit import MESSAGES, TRANSITIONS
from crdt_sync.documents.talk import TalkDocument
from crdt_sync.domain import message, transition
from crdt_sync.domain.ids import ActorId, TicketId, TransitionId
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.message import Message
from crdt_sync.domain.transition import Transition

ROOTS = {"transition": TRANSITIONS, "message": MESSAGES}


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was submitted here: a transition or a message. `code` says why the service refused it."""

    id: str
    kind: Literal["transition", "message"]
    record: str
    author: str
    label: str  # "sales.sign", or the message's text
    code: str | None = None


class View:
    """The fold of one ticket under one lifecycle, brought up to date with its documents when it is asked for."""

    def __init__(self, lifecycle: Lifecycle, ticket: TicketId) -> None:
        self._lifecycle = lifecycle
        self._ticket = TransitionId(ticket)
        self._fold = Fold(lifecycle, self._ticket)
        self._held: set[str] = set()

    def fold(self, log: LogDocument, submitted: Iterable[Submitted]) -> Fold:
        """Return the fold of the log and of what was submitted. A refusal of what was in it makes it anew."""
        refused = log.refused()
        records = set(log.transitions())
        for entry in submitted:
            if entry.root == TRANSITIONS and transition.entry_key(entry.text.encode()) not in refused:
                records.add(entry.text)
        if not self._held <= records:
            self._fold, self._held = Fold(self._lifecycle, self._ticket), set()
        for record in sorted(records - self._held):
            made = transition.decode(record.encode())
            if isinstance(made, Transition):
                self._fold.add(made)
        self._held = records
        return self._fold


def undelivered(
    log: LogDocument, talk: TalkDocument | None, submitted: Iterable[Submitted], actor: ActorId
) -> list[Entry]:
    """Return what `actor` submitted and neither the log nor the conversation holds, oldest first, each id once."""
    refused = log.refused()
    delivered = {transition.entry_key(record.encode()) for record in log.transitions()}
    if talk is not None:
        delivered |= {posted.id for posted in decoded(talk.messages())}
    found: dict[str, Entry] = {}
    for one in submitted:
        entry = _entry(one.root == TRANSITIONS, one.text, refused)
        if entry is not None and entry.author == actor and entry.id not in delivered:
            found[entry.id] = entry
    return list(found.values())


def decoded(records: Iterable[str]) -> list[Message]:
    """Return the messages that these records spell."""
    found = [message.decode(record.encode()) for record in records]
    return [one for one in found if isinstance(one, Message)]


def text_of(posted: Message) -> str:
    """Return what a person reads of a message."""
    return " ".join(str(part.get("text") or f"[{part['type']}]") for part in posted.parts)


def _entry(is_transition: bool, text: str, refused: Mapping[str, str]) -> Entry | None:
    key = transition.entry_key(text.encode())
    if is_transition:
        made = transition.decode(text.encode())
        if isinstance(made, Transition):
            return Entry(made.id, "transition", text, made.actor, f"{made.lane}.{made.name}", refused.get(key))
        return None
    posted = message.decode(text.encode())
    if isinstance(posted, Message):
        return Entry(posted.id, "message", text, posted.author, text_of(posted), refused.get(key))
    return None
