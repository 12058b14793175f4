"""The words of what a group chat is told of a ticket, and of what a group's message becomes as a note. Pure.

A group is on somebody else's servers, so a notice holds the ticket's short code, its title and what the lifecycle
calls things: no field, no payload, no word of a conversation, and of people their roles alone.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from crdt_sync.domain.canonical import base32_id, dumps
from crdt_sync.domain.delivery import Conversation
from crdt_sync.domain.group import short_code
from crdt_sync.domain.ids import LaneId, TicketId
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.lifecycle.phrases import Language
from crdt_sync.domain.media import Media, ref_of
from crdt_sync.domain.message import Part
from crdt_sync.domain.transition import Transition

NOTE_CHARACTERS_MAX = 4_000  # a page of text; whoever has more to say writes it into the ticket

LINES_MAX = 20  # of a message that stands for several; more is more than anybody reads in a chat
JOINED_BYTES_MAX = 2_000  # WeCom's robots take 2,048, and a line beyond would be cut off

Kind = Literal["stage", "raised", "red", "answer"]
"""What a notice tells: those of `group.Notice`, or what became of a message of the group's."""

_LINE_CHARACTERS_MAX = 120
_MORE_BYTES = 40  # for how many more there are

_ID_PREFIX = b"ticket-notice/1\n"
_TITLE_CHARACTERS_MAX = 60
_NAME_CHARACTERS_MAX = 60
_STEPS_MAX = 3
_MINUTE_MS = 60_000

_WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "opened": "opened as {after}",
        "stage": "{before} → {after}",
        "step": "{lane}: {name} (by {role})",
        "more": "and {count} more",
        "owed": "To be done: {steps}",
        "red": "Still to be done after {minutes} minutes: {steps}",
        "owed_in": "{names} in {lane}",
        "review": "review",
        "or": " or ",
        "either": "; or ",
        "colon": ": ",
        "guessed": "{code}: noted there, because the newest notice here was about it. To name another ticket, write its"
        " code.",
        "no_ticket": "No ticket was found for this message, so it was noted nowhere. Write the ticket's code with it,"
        " such as #abcd2345.",
        "contents": "{code}: a picture or file could not be fetched, and was noted by its name alone.",
        "full": "{code}: not noted, because its notes are full.",
    },
    "zh": {
        "opened": "新工单，{after}",
        "stage": "{before} → {after}",
        "step": "{lane}：{name}（{role}）",
        "more": "及其他 {count} 项",
        "owed": "待办：{steps}",
        "red": "已超过 {minutes} 分钟仍待办：{steps}",
        "owed_in": "{lane}：{names}",
        "review": "复核",
        "or": " 或 ",
        "either": "；或 ",
        "colon": "：",
        "guessed": "{code}：已记入该工单，因为本群最近的通知与它有关。如指其他工单，请写明编号。",
        "no_ticket": "未找到对应工单，此消息没有记录。请写明工单编号，例如 #abcd2345。",
        "contents": "{code}：有图片或文件未能取得，只记录了名称。",
        "full": "{code}：未能记录，该工单的备注已满。",
    },
}


def notice_id(ticket: str, cause: str, to: Conversation) -> str:
    """Return what names a notice for ever, at every attempt: what caused it, and to which group it goes."""
    return base32_id(_ID_PREFIX, dumps([ticket, cause, to.account, to.conversation]).encode())


@dataclass(frozen=True, slots=True)
class Wording:
    """What is said of one ticket in one language."""

    lifecycle: Lifecycle
    language: Language
    ticket: TicketId
    title: object  # as the card has it, perhaps none

    def moved(self, before: str, after: str, steps: Sequence[Transition]) -> str:
        """Say from which stage, empty for a new ticket, into which it came, and by whose steps."""
        stages = {"before": self._label(before), "after": self._label(after)}
        lines = [self._headed(self._say("stage" if before else "opened", **stages))]
        named = [self._step(step) for step in steps if not step.is_opening]
        lines += named[:_STEPS_MAX]
        if len(named) > _STEPS_MAX:
            lines.append(self._say("more", count=len(named) - _STEPS_MAX))
        return "\n".join(lines)

    def owed(self, owes: Mapping[LaneId, Sequence[str]]) -> str:
        """Say what is owed, without the ticket: it may follow what was said of it."""
        return self._say("owed", steps=self._owed(owes))

    def raised(self, owed: Iterable[Mapping[LaneId, Sequence[str]]]) -> str:
        """Say what is owed of the ticket."""
        return self._headed("\n".join(map(self.owed, owed)))

    def red(self, owes: Mapping[LaneId, Sequence[str]], for_ms: int) -> str:
        """Say what has been owed for so long."""
        return self._headed(self._say("red", minutes=for_ms // _MINUTE_MS, steps=self._owed(owes)))

    def _owed(self, owes: Mapping[LaneId, Sequence[str]]) -> str:
        owed = ((lane, self._say("or").join(self._name(lane, name) for name in names)) for lane, names in owes.items())
        return self._say("either").join(
            self._say("owed_in", lane=self._label(lane), names=names) for lane, names in owed
        )

    def _name(self, lane: LaneId, name: str) -> str:
        """A flagged lane owes a review, which is no transition."""
        return self._label(f"{lane}.{name}") if name in self.lifecycle.lanes[lane].transitions else self._say("review")

    def _step(self, step: Transition) -> str:
        lane = self.lifecycle.lanes.get(step.lane)
        declared = lane.transitions.get(step.name) if lane is not None else None
        by = declared.by if declared is not None else ()
        role = next((role for role in step.roles if role in by), step.roles[0])
        words = {"lane": self._label(step.lane), "name": self._label(f"{step.lane}.{step.name}")}
        return self._say("step", role=self._label(role), **words)

    def _headed(self, text: str) -> str:
        title = one_line(self.title, _TITLE_CHARACTERS_MAX) if isinstance(self.title, str) else ""
        return f"{short_code(self.ticket)}{f' {title}' if title else ''}{self._say('colon')}{text}"

    def _label(self, key: str) -> str:
        return self.lifecycle.label(key, self.language)

    def _say(self, phrase: str, **words: object) -> str:
        return _WORDS[self.language][phrase].format(**words)


class Line(NamedTuple):
    """What one of several notices says."""

    ticket: str  # empty if it is about none
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Joined:
    """What `rows` of those that wait say together. `ticket` is that of the newest; `given_way` are left out."""

    rows: range
    ticket: str
    content: str
    given_way: int


def content(kind: Kind, text: str, lines: Sequence[Line] = ()) -> str:
    """Spell a notice as the part that is sent; its kind goes nowhere, and says what may give way.

    One that says several things has `lines`, of which each stands and gives way for itself once it is joined.
    """
    said = {"type": "text", "text": text, "kind": kind}
    return dumps({**said, "lines": lines, "more": 0} if lines else said)


def joined(language: Language, waiting: Sequence[tuple[str, str]]) -> Iterator[Joined]:
    """Join what waits for one group, each a ticket and a content, the oldest first: one message, a line a ticket.

    What is red stands first and never gives way, so that there are as many messages as hold all of it. Of a ticket's
    stages the newest counts, and what is owed since an earlier one has a line of its own; of all that is not red the
    newest stand, and the others are counted. What would stand alone stays as it is.
    """
    read = [_lines(ticket, json.loads(text)) for ticket, text in waiting]
    first, red = 0, list[Line]()
    for at, (lines, _) in enumerate([*read, ([], 0)]):
        more = [line for line in lines if line.kind == "red"]
        if at < len(read) and _fits([*red, *more]):
            red += more
            continue
        if at - first > 1:
            yield _joined(language, range(first, at), read[first:at])
        first, red = at, more


def _joined(language: Language, rows: range, read: Sequence[tuple[Sequence[Line], int]]) -> Joined:
    newest: dict[tuple[str, str], Line] = {}
    for line in (line for lines, _ in read for line in lines):
        key = (line.ticket, "" if line.kind == "stage" else line.text)
        newest.pop(key, None)
        newest[key] = line
    shown = [line for line in newest.values() if line.kind == "red"]
    others = [line for line in newest.values() if line.kind != "red"]
    reds, left = len(shown), list(others)
    while left and _fits([*shown, left[-1]]):
        shown.insert(reds, left.pop())
    more = sum(count for _, count in read) + len(left)
    texts = [line.text for line in shown] + ([_WORDS[language]["more"].format(count=more)] if more else [])
    kept = [line for line in newest.values() if line in shown]  # as they came, so that the newest is known ever after
    said = {"type": "text", "text": "\n".join(texts), "lines": kept, "more": more}
    ticket = next((line.ticket for line in reversed(kept) if line.ticket), "")
    return Joined(rows, ticket, dumps(said), len(left))


def _fits(lines: Sequence[Line]) -> bool:
    size_bytes = sum(len(line.text.encode()) + 1 for line in lines)
    return len(lines) <= LINES_MAX and size_bytes <= JOINED_BYTES_MAX - _MORE_BYTES


def _lines(ticket: str, said: Mapping[str, Any]) -> tuple[Sequence[Line], int]:
    """Return what a row says, line by line, and how many gave way before."""
    if "lines" in said:
        lines, more = [Line(*line) for line in said["lines"]], said["more"]
    else:
        lines, more = [Line(ticket, said.get("kind", ""), said["text"])], 0
    return [line._replace(text=one_line(line.text, _LINE_CHARACTERS_MAX)) for line in lines], more


def answer(language: Language, phrase: str, ticket: TicketId | None = None) -> str:
    """Say to a group what became of its message: `guessed`, `no_ticket`, `contents` or `full`."""
    return _WORDS[language][phrase].format(code=short_code(ticket) if ticket is not None else "")


def note(author: str, at_ms: int, parts: Iterable[Part]) -> str:
    """Return a group's message as a note: who wrote it and when, then what, indented so that no text looks like a head.

    What is no text stands as its type and name.
    """
    text = "\n".join(_spelt(part) for part in parts)
    if len(text) > NOTE_CHARACTERS_MAX:
        text = f"{text[: NOTE_CHARACTERS_MAX - 1]}…"
    at = datetime.fromtimestamp(min(max(at_ms, 0), _LAST_MS) / 1000, UTC)
    lines = [f"{at:%Y-%m-%d %H:%M} UTC, {author}:", *(f"    {line}" for line in text.splitlines() or [""])]
    return "\n".join(lines) + "\n"


def content_line(part: str, name: str, content: Media) -> str:
    """Return the line of a note that names a content; pages find it there, so its form is never changed."""
    called = f"[{part}] {one_line(name)}".rstrip()
    return f"{called} ({content.type}, {content.size} bytes, {ref_of(content.digest)})"


def one_line(text: str, characters_max: int = _NAME_CHARACTERS_MAX) -> str:
    """Return a text that somebody else chose as a part of a line of ours."""
    plain = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return plain if len(plain) <= characters_max else f"{plain[: characters_max - 1]}…"


_LAST_MS = 253_402_300_799_000  # the end of the year 9999, the last that a date can have


def _spelt(part: Part) -> str:
    match part.get("type"):
        case "text":
            return part["text"]
        case "event":
            return f"[{part['event']}]"
        case "location":
            return f"[location] {part['label']} ({part['latitude']}, {part['longitude']})"
        case kind:
            return f"[{kind or '?'}] {part.get('name', '')}".rstrip()
