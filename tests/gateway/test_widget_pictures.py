"""Pictures of a page's visitors: kept once, brought to the service, and shown under the visitor's own token alone."""

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery, Media, Part
from gateway import media_queue
from gateway.media import Content, MediaFailed, refused
from gateway.outbound import Sent
from gateway.widget import picture_routes, pictures, uploads
from gateway.widget.limits import VisitorLimits, VisitorRate
from tests.gateway.fakes import FakeIngress, HeldClock
from tests.gateway.platform import T5_NOW_S
from tests.gateway.rig import NO_SERVICE, running
from tests.gateway.visitor import PAGE, VISITOR, page, visitor_token, web_account
from tests.replica.loopback import until
from tests.samples import HTML, PDF, PNG, SAMPLES, SVG

LIMITS = VisitorLimits()
OTHER = visitor_token(visitor="f" * 32)
PICTURES = {type_: SAMPLES[type_] for type_ in ("image/jpeg", "image/png", "image/gif", "image/webp")}


@asynccontextmanager
async def site(data, port=NO_SERVICE, limits=LIMITS, **changes):
    accounts = (web_account(**changes), web_account(account="other"))
    async with running(data, port, accounts=accounts, visitors=limits, clock=HeldClock(T5_NOW_S)) as rig:
        yield rig


def headers(token=None, origin=PAGE):
    given = {"authorization": f"Bearer {visitor_token() if token is None else token}", "origin": origin}
    return {name: value for name, value in given.items() if value}


async def send(rig, data=PNG, cid="picture-1", name="site", **changes):
    return await rig.client.post(
        f"/widget/{name}/pictures", params={"cid": cid}, content=data, headers=headers(**changes)
    )


async def show(rig, seq=1, name="site", **changes):
    return await rig.client.get(f"/widget/{name}/pictures/{seq}", headers=headers(**changes))


@pytest.mark.parametrize("type_", PICTURES)
async def test_picture_is_kept_once_and_shown_to_its_visitor_as_what_it_is(tmp_path, type_):
    async with site(tmp_path) as rig, page(rig.url, token=visitor_token()) as visitor:
        answers = [await send(rig, PICTURES[type_]) for _ in range(2)]
        assert [{"seq": 1, "dup": False}, {"seq": 1, "dup": True}] == [answer.json() for answer in answers]
        assert (True, "picture-1", 1) == ((shown := await visitor.hear("msg"))["picture"], shown["cid"], shown["seq"])
        picture = await show(rig)
        assert (PICTURES[type_], type_) == (picture.content, picture.headers["content-type"])
        assert "sandbox" in picture.headers["content-security-policy"]
        assert (PAGE, "nosniff") == (
            picture.headers["access-control-allow-origin"],
            picture.headers["x-content-type-options"],
        )
        assert hashlib.sha256(PICTURES[type_]).hexdigest() not in "".join(visitor.heard)


async def test_picture_is_brought_to_the_service_with_its_message(tmp_path):
    ingress = FakeIngress()
    async with ingress.serving() as port, site(tmp_path, port) as rig:
        await send(rig)
        await until(lambda: ingress.attached)
    (envelope,) = ingress.taken.values()
    assert "image" == envelope.customer.parts[0].media.type
    assert [(envelope.idempotency_key, 0, PNG)] == ingress.attached


async def test_pictures_fill_no_more_of_the_disk_than_they_may(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "KEPT_BYTES_MAX", len(PNG))
    async with site(tmp_path) as rig:
        assert 200 == (await send(rig)).status_code
        refused_ = await send(rig, PICTURES["image/gif"], "picture-2")
        assert (503, "pictures_full") == (refused_.status_code, refused_.json()["code"])
        with pytest.raises(MediaFailed) as failed:
            await rig.gateway.pictures.upload("image", Content("image/gif", "photo", PICTURES["image/gif"]))
        assert ("pictures_full", True) == (failed.value.code, failed.value.again)
    async with site(tmp_path) as rig:
        assert 503 == (await send(rig, cid="picture-3")).status_code
        await rig.gateway.pictures.forget(T5_NOW_S * 1000 + 1)
        assert 200 == (await send(rig, cid="picture-3")).status_code
        await rig.gateway.pictures.forget(T5_NOW_S * 1000 + 1)
        assert await rig.gateway.pictures.upload("image", Content("image/gif", "photo", PICTURES["image/gif"]))


async def test_the_same_picture_again_and_again_fills_the_disk_no_further_while_the_service_is_away(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(media_queue, "HELD_BYTES_MAX", 2 * len(PNG))
    async with site(tmp_path) as rig:
        assert [200, 200, 503] == [(await send(rig, cid=f"picture-{n}")).status_code for n in range(3)]


async def test_picture_of_an_answer_is_shown_to_its_visitor_alone(tmp_path):
    async with site(tmp_path) as rig, page(rig.url, token=visitor_token()) as visitor:
        name = await rig.gateway.pictures.upload("image", Content("image/png", "photo", PNG))
        part = Part(media=Media(type="image", platform_id=name))
        delivery = Delivery(id="d1", account="site", conversation=VISITOR, part=part, author_name="Ms Li")
        assert Sent("d1") == await rig.gateway.senders["site"].send(delivery)
        assert ("Ms Li", True) == ((shown := await visitor.hear("msg"))["name"], shown["picture"])
        assert [PNG, PNG] == [(await show(rig, origin=origin)).content for origin in (PAGE, None)]
        assert 401 == (await show(rig, origin="https://evil.example")).status_code
        refusals = [
            await show(rig, token=OTHER),
            await show(rig, seq=2),
            await show(rig, seq="9" * 5_000),
            await show(rig, seq="x"),
            await show(rig, token=visitor_token(account="other"), name="other"),
        ]
        assert [404] * 5 == [answer.status_code for answer in refusals]
        assert 401 == (await show(rig, token=OTHER[:-3] + "AAA")).status_code


async def test_message_without_a_picture_has_none_to_show(tmp_path):
    async with site(tmp_path) as rig, page(rig.url, token=visitor_token()) as visitor:
        await visitor.say({"t": "msg", "cid": "number-1", "text": "text"})
        await visitor.hear("ack")
        assert 404 == (await show(rig)).status_code


@pytest.mark.parametrize(
    ("kind", "type_"), [("file", "application/pdf"), ("voice", "audio/amr"), ("file", "image/png")]
)
async def test_file_of_an_answer_is_a_download_for_its_visitor_alone(tmp_path, kind, type_):
    content = Content(type_, '"offer" 报价', SAMPLES[type_])
    async with site(tmp_path) as rig, page(rig.url, token=visitor_token()) as visitor:
        pictures = rig.gateway.pictures
        assert "" == refused(pictures, kind, type_, len(content.data))
        name = await pictures.upload(kind, content)
        part = Part(media=Media(type=kind, platform_id=name, name=content.file_name))
        delivery = Delivery(id="d1", account="site", conversation=VISITOR, part=part)
        assert Sent("d1") == await rig.gateway.senders["site"].send(delivery)
        shown = await visitor.hear("msg")
        assert (True, content.file_name, False) == (shown["file"], shown["text"], name in str(shown))

        given, theirs = await show(rig), await show(rig, token=OTHER)
        assert (200, content.data, 404) == (given.status_code, given.content, theirs.status_code)
        expected = f"attachment; filename*=UTF-8''{quote(content.file_name, safe='')}"
        told = [given.headers[name] for name in ("content-disposition", "content-type", "x-content-type-options")]
        assert [expected, type_, "nosniff"] == told
        assert "sandbox" in given.headers["content-security-policy"]


async def test_nothing_is_had_from_a_page_later_nor_of_an_unknown_type(tmp_path):
    async with site(tmp_path) as rig:
        assert "media_type" == refused(rig.gateway.pictures, "file", "text/html", 100)
        with pytest.raises(MediaFailed):
            await rig.gateway.pictures.download(Media(type="image", platform_id="x"), bytes_max=100)


REFUSED = {
    "no picture": ({"data": HTML}, 400, "media_type"),
    "a drawing that runs": ({"data": SVG}, 400, "media_type"),
    "a file": ({"data": PDF}, 400, "media_type"),
    "nothing": ({"data": b""}, 400, "media_type"),
    "too large": ({"data": PNG + b"x" * picture_routes.BYTES_MAX}, 413, "size"),
    "no id": ({"cid": ""}, 400, "cid"),
    "a strange id": ({"cid": "../../../etc"}, 400, "cid"),
    "no token": ({"token": "none"}, 401, "unauthenticated"),
    "a forged token": ({"token": f"{visitor_token()[:-3]}AAA"}, 401, "unauthenticated"),
    "a token of another site": ({"token": visitor_token(account="other")}, 401, "unauthenticated"),
    "a foreign page": ({"origin": "https://evil.example"}, 401, "unauthenticated"),
    "no page": ({"origin": None}, 401, "unauthenticated"),
    "no site": ({"name": "nowhere"}, 404, "not_found"),
}


@pytest.mark.parametrize("given", REFUSED.values(), ids=REFUSED)
async def test_what_will_not_do_is_refused_and_nothing_is_kept(tmp_path, given):
    changes, status, code = given
    async with site(tmp_path) as rig:
        answer = await send(rig, **changes)
        assert (status, code) == (answer.status_code, answer.json()["code"])
        allowed = answer.headers.get("access-control-allow-origin")
        assert allowed in {None, PAGE}, "a foreign page does not read why"
        assert [] == rig.rows("id")


async def test_flood_of_pictures_is_refused_and_anothers_is_not(tmp_path):
    async with site(tmp_path) as rig:
        statuses = [
            (await send(rig, cid=f"picture-{number}")).status_code for number in range(LIMITS.pictures.burst + 1)
        ]
        assert [200] * LIMITS.pictures.burst + [429] == statuses
        assert 200 == (await send(rig, token=OTHER)).status_code


async def test_pictures_of_an_address_are_bounded_for_all_its_visitors_together(tmp_path):
    limits = VisitorLimits(address_pictures=VisitorRate(burst=1, per_s=0.5))
    async with site(tmp_path, limits=limits) as rig:
        assert [200, 429] == [(await send(rig)).status_code, (await send(rig, token=OTHER)).status_code]


@dataclass
class Slow:
    """A picture of which some bytes come, and no more until its sender looks for an answer."""

    data: bytes
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aiter__(self):
        yield self.data
        self.sent.set()
        await self.ended.wait()


async def test_whoever_dribbles_gives_way_to_others_when_too_many_bytes_are_on_their_way(tmp_path):
    limits = VisitorLimits(uploads_bytes_max=picture_routes.BYTES_MAX)
    async with site(tmp_path, limits=limits) as rig:
        slow = [Slow(PNG + b"x" * 2_000_000) for _ in range(2)]
        sending = []
        for number, one in enumerate(slow):
            sending.append(asyncio.create_task(send(rig, aiter(one), f"picture-{number}")))
            await one.sent.wait()
        assert 200 == (await send(rig, PNG + b"x" * 3_000_000, "picture-3")).status_code
        for one in slow:
            one.ended.set()
        answer, stayed = await asyncio.gather(*sending)
        assert (503, "uploads_full") == (answer.status_code, answer.json()["code"])
        assert 200 == stayed.status_code, "no more give way than need to"


async def test_picture_that_does_not_end_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "BODY_S", 0.05)
    async with site(tmp_path) as rig:
        slow = Slow(PNG)
        sending = asyncio.create_task(send(rig, aiter(slow)))
        await until(lambda: rig.gateway.counts["widget.refused.slow_body"])
        slow.ended.set()
        answer = await sending
        assert (503, "slow_body") == (answer.status_code, answer.json()["code"])
        assert 200 == (await send(rig)).status_code


async def test_browser_may_ask_what_a_page_may_send(tmp_path):
    async with site(tmp_path) as rig:
        for path in ("/widget/site/pictures", "/widget/site/pictures/1"):
            answer = await rig.client.options(path, headers={"origin": PAGE})
            assert (204, PAGE) == (answer.status_code, answer.headers["access-control-allow-origin"])
            assert "authorization" in answer.headers["access-control-allow-headers"]
        assert 401 == (await rig.client.options("/widget/site/pictures", headers={"origin": "https://a.b"})).status_code
