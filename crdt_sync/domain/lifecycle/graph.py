"""A lifecycle as pictures: Mermaid diagrams in Markdown, one of each lane and one of the stage table.

A lane's diagram has its states, each with what it stands directly above; its conflicts, dashed, with an edge from each
member; and its transitions, with their conditions, and ↺ where they reset. The stage table is a chain of questions of
which the first that is answered with yes gives the stage. Names are those of the file's labels. It judges nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from crdt_sync.domain.ids import LaneId
from crdt_sync.domain.lifecycle.declared import STAGE
from crdt_sync.domain.lifecycle.model import Lane, Lifecycle, Pattern, StageRow, TransitionSpec
from crdt_sync.domain.lifecycle.node import printable
from crdt_sync.domain.lifecycle.phrases import Language

_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "above": "above {names}",
        "beside": "beside {names}",
        "stage": "Stage",
        "stages": "Stages",
        "always": "always",
        "or": "or",
        "yes": "yes",
        "otherwise": "otherwise",
        "owes": "owes {names}",
    },
    "zh": {
        "above": "高于{names}",
        "beside": "与{names}并存",
        "stage": "阶段",
        "stages": "阶段",
        "always": "总是",
        "or": "或",
        "yes": "是",
        "otherwise": "否则",
        "owes": "应办{names}",
    },
}
_STYLES = (
    "classDef normal fill:#e8f0fe,stroke:#3b6fb6,color:#111",
    "classDef attention fill:#fff4d6,stroke:#b8860b,color:#111",
    "classDef compensation fill:#fde2e1,stroke:#b03a2e,color:#111",
    "classDef settled fill:#e3f5e6,stroke:#2e7d32,color:#111",
    "classDef final fill:#e6e6e6,stroke:#555,color:#111",
)
_UNSAFE = re.compile(r"[^\w .,?!'()=≠↺/+*-]")  # what Mermaid might read as syntax


def graph(lifecycle: Lifecycle, *, language: Language = "en") -> str:
    """Return the diagrams of a lifecycle as Markdown, with the labels of one language."""
    words = _Words(lifecycle, language)
    titles = {lane: printable(lifecycle.label(lane, language)) for lane in lifecycle.lanes}
    sections = [_section(titles[lane.id], _lane(lane, words)) for lane in lifecycle.lanes.values()]
    return "\n".join([*sections, _section(words.word("stages"), _stages(lifecycle, words))])


def _section(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"### {title}", "", "```mermaid", *lines, "```", ""])


class _Words:
    """Labels and a few words in one language, none of which Mermaid takes for syntax."""

    def __init__(self, lifecycle: Lifecycle, language: Language) -> None:
        self._lifecycle = lifecycle
        self._language = language

    def word(self, key: str, names: str = "") -> str:
        return _WORDS[self._language][key].format(names=names)

    def lane(self, lane: str) -> str:
        return _safe(self._lifecycle.label(lane, self._language))

    def stage(self, stage: str) -> str:
        return _safe(self._lifecycle.label(stage, self._language))

    def of_lane(self, lane: str, name: str) -> str:
        """A state, conflict or transition of a lane."""
        return _safe(self._lifecycle.label(f"{lane}.{name}", self._language))

    def condition(self, key: str, pattern: Pattern) -> str:
        """A pattern on a lane or on the stage, as a person writes it."""
        names = sorted(self.stage(name) if key == STAGE else self.of_lane(key, name) for name in pattern.names)
        subject = self.word("stage") if key == STAGE else self.lane(key)
        return f"{subject} {'≠' if pattern.negated else '='} {' / '.join(names) if names else '*'}"


def _lane(lane: Lane, words: _Words) -> Iterator[str]:
    yield "stateDiagram-v2"
    yield "  direction LR"
    yield "  classDef conflict stroke-dasharray:4 4"
    for state in lane.states:
        yield f'  state "{words.of_lane(lane.id, state)}" as {_id(state)}'
        if directly := _directly_below(lane, state):
            names = ", ".join(words.of_lane(lane.id, lower) for lower in directly)
            yield f"  {_id(state)} : {words.word('above', names)}"
    for members, name in lane.conflicts.items():
        yield f'  state "{words.of_lane(lane.id, name)}" as {_id(name)}'
        yield f"  class {_id(name)} conflict"
        for member in sorted(members):
            names = ", ".join(words.of_lane(lane.id, other) for other in sorted(members - {member}))
            yield f"  {_id(member)} --> {_id(name)} : {words.word('beside', names)}"
    yield f"  [*] --> {_id(lane.initial)}"
    for transition in lane.transitions.values():
        yield from _transition(lane, transition, words)
    yield from (f"  {_id(state)} --> [*]" for state in lane.final)


def _transition(lane: Lane, transition: TransitionSpec, words: _Words) -> Iterator[str]:
    label = words.of_lane(lane.id, transition.name) + (" ↺" if transition.resets else "")
    if conditions := ", ".join(words.condition(key, pattern) for key, pattern in transition.conditions):
        label += f" ({conditions})"
    starts = {*transition.sources, *([transition.settles] if transition.settles else [])}
    for start in (*lane.states, *lane.conflicts.values()):
        if start in starts:
            yield f"  {_id(start)} --> {_id(transition.to)} : {label}"


def _directly_below(lane: Lane, state: str) -> list[str]:
    """The states below with nothing between."""
    lower = lane.below[state]
    return [other for other in lane.states if other in lower and not any(other in lane.below[mid] for mid in lower)]


def _stages(lifecycle: Lifecycle, words: _Words) -> Iterator[str]:
    yield "flowchart TD"
    yield from (f"  {style}" for style in _STYLES)
    for number, row in enumerate(lifecycle.stages):
        yield f'  q{number}["{_question(row, words)}"]'
        yield f'  q{number} -- "{words.word("yes")}" --> s{number}(["{_answer(row, words)}"]):::{row.kind}'
        if number:
            yield f'  q{number - 1} -- "{words.word("otherwise")}" --> q{number}'


def _question(row: StageRow, words: _Words) -> str:
    alternatives = [_when(when, words) for when in row.when]
    return f"<br/>{words.word('or')} ".join(alternatives)


def _when(when: Mapping[LaneId, Pattern], words: _Words) -> str:
    return ", ".join(words.condition(lane, pattern) for lane, pattern in when.items()) or words.word("always")


def _answer(row: StageRow, words: _Words) -> str:
    owed = [words.of_lane(lane, name) for entry in row.owes for lane, names in entry.owes.items() for name in names]
    return words.stage(row.stage) + (f"<br/>{words.word('owes', ', '.join(owed))}" if owed else "")


def _id(name: str) -> str:
    """An id that is no word of Mermaid's own."""
    return f"s_{name}"


def _safe(text: str) -> str:
    return _UNSAFE.sub(lambda found: f"#{ord(found[0])};", text)
