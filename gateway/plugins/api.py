"""What a plugin is: version 1 of the one interface between the gateway and packages beside it.

A plugin is an entry point of the group `crdt_sync.plugins`: a function that takes a `Context` and returns an object
with `api_version = 1` and any of the hooks below. It lives in a process of its own, on that process's event loop.
Whatever it does there, the message in question goes on, as if there were no plugin.

A hook that raises anything but `TryLater`, or does not answer in time, is at fault: the process is ended and begun
anew. So a hook may be asked the same thing twice, and an event may come again; what it does must bear that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

API_VERSION = 1
GROUP = "crdt_sync.plugins"

Kind = Literal["customer", "agent", "system", "delivery", "unknown"]
Option: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Message:
    """Something that a chat platform brought, before the service has it, so it has no ticket yet.

    `texts` are its texts, cut at `TEXT_CHARS_MAX` in all; `media` the types of its pictures and files.
    """

    channel: str
    account: str
    conversation: str
    kind: Kind
    texts: tuple[str, ...]
    media: tuple[str, ...]
    sent_at_ms: int


@dataclass(frozen=True, slots=True)
class Route:
    """Which of the desk's rules decides where a new conversation goes: its name in the desk's file."""

    rule: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One part of an answer, before its platform has it. `text` is empty for a picture or a file."""

    ticket: str
    message: str
    channel: str
    account: str
    conversation: str
    text: str
    media: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """The part is not sent. `code` is a constant name in lowercase of at most 32 characters, shown on the ticket."""

    code: str


@dataclass(frozen=True, slots=True)
class Event:
    """A domain event. `type` is the name of its schema in `proto/events`, such as "stage_changed"."""

    position: int
    type: str
    ticket: str
    time: str
    data: Mapping[str, object]


class TryLater(Exception):
    """Raised by a hook that cannot do its work now, through no fault of its own: what it needs is away."""

    def __init__(self, why: str, delay_s: float = 1.0) -> None:
        super().__init__(why)
        self.delay_s = delay_s


@dataclass(frozen=True, slots=True)
class Context:
    """What a plugin is given. `data` is a directory of its own; `core` is HOST:PORT of the service's gRPC.

    `token` and `secret` read what the settings refer to anew at each call, and raise `Malformed` where there is none.
    `secret` takes the name of an option whose value is `env:NAME` or `file:PATH`. `count` adds to
    `plugin.PLUGIN.own.NAME` of the gateway's counts; a name is lowercase letters, digits, `_` and `.`.
    """

    name: str
    data: Path
    core: str
    core_certificate: Path | None
    options: Mapping[str, Option]
    token: Callable[[], str]
    secret: Callable[[str], str]
    count: Callable[[str], None] = field(default=lambda _name: None)


class Plugin(Protocol):
    """What every plugin has; the hooks are protocols of their own."""

    api_version: int


@runtime_checkable
class OnMessage(Protocol):
    """The hook on inbound messages and on routing, within milliseconds; a failure means the desk's own rules."""

    async def on_message(self, message: Message) -> Route | None:
        """Look at a message, and perhaps choose the rule by which its conversation, if it is new, is received."""
        ...


@runtime_checkable
class OnAnswer(Protocol):
    """The hook on outbound messages, within milliseconds; a failure means that the part is sent."""

    async def on_answer(self, answer: Answer) -> Refusal | None:
        """Look at a part of an answer, and perhaps refuse it."""
        ...


@runtime_checkable
class OnEvent(Protocol):
    """The hook on domain events: those that the department of the plugin's token hears, each at least once, in order.

    Nothing waits for it. The position behind the last event that it returned from is kept in `Context.data`.
    """

    async def on_event(self, event: Event) -> None:
        """Handle an event; `TryLater` has it come again."""
        ...


@runtime_checkable
class Runs(Protocol):
    """Work of the plugin's own beside its hooks."""

    async def run(self) -> None:
        """Work for as long as the plugin lives, until it is cancelled; to return or to raise is a fault."""
        ...


Factory: TypeAlias = Callable[[Context], Plugin]
