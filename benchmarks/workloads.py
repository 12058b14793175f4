"""What the load generator does to a server, by name. The names and shapes stay, so that figures can be compared."""

from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """What one change is."""

    TEXT = "text"  # one more text at the end of an array
    CARD = "card"  # the title of a ticket's card, set anew
    PRESENCE = "presence"  # a new awareness state of the writer


@dataclass(frozen=True, slots=True)
class Workload:
    """`changes` in all, spread over the writers, of whom each document has one among its `clients`.

    With a `window` the loop is closed: each writer has so many changes on their way, and sends the next when everybody
    else has one. With `per_s` it is open: changes are due at that rate, however the server does.
    """

    summary: str
    documents: int
    clients: int
    changes: int
    window: int = 0
    per_s: int = 0
    shape: Shape = Shape.TEXT
    timeout_s: float = 120


WORKLOADS = {
    "fleet": Workload("100 documents with 3 clients each, 4 changes of each writer on their way", 100, 3, 20_000, 4),
    "cards": Workload(
        "the same on the cards of 100 tickets; here with tokens, admission, events and metrics",
        100,
        3,
        20_000,
        4,
        shape=Shape.CARD,
    ),
    "hot": Workload("one document that 200 clients watch, 8 changes on their way", 1, 200, 600, 8),
    "calm": Workload("400 changes a second over 100 documents", 100, 3, 4_000, per_s=400),
    "presence": Workload("the same with awareness in place of updates", 100, 3, 4_000, per_s=400, shape=Shape.PRESENCE),
    "idle": Workload("12,000 connections to 4,000 documents, 1,500 changes a second", 4_000, 3, 12_000, per_s=1_500),
}
