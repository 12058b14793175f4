"""A visitor of a web page is shown the words that are for him, and no byte of anything else of his own ticket."""

import pytest

from gateway.bootstrap import Gateway
from gateway.channels.base import Unverified
from gateway.widget import entries
from tests.access import matrix
from tests.access.matrix import OTHER, OWNER, READER, TALKER
from tests.access.site import LANES, ROBOTS, WORDS, attached, envelope, filled_site, ingest
from tests.access.wires import metadata_of
from tests.gateway.rig import http
from tests.gateway.rig import settings as gateway_settings
from tests.gateway.visitor import page, web_account
from tests.samples import PNG

SAID = "wordvisitor"


@pytest.fixture
async def site(tmp_path):
    async with filled_site(tmp_path) as site:
        yield site


@pytest.fixture
async def gateway(site, tmp_path):
    """A gateway of the service with one site; its address."""
    token = site.running.token("gateway", actor="gateway-9", accounts=["site"])
    given = {"core_token": lambda: token, "accounts": (web_account(),)}
    made = Gateway(gateway_settings(tmp_path / "gateway", site.running.service.grpc_port, **given))
    async with http(made) as client:
        await made.start()
        yield str(client.base_url)
        await made.stop()


async def post(site, caller, path, json, method="POST"):
    answer = await site.running.http.request(method, path, json=json, headers=site.headers(caller))
    assert answer.is_success, answer.text
    return answer.json()


async def work(site, ticket):
    """Have every department do something in the visitor's ticket, a group among it, and end it with an answer."""
    said, robots = envelope("a picture", f"#{ticket[:8]} wordsaid_case", "cid", "office-robot"), ROBOTS
    await ingest(site, said, metadata_of(site.running.token(**robots)))
    await attached(site, said, metadata_of(site.running.token(**robots)), PNG + b"wordshown_case")
    for lane, owner in LANES.items():
        body = {"fields": {"word": f"wordfield_{lane}"}, "note": f"wordnote_{lane}"}
        await post(site, owner, f"/api/tickets/{ticket}/forms/{lane}", body, "PATCH")
    await post(site, OTHER, f"/api/tickets/{ticket}/card", {"title": "wordtitle", "tags": "wordcard"}, "PATCH")
    for owner, lane, name, payload in (
        (OWNER, "sales", "quote", {"price": "10.00"}),
        (OWNER, "sales", "sign", {"contract": "wordprice"}),
        (OWNER, "sales", "withdraw", None),
        (OTHER, "case", "close", None),
    ):
        version = (await site.running.http.get(f"/api/tickets/{ticket}", headers=site.headers(owner))).json()["version"]
        body = {"lane": lane, "name": name, "seen": version} | ({"payload": payload} if payload else {})
        await post(site, owner, f"/api/tickets/{ticket}/transitions", body)
    await post(site, TALKER, f"/api/tickets/{ticket}/messages", {"text": "wordreply"})


async def ticket_of(site, text):
    for shown in (await post(site, OWNER, "/api/tickets", None, "GET"))["tickets"]:
        path = f"/api/tickets/{shown['id']}/messages"
        if text in str(await post(site, OWNER, path, None, "GET")):
            return shown["id"]
    return None


async def test_visitor_is_shown_what_is_for_him_and_no_other_word_of_his_ticket(site, gateway):
    async with page(gateway, token="") as visitor:
        token = (await visitor.hear("welcome"))["token"]
        await visitor.say({"t": "msg", "cid": "number-1", "text": SAID})
        while (ticket := await ticket_of(site, SAID)) is None:
            pass
        await work(site, ticket)
        while (await visitor.hear("msg")).get("text") != "wordreply":
            pass
        for state in ("delivered", "read"):
            await visitor.say({"t": "seen", "seq": 3, "state": state})
    async with page(gateway, token=token) as again:
        shown = [await again.hear("welcome"), *[await again.hear("msg") for _ in range(3)]]
        heard = "\n".join([*visitor.heard, *again.heard])
    assert [None, SAID, None, "wordreply"] == [frame.get("text") for frame in shown]
    assert {"ended"} == {frame["event"] for frame in shown if "event" in frame}
    assert {"wordreply"} == {word for word in WORDS if word in heard}
    assert not {ticket, "sales", "tech", "support", "backoffice"} & set(heard.replace('"', " ").split())
    for caller, lane, word in ((READER, "tech", "wordnote_tech"), (OTHER, "case", "sha256:")):
        notes = await post(site, caller, f"/api/tickets/{ticket}/forms/{lane}", None, "GET")
        assert word in str(notes), "the words that must not arrive are there"


async def test_token_of_a_department_is_a_strangers_to_the_gateway(site, gateway):
    for caller in (OWNER, TALKER):
        async with page(gateway, token=site.tokens[caller]) as visitor:
            assert (4401, Unverified("x").code) == await visitor.closed()
        assert visitor.heard == []


async def test_token_of_a_visitor_is_a_strangers_to_the_service(site, gateway):
    async with page(gateway, token="") as visitor:
        token = (await visitor.hear("welcome"))["token"]
    answer = await site.running.http.get("/api/tickets", headers={"authorization": f"Bearer {token}"})
    assert (401, "token_invalid") == (answer.status_code, answer.json()["code"])


def test_every_field_that_a_visitor_is_shown_has_a_row():
    assert set(matrix.VISITOR_IS_SHOWN) == set(entries.SHOWN)
