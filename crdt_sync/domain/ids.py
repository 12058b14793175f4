"""Names of things, and how they are parsed from what the outside sends. No other module invents an id's form."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from crdt_sync.errors import NotFound

TransitionId = NewType("TransitionId", str)  # 52 characters of lowercase base32: SHA-256 without padding
TicketId = NewType("TicketId", str)  # the id of the ticket's opening
MessageId = NewType("MessageId", str)  # the same form as a transition's id
LaneId = NewType("LaneId", str)
Department = NewType("Department", str)
ActorId = NewType("ActorId", str)
Role = NewType("Role", str)
Digest = NewType("Digest", str)  # 64 lowercase hexadecimal digits: SHA-256
Position = NewType("Position", int)  # one sequence for the whole service; 0 is before everything

ID_PATTERN = re.compile(r"[a-z2-7]{51}[aq]")
DIGEST_PATTERN = re.compile(r"[0-9a-f]{64}")
NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]*")
USER_PATTERN = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")  # a local user's; a provider's people have a colon in theirs

DOCUMENT_NAME_BYTES_MAX = 256  # the longest real name is 63 characters and a department; the rest is room to spare


class DocumentKind(StrEnum):
    """The five kinds of document that make up a ticket, and plain ones."""

    LOG = "log"
    TALK = "talk"
    SUBMIT = "submit"
    FORM = "form"
    CARD = "card"


_WITH_PART = frozenset({DocumentKind.SUBMIT, DocumentKind.FORM})


@dataclass(frozen=True, slots=True)
class DocumentName:
    """`ticket/{id}/{kind}` or `ticket/{id}/{kind}/{part}`: the part is a department of `submit`, a lane of `form`."""

    ticket: TicketId
    kind: DocumentKind
    part: str | None = None

    def __str__(self) -> str:
        tail = f"/{self.part}" if self.part is not None else ""
        return f"ticket/{self.ticket}/{self.kind.value}{tail}"

    @classmethod
    def parse(cls, text: str) -> "DocumentName":
        """Return the name that `text` spells.

        Raises:
            NotFound: `text` can never be a ticket's document.

        """
        parts = text.split("/")
        kind = parts[2] if len(parts) in {3, 4} and parts[0] == "ticket" else ""
        if kind not in list(DocumentKind) or not ID_PATTERN.fullmatch(parts[1]):
            raise _never(text)
        name = cls(TicketId(parts[1]), DocumentKind(kind), parts[3] if len(parts) == 4 else None)
        if (name.kind in _WITH_PART) != (name.part is not None):
            raise _never(text)
        if name.part is not None and not NAME_PATTERN.fullmatch(name.part):
            raise _never(text)
        return name


def is_plain_name(text: str) -> bool:
    """Tell whether a document without rules may have this name: short, not blank, without NUL.

    Nor does it hold the replacement character, which is what a path that is no UTF-8 has become.
    """
    fits = len(text.encode(errors="replace")) <= DOCUMENT_NAME_BYTES_MAX
    return fits and bool(text.strip()) and not {"\0", "\ufffd"} & set(text)


def _never(text: str) -> NotFound:
    return NotFound(
        f"No document can have the name {text[:80]!r}.",
        code="unknown_document",
        advice="Use ticket/{id}/log, talk, card, submit/{department} or form/{lane}.",
    )
