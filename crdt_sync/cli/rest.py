"""The service as people of the demonstration see it over REST: they open, list and read."""

from collections.abc import Callable
from typing import Any

import httpx

from crdt_sync.domain.lifecycle.people import Person

PAGE = 500


class Rest:
    """Requests in somebody's name; `token_of` signs for them. Every method raises httpx.HTTPError."""

    def __init__(self, http: httpx.AsyncClient, token_of: Callable[[Person], str]) -> None:
        self._http = http
        self._token_of = token_of

    async def get(self, person: Person, path: str) -> dict[str, Any]:
        """Return the JSON object at a path."""
        answer = await self._http.get(path, headers=self._headers(person))
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def tickets(self, person: Person) -> set[str]:
        """Return the ids of all tickets that this person sees."""
        found: set[str] = set()
        path: str | None = f"/api/tickets?limit={PAGE}"
        while path is not None:
            page = await self.get(person, path)
            found |= {entry["id"] for entry in page["tickets"]}
            path = f"/api/tickets?limit={PAGE}&cursor={page['next']}" if page["next"] else None
        return found

    async def open(self, person: Person, title: str) -> str:
        """Open a ticket; return its id."""
        answer = await self._http.post("/api/tickets", json={"title": title}, headers=self._headers(person))
        answer.raise_for_status()
        return str(answer.json()["id"])

    def _headers(self, person: Person) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token_of(person)}"}
