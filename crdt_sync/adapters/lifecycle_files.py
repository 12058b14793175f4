"""Lifecycle files: YAML 1.2 text to a proven `Lifecycle`. The only importer of ruamel.yaml.

It reads YAML events and builds the tree itself, so that size and depth are bounded while reading, aliases, anchors
and tags never resolve, and each value keeps its line. What a value means is `crdt_sync.domain.lifecycle.spec`'s.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources

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

from crdt_sync.domain.lifecycle.check import check
from crdt_sync.domain.lifecycle.model import Finding, Lifecycle
from crdt_sync.domain.lifecycle.node import Broken, Node, Scalar, Sequence, Table, plain
from crdt_sync.domain.lifecycle.spec import Parsed, parse
from crdt_sync.errors import Malformed

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
class Loaded:
    """What a file gave. `lifecycle` is there if it passes L1 and L2; only without `findings` may a service use it."""

    lifecycle: Lifecycle | None
    findings: list[Finding]
    source: str


def read(text: str | bytes, source: str = "lifecycle") -> Loaded:
    """Read and check a file. Never raises, whatever the text; `source` names it for the reader of the findings."""
    parsed = _parsed(text)
    sound = not parsed.findings
    findings = list(parsed.findings)
    if parsed.lifecycle:
        findings += check(parsed.lifecycle, unsure=parsed.unsure, complete=parsed.complete, sound=sound)
    findings.sort(key=lambda finding: finding.line)
    return Loaded(parsed.lifecycle if sound else None, findings, source)


@lru_cache
def load(text: str | bytes, source: str = "lifecycle") -> Lifecycle:
    """Return the proven lifecycle of a file; one text is proven once.

    Raises:
        Malformed: the checker found something; the message names the first finding and how many there are.

    """
    loaded = read(text, source)
    if loaded.lifecycle is None or loaded.findings:
        raise _refusal(loaded.findings, source)
    return loaded.lifecycle


@lru_cache
def load_accepted(text: str | bytes, source: str = "lifecycle") -> Lifecycle:
    """Return the lifecycle of a file that was proven when it was accepted: only L1 and L2 are asked again.

    A ticket keeps the lifecycle that it was opened with, also where a checker of today would refuse it.

    Raises:
        Malformed: the text is no lifecycle file.

    """
    parsed = _parsed(text)
    if parsed.lifecycle is None or parsed.findings:
        raise _refusal(parsed.findings, source)
    return parsed.lifecycle


@lru_cache
def as_json(text: str) -> str:
    """Return a file that was accepted as JSON, for clients that read no YAML: the same data, in the file's order."""
    root = _Tree().read(text)
    assert root is not None, "an accepted file has a root"
    return json.dumps(plain(root), ensure_ascii=False, separators=(",", ":"))


def shipped() -> dict[str, str]:
    """The lifecycle files that come with the package: name without suffix -> YAML text."""
    folder = resources.files("crdt_sync.lifecycles")
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".yaml")), key=lambda item: item.name)
    return {item.name.removesuffix(".yaml"): item.read_text(encoding="utf-8") for item in files}


def _parsed(text: str | bytes) -> Parsed:
    """Read a file as far as L1 and L2 go."""
    tree = _Tree()
    root = tree.read(text)
    if root is None:
        return Parsed(None, tree.findings, frozenset(), complete=False)
    parsed = parse(root)
    complete = parsed.complete and not tree.findings
    return replace(parsed, findings=[*tree.findings, *parsed.findings], complete=complete)


def _refusal(findings: list[Finding], source: str) -> Malformed:
    return Malformed(
        f"The lifecycle does not pass its check, with {len(findings)} finding(s), the first of them: "
        f"{findings[0].to_text(source)}",
        code="lifecycle",
        advice="`crdt-sync lifecycle check FILE` lists what is wrong and how to mend it.",
    )


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
        self.findings: list[Finding] = []
        self._open: list[_Open] = []
        self._roots: list[Node] = []
        self._nodes = 0

    def read(self, text: str | bytes) -> Node | None:
        """Return the root, or None with a finding that says why there is none."""
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
        self.findings.append(Finding("L1", "file", line, message))

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
