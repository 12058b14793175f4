"""The strict reader of a lifecycle file's tree.

The tree is made outside (`crdt_sync.yaml_tree`), so that the domain knows no file format. The reader
never raises and never stops at a fault: each is a `Finding`, and what cannot be read is left out.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from crdt_sync.domain.ids import NAME_PATTERN
from crdt_sync.domain.lifecycle.model import Finding
from crdt_sync.tree import Broken, Node, Scalar, Sequence, Table

NAME_CHARS_MAX = 128  # the cap of a transition's `lane` and `name`
SHOWN_CHARS_MAX = 160  # of a text in a finding
TEXT_CHARS_MAX = 1_024  # a label, a title, an event of a story: each is one line on a screen


@dataclass(frozen=True, slots=True)
class Name:
    """A name and the line that it stands on."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Field:
    """An entry of a table: the line of its key, and its value."""

    line: int
    node: Node


@dataclass(slots=True)
class Reader:
    """Reads nodes strictly and collects a finding for each fault. `where` is the finding's place."""

    findings: list[Finding] = field(default_factory=list)

    def refuse(self, where: str, line: int, message: str, fix: str = "", *, rule: str = "L1") -> None:
        """Note a fault."""
        self.findings.append(Finding(rule, printable(where), line, message, fix=fix))

    def wrong_type(self, where: str, node: Node, expected: str) -> None:
        """Note that `node` is not what `expected` says, unless it was refused already."""
        if not isinstance(node, Broken):
            self.refuse(where, node.line, f"expected {expected}, found {_describe(node)}.")

    def table(
        self, node: Node, where: str, *, known: Collection[str] | None = None, required: Collection[str] = ()
    ) -> dict[str, Field]:
        """Read a mapping with text keys, each once; `known` limits the keys and `required` must be there."""
        if not isinstance(node, Table):
            self.wrong_type(where, node, "a mapping")
            return {}
        fields: dict[str, Field] = {}
        for key, value in node.entries:
            if isinstance(key, Scalar) and isinstance(key.value, str):
                self._entry(fields, key.value, Field(key.line, value), where, known)
            else:
                self.wrong_type(where, key, "a text as the key")
        for name in required:
            if name not in fields:
                self.refuse(where, node.line, f'"{name}" is missing.', f'Add "{name}:".')
        return fields

    def _entry(
        self, fields: dict[str, Field], key: str, entry: Field, where: str, known: Collection[str] | None
    ) -> None:
        if key == "<<":
            self.refuse(where, entry.line, "merge keys are refused.", "Write the entries out.")
        elif known is not None and key not in known:
            self.refuse(where, entry.line, f"unknown key {show(key)}.", f"Known are: {', '.join(known)}.")
        elif key in fields:
            message = f"the key {show(key)} stands twice, first in line {fields[key].line}."
            self.refuse(where, entry.line, message, "Keep one.")
        else:
            fields[key] = entry

    def named(self, node: Node, where: str, limit: int) -> dict[str, Field]:
        """Read a mapping whose keys are names of the file's own, at most `limit` of them."""
        fields = self.table(node, where)
        for key, entry in fields.items():
            self.check_name(key, where, entry.line)
        return dict(list(fields.items())[: self.count(len(fields), limit, where, node.line)])

    def count(self, number: int, limit: int, where: str, line: int) -> int:
        """Note a fault if `number` is over `limit`; return how many to read."""
        if number > limit:
            self.refuse(where, line, f"{number} entries are too many; at most {limit} are read.")
        return min(number, limit)

    def items(self, node: Node, where: str, limit: int) -> tuple[Node, ...]:
        """Read a list of at most `limit` items."""
        if not isinstance(node, Sequence):
            self.wrong_type(where, node, "a list")
            return ()
        return node.items[: self.count(len(node.items), limit, where, node.line)]

    def text(self, node: Node, where: str) -> str | None:
        """Read a text that is not empty."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
            self.wrong_type(where, node, "a text")
            return None
        if len(node.value) > TEXT_CHARS_MAX:
            self.refuse(where, node.line, f"a text has at most {TEXT_CHARS_MAX} characters.")
            return None
        if any(0xD800 <= ord(character) <= 0xDFFF for character in node.value):
            self.refuse(where, node.line, "the text holds half of a surrogate pair.")
            return None
        return node.value

    def name(self, node: Node, where: str) -> Name | None:
        """Read one name; one that breaks the pattern is noted and still returned, so that it is noted once."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            self.wrong_type(where, node, "a name")
            return None
        self.check_name(node.value, where, node.line)
        return Name(node.value, node.line)

    def names(self, node: Node, where: str, limit: int, *, one: bool = False) -> tuple[Name, ...]:
        """Read a list of names, each once; with `one`, a bare name stands for a list of it."""
        nodes: tuple[Node, ...] = (node,) if one and isinstance(node, Scalar) else self.items(node, where, limit)
        found: dict[str, Name] = {}
        for item in nodes:
            name = self.name(item, where)
            if name is not None and name.text in found:
                self.refuse(where, name.line, f"{show(name.text)} stands twice.", "Keep one.")
            elif name is not None:
                found[name.text] = name
        return tuple(found.values())

    def known_names(
        self, node: Node, where: str, limit: int, known: Collection[str], what: str, *, one: bool = False
    ) -> tuple[str, ...]:
        """Read names that must be among `known`; `what` says in the finding what they should be."""
        names = self.names(node, where, limit, one=one)
        return tuple(name.text for name in names if self.is_known(name, where, known, what))

    def is_known(self, name: Name, where: str, known: Collection[str], what: str) -> bool:
        """Note a fault if `name` is not among `known`."""
        if name.text not in known:
            self.refuse(where, name.line, f"{show(name.text)} is not {what}.", _choices(known))
        return name.text in known

    def flag(self, node: Node, where: str) -> bool:
        """Read true or false; what is neither counts as true, because whoever writes a flag mostly means it."""
        if not isinstance(node, Scalar) or not isinstance(node.value, bool):
            self.wrong_type(where, node, "true or false")
            return True
        return node.value

    def check_name(self, text: str, where: str, line: int) -> None:
        """Note a fault if `text` is not a lower-case name."""
        if len(text) > NAME_CHARS_MAX or not NAME_PATTERN.fullmatch(text):
            message = f"{show(text)} is not a name of at most {NAME_CHARS_MAX} characters."
            self.refuse(where, line, message, "Names match ^[a-z][a-z0-9_]*$.")


def escaped(text: str) -> str:
    """Escape what a terminal would obey."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def printable(text: str) -> str:
    """Cut what a file says to a length that fits a line, and escape it."""
    return escaped(text[:SHOWN_CHARS_MAX])


def show(text: str) -> str:
    """Quote what a file says."""
    return f'"{printable(text)}"'


def plain(node: Node) -> object:
    """The data of a tree as written, or nothing (None) in place of what is broken; keys must be texts."""
    match node:
        case Scalar(value=value):
            return value
        case Sequence(items=items):
            return [plain(item) for item in items]
        case Table(entries=entries):
            return {key.value: plain(value) for key, value in entries if isinstance(key, Scalar)}
        case Broken():
            return None


def _choices(known: Collection[str]) -> str:
    return f"Known are: {', '.join(list(known)[:20])}." if known else "None is declared."


def _describe(node: Node) -> str:
    match node:
        case Sequence():
            return "a list"
        case Table():
            return "a mapping"
        case Broken():
            return "something refused"
        case Scalar(value=value):
            return _describe_value(value)


def _describe_value(value: str | int | float | bool | None) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {show(value)}"
    return f"the number {value}" if isinstance(value, int) else "a number that is not a plain integer"
