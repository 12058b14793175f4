"""What a gateway brings: one thing that a chat platform told it."""

from collections.abc import Sequence
from dataclasses import dataclass

from crdt_sync.domain.message import MessageKind, Part


@dataclass(frozen=True, slots=True)
class Arrival:
    """One thing that a chat platform told a gateway."""

    key: str
    channel: str
    account: str
    conversation: str
    sender: str
    kind: MessageKind
    parts: Sequence[Part]
    sent_at_ms: int
    display_name: str = ""
    trace: str | None = None
    hears_events: bool = False
    rule: str = ""  # which receives it, if it begins a conversation and the desk has it
    about: str = ""  # the delivery of whose ticket it is told, whatever the conversation's newest ticket is
