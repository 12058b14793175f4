"""A lane's `form` document: fields, internal notes and the payloads of its transitions.

Says what may be in it; which transition needs which payload is the lifecycle's to say.
"""

import hashlib
from collections.abc import Mapping
from typing import ClassVar

import pycrdt

from crdt_sync.documents.document import Outcome, Received
from crdt_sync.documents.ranges import Placed
from crdt_sync.documents.rules import RuledDocument, Scalar, check_scalar, check_text, one_value, put, scalars
from crdt_sync.documents.updates import Content, Struct, Update
from crdt_sync.domain.ids import DIGEST_PATTERN, NAME_PATTERN, ActorId, Digest, DocumentKind
from crdt_sync.errors import Refused
from crdt_sync.wire.limits import (
    FIELD_KEY_LENGTH_MAX,
    FIELD_TEXT_BYTES_MAX,
    FORM_FIELDS_MAX,
    FORM_PAYLOADS_MAX,
    PAYLOAD_BYTES_MAX,
)

_FIELDS, _NOTES, _PAYLOADS = "fields", "notes", "payloads"


class FormDocument(RuledDocument):
    """Fields (a map of scalars), notes (a plain text) and payloads (a map from digest to the text that has it)."""

    kind = DocumentKind.FORM
    roots: ClassVar = {_FIELDS: FORM_FIELDS_MAX, _NOTES: 0, _PAYLOADS: FORM_PAYLOADS_MAX}

    def __init__(self, client_id: int) -> None:
        super().__init__(client_id)
        self._fields = self._doc.get(_FIELDS, type=pycrdt.Map[Scalar])
        self._notes = self._doc.get(_NOTES, type=pycrdt.Text)
        self._payloads = self._doc.get(_PAYLOADS, type=pycrdt.Map[str])

    def fields(self) -> dict[str, Scalar]:
        """Return the fields."""
        return scalars(self._fields)

    def notes(self) -> str:
        """Return the notes."""
        return str(self._notes)

    def payloads(self) -> dict[str, str]:
        """Return the payloads' texts by digest."""
        return dict(self._payloads.to_py() or {})

    def payload(self, digest: Digest) -> str | None:
        """Return the text of one payload, None if the form does not hold it; the others are not read."""
        text: str | None = self._payloads.get(digest)
        return text

    def set_fields(self, fields: Mapping[str, Scalar]) -> bytes:
        """Set fields and leave the others; null removes one. Return the update.

        Raises:
            Refused: a key or a value that a form does not hold.

        """
        for key, value in fields.items():
            _check_field(key, value)
        return self._write(lambda: put(self._fields, fields))

    def append_note(self, text: str) -> bytes:
        """Append to the notes; return the update."""
        return self._write(lambda: self._notes.insert(len(self._notes), text))

    def put_payload(self, digest: Digest, text: str) -> bytes:
        """Put a payload's text under its digest; return the update.

        Raises:
            Refused: the text does not have that digest, or is too long.

        """
        _check_payload(digest, text)
        return self._write(lambda: self._payloads.update({digest: text}))

    def fill(self, other: "FormDocument") -> bytes:
        """Take over what another form holds, nulls included; return the update."""
        return self._write(lambda: self._fill(other))

    def _fill(self, other: "FormDocument") -> None:
        self._fields.update(other.fields())
        self._notes.insert(0, other.notes())
        self._payloads.update(other.payloads())

    def _judge(self, update: Update, placed: Placed, actor: ActorId) -> Received:  # noqa: ARG002
        payloads = []
        for item, root, key in self._ruled(placed):
            if root == _NOTES:
                _check_note(item)
            elif item.kind is not Content.DELETED:
                value = one_value(item)
                if root == _FIELDS:
                    _check_field(key, value)
                else:
                    _check_payload(key, value)
                    payloads.append(key)
        return Received(Outcome.APPLIED, payloads=tuple(payloads))


def _check_note(item: Struct) -> None:
    if item.kind not in {Content.STRING, Content.DELETED}:
        raise Refused("The notes hold plain text.", code="content")


def _check_field(key: str, value: object) -> None:
    if len(key) > FIELD_KEY_LENGTH_MAX or not NAME_PATTERN.fullmatch(key):
        raise Refused(f"A form has no field {key[:40]!r}.", code="key")
    check_scalar(key, value, FIELD_TEXT_BYTES_MAX)


def _check_payload(digest: str, text: object) -> None:
    if not DIGEST_PATTERN.fullmatch(digest):
        raise Refused(f"A payload's key is its SHA-256, not {digest[:40]!r}.", code="key")
    if not isinstance(text, str):
        raise Refused("A payload is a text.", code="content")
    check_text("a payload", text, PAYLOAD_BYTES_MAX)
    if hashlib.sha256(text.encode()).hexdigest() != digest:
        raise Refused("A payload's text does not have the digest that it is under.", code="digest")
