"""Clients that stay when the service refuses for want of a disk, as unmodified ones do, and bring everything later.

A client of a document writes some changes and waits for their acknowledgements. If one is refused, or the service asks
what it lacks (step 1), it sends all that it has, and the acknowledgement of that is the acknowledgement of each.
"""

from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

from tests.integration.sources import Mark
from tests.integration.writers import GONE, IN_FLIGHT, Link, Ref, ReplicaWriter


@dataclass
class _Standing:
    """Where one document is: `whole` names the update that holds everything, while it is under way."""

    waiting: set[Ref] = field(default_factory=set)
    marks: list[Mark] = field(default_factory=list)
    whole: Ref | None = None
    refused: bool = False


class PatientWriter(ReplicaWriter):
    """A client that never gives up."""

    async def write(self) -> None:
        """Write in bursts."""
        standings = {name: _Standing() for name in self._sources}
        with suppress(*GONE):
            async with AsyncExitStack() as stack:
                link = await self._opened(stack)
                link.patient = True
                for name, standing in standings.items():
                    await self._burst(link, name, standing)
                while not self._finishing or any(standing.marks for standing in standings.values()):
                    for ref in await link.acknowledged():
                        await self._heard(link, ref, standings[ref[0]])
                    for ref in link.taken(link.refused):
                        self._refused(ref, standings[ref[0]])
                    for name in link.taken(link.asked):
                        await self._answer(link, name, standings[name])

    async def _burst(self, link: Link, name: str, standing: _Standing) -> None:
        if self._finishing:
            return
        for _ in range(IN_FLIGHT):
            ref = await self._send(link, self._sources[name])
            standing.marks.append(self._marks.pop(ref))
            standing.waiting.add(ref)

    async def _heard(self, link: Link, ref: Ref, standing: _Standing) -> None:
        standing.waiting.discard(ref)
        if ref == standing.whole or not (standing.waiting or standing.refused):
            for mark in standing.marks:
                self._tally.ack(mark)
            standing.marks, standing.whole, standing.refused = [], None, False
            standing.waiting.clear()
            await self._burst(link, name=ref[0], standing=standing)

    def _refused(self, ref: Ref, standing: _Standing) -> None:
        standing.waiting.discard(ref)
        standing.refused = True
        if ref == standing.whole:
            standing.whole = None

    async def _answer(self, link: Link, name: str, standing: _Standing) -> None:
        if standing.marks:
            ref = standing.whole = name, next(self._numbers)
            standing.refused = False
            await link.send(ref, self._sources[name].everything())
