"""A lifecycle file's tree to a `Lifecycle`: the strict schema, and the checker's rules L1 and L2.

It reports every fault and goes on: what cannot be read is left out of a *draft*, so that `check` can still judge the
rest. A draft with findings decides nothing; only `crdt_sync.adapters.lifecycle_files` hands a lifecycle on. What is
faulty is left out in the direction that cannot raise a second finding for the same fault: an unreadable pattern
matches everything, an unreadable lane is no lane.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast

from crdt_sync.domain.canonical import digest
from crdt_sync.domain.ids import Department, Digest, LaneId, Role
from crdt_sync.domain.lifecycle import lanes
from crdt_sync.domain.lifecycle.declared import DEPARTMENTS_MAX, Declared
from crdt_sync.domain.lifecycle.lanes import Outline
from crdt_sync.domain.lifecycle.model import (
    STAGE_KINDS,
    Finding,
    Lane,
    Lifecycle,
    Obligation,
    Pattern,
    StageKind,
    StageRow,
    Story,
)
from crdt_sync.domain.lifecycle.node import (
    NAME_CHARS_MAX,
    Field,
    Name,
    Reader,
    plain,
    show,
)
from crdt_sync.domain.lifecycle.stories import OPENER, StoryEvent, parse_event
from crdt_sync.domain.transition import AFTER_MAX
from crdt_sync.tree import Node, Scalar, Sequence, Table

LANES_MAX = DEPARTMENTS_MAX  # a large firm has a dozen departments that touch one ticket
STAGES_MAX = 256
ALTERNATIVES_MAX = 64
OWES_MAX = 32
STORIES_MAX = 256
STORY_EVENTS_MAX = 64  # a story is small enough to be read
VERSION_MAX = 2**53 - 1  # exact in every JSON reader

_NAME_PATTERN = re.compile(r"[a-z][a-z0-9_-]*")
_NO_DIGEST = Digest("0" * 64)  # of a draft, which decides nothing
_LANGUAGES = ("en", "zh")
_DECIDING = ("lifecycle", "version", "lanes", "stages")
_FILE_KEYS = (*_DECIDING, "title", "open", "talk", "inbound_after_close", "stories", "labels")
_ROW_KEYS = ("stage", "kind", "when", "owes")
_EXPECTED_LISTS = ("overtaken", "contested", "inert")
_FLAGS = ("payload_conflict", "overtaken")


@dataclass(frozen=True, slots=True)
class Parsed:
    """The draft (None if there is nothing to judge), and what of it can be judged.

    `unsure` are the lanes whose states, order or conflicts are not all there; `complete` tells whether every lane and
    stage is there as written, so that what the draft lacks, the file lacks.
    """

    lifecycle: Lifecycle | None
    findings: list[Finding]
    unsure: frozenset[LaneId]
    complete: bool


@dataclass(frozen=True, slots=True)
class _File:
    """The file while it is read."""

    reader: Reader
    fields: Mapping[str, Field]
    outlines: Mapping[str, Outline]
    declared: Declared


def parse(root: Node) -> Parsed:
    """Read a whole file. Never raises; every fault is a finding."""
    reader = Reader()
    fields = reader.table(root, "file", known=_FILE_KEYS, required=_DECIDING)
    around = len(reader.findings)
    lane_fields = reader.named(fields["lanes"].node, "lanes", LANES_MAX) if "lanes" in fields else {}
    outlines = {name: lanes.outline(reader, name, entry) for name, entry in lane_fields.items()}
    rows = reader.items(fields["stages"].node, "stages", STAGES_MAX) if "stages" in fields else ()
    row_fields = [reader.table(row, "stages", known=_ROW_KEYS, required=("stage", "kind", "when")) for row in rows]
    file = _File(
        reader=reader,
        fields=fields,
        outlines=outlines,
        declared=Declared(
            lanes={name: sketch.values if sketch.readable else None for name, sketch in outlines.items()},
            stages=_stage_names(reader, row_fields),
            departments=tuple(dict.fromkeys(sketch.owner for sketch in outlines.values())),
        ),
    )
    built, unsure = _lanes(file)
    stages = tuple(_row(file, table, row.line) for table, row in zip(row_fields, rows, strict=True))
    if "stages" not in fields or not isinstance(fields["stages"].node, Sequence):
        stages = (StageRow("?", "normal", when=({},), owes=()),)
    complete = fields.keys() >= {"lanes", "stages"} and len(reader.findings) == around
    rest = _Rest(file, control=next((lane.owner for lane in built.values() if lane.control), None))
    lifecycle = rest.lifecycle(built, stages)
    if not reader.findings:
        lifecycle = replace(lifecycle, digest=_digest(root))
    return Parsed(lifecycle if built else None, reader.findings, unsure, complete)


def _lanes(file: _File) -> tuple[dict[LaneId, Lane], frozenset[LaneId]]:
    built: dict[LaneId, Lane] = {}
    unsure: set[LaneId] = set()
    for sketch in file.outlines.values():
        if sketch.readable:
            built[sketch.id], sure = lanes.build(file.reader, sketch, file.declared)
            unsure |= set() if sure else {sketch.id}
    return _with_one_control(file, built), frozenset(unsure)


def _with_one_control(file: _File, built: dict[LaneId, Lane]) -> dict[LaneId, Lane]:
    """Hold that one lane is the control lane; a draft gets one in any case, because the model promises it."""
    controls = [lane for lane in built.values() if lane.control]
    entry = file.fields.get("lanes")
    if not controls and entry and isinstance(entry.node, Table) and len(built) == len(file.outlines):
        message = "no lane opens and closes the ticket."
        file.reader.refuse("lanes", entry.line, message, 'Add "control: true" to one.')
    for lane in controls[1:]:
        message = f"{controls[0].id} is the control lane already; there is exactly one."
        file.reader.refuse(lane.id, lane.line, message, 'Remove "control: true" from one.')
    chosen = next(iter(controls or built.values()), None)
    return {id_: replace(lane, control=lane is chosen) for id_, lane in built.items()}


def _stage_names(reader: Reader, rows: list[dict[str, Field]]) -> tuple[str, ...]:
    lines: dict[str, int] = {}
    for row in rows:
        name = reader.name(row["stage"].node, "stages") if "stage" in row else None
        if name and name.text in lines:
            message = f"this stage has a row already, in line {lines[name.text]}."
            reader.refuse(f"stages.{name.text}", name.line, message, 'Join them with a list under "when".')
        elif name:
            lines[name.text] = name.line
    return tuple(lines)


def _row(file: _File, fields: Mapping[str, Field], line: int) -> StageRow:
    stage = _scalar_text(fields.get("stage")) or "?"
    where = f"stages.{stage}"
    kind = file.reader.name(fields["kind"].node, where) if "kind" in fields else None
    known = kind and file.reader.is_known(kind, where, STAGE_KINDS, "a kind of stage")
    return StageRow(
        stage=stage,
        kind=cast(StageKind, kind.text) if kind and known else "normal",
        when=_when(file, fields["when"].node, where) if "when" in fields else ({},),
        owes=_owes(file, fields["owes"].node, where) if "owes" in fields else (),
        line=line,
    )


def _scalar_text(entry: Field | None) -> str | None:
    value = entry.node.value if entry and isinstance(entry.node, Scalar) else None
    return value if isinstance(value, str) else None


def _when(file: _File, node: Node, where: str) -> tuple[Mapping[LaneId, Pattern], ...]:
    if isinstance(node, Table):
        return (file.declared.conditions(file.reader, node, where),)
    alternatives = file.reader.items(node, where, ALTERNATIVES_MAX)
    if isinstance(node, Sequence) and not node.items:
        file.reader.refuse(where, node.line, "an empty list matches nothing.", 'Write "{}" to match always.')
    read = tuple(file.declared.conditions(file.reader, alternative, where) for alternative in alternatives)
    return read or ({},)


def _owes(file: _File, node: Node, where: str) -> tuple[Obligation, ...]:
    obligations = []
    for item in file.reader.items(node, where, OWES_MAX):
        owes: dict[LaneId, tuple[str, ...]] = {}
        for lane, entry in file.reader.table(item, where).items():
            if lane not in file.outlines:
                file.reader.is_known(Name(lane, entry.line), where, file.outlines, "a lane")
                continue
            known = file.outlines[lane].transitions
            what = f"a transition of {lane}"
            owes[LaneId(lane)] = file.reader.known_names(entry.node, where, lanes.TRANSITIONS_MAX, known, what)
        if not owes and isinstance(item, Table) and not item.entries:
            file.reader.refuse(where, item.line, "an obligation names a lane and its transitions.")
        obligations.append(Obligation(owes))
    return tuple(obligations)


@dataclass(frozen=True, slots=True)
class _Rest:
    """What stands beside lanes and stages: name, title, who opens and talks, stories, labels."""

    file: _File
    control: Department | None

    def lifecycle(self, built: dict[LaneId, Lane], stages: tuple[StageRow, ...]) -> Lifecycle:
        fields = self.file.fields
        return Lifecycle(
            name=self._name(),
            version=self._version(),
            digest=_NO_DIGEST,
            title=_labels(self.file.reader, fields["title"], "title") if "title" in fields else {},
            open_by=self._open_by(),
            talk=self._talk(),
            inbound_after_close=self._inbound_after_close(),
            lanes=built,
            stages=stages,
            stories=_stories(self.file),
            labels=_all_labels(self.file),
            stages_line=fields["stages"].line if "stages" in fields else 1,
        )

    def _name(self) -> str:
        entry = self.file.fields.get("lifecycle")
        text = self.file.reader.text(entry.node, "lifecycle") if entry else None
        if text and entry and not (len(text) <= NAME_CHARS_MAX and _NAME_PATTERN.fullmatch(text)):
            message = f"{show(text)} is not a name of at most {NAME_CHARS_MAX} characters."
            self.file.reader.refuse("lifecycle", entry.line, message, "It matches ^[a-z][a-z0-9_-]*$.")
        return text or "?"

    def _version(self) -> int:
        entry = self.file.fields.get("version")
        if entry is None:
            return 0
        value = entry.node.value if isinstance(entry.node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= VERSION_MAX:
            self.file.reader.wrong_type("version", entry.node, "a whole number from 1")
            return 0
        return value

    def _open_by(self) -> tuple[Role, ...]:
        """Who may open; like any transition's `by`, it defaults to the owner of the (control) lane."""
        entry = self.file.fields.get("open")
        known = ("by",)
        by = self.file.reader.table(entry.node, "open", known=known, required=known).get("by") if entry else None
        names = self.file.reader.names(by.node, "open", lanes.ROLES_MAX, one=True) if by else ()
        if by and isinstance(by.node, Sequence) and not by.node.items:
            self.file.reader.refuse("open", by.line, "nobody may open a ticket.", "Name a role.")
        return tuple(Role(name.text) for name in names) or (Role(self.control or "?"),)

    def _talk(self) -> tuple[Department, ...]:
        departments = self.file.declared.departments
        entry = self.file.fields.get("talk")
        if entry is None:
            return tuple(Department(name) for name in departments)
        what = "a department that owns a lane"
        names = self.file.reader.known_names(entry.node, "talk", DEPARTMENTS_MAX, departments, what)
        return tuple(Department(name) for name in names)

    def _inbound_after_close(self) -> Literal["new_ticket", "reopen"]:
        entry = self.file.fields.get("inbound_after_close")
        name = self.file.reader.name(entry.node, "inbound_after_close") if entry else None
        if name and self.file.reader.is_known(name, "inbound_after_close", ("new_ticket", "reopen"), "a way"):
            return cast(Literal["new_ticket", "reopen"], name.text)
        return "new_ticket"


def _digest(root: Node) -> Digest:
    """SHA-256 over the canonical JSON of what decides, as written; labels are left out of each lane."""
    data = plain(root)
    deciding = {key: data[key] for key in _DECIDING if key in data} if isinstance(data, dict) else {}
    if isinstance(found := deciding.get("lanes"), dict):
        deciding["lanes"] = {
            name: {key: value for key, value in lane.items() if key != "labels"} if isinstance(lane, dict) else lane
            for name, lane in found.items()
        }
    return digest(deciding)


def _stories(file: _File) -> tuple[Story, ...]:
    if "stories" not in file.fields:
        return ()
    fields = file.reader.table(file.fields["stories"].node, "stories")
    number = file.reader.count(len(fields), STORIES_MAX, "stories", file.fields["stories"].line)
    return tuple(_story(file, name, entry) for name, entry in list(fields.items())[:number])


def _story(file: _File, name: str, entry: Field) -> Story:
    where = f"stories.{name}"
    keys = ("events", "expect")
    fields = file.reader.table(entry.node, where, known=keys, required=keys)
    events: dict[str, StoryEvent] = {}
    texts = []
    for node in file.reader.items(fields["events"].node, where, STORY_EVENTS_MAX) if "events" in fields else ():
        text = file.reader.text(node, where)
        event = parse_event(text) if text else None
        if event and text:
            _check_event(file, where, node.line, event, events)
            events.setdefault(event.key, event)
            texts.append(text)
        elif text:
            form = 'Write "key: lane.transition(field=text) < seen, seen".'
            file.reader.refuse(where, node.line, f"{show(text)} is no event.", form)
    expect = _expectations(file, where, fields["expect"].node, events) if "expect" in fields else {}
    return Story(name, tuple(texts), expect, entry.line)


def _check_event(file: _File, where: str, line: int, event: StoryEvent, before: Mapping[str, StoryEvent]) -> None:
    if len(event.key) > NAME_CHARS_MAX or event.key == OPENER:
        file.reader.refuse(where, line, f"{show(event.key)} cannot be the key of an event.", "Choose a short key.")
    file.reader.count(len(event.seen), AFTER_MAX, where, line)
    if event.key in before:
        file.reader.refuse(where, line, f"the key {show(event.key)} stands twice.", "Give each event its own.")
    for seen in event.seen:
        file.reader.is_known(Name(seen, line), where, before, "the key of an earlier event")
    if not file.reader.is_known(Name(event.lane, line), where, file.outlines, "a lane"):
        return
    sketch = file.outlines[event.lane]
    what = f"a transition of {event.lane}"
    if file.reader.is_known(Name(event.name, line), where, sketch.transitions, what) and event.payload:
        declared = _names(sketch.transitions[event.name], "payload")
        for name in event.payload_fields:
            file.reader.is_known(Name(name, line), where, declared, f"in the payload of {event.name}")


def _names(entry: Field, key: str) -> tuple[str, ...]:
    """The names that stand under `key` as written, be they sound or not: `by` of a role, or fields of a payload."""
    data = plain(entry.node)
    names = data.get(key) if isinstance(data, dict) else None
    return tuple(name for name in (names if isinstance(names, dict | list) else [names]) if isinstance(name, str))


def _expectations(file: _File, where: str, node: Node, events: Mapping[str, StoryEvent]) -> dict[str, object]:
    known = ("stage", "flags", "owes", *_EXPECTED_LISTS, *file.outlines)
    fields = file.reader.table(node, where, known=known)
    return {key: _expectation(file, where, key, entry.node, events) for key, entry in fields.items()}


def _expectation(file: _File, where: str, key: str, node: Node, events: Mapping[str, StoryEvent]) -> object:
    reader = file.reader
    if key == "flags":
        tables = reader.table(node, where, known=tuple(file.outlines))
        return {
            lane: reader.known_names(entry.node, where, len(_FLAGS), _FLAGS, "a flag") for lane, entry in tables.items()
        }
    if key == "owes":
        return reader.known_names(node, where, LANES_MAX, tuple(file.outlines), "a lane")
    if key in _EXPECTED_LISTS:
        return reader.known_names(node, where, STORY_EVENTS_MAX, events, "the key of an event")
    text = reader.text(node, where)
    if text and key == "stage":
        reader.is_known(Name(text, node.line), where, file.declared.stages, "a stage")
    elif text and (sketch := file.outlines[key]).readable:
        # An unnamed conflict is its states joined by a bar.
        for state in text.split("|") if "conflict" in sketch.fields else (text,):
            reader.is_known(Name(state, node.line), where, sketch.values, f"a state or conflict of {key}")
    return text


def _labels(reader: Reader, entry: Field, where: str) -> dict[str, str]:
    fields = reader.table(entry.node, where, known=_LANGUAGES)
    texts = {language: reader.text(label.node, where) for language, label in fields.items()}
    if isinstance(entry.node, Table) and not entry.node.entries:
        reader.refuse(where, entry.line, "a label needs a text.", 'Write "{en: ..., zh: ...}".')
    return {language: text for language, text in texts.items() if text}


def _all_labels(file: _File) -> dict[str, Mapping[str, str]]:
    labels: dict[str, Mapping[str, str]] = {}
    transitions = [entry for sketch in file.outlines.values() for entry in sketch.transitions.values()]
    doers = [*transitions, *([file.fields["open"]] if "open" in file.fields else [])]
    roles = dict.fromkeys(role for entry in doers for role in _names(entry, "by"))
    known = tuple(dict.fromkeys((*file.declared.stages, *file.outlines, *file.declared.departments, *roles)))
    _label_table(file, "labels", file.fields.get("labels"), known, labels, prefix="")
    for sketch in (sketch for sketch in file.outlines.values() if sketch.readable):
        fields = dict.fromkeys(name for entry in sketch.transitions.values() for name in _names(entry, "payload"))
        names = (*sketch.values, *sketch.transitions, *fields)
        entry = sketch.fields.get("labels")
        _label_table(file, f"{sketch.id}.labels", entry, names, labels, prefix=f"{sketch.id}.")
    return labels


def _label_table(
    file: _File,
    where: str,
    entry: Field | None,
    known: Collection[str],
    labels: dict[str, Mapping[str, str]],
    *,
    prefix: str,
) -> None:
    table = file.reader.table(entry.node, where) if entry else {}
    for name, label in table.items():
        if file.reader.is_known(Name(name, label.line), where, known, "declared here"):
            labels[prefix + name] = _labels(file.reader, label, where)
