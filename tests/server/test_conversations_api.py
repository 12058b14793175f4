"""The routes beside a conversation, over the real service."""

import pytest

from crdt_sync.rpc.ticketsync.v1 import gateway_pb2 as pb
from crdt_sync.server import conversations_api
from tests.server.conftest import run_service
from tests.server.test_grpc_egress import TEXT, Gateway, answer

DESK = """version = 1
[[people]]
actor = "sales-1"
department = "sales"
name = "李"
[[people]]
actor = "sales-2"
department = "sales"
name = "王"
[[people]]
actor = "tech-1"
department = "tech"
name = "赵"
[[replies]]
id = "greeting"
departments = ["sales"]
title = { en = "Greeting" }
text = { en = "Hello, this is {agent}." }
"""


@pytest.fixture
async def desk(tmp_path):
    (tmp_path / "desk.toml").write_text(DESK, "utf-8")
    async with run_service(tmp_path / "data", desk=tmp_path / "desk.toml") as running:
        yield running


async def test_people_of_the_own_department_are_listed_with_their_names(desk):
    told = (await desk.http.get("/api/people", headers=desk.headers())).json()
    assert {"people": [{"actor": "sales-1", "name": "李"}, {"actor": "sales-2", "name": "王"}]} == told


async def test_of_a_large_department_so_many_are_listed(desk, monkeypatch):
    monkeypatch.setattr(conversations_api, "PEOPLE_MAX", 1)
    told = (await desk.http.get("/api/people", headers=desk.headers())).json()
    assert ["sales-1"] == [each["actor"] for each in told["people"]]


async def test_what_stands_beside_a_conversation(desk):
    gateway, headers = Gateway(desk), desk.headers()
    one, two = [await gateway.hear_from(f"openid-{n}") for n in range(2)]

    async def get(path):
        return (await desk.http.get(f"/api/{path}", headers=headers)).json()

    window = pb.SendingWindow(account="shop", duration_ms=3_600_000, parts_max=5)
    claim = gateway.claim(windows=[window])
    await answer(desk, one, TEXT)
    await claim.read()
    told = {"known": True, "may_write": False, "heard_at": "1970-01-01T00:00:01.000Z", "sent": 0, "waiting": 1}
    closes = {"closes_at": "1970-01-01T01:00:01.000Z", "left": 4, "over": None}
    assert {"writing": told | closes} == await get(f"tickets/{one}/writing")
    claim.cancel()
    assert {"writing": None} == await get(f"tickets/{await desk.ticket()}/writing")

    assert {"tickets": [], "next": None} == await get(f"tickets/{one}/customer")
    linked = await desk.http.post(f"/api/tickets/{one}/customer", json={"ticket": two}, headers=headers)
    assert (204, [two]) == (
        linked.status_code,
        [each["id"] for each in (await get(f"tickets/{one}/customer"))["tickets"]],
    )
    assert two == (await get(f"tickets/{one}/customer?limit=1"))["tickets"][0]["id"]
    taken = await desk.http.delete(f"/api/tickets/{one}/customer", headers=headers)
    assert (204, []) == (taken.status_code, (await get(f"tickets/{one}/customer"))["tickets"])

    greeting = {"id": "greeting", "title": {"en": "Greeting"}, "text": {"en": "Hello, this is {agent}."}}
    assert {"replies": [greeting]} == await get("replies")
    assert {"en": "Hello, this is 李."} == (await get(f"replies?ticket={one}"))["replies"][0]["text"]


async def test_a_duplicate_is_marked_and_cleared(desk):
    gateway, headers = Gateway(desk), desk.headers()
    one, two = [await gateway.hear_from(f"openid-{n}") for n in range(2)]

    path = f"/api/tickets/{one}/duplicate"
    refused = await desk.http.post(path, json={"of": two}, headers=headers)
    assert (409, "other_customer") == (refused.status_code, refused.json()["code"])
    await desk.http.post(f"/api/tickets/{one}/customer", json={"ticket": two}, headers=headers)
    marked = await desk.http.post(path, json={"of": two}, headers={**headers, "idempotency-key": "k"})
    again = await desk.http.post(path, json={"of": two}, headers={**headers, "idempotency-key": "k"})
    assert (200, two, two) == (marked.status_code, marked.json()["duplicate_of"], again.json()["duplicate_of"])
    circle = await desk.http.post(f"/api/tickets/{two}/duplicate", json={"of": one}, headers=headers)
    assert (409, "circular") == (circle.status_code, circle.json()["code"])
    cleared = await desk.http.delete(path, headers=headers)
    assert (200, None) == (cleared.status_code, cleared.json()["duplicate_of"])


@pytest.mark.parametrize("path", ["replies?ticket=x", "tickets/{}/customer?cursor=x", "tickets/{}/customer?limit=0"])
async def test_what_no_ticket_can_be_called_is_refused(desk, path):
    ticket = await desk.ticket()
    asked = await desk.http.get(f"/api/{path.format(ticket)}", headers=desk.headers())
    body = {"ticket": "no\0ticket"}
    linked = await desk.http.post(f"/api/tickets/{ticket}/customer", json=body, headers=desk.headers())

    assert (400, 400) == (asked.status_code, linked.status_code)
