"""Judges what the service holds against what chat platforms believe: nothing lost, nothing twice, nothing out of order.

It reads the service's database and its REST as anybody might, with `sqlite3`, `json` and HTTP, and shares no code with
the gateway or the service.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import httpx

from tests.integration.chat_platform import Written

Texts = Mapping[str, Sequence[str]]
"""What customers said, by ticket."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, as texts: all four are empty if nothing is."""

    acked: int
    held: int
    lost: Sequence[str]  # acknowledged, and in no ticket
    doubled: Sequence[str]  # in more than one place, or never written by anybody
    scattered: Sequence[str]  # conversations whose messages are in several tickets
    disordered: Sequence[str]  # shown before, or committed before, what came earlier

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.scattered or self.disordered)

    def __str__(self) -> str:
        wrong = ("lost", "doubled", "scattered", "disordered")
        counts = ", ".join(f"{name} {len(getattr(self, name))}" for name in wrong)
        return f"acknowledged {self.acked}, held {self.held}, {counts}"


def held_in(database: Path) -> Texts:
    """What is in the database, in the order of the commits."""
    found: dict[str, list[str]] = defaultdict(list)
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for ticket, record in connection.execute("SELECT ticket, record FROM messages ORDER BY position"):
            said = json.loads(record)
            if said["kind"] == "customer":
                found[ticket].append(said["parts"][0]["text"])
    return found


async def shown_by(rest: httpx.AsyncClient, tickets: Iterable[str]) -> Texts:
    """What a person who takes part in the conversations is shown, in that order."""
    shown = {}
    for ticket in tickets:
        answer = (await rest.get(f"/api/tickets/{ticket}/messages")).raise_for_status().json()
        shown[ticket] = [one["parts"][0]["text"] for one in answer["messages"] if one["kind"] == "customer"]
    return shown


def judged(written: Sequence[Written], held: Texts, shown: Texts) -> Verdict:
    """Compare what was written with both."""
    of_text = {one.text: one for one in written}
    places = Counter(text for texts in held.values() for text in texts)
    tickets = defaultdict(set)
    for ticket, texts in held.items():
        for text in set(texts) & of_text.keys():
            tickets[of_text[text].conversation].add(ticket)
    acked = [one for one in written if one.acked_s is not None]
    return Verdict(
        len(acked),
        sum(places.values()),
        lost=[one.text for one in acked if not places[one.text]],
        doubled=[text for text, count in places.items() if count > 1 or text not in of_text],
        scattered=[conversation for conversation, found in tickets.items() if len(found) > 1],
        disordered=[
            *(text for texts in shown.values() for text in _shown_late(_known(of_text, texts))),
            *(text for texts in held.values() for text in _committed_late(_known(of_text, texts))),
        ],
    )


def _known(of_text: Mapping[str, Written], texts: Sequence[str]) -> Sequence[Written]:
    return [of_text[text] for text in texts if text in of_text]


def _shown_late(found: Sequence[Written]) -> list[str]:
    """What is shown after something that was written later."""
    return [second.text for first, second in pairwise(found) if second.sent_s < first.sent_s]


def _committed_late(found: Sequence[Written]) -> list[str]:
    """What was taken before something was written that was committed before it."""
    wrong, newest_s = [], 0.0
    for one in found:
        if one.acked_s is not None and one.acked_s < newest_s:
            wrong.append(one.text)
        newest_s = max(newest_s, one.sent_s)
    return wrong
