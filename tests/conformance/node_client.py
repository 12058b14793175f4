"""One unmodified client in a Node process of its own, told what to do and heard by JSON lines."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from tests.conformance import node_tools

WAIT_S = 45  # for any one thing; reconnecting takes a second, the rest milliseconds


class NodeClient:
    """What a client said so far, and the newest content that it told of each document."""

    def __init__(self, node: str, script: str, *arguments: str) -> None:
        self._command = (node, script, *arguments)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._heard = asyncio.Condition()
        self._ended = False
        self.events: list[dict[str, Any]] = []
        self.contents: dict[str, dict[str, Any]] = {}

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=node_tools.PACKAGES, stdin=pipe, stdout=pipe, limit=2**24
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._reading is not None
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reading

    async def tell(self, do: str, **command: object) -> int:
        """Give a command and wait until it is done; return how many events there were before."""
        assert self._process is not None
        assert self._process.stdin is not None
        before = len(self.events)
        self._process.stdin.write(json.dumps({"do": do, **command}).encode() + b"\n")
        await self._process.stdin.drain()
        await self.hear("done", since=before, do=do)
        return before

    async def hear(self, event: str, *, since: int = 0, **fields: object) -> dict[str, Any]:
        """The first such event at or after the index `since`, waited for."""
        wanted = {"event": event, **fields}
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [one for one in self.events[since:] if wanted.items() <= one.items()]
            return bool(found)

        await self._until(is_there, f"It never said {wanted}")
        return found[0]

    async def until(self, holds: Callable[[dict[str, dict[str, Any]]], bool]) -> None:
        """Wait until `holds` is true of the contents by document; a document that is not there yet makes it false."""

        def is_so() -> bool:
            with suppress(KeyError):
                return holds(self.contents)
            return False

        await self._until(is_so, f"The contents never became so; they are {self.contents}")

    async def settle(self, event: str, document: str, **fields: object) -> None:
        """Wait until the last such event of a document has these fields."""
        await self._until(
            lambda: fields.items() <= self.last(event, document).items(),
            f"{event} of {document} stayed other than {fields}",
        )

    def last(self, event: str, document: str) -> dict[str, Any]:
        return [one for one in self.events if (one["event"], one.get("document")) == (event, document)][-1]

    def count(self, event: str) -> int:
        return sum(one["event"] == event for one in self.events)

    async def _until(self, is_so: Callable[[], bool], complaint: str) -> None:
        try:
            async with asyncio.timeout(WAIT_S), self._heard:
                await self._heard.wait_for(lambda: self._ended or is_so())
        except TimeoutError:
            pass
        assert is_so(), f"{complaint}. The last events: {self.events[-20:]}"

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            event = json.loads(line)
            async with self._heard:
                self.events.append(event)
                if event["event"] == "content":
                    self.contents[event["document"]] = event["content"]
                self._heard.notify_all()
        async with self._heard:
            self._ended = True
            self._heard.notify_all()
