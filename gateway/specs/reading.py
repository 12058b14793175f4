"""A channel spec's file: YAML to a `Spec`, with the line of whatever is wrong. Owns no file.

The tree of `crdt_sync.yaml_tree` is bounded and has no alias, tag or merge, so nothing in a spec can refer to itself.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from crdt_sync.tree import Broken, Node, Scalar, Table
from crdt_sync.tree import Sequence as Listed
from crdt_sync.yaml_tree import tree_of
from gateway.specs.model import Spec
from gateway.specs.trees import Uncompiled
from gateway.specs.walk import Place

_HIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Controls but for the ends of lines and tabs, and what has a text run another way (Unicode Bidi_Control)."""
_CODES = {"extra_forbidden": "unknown_key", "missing": "missing"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of a spec: its line, counted from 1, a constant name, and a sentence."""

    line: int
    code: str
    message: str

    def to_text(self, source: str) -> str:
        """One line for a person."""
        return f"{source}:{self.line} {self.code}: {self.message}"


class Lines:
    """Where things stand in a file."""

    def __init__(self, root: Node) -> None:
        self._root = root

    def of(self, place: Place) -> int:
        """The line of a place, or of the last thing on the way to it."""
        node, line = self._root, self._root.line
        for step in place:
            entry = _entry(node, step)
            if entry is None:
                break
            line, node = entry
        return line

    def hidden(self) -> list[Finding]:
        """What has characters that nobody sees, outside the samples."""
        return _hidden(self._root)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a text gave: a spec if its form is right, and what is wrong if it is not."""

    spec: Spec | None
    digest: str
    lines: Lines
    findings: tuple[Finding, ...]


def parse(text: str | bytes) -> Parsed:
    """Read a spec's text as far as its form goes. Never raises, whatever the text."""
    octets = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    digest = hashlib.sha256(octets).hexdigest()[:16]
    root, faults = tree_of(text)
    findings = [Finding(fault.line, "yaml", fault.message) for fault in faults]
    if root is None:
        return Parsed(None, digest, Lines(Broken(1)), tuple(findings))
    lines = Lines(root)
    if not findings:
        findings = _doubled(root)
    if findings:
        return Parsed(None, digest, lines, tuple(findings))
    try:
        spec = Spec.model_validate(_with_samples(_plain(root)))
    except ValidationError as error:
        return Parsed(None, digest, lines, tuple(_finding(one, lines) for one in error.errors()))
    return Parsed(spec, digest, lines, ())


def _with_samples(plain: object) -> object:
    """A file that is being written has no samples yet: its form is right, and the trial says that they are missing."""
    return {"samples": {}} | plain if isinstance(plain, dict) else plain


def _finding(error: ErrorDetails, lines: Lines) -> Finding:
    cause = error.get("ctx", {}).get("error")
    code = cause.code if isinstance(cause, Uncompiled) else _CODES.get(error["type"], "form")
    name = ".".join(str(step) for step in error["loc"])
    message = str(cause) if isinstance(cause, Uncompiled) else error["msg"]
    return Finding(lines.of(error["loc"]), code, f"{name}: {message}.".replace("..", "."))


def _entry(node: Node, step: str | int) -> tuple[int, Node] | None:
    match node:
        case Table(entries=entries):
            return next(
                ((key.line, value) for key, value in entries if isinstance(key, Scalar) and key.value == step), None
            )
        case Listed(items=items) if isinstance(step, int) and step < len(items):
            return items[step].line, items[step]
        case _:
            return None


def _doubled(node: Node) -> list[Finding]:
    match node:
        case Table(entries=entries):
            found = [one for _, value in entries for one in _doubled(value)]
            seen: set[object] = set()
            for key, _ in entries:
                name = key.value if isinstance(key, Scalar) else None
                if not isinstance(name, str):
                    found.append(Finding(key.line, "yaml", "a key is a text."))
                elif name in seen:
                    found.append(Finding(key.line, "yaml", f"the key {name} stands twice."))
                seen.add(name)
            return found
        case Listed(items=items):
            return [one for item in items for one in _doubled(item)]
        case _:
            return []


def _hidden(node: Node) -> list[Finding]:
    """The texts that a person would read as others; in the samples stands what came, whatever it was."""
    match node:
        case Scalar(value=str(text), line=line) if (found := _HIDDEN.search(text)) is not None:
            return [Finding(line, "character", f"U+{ord(found[0]):04X} is seen by nobody: leave it out.")]
        case Table(entries=entries):
            shown = [(key, value) for key, value in entries if not isinstance(key, Scalar) or key.value != "samples"]
            return [one for entry in shown for part in entry for one in _hidden(part)]
        case Listed(items=items):
            return [one for item in items for one in _hidden(item)]
        case _:
            return []


def _plain(node: Node) -> object:
    match node:
        case Scalar(value=value):
            return value
        case Listed(items=items):
            return _all(items)
        case Table(entries=entries):
            return {key.value: _plain(value) for key, value in entries if isinstance(key, Scalar)}
        case Broken():
            return None


def _all(items: Sequence[Node]) -> list[object]:
    return [_plain(item) for item in items]
