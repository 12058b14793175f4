"""Reads the flat XML or JSON object that Tencent's platforms send, told apart by content.

Owns the text form only: which fields matter is the channel's affair. Never follows a DOCTYPE or an entity, and never
lets a number lose digits: every value is text.
"""

import json
from collections.abc import Iterable
from typing import NoReturn
from xml.parsers import expat

from crdt_sync.errors import Malformed


def fields(data: bytes) -> dict[str, str]:
    """The object's own scalar fields; nested objects and lists are passed over.

    Raises:
        Malformed: not one object in UTF-8, a field given twice, or a document type.
    """
    start = data.lstrip()[:1]
    if start == b"{":
        found = _json(data)
    elif start == b"<":
        found = _xml(data)
    else:
        _refuse("neither XML nor JSON")
    if any(not _is_text(name) or not _is_text(value) for name, value in found.items()):
        _refuse("not Unicode text")
    return found


def _json(data: bytes) -> dict[str, str]:
    try:
        found = json.loads(
            data.decode(), object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        _refuse("JSON that does not parse")
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _object(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            _refuse("a field given twice")
        found[name] = value
    return found


def _xml(data: bytes) -> dict[str, str]:
    reader = _FlatXml()
    parser = expat.ParserCreate(encoding="utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse_doctype
    parser.EntityDeclHandler = reader.refuse_doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        _refuse("XML that does not parse")
    return reader.found


class _FlatXml:
    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._path: list[str] = []
        self._nested = False
        self._text: list[str] = []

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) == 2:
            self._nested = False
            self._text.clear()
        self._nested = self._nested or len(self._path) > 2

    def end(self, name: str) -> None:
        if len(self._path) == 2 and not self._nested:
            if name in self.found:
                _refuse("a field given twice")
            self.found[name] = "".join(self._text)
        self._path.pop()

    def text(self, text: str) -> None:
        if len(self._path) == 2:
            self._text.append(text)

    def refuse_doctype(self, *_declaration: object) -> None:
        _refuse("a document type")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse(what: str) -> NoReturn:
    raise Malformed(f"The platform sent {what}.")
