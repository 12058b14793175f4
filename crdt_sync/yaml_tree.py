"""YAML 1.2 text to a tree that remembers its lines, of whatever file. The only importer of ruamel.yaml.

It reads YAML events and builds the tree itself, so that size and depth are bounded while reading, and aliases, anchors
and tags never resolve. What a value means is for whoever reads the tree.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from crdt_sync.tree import Broken, Node, Scalar, Sequence, Table

FILE_BYTES_MAX = 256 * 1024  # fifty times the shipped default, and still read in a few seconds
DEPTH_MAX = 16  # the schema nests eight deep; ruamel's time grows with the square of a flow's depth
NODES_MAX = 30_000  # the shipped default has about a thousand

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,15})")  # what fits 2^53 - 1 in spirit; other numbers fit no field
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    spelling: spelling.lower() == "true" for spelling in ("true", "True", "TRUE", "false", "False", "FALSE")
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the text, and in which line, counted from 1."""

    line: int
    message: str


def tree_of(text: str | bytes) -> tuple[Node | None, list[Fault]]:
    """Return the root of a text and what is wrong with it; no root where it cannot be read. Never raises."""
    tree = _Tree()
    return tree.read(text), tree.faults


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    line: int
    mapping: bool
    items: list[Node] = field(default_factory=list)

    def close(self) -> Node:
        if not self.mapping:
            return Sequence(self.line, tuple(self.items))
        return Table(self.line, tuple(zip(self.items[::2], self.items[1::2], strict=True)))


class _Tree:
    """Builds the tree of one document from YAML events."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._open: list[_Open] = []
        self._roots: list[Node] = []
        self._nodes = 0

    def read(self, text: str | bytes) -> Node | None:
        """Return the root, or None with a fault that says why there is none."""
        try:
            for event in _events(_decoded(text)):
                self._take(event)
        except _Refused as refused:
            self._refuse(refused.line, refused.message)
            return None
        if not self._roots:
            self._refuse(1, "the file is empty.")
        return self._roots[0] if self._roots else None

    def _refuse(self, line: int, message: str) -> None:
        self.faults.append(Fault(line, message))

    def _take(self, event: object) -> None:
        line = event.start_mark.line + 1 if hasattr(event, "start_mark") else 1
        match event:
            case DocumentStartEvent():
                self._document(event, line)
            case AliasEvent():
                self._refuse(line, "aliases are refused; write the value out.")
                self._place(Broken(line))
            case ScalarEvent():
                self._place(Broken(line) if self._is_marked(event, line) else Scalar(line, _value(event)))
            case MappingStartEvent() | SequenceStartEvent():
                self._is_marked(event, line)
                self._enter(_Open(line, isinstance(event, MappingStartEvent)))
            case MappingEndEvent() | SequenceEndEvent():
                self._place(self._open.pop().close())
            case _:
                pass  # the ends of documents and of the stream carry nothing

    def _document(self, event: DocumentStartEvent, line: int) -> None:
        if self._roots:
            raise _Refused(line, "a file holds one document.")
        if event.tags or (event.version and tuple(event.version) != (1, 2)):
            self._refuse(line, "directives are refused, except %YAML 1.2.")

    def _is_marked(self, event: NodeEvent, line: int) -> bool:
        if event.anchor is not None:
            self._refuse(line, "anchors are refused; write the value out.")
        if getattr(event, "ctag", None) is not None:
            self._refuse(line, "tags are refused; a value's form says its type.")
            return True
        return False

    def _enter(self, collection: _Open) -> None:
        if len(self._open) >= DEPTH_MAX:
            raise _Refused(collection.line, f"values nest deeper than {DEPTH_MAX}.")
        self._open.append(collection)

    def _place(self, node: Node) -> None:
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise _Refused(node.line, f"the file has more than {NODES_MAX} values.")
        (self._open[-1].items if self._open else self._roots).append(node)


class _Refused(Exception):
    """The file cannot be read on from here."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def _decoded(text: str | bytes) -> str:
    size = len(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    if size > FILE_BYTES_MAX:
        raise _Refused(1, f"the file is larger than {FILE_BYTES_MAX} bytes.")
    if isinstance(text, str):
        return text
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise _Refused(text.count(b"\n", 0, error.start) + 1, "the file is not UTF-8.") from error


def _events(text: str) -> Iterator[object]:
    yaml = YAML(typ="safe", pure=True)
    try:
        yield from yaml.parse(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _Refused(line, f"the character U+{error.character:04X} may not stand in YAML.") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Refused(mark.line + 1 if mark else 1, f"this is not YAML: {error.problem or error.context}.") from error
    except (YAMLError, ValueError) as error:
        # ruamel lets chr() and int() refuse an escape or a directive that is out of range.
        raise _Refused(1, f"this is not YAML: {error}.") from error


def _value(event: ScalarEvent) -> str | int | float | bool | None:
    """Resolve a scalar by the core schema of YAML 1.2; a quoted one is a text."""
    text: str = event.value
    if event.style is not None or not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float("nan") if _NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text) else text
