"""One department's replica as a process of its own, told what to do in JSON lines on standard input.

Each line is `{"call": NAME, ...}`; each answer is one line, `{"ok": ...}` or `{"error": CODE, "message": ...}`. The
process ends with its input.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from crdt_sync.errors import TicketSyncError, Unavailable
from crdt_sync.replica import Replica

Request = Mapping[str, Any]

RETRY_S = 0.05


async def main(path: str, url: str) -> None:
    """Read the token, open the replica and serve calls until the input ends."""
    loop = asyncio.get_running_loop()
    token = (await loop.run_in_executor(None, sys.stdin.readline)).strip()
    async with Replica.open(path, url=url, token=token) as replica:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            sys.stdout.write(json.dumps(await _answer(replica, json.loads(line))) + "\n")
            sys.stdout.flush()


async def _answer(replica: Replica, request: Request) -> Mapping[str, Any]:
    try:
        return {"ok": await _CALLS[request["call"]](replica, request)}
    except TicketSyncError as error:
        return {"error": error.code, "message": error.message}
    except TimeoutError:
        return {"error": "timeout", "message": "It took too long."}


async def _open(replica: Replica, request: Request) -> str:
    return (await replica.open_ticket(title=request["title"])).id


async def _do(replica: Replica, request: Request) -> str:
    ticket = await replica.ticket(request["ticket"])
    return await ticket.do(request["lane"], request["name"], payload=request.get("payload"))


async def _say(replica: Replica, request: Request) -> None:
    await (await replica.ticket(request["ticket"])).say(request["text"])


async def _form(replica: Replica, request: Request) -> None:
    ticket = await replica.ticket(request["ticket"])
    await ticket.set_form(request["lane"], request["fields"])
    await ticket.note(request["lane"], request["note"])


async def _synced(replica: Replica, request: Request) -> None:
    """Wait until both sides have everything of each other's; a link that was just mended may take a moment."""
    async with asyncio.timeout(request["timeout_s"]):
        while not await _refreshed(replica):  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(RETRY_S)
    await replica.synced(request["timeout_s"])


async def _known(replica: Replica, request: Request) -> None:
    """Wait until a ticket is in the index and its documents are here."""
    async with asyncio.timeout(request["timeout_s"]):
        while request["ticket"] not in {ticket.id for ticket in await replica.tickets()}:
            await _refreshed(replica)
            await asyncio.sleep(RETRY_S)
    await _synced(replica, request)


async def _refreshed(replica: Replica) -> bool:
    try:
        await replica.refresh()
    except Unavailable:
        return False
    return True


async def _show(replica: Replica, request: Request) -> Mapping[str, Any]:
    ticket = await replica.ticket(request["ticket"])
    return {
        "stage": ticket.stage,
        "state": ticket.state.to_json(),
        "explanation": list(ticket.explain(request.get("language", "en"))),
        "pending": list(ticket.pending),
        "refused": dict(ticket.refused),
    }


_CALLS: Mapping[str, Callable[[Replica, Request], Awaitable[Any]]] = {
    "open": _open,
    "do": _do,
    "say": _say,
    "form": _form,
    "synced": _synced,
    "known": _known,
    "show": _show,
}


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
