"""The plugins that `benchmarks.plugins` has a gateway ask: in peace until a sign stands, at fault at every turn then.

Imports what a plugin has to, and nothing else: what it loads would count as its fault.
"""

import asyncio
import os
from pathlib import Path

from gateway.plugins.api import API_VERSION, Context, Event, Message, Route

ALLOCATED_BYTES = 500 * 1024 * 1024
_LOOK_S = 0.02


class Plugin:
    """What they have in common."""

    api_version = API_VERSION

    def __init__(self, context: Context) -> None:
        self._sign = Path(str(context.options["sign"]))

    async def _signed(self) -> None:
        while not self._sign.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(_LOOK_S)


class Asked(Plugin):
    """Does with every message what its option `kind` says."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._kind = context.options["kind"]

    async def on_message(self, message: Message) -> Route | None:
        """Be at fault, or answer at once."""
        match self._kind if self._sign.exists() else "well":
            case "hang":
                await asyncio.Event().wait()
            case "raise":
                raise ValueError(len(message.texts))
            case "allocate":
                return Route(str(len(bytearray(ALLOCATED_BYTES))))
            case "fill":
                return Route(str(len(b"\1" * ALLOCATED_BYTES)))
            case "die":
                os._exit(1)
            case "spin":
                _spin()
        return None


class Running(Plugin):
    """Spins in work of its own, so no message ever waits for it."""

    async def run(self) -> None:
        """Wait for the sign, and spin."""
        await self._signed()
        _spin()


class Following(Plugin):
    """Spins over an event."""

    async def on_event(self, event: Event) -> None:
        """Wait for the sign, and spin."""
        del event
        await self._signed()
        _spin()


def _spin() -> None:
    while True:
        pass
