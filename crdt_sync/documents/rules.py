"""What the documents that clients write have in common: fixed roots, and in each root only some content.

Nothing here knows a particular kind. A rule that is broken is a `Refused` with a stable code; what was known before
is never judged again.
"""

import json
import math
from collections.abc import Mapping
from typing import ClassVar

import pycrdt

from crdt_sync.documents.document import Document
from crdt_sync.documents.ranges import Place, Placed
from crdt_sync.documents.updates import Content, Struct
from crdt_sync.errors import Refused
from crdt_sync.wire.limits import VAR_UINT_MAX

Scalar = str | bool | int | float | None


class RuledDocument(Document):
    """A document in which every element is in one of `roots`: a map of at most so many keys, or 0 for no map."""

    roots: ClassVar[Mapping[str, int]]

    def _ruled(self, placed: Placed) -> list[tuple[Struct, str, str]]:
        """Return each new struct with its root and its key, which is empty where the root is no map.

        Raises:
            Refused: another place than in a root of this kind, or more keys than the root holds.

        """
        ruled: list[tuple[Struct, str, str]] = []
        keys: dict[str, set[str]] = {}
        before: Place | None = None
        for item, place in placed:
            if place is before and place is not None:  # judged with the struct before this one
                ruled.append((item, *ruled[-1][1:]))
                continue
            before = place
            if place is None or not isinstance(place.root, str) or place.root not in self.roots:
                raise Refused(f"This document has only the roots {', '.join(self.roots)}.", code="second_root")
            if (place.key is None) != (self.roots[place.root] == 0):
                raise Refused(f"{place.root} has keys where it should not, or none where it should.", code="content")
            if place.key is not None and place.key not in self._places.keys(place.root):
                keys.setdefault(place.root, set()).add(place.key)
            ruled.append((item, place.root, place.key or ""))
        for root, new in keys.items():
            if len(self._places.keys(root)) + len(new) > self.roots[root]:
                raise Refused(f"{root} holds at most {self.roots[root]} keys.", code="too_many")
        return ruled


def client_id_reused(client: int) -> Refused:
    """Return the error for other content under clocks that are known."""
    return Refused(
        f"The client id {client} has written something else before.",
        code="client_id_reused",
        advice="Draw a fresh client id in every process and do not restore old copies.",
    )


def one_value(item: Struct) -> object:
    """Return the value of an entry of a map, which is one element of type ANY."""
    if item.kind is not Content.ANY or not isinstance(item.content, tuple) or item.length != 1:
        raise Refused("A key holds one plain value.", code="content")
    return item.content[0]


def check_scalar(key: str, value: object, text_bytes_max: int) -> None:
    """Refuse a value that is not a text up to a cap, true, false, null or a number that JSON and JavaScript hold."""
    if isinstance(value, str):
        check_text(key, value, text_bytes_max)
    elif type(value) is int:
        if abs(value) > VAR_UINT_MAX:
            raise Refused(f"The number of {key} has more than 53 bits.", code="content")
    elif not (value is None or isinstance(value, bool) or (isinstance(value, float) and math.isfinite(value))):
        raise Refused(f"{key} holds a text, a number, true, false or null.", code="content")


def check_text(key: str, text: str, bytes_max: int) -> None:
    """Refuse a text of more than so many bytes of UTF-8."""
    if len(text) > bytes_max or len(text.encode()) > bytes_max:
        raise Refused(f"The text of {key} has more than {bytes_max} bytes.", code="size")


def put(shared: pycrdt.Map[Scalar], fields: Mapping[str, Scalar]) -> None:
    """Set keys of a map and leave the others; null removes a key, so that it stops counting towards the cap."""
    for key, value in fields.items():
        if value is None:
            shared.pop(key, None)
        else:
            shared[key] = value


def scalars(shared: pycrdt.Map[Scalar]) -> dict[str, Scalar]:
    """Return a map's values, whole numbers as integers.

    yrs writes its JSON in one call; to ask for one element after the other takes four times as long.
    """
    values: dict[str, Scalar] = json.loads(str(shared))
    return {
        key: int(value) if isinstance(value, float) and value.is_integer() else value for key, value in values.items()
    }
