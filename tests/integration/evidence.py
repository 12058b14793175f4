"""What the service holds, read by clients that have nothing: how often each mark of a writer is there."""

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

from tests.conformance.reader import Reader, read
from tests.conformance.server_process import ServerProcess
from tests.integration.sources import DEPARTMENT, Mark, marks_in
from tests.integration.writers import CHAT, chat_of

ARRIVAL_S = 10  # for what the gateway has in its inbox to reach the conversations
PAGE = 500
_CUSTOMER = re.compile(r"customer (\d+) text \d+")


class Evidence:
    """A reader of everything. It remembers which ticket belongs to which customer."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._chats: dict[str, str] = {}  # from the place of a customer's marks to the name of the talk

    async def of(self, wanted: Iterable[Mark], *, wait_for: Collection[Mark] | None = None) -> Counter[Mark]:
        """Return how often each mark is in the places of those that are wanted, strangers there included.

        What the gateway still has to forward is waited for: all of it, or those of `wait_for`.
        """
        texts: dict[str, set[str]] = {}
        for mark in wanted:
            awaited = texts.setdefault(mark.place, set())
            if wait_for is None or mark in wait_for:
                awaited.add(mark.text)
        held: Counter[Mark] = Counter()
        for place in texts.keys() - {place for place in texts if place.startswith(CHAT)}:
            held.update(_marks(place, marks_in(await read(self._server, place, DEPARTMENT))))
        for place, found in (await self._heard({p: t for p, t in texts.items() if p.startswith(CHAT)})).items():
            held.update(_marks(place, found))
        return held

    async def _heard(self, wanted: Mapping[str, set[str]]) -> Mapping[str, Counter[str]]:
        """The customers' texts, once the gateway has forwarded those that are wanted, or not in time."""
        found: dict[str, Counter[str]] = {}
        with suppress(TimeoutError):  # what is not there by then is missing, and the caller says so
            async with asyncio.timeout(ARRIVAL_S):
                while not {place for place, texts in wanted.items() if texts} <= self._chats.keys():
                    await self._find_chats()
                for place, texts in wanted.items():
                    if place not in self._chats:
                        continue
                    async with Reader(self._server, self._chats[place], DEPARTMENT) as reader:
                        try:
                            await reader.until(lambda talk, texts=texts: texts <= marks_in(talk).keys())
                        finally:
                            found[place] = marks_in(reader.document)
        return found

    async def _find_chats(self) -> None:
        """Learn which tickets customers opened by writing, and whose they are."""
        cursor = None
        async with self._server.client(DEPARTMENT) as rest:
            while True:
                where = {"limit": PAGE} | ({"cursor": cursor} if cursor else {})
                page = (await rest.get("/api/tickets", params=where)).json()
                for ticket in page["tickets"]:
                    if ticket["subject"].startswith("chat:"):
                        await self._learn(f"ticket/{ticket['id']}/talk")
                cursor = page["next"]
                if cursor is None:
                    return

    async def _learn(self, name: str) -> None:
        if name in self._chats.values():
            return
        for text in marks_in(await read(self._server, name, DEPARTMENT)):
            said = _CUSTOMER.fullmatch(text)
            assert said, f"A customer never wrote {text!r}"
            self._chats[chat_of(int(said[1]))] = name


def _marks(place: str, texts: Counter[str]) -> dict[Mark, int]:
    return {Mark(place, text): count for text, count in texts.items()}
