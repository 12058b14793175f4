"""What is wrong with a conversation. Pure: the same messages have the same findings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Said:
    """One message. `id` names it for ever; `at_ms` is when it was said."""

    id: str
    by: Literal["customer", "agent"]
    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Rules:
    """Words are compared in lower case. What is empty, or 0, is not asked for."""

    forbidden: tuple[str, ...] = ()
    greetings: tuple[str, ...] = ()
    answer_s: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a message: `rule` and `message` name it, `note` tells it to people."""

    rule: Literal["forbidden", "late", "greeting"]
    message: str
    note: str


def forbidden_word(text: str, rules: Rules) -> str | None:
    """Return the first forbidden word in a text."""
    return next((word for word in rules.forbidden if word in text.lower()), None)


def inspect(messages: Sequence[Said], rules: Rules, *, is_first: bool = True) -> Iterator[Finding]:
    """Find what is wrong, in the order of the messages: of all, or of those behind an answer (not `is_first`)."""
    waiting: Said | None = None  # the first thing that the customer said and nobody has answered
    for said in messages:
        if said.by == "customer":
            waiting = waiting or said
            continue
        word = forbidden_word(said.text, rules)
        if word is not None:
            yield Finding("forbidden", said.id, f"An answer has the word {word!r}.")
        if waiting is not None and rules.answer_s and said.at_ms - waiting.at_ms > rules.answer_s * 1000:
            minutes = (said.at_ms - waiting.at_ms) // 60_000
            yield Finding("late", said.id, f"The customer waited {minutes} minutes for an answer.")
        if is_first and rules.greetings and not any(each in said.text.lower() for each in rules.greetings):
            yield Finding("greeting", said.id, "The first answer has no greeting.")
        waiting, is_first = None, False
