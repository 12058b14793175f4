"""What a lifecycle file declares, and the patterns that may name it (`x`, `[x, y]`, `"!x"`, `"*"`)."""

from dataclasses import dataclass

from crdt_sync.domain.ids import LaneId
from crdt_sync.domain.lifecycle.model import Pattern
from crdt_sync.domain.lifecycle.node import Name, Reader
from crdt_sync.tree import Node, Scalar

PATTERN_NAMES_MAX = 128  # every state and every conflict of the largest lane
DEPARTMENTS_MAX = 32  # as many as there may be lanes
STAGE = "stage"  # beside the lanes in an `if`, and therefore no lane's name

_ANY = Pattern(any=True)


@dataclass(frozen=True, slots=True)
class Declared:
    """The names that conditions may use. A lane whose states could not be read has None: nothing is said of it."""

    lanes: dict[str, tuple[str, ...] | None]
    stages: tuple[str, ...]
    departments: tuple[str, ...]

    def conditions(self, reader: Reader, node: Node, where: str, *, stage: bool = False) -> dict[LaneId, Pattern]:
        """Read a mapping of lanes (and `stage`, if allowed) to patterns; a faulty entry is left out."""
        found: dict[LaneId, Pattern] = {}
        for key, entry in reader.table(node, where).items():
            if key == STAGE and stage:
                found[LaneId(key)] = _pattern(reader, entry.node, where, self.stages, "a stage")
            elif key not in self.lanes:
                reader.is_known(Name(key, entry.line), where, self.lanes, "a lane")
            else:
                known = self.lanes[key]
                if known is not None:
                    what = f"a state or conflict of {key}"
                    found[LaneId(key)] = _pattern(reader, entry.node, where, known, what)
        return found


def _pattern(reader: Reader, node: Node, where: str, known: tuple[str, ...], what: str) -> Pattern:
    if not isinstance(node, Scalar):
        before = len(reader.findings)
        names = reader.names(node, where, PATTERN_NAMES_MAX)
        if not names and len(reader.findings) == before:
            reader.refuse(where, node.line, "an empty list matches nothing.", "Name something, or remove the row.")
        known_names = frozenset(name.text for name in names if reader.is_known(name, where, known, what))
        return Pattern(known_names) if known_names else _ANY
    if not isinstance(node.value, str):
        reader.wrong_type(where, node, 'a pattern (x, [x, y], "!x" or "*")')
        return _ANY
    if node.value == "*":
        return _ANY
    negated = node.value.startswith("!")
    name = Name(node.value.removeprefix("!"), node.line)
    if not reader.is_known(name, where, known, what):
        return _ANY
    return Pattern(frozenset({name.text}), negated=negated)
