"""A ticket's `card`: what lists and headings show. Every participant writes it, and the last writer wins."""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import ClassVar

import pycrdt

from crdt_sync.documents.document import APPLIED, Outcome, Received
from crdt_sync.documents.ranges import Placed
from crdt_sync.documents.rules import RuledDocument, Scalar, check_scalar, one_value, put, scalars
from crdt_sync.documents.updates import Content, Update
from crdt_sync.domain import holds
from crdt_sync.domain.holds import ASSIGNEE, HOLD, TAKEN, Hold
from crdt_sync.domain.ids import NAME_PATTERN, ActorId, DocumentKind, LaneId
from crdt_sync.errors import Refused
from crdt_sync.wire.limits import CARD_KEYS_MAX, CARD_TEXT_BYTES_MAX, FIELD_KEY_LENGTH_MAX

_CARD = "card"
_DELETED = Content.DELETED
_KEY_PATTERN = re.compile(rf"title|customer|priority|tags|assignee\.({NAME_PATTERN.pattern})")


class CardDocument(RuledDocument):
    """One map: title, customer, priority, tags, `assignee.{lane}` and `hold.{lane}.{actor}`, each a scalar."""

    kind = DocumentKind.CARD
    roots: ClassVar = {_CARD: CARD_KEYS_MAX}

    def __init__(self, client_id: int) -> None:
        super().__init__(client_id)
        self._card = self._doc.get(_CARD, type=pycrdt.Map[Scalar])

    def card(self) -> dict[str, Scalar]:
        """Return what the card shows: as the assignee of a lane whoever has it by its holds."""
        shown = self.entries()
        for lane, actor in holds.assignees(shown).items():
            shown[f"{ASSIGNEE}{lane}"] = actor
        return shown

    def entries(self) -> dict[str, Scalar]:
        """Return what stands on the card, as it stands."""
        return scalars(self._card)

    def take(self, lane: LaneId, hold: Hold) -> bytes:
        """Have somebody take a lane, or be given it, in the place of everybody who is seen to have it."""
        return self._write(
            lambda: put(
                self._card,
                {
                    **self._holds_of({lane}),
                    holds.key_of(lane, hold.actor): hold.value,
                    f"{ASSIGNEE}{lane}": hold.actor,
                },
            )
        )

    def set_fields(self, fields: Mapping[str, Scalar]) -> bytes:
        """Set keys and leave the others; null removes one. Who names an assignee removes the lane's holds.

        Return the update.

        Raises:
            Refused: a key or a value that a card does not hold.

        """
        for key, value in fields.items():
            _check(key, value)
        lanes = {LaneId(key.removeprefix(ASSIGNEE)) for key in fields if key.startswith(ASSIGNEE)}
        return self._write(lambda: put(self._card, {**self._holds_of(lanes), **fields}))

    def fill(self, other: "CardDocument") -> bytes:
        """Take over what another card shows, nulls included; return the update."""
        return self._write(lambda: self._card.update(other.entries()))

    def _holds_of(self, lanes: Collection[LaneId]) -> dict[str, Scalar]:
        """Return the removal of every hold of some lanes."""
        if not lanes:
            return {}
        found = holds.holds(self.entries())
        return {holds.key_of(lane, hold.actor): None for lane in lanes for hold in found.get(lane, [])}

    def _judge(self, update: Update, placed: Placed, actor: ActorId) -> Received:  # noqa: ARG002
        taken = []
        for item, _, key in self._ruled(placed):
            if item.kind is not _DELETED:
                if key.startswith(HOLD):
                    taken.append(_taken(key, one_value(item), actor))
                else:
                    _check(key, one_value(item))
        return Received(Outcome.APPLIED, taken=tuple(taken)) if taken else APPLIED


@lru_cache(maxsize=1024)  # a card has a few keys, which are set again and again
def _is_key(key: str) -> bool:
    known = _KEY_PATTERN.fullmatch(key)
    return known is not None and len(known[1] or "") <= FIELD_KEY_LENGTH_MAX


def _taken(key: str, value: object, actor: ActorId) -> LaneId:
    """Return the lane that the actor takes; whether it is their department's, the card does not know."""
    held = holds.read(key, value)
    if held is None or len(held[0]) > FIELD_KEY_LENGTH_MAX:
        raise Refused("A hold reads hold.LANE.ACTOR, with a time and how it came to be.", code="content")
    if held[1].actor != actor or held[1].why != TAKEN:
        raise Refused("People take a lane in their own name.", code="actor")
    return held[0]


def _check(key: str, value: object) -> None:
    if not _is_key(key):
        raise Refused(f"A card has no key {key[:40]!r}.", code="key")
    if key == "tags" and not (value is None or isinstance(value, str)):
        raise Refused("Tags are one text.", code="content")
    check_scalar(key, value, CARD_TEXT_BYTES_MAX)
