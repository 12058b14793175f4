"""One lane of a lifecycle file: its states and their order, conflicts and transitions, read strictly."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import cast

from crdt_sync.domain.ids import Department, LaneId, Role
from crdt_sync.domain.lifecycle.declared import DEPARTMENTS_MAX, STAGE, Declared
from crdt_sync.domain.lifecycle.model import PAYLOAD_TYPES, RESERVED_NAMES, Lane, PayloadType, TransitionSpec
from crdt_sync.domain.lifecycle.node import Field, Name, Reader, show
from crdt_sync.tree import Node, Scalar, Sequence

STATES_MAX = 64  # a lane's states fit one screen
ORDER_MAX = 256
CONFLICTS_MAX = 64
TRANSITIONS_MAX = 128
ROLES_MAX = 16  # as many as a transition may carry
PAYLOAD_FIELDS_MAX = 32

_LANE_KEYS = (
    "owner", "control", "initial", "states", "final", "order", "conflicts", "conflict", "transitions", "form_readers",
    "labels",
)  # fmt: skip
_TRANSITION_KEYS = ("from", "settles", "to", "by", "if", "payload", "resets")
_RESERVED_LANES = frozenset({STAGE, "overtaken", "contested", "inert", "flags", "owes"})  # what a story expects


@dataclass(frozen=True, slots=True)
class Outline:
    """What the rest of the file may refer to, before anything that refers elsewhere is read."""

    id: LaneId
    line: int
    fields: Mapping[str, Field]
    owner: str
    control: bool
    states: tuple[str, ...]
    conflicts: Mapping[str, Field]
    transitions: Mapping[str, Field]

    @property
    def readable(self) -> bool:
        """Tell whether the lane has states; otherwise nothing can be said of it."""
        return bool(self.states)

    @property
    def values(self) -> tuple[str, ...]:
        """The names that a pattern on this lane may use: states, then conflicts."""
        return (*self.states, *self.conflicts)


def outline(reader: Reader, name: str, entry: Field) -> Outline:
    """Read a lane's names."""
    if name in _RESERVED_LANES:
        reader.refuse(name, entry.line, f"{show(name)} is a reserved name for lanes.", "Rename the lane.")
    fields = reader.table(
        entry.node, name, known=_LANE_KEYS, required=("owner", "initial", "states", "order", "transitions")
    )
    owner = reader.name(fields["owner"].node, f"{name}.owner") if "owner" in fields else None
    return Outline(
        id=LaneId(name),
        line=entry.line,
        fields=fields,
        owner=owner.text if owner else "?",
        control="control" in fields and reader.flag(fields["control"].node, f"{name}.control"),
        states=_states(reader, fields["states"].node, f"{name}.states") if "states" in fields else (),
        conflicts=_named(reader, fields, name, "conflicts", CONFLICTS_MAX),
        transitions=_named(reader, fields, name, "transitions", TRANSITIONS_MAX),
    )


def _states(reader: Reader, node: Node, where: str) -> tuple[str, ...]:
    if isinstance(node, Sequence) and not node.items:
        reader.refuse(where, node.line, "a lane needs a state.")
    return tuple(name.text for name in reader.names(node, where, STATES_MAX))


def _named(reader: Reader, fields: Mapping[str, Field], lane: str, key: str, limit: int) -> dict[str, Field]:
    return reader.named(fields[key].node, f"{lane}.{key}", limit) if key in fields else {}


def build(reader: Reader, sketch: Outline, declared: Declared) -> tuple[Lane, bool]:
    """Read the rest of the lane; the flag says whether its states, order and conflicts are without a fault."""
    before = len(reader.findings)
    below = _order(reader, sketch)
    conflicts = _conflicts(reader, sketch, below)
    unnamed = _conflict_unnamed(reader, sketch)
    states_fault = any(found.where == f"{sketch.id}.states" for found in reader.findings)
    sure = len(reader.findings) == before and not states_fault
    lane = Lane(
        id=sketch.id,
        owner=Department(sketch.owner),
        control=sketch.control,
        initial=_initial(reader, sketch),
        states=sketch.states,
        final=_known_states(reader, sketch, "final"),
        below=below,
        conflicts=conflicts,
        conflict_unnamed=unnamed,
        transitions=_transitions(reader, sketch, declared),
        form_readers=_form_readers(reader, sketch, declared),
        line=sketch.line,
    )
    return lane, sure


def _initial(reader: Reader, sketch: Outline) -> str:
    entry = sketch.fields.get("initial")
    name = reader.name(entry.node, f"{sketch.id}.initial") if entry else None
    if name and reader.is_known(name, f"{sketch.id}.initial", sketch.states, "a state of the lane"):
        return name.text
    return sketch.states[0]


def _known_states(reader: Reader, sketch: Outline, key: str) -> tuple[str, ...]:
    if key not in sketch.fields:
        return ()
    where = f"{sketch.id}.{key}"
    return reader.known_names(sketch.fields[key].node, where, STATES_MAX, sketch.states, "a state of the lane")


def _form_readers(reader: Reader, sketch: Outline, declared: Declared) -> tuple[Department, ...]:
    entry = sketch.fields.get("form_readers")
    if entry is None:
        return ()
    where = f"{sketch.id}.form_readers"
    limit = DEPARTMENTS_MAX
    names = reader.known_names(entry.node, where, limit, declared.departments, "a department that owns a lane")
    return tuple(Department(name) for name in names)


def _order(reader: Reader, sketch: Outline) -> dict[str, frozenset[str]]:
    """Read the chains `a < b < c`; return the transitive closure. A step that would close a cycle is L2."""
    where = f"{sketch.id}.order"
    below: dict[str, set[str]] = {state: set() for state in sketch.states}
    entry = sketch.fields.get("order")
    for node in reader.items(entry.node, where, ORDER_MAX) if entry else ():
        for lower, upper in pairwise(_chain(reader, node, where, sketch.states)):
            if lower.text == upper.text or upper.text in below[lower.text]:
                _cycle(reader, where, lower, upper)
            else:
                for state, under in below.items():
                    if state == upper.text or upper.text in under:
                        under.update({lower.text}, below[lower.text])
    return {state: frozenset(under) for state, under in below.items()}


def _chain(reader: Reader, node: Node, where: str, states: tuple[str, ...]) -> list[Name]:
    text = reader.text(node, where)
    names = [Name(part.strip(" "), node.line) for part in text.split("<")] if text else []
    if text and len(names) < 2:
        reader.refuse(where, node.line, f"{show(text)} orders nothing.", 'Write "lower < higher".')
    return [name for name in names if reader.is_known(name, where, states, "a state of the lane")]


def _cycle(reader: Reader, where: str, lower: Name, upper: Name) -> None:
    already = f", but {upper.text} < {lower.text} already" if lower.text != upper.text else ""
    message = f'"{lower.text} < {upper.text}" closes a cycle{already}; an order has none.'
    reader.refuse(where, lower.line, message, "Remove one of the two.", rule="L2")


def _conflicts(reader: Reader, sketch: Outline, below: Mapping[str, frozenset[str]]) -> dict[frozenset[str], str]:
    found: dict[frozenset[str], str] = {}
    for name, entry in sketch.conflicts.items():
        where = f"{sketch.id}.{name}"
        if name in sketch.states:
            reader.refuse(where, entry.line, "a conflict is never named like a state.", "Rename the conflict.")
        before = len(reader.findings)
        members = reader.known_names(entry.node, where, STATES_MAX, sketch.states, "a state of the lane")
        if len(reader.findings) > before:
            continue
        if len(members) < 2:
            reader.refuse(where, entry.line, "a conflict joins two states or more.")
        elif frozenset(members) in found:
            reader.refuse(where, entry.line, f"these states are named {show(found[frozenset(members)])} already.")
        elif _are_unordered(reader, where, entry.line, members, below):
            found[frozenset(members)] = name
    return found


def _are_unordered(
    reader: Reader, where: str, line: int, members: tuple[str, ...], below: Mapping[str, frozenset[str]]
) -> bool:
    ordered = [pair for pair in combinations(members, 2) if pair[0] in below[pair[1]] or pair[1] in below[pair[0]]]
    for one, other in ordered:
        reader.refuse(where, line, f"{one} and {other} are ordered, so they never conflict.", "Remove one of them.")
    return not ordered


def _conflict_unnamed(reader: Reader, sketch: Outline) -> bool:
    entry = sketch.fields.get("conflict")
    if entry is None:
        return False
    if not isinstance(entry.node, Scalar) or entry.node.value != "unnamed":
        reader.wrong_type(f"{sketch.id}.conflict", entry.node, 'the word "unnamed"')
    return True


def _transitions(reader: Reader, sketch: Outline, declared: Declared) -> dict[str, TransitionSpec]:
    read = {name: _transition(reader, sketch, declared, name, entry) for name, entry in sketch.transitions.items()}
    return {name: transition for name, transition in read.items() if transition}


def _transition(reader: Reader, sketch: Outline, declared: Declared, name: str, entry: Field) -> TransitionSpec | None:
    where = f"{sketch.id}.{name}"
    if name in RESERVED_NAMES:
        reader.refuse(where, entry.line, f"{show(name)} is a reserved name for transitions.", "Rename it.")
    fields = reader.table(entry.node, where, known=_TRANSITION_KEYS, required=("to",))
    if fields and not fields.keys() & {"from", "settles"}:
        reader.refuse(where, entry.line, "it starts nowhere.", 'Add "from:" or "settles:".')
    to = reader.name(fields["to"].node, where) if "to" in fields else None
    sources = _sources(reader, sketch, where, fields)
    settles = reader.name(fields["settles"].node, where) if "settles" in fields else None
    settles_known = settles and reader.is_known(settles, where, sketch.conflicts, "a conflict of the lane")
    conditions = declared.conditions(reader, fields["if"].node, where, stage=True) if "if" in fields else {}
    roles = reader.names(fields["by"].node, where, ROLES_MAX, one=True) if "by" in fields else ()
    spec = TransitionSpec(
        name=name,
        lane=sketch.id,
        sources=sources,
        to=to.text if to else "",
        by=tuple(Role(role.text) for role in roles) or (Role(sketch.owner),),
        settles=settles.text if settles and settles_known else None,
        resets="resets" in fields and reader.flag(fields["resets"].node, where),
        conditions=tuple(conditions.items()),
        payload=_payload(reader, where, fields),
        line=entry.line,
    )
    return spec if to and reader.is_known(to, where, sketch.states, "a state of the lane") else None


def _sources(reader: Reader, sketch: Outline, where: str, fields: Mapping[str, Field]) -> frozenset[str]:
    if "from" not in fields:
        return frozenset()
    what = "a state or conflict of the lane"
    limit = len(sketch.values)
    return frozenset(reader.known_names(fields["from"].node, where, limit, sketch.values, what, one=True))


def _payload(reader: Reader, where: str, fields: Mapping[str, Field]) -> dict[str, PayloadType]:
    if "payload" not in fields:
        return {}
    types: dict[str, PayloadType] = {}
    for key, entry in reader.named(fields["payload"].node, where, PAYLOAD_FIELDS_MAX).items():
        kind = reader.name(entry.node, where)
        if kind and reader.is_known(kind, where, PAYLOAD_TYPES, "a payload type"):
            types[key] = cast(PayloadType, kind.text)
    return types
