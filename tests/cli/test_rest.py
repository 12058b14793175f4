"""What the demonstration asks over REST, answered by a service of a few lines."""

import httpx
import pytest

from crdt_sync.cli.rest import Rest
from crdt_sync.domain.lifecycle.people import Person

SALES = Person("sales", "sales", "sales")


def answering(answer):
    http = httpx.AsyncClient(base_url="http://service", transport=httpx.MockTransport(answer))
    return Rest(http, lambda person: f"token-of-{person.role}")


async def test_every_page_of_tickets_is_read_in_the_persons_name():
    pages = {None: (["a", "b"], "b"), "b": (["c"], None)}

    def answer(request):
        assert "Bearer token-of-sales" == request.headers["authorization"]
        ids, after = pages.pop(request.url.params.get("cursor"))
        return httpx.Response(200, json={"tickets": [{"id": id_} for id_ in ids], "next": after})

    assert {"a", "b", "c"} == await answering(answer).tickets(SALES)


async def test_a_ticket_is_opened_with_its_title():
    sent = []

    def answer(request):
        sent.append((request.method, request.url.path, request.content))
        return httpx.Response(201, json={"id": "a"})

    assert "a" == await answering(answer).open(SALES, "Fibre")
    assert [("POST", "/api/tickets", b'{"title":"Fibre"}')] == sent


async def test_a_refusal_is_raised():
    rest = answering(lambda request: httpx.Response(403, json={}))
    for asked in (rest.get(SALES, "/api/tickets/a"), rest.tickets(SALES), rest.open(SALES, "Fibre")):
        with pytest.raises(httpx.HTTPStatusError):
            await asked
