"""Webhooks over HTTP, from a subscription to what a receiver verifies, by the service as it is served."""

import json

import pytest
import pytest_asyncio
from standardwebhooks import Webhook as Oracle

from tests.replica.loopback import until
from tests.server.conftest import run_service
from tests.server.test_metrics import shown
from tests.webhook_receiver import receiving
from tests.wire import schemas

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKET = "a" * 52


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def receiver():
    async with receiving() as receiver:
        yield receiver


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory, receiver):
    async with run_service(tmp_path_factory.mktemp("data"), webhook_origins=(receiver.origin,)) as running:
        yield running


async def ask(running, method, path="", department="sales", *, status, **body):
    answer = await running.http.request(
        method, f"/api/webhooks{path}", json=body or None, headers=running.headers(department)
    )
    assert status == answer.status_code, answer.text
    return answer.json() if answer.content else None


@pytest_asyncio.fixture(loop_scope="module")
async def hook(running, receiver):
    path = f"/{len(receiver.received)}-{id(object())}"
    made = await ask(running, "POST", status=201, url=receiver.origin + path)
    yield made | {"path": path}
    await running.http.delete(f"/api/webhooks/{made['id']}", headers=running.headers())


async def test_what_happens_to_a_ticket_is_posted_signed_and_is_the_event_of_every_other_wire(running, receiver, hook):
    ticket = await running.ticket()
    await until(lambda: receiver.at(hook["path"]))
    (request, *_) = receiver.at(hook["path"])
    event = Oracle(hook["secret"]).verify(request.body, request.headers)

    assert [] == schemas.faults(event)
    assert (event["id"], "ticketsync.ticket.opened.v1", ticket) == (
        request.headers["webhook-id"],
        event["type"],
        event["subject"],
    )
    stored = await running.service._store.events(int(event["position"]) - 1, limit=1)
    assert stored[0].data == event["data"]


async def test_a_secret_is_shown_when_it_is_made_and_never_again(running, hook):
    path = f"/{hook['id']}"
    again = await ask(running, "POST", f"{path}/secret", status=200)
    others = [
        await ask(running, "GET", path, status=200),
        await ask(running, "GET", status=200),
        await ask(running, "PATCH", path, status=200, types=["opened"]),
        await ask(running, "POST", f"{path}/redeliver", status=202, after="999999"),
    ]
    assert len({hook["secret"], again["secret"]} & {"", None}) == 0
    assert hook["secret"] != again["secret"]
    assert again["former_secret_until"] is not None
    for answer in others:
        assert "whsec_" not in json.dumps(answer)


async def test_a_webhook_that_is_asked_for_again_under_its_key_is_the_same(running, receiver):
    async def create(url):
        headers = {**running.headers(), "idempotency-key": "hook-1"}
        return await running.http.post("/api/webhooks", json={"url": receiver.origin + url}, headers=headers)

    made, again, other = [await create(url) for url in ("/again", "/again", "/other")]
    assert [201, 201, 409] == [made.status_code, again.status_code, other.status_code]
    assert [made.json()[name] for name in ("id", "secret")] == [again.json()[name] for name in ("id", "secret")]
    assert made.json()["secret"].startswith("whsec_")
    assert "no-store" == again.headers["cache-control"]

    path = f"/api/webhooks/{made.json()['id']}"
    await running.http.patch(path, json={"types": ["opened"]}, headers=running.headers())
    assert (await create("/again")).json()["secret"] is None
    await running.http.delete(path, headers=running.headers())


def under_way(running, hook):
    courier = running.service._couriers._running[hook["id"]].courier
    return courier._kept or courier._unsent  # not written down


async def test_what_is_not_taken_is_listed_until_it_is_sent_again(running, receiver, hook):
    receiver.status = lambda request: 500 if request.path == hook["path"] else 204
    await running.ticket()
    path = f"/{hook['id']}/deliveries"
    try:
        await until(lambda: running.service._couriers.levels().waiting and not under_way(running, hook))
    finally:
        receiver.status = lambda request: 204
    listed = (await ask(running, "GET", path, status=200))["deliveries"]
    first = receiver.at(hook["path"])[0]
    assert ("http_500", 1, "waiting") == tuple(listed[0][name] for name in ("code", "attempts", "state"))
    assert first.headers["webhook-id"] == listed[0]["event"]
    assert [] == (await ask(running, "GET", f"{path}?state=dead", status=200))["deliveries"]
    page = await ask(running, "GET", f"{path}?limit=1", status=200)
    assert listed[0]["event"] == page["next"]
    behind = (await ask(running, "GET", f"{path}?after={page['next']}", status=200))["deliveries"]
    assert listed[1:] == behind

    count = len(receiver.at(hook["path"]))
    await ask(running, "POST", f"/{hook['id']}/redeliver", status=202, event=listed[0]["event"])
    await until(lambda: len(receiver.at(hook["path"])) > count)
    again = receiver.at(hook["path"])[count]
    assert (first.headers["webhook-id"], first.body) == (again.headers["webhook-id"], again.body)


async def test_a_webhook_is_paused_changed_resumed_and_deleted(running, receiver, hook):
    path = f"/{hook['id']}"
    paused = await ask(running, "PATCH", path, status=200, paused=True)
    assert ("paused", "asked") == (paused["state"], paused["reason"])
    url = receiver.origin + hook["path"] + "/other"
    changed = await ask(running, "PATCH", path, status=200, url=url, types=["message"], paused=False)
    assert (url, ["message"], "active", None) == tuple(changed[name] for name in ("url", "types", "state", "reason"))
    await ask(running, "DELETE", path, status=204)
    assert "no_webhook" == (await ask(running, "GET", path, status=404))["code"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "", {"url": "http://crm.example/"}, 400, "webhook_url"),
        ("POST", "", {"url": "http://127.0.0.1:1/"}, 400, "webhook_url"),
        ("POST", "", {"url": "https://crm.example/" + "a" * 2_048}, 400, "webhook_url"),
        ("POST", "", {"url": "https://crm.example/" + "a" * 5_000}, 400, "malformed"),
        ("POST", "", {"url": 5}, 400, "malformed"),
        ("POST", "", {}, 400, "malformed"),
        ("POST", "", {"url": "https://crm.example/", "secret": "whsec_mine"}, 400, "malformed"),
        ("POST", "", {"url": "https://crm.example/", "types": ["nonsense"]}, 400, "malformed"),
        ("POST", "", {"url": "https://crm.example/", "types": ["opened"] * 99}, 400, "malformed"),
        ("POST", "", {"url": "https://crm.example/", "after": "9" * 18}, 412, "position_unknown"),
        ("POST", "", {"url": "https://crm.example/", "after": "-1"}, 400, "malformed"),
        ("GET", "/none", {}, 404, "no_webhook"),
        ("POST", "/none/redeliver", {"event": "1", "after": "1"}, 400, "redeliver"),
        ("POST", "/none/redeliver", {"event": None}, 400, "redeliver"),
        ("POST", "/none/redeliver", {"event": "1"}, 404, "no_webhook"),
        ("GET", "/none/deliveries?limit=201", {}, 400, "malformed"),
        ("GET", "/none/deliveries?after=x", {}, 400, "malformed"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_code(running, method, path, body, status, code):
    assert code == (await ask(running, method, path, status=status, **body))["code"]


async def test_what_is_sent_is_counted(running, receiver, hook):
    counter = running.service.telemetry._webhooks.labels("taken")._value
    before = counter.get()
    await running.ticket()
    await until(lambda: counter.get() > before)
    names = ("crdt_sync_webhook_events_total", "crdt_sync_webhooks", "crdt_sync_webhook_waiting")
    assert {(name,) for name in names} <= (await shown(running)).keys()
