"""The service desk's file: TOML into a `ServiceDesk`. Unknown keys are refused, and every mistake is named by its key.

A section of the file is a field of `DeskFile`. What a rule's lane and lifecycle are is known to whoever loads those.
"""

import itertools
import re
import tomllib
from collections.abc import Callable, Iterable
from datetime import date, time
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from crdt_sync.domain.delivery import Conversation
from crdt_sync.domain.group import RED_AFTER_MS, Group, Groups, Notice
from crdt_sync.domain.hours import Hours, Span
from crdt_sync.domain.ids import NAME_PATTERN, ActorId, Department, LaneId
from crdt_sync.domain.lifecycle.phrases import Language
from crdt_sync.domain.service_desk import PLACEHOLDERS, Assign, Person, Reply, Rule, ServiceDesk, placeholders
from crdt_sync.errors import Malformed
from crdt_sync.wire.limits import CARD_TEXT_BYTES_MAX

FILE_BYTES_MAX = 1_048_576  # a thousand people, and replies of a page each
TEXT_LENGTH_MAX = 2_000  # of what is said at once: no platform takes more without splitting it
MINUTE_MS = 60_000
MINUTES_MAX = 525_600  # a year: whoever never wants anything red asks no group to be told
OPENS = "opens"  # what the away message may leave open


def _time(text: str) -> time | None:
    hours, colon, minutes = text.partition(":")
    if text == "24:00":
        return None
    if not (colon and re.fullmatch("[0-2][0-9]", hours) and re.fullmatch("[0-5][0-9]", minutes) and int(hours) < 24):
        raise ValueError("a time reads 09:00, from 00:00 to 24:00")
    return time(int(hours), int(minutes))


def _span(given: object) -> Span:
    begins, dash, ends = given.partition("-") if isinstance(given, str) else ("", "", "")
    span = _time(begins), _time(ends)
    if not dash or span[0] is None or (span[1] is not None and span[1] <= span[0]):
        raise ValueError("hours read 09:00-12:00, within one day")
    return span[0], span[1]


def _in_order(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    for (_, ends), (begins, _) in itertools.pairwise(spans):
        if ends is None or begins < ends:
            raise ValueError("the hours of a day stand in order and do not overlap")
    return spans


def _is_name(text: str) -> str:
    if not NAME_PATTERN.fullmatch(text):
        raise ValueError("a name has lowercase letters, digits and underscores")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("no such time zone is known here; they read Asia/Shanghai") from None
    return name


def _leaves_open(*names: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if unknown := placeholders(text) - set(names):
            raise ValueError(f"there is no {{{min(unknown)}}}; there is {', '.join(f'{{{name}}}' for name in names)}")
        return text

    return check


def _fits_a_card(text: str) -> str:
    if len(text.encode()) > CARD_TEXT_BYTES_MAX:
        raise ValueError(f"a card holds texts of at most {CARD_TEXT_BYTES_MAX} bytes")
    return text


Name = Annotated[str, AfterValidator(_is_name)]
Short = Annotated[str, Field(min_length=1, max_length=128)]
CardText = Annotated[str, Field(min_length=1), AfterValidator(_fits_a_card)]
Spans = Annotated[tuple[Annotated[Span, BeforeValidator(_span)], ...], AfterValidator(_in_order)]
Title = Annotated[dict[Language, Short], Field(min_length=1)]
Said = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)


class _Week(_Section):
    """Spans by weekday, and by date where a date differs: a holiday has none."""

    monday: Spans = ()
    tuesday: Spans = ()
    wednesday: Spans = ()
    thursday: Spans = ()
    friday: Spans = ()
    saturday: Spans = ()
    sunday: Spans = ()
    dates: dict[date, Spans] = {}

    def hours(self, zone: str) -> Hours:
        days = (self.monday, self.tuesday, self.wednesday, self.thursday, self.friday, self.saturday, self.sunday)
        return Hours(ZoneInfo(zone), days, self.dates)


class _Hours(_Week):
    zone: Annotated[str, AfterValidator(_zone)]
    away: dict[Language, Annotated[Said, AfterValidator(_leaves_open(OPENS))]] = {}


class _Rule(_Section):
    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
    channels: frozenset[Short] = frozenset()
    accounts: frozenset[Short] = frozenset()
    words: tuple[Short, ...] = ()
    languages: frozenset[Language] = frozenset()
    lifecycle: Short | None = None
    priority: CardText | None = None
    tags: CardText | None = None
    lane: Name | None = None
    assign: Assign | None = None

    @model_validator(mode="after")
    def _is_given_in_one_way(self) -> Self:
        if (self.assign is None) != (self.lane is None):
            raise ValueError("`lane` and `assign` go together")
        return self

    def rule(self) -> Rule:
        card = {key: value for key, value in (("priority", self.priority), ("tags", self.tags)) if value is not None}
        return Rule(
            name=self.name,
            channels=self.channels,
            accounts=self.accounts,
            words=tuple(word.casefold() for word in self.words),
            languages=self.languages,
            lifecycle=self.lifecycle,
            card=card,
            lane=None if self.lane is None else LaneId(self.lane),
            assign=self.assign,
        )


class _Person(_Section):
    actor: Annotated[str, Field(pattern=r"^[!-~]{1,128}$")]
    department: Name
    name: Annotated[str, Field(min_length=1, max_length=64)]
    hours: _Week | None = None


class _Reply(_Section):
    id: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
    departments: Annotated[frozenset[Name], Field(min_length=1)]
    title: Title
    text: Annotated[
        dict[Language, Annotated[Said, AfterValidator(_leaves_open(*sorted(PLACEHOLDERS)))]], Field(min_length=1)
    ]


class _Group(_Section):
    account: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    channel: Short
    conversation: Annotated[str, Field(max_length=256)] = ""
    department: Name
    notices: frozenset[Notice] = frozenset(Notice)
    language: Language = "zh"

    def group(self) -> Group:
        at = Conversation(self.channel, self.account, self.conversation)
        return Group(at, Department(self.department), self.notices, self.language)


class DeskFile(_Section):
    """The file as it is written."""

    version: Literal[1]
    hours: _Hours | None = None
    people: tuple[_Person, ...] = ()
    rules: tuple[_Rule, ...] = ()
    replies: tuple[_Reply, ...] = ()
    groups: tuple[_Group, ...] = ()
    red_after_minutes: Annotated[int, Field(ge=1, le=MINUTES_MAX)] = RED_AFTER_MS // MINUTE_MS

    @model_validator(mode="after")
    def _says_nothing_twice(self) -> Self:
        _once("rules", "name", (rule.name for rule in self.rules))
        _once("people", "actor", (person.actor for person in self.people))
        _once("replies", "id", (reply.id for reply in self.replies))
        _once("groups", "account and conversation", (f"{each.account} {each.conversation}" for each in self.groups))
        if self.hours is None and any(person.hours is not None for person in self.people):
            raise ValueError("people have hours of their own, and `hours.zone` does not say in which time zone")
        return self

    def desk(self) -> ServiceDesk:
        """Return what it says."""
        zone = self.hours.zone if self.hours is not None else "UTC"
        office = self.hours.hours(zone) if self.hours is not None else None
        return ServiceDesk(
            rules=tuple(rule.rule() for rule in self.rules),
            hours=office,
            away=self.hours.away if self.hours is not None else {},
            people=tuple(
                Person(
                    ActorId(person.actor),
                    Department(person.department),
                    person.name,
                    person.hours.hours(zone) if person.hours is not None else office,
                )
                for person in self.people
            ),
            replies=tuple(
                Reply(reply.id, frozenset(map(Department, reply.departments)), reply.title, reply.text)
                for reply in self.replies
            ),
            groups=Groups(tuple(group.group() for group in self.groups), self.red_after_minutes * MINUTE_MS),
        )


def load(path: Path) -> ServiceDesk:
    """Read the file.

    Raises:
        Malformed: it cannot be read, or something in it is wrong; the message names every key.

    """
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise _wrong(path, f"it cannot be read: {error.strerror}") from error
    if len(text) > FILE_BYTES_MAX:
        raise _wrong(path, f"it has more than {FILE_BYTES_MAX} bytes")
    return read(text, str(path))


def read(text: bytes, source: str = "desk.toml") -> ServiceDesk:
    """Read the text of a file that is called `source`.

    Raises:
        Malformed: something in it is wrong; the message names every key.

    """
    try:
        return DeskFile.model_validate(tomllib.loads(text.decode())).desk()
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(source, str(error)) from error
    except ValidationError as error:
        named = (f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in error.errors())
        raise _wrong(source, "; ".join(named)) from error


def _once(section: str, key: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{section}: two have the {key} {name!r}")
        seen.add(name)


def _wrong(source: object, why: str) -> Malformed:
    return Malformed(f"The service desk {source} does not hold: {why}.", code="desk", advice="docs/desk.md has it all.")
