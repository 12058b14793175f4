"""Real tickets for the workload `cards`: opened over HTTP at a running service, each with a token of its own."""

from pathlib import Path

import httpx

from crdt_sync.adapters.clock import SystemClock
from crdt_sync.server.auth import issue
from crdt_sync.server.keys import development_key

TTL_MS = 3_600_000


def opened(port: int, data: Path, count: int) -> tuple[list[str], list[str]]:
    """Open `count` tickets; return the names of their cards, and for each a token that is for this ticket only."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {_token(data)}"}) as http:
        answers = [http.post("/api/tickets", json={"title": f"ticket {index}"}) for index in range(count)]
    found = [answer.raise_for_status().json()["id"] for answer in answers]
    return [f"ticket/{ticket}/card" for ticket in found], [_token(data, [ticket]) for ticket in found]


def _token(data: Path, tickets: list[str] | None = None) -> str:
    return issue(
        development_key(data).key,
        actor="benchmark",
        department="sales",
        roles=["sales"],
        expires_at_ms=SystemClock().now_ms() + TTL_MS,
        tickets=tickets,
    )
