"""Contents over HTTP, and over gRPC as gateways bring and fetch them, on the real service."""

import asyncio
import hashlib

import grpc
import pytest

from crdt_sync.rpc.status import code_of
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2_grpc, tickets_pb2, tickets_pb2_grpc
from crdt_sync.wire import limits
from tests.samples import HTML, PDF, PNG

LARGE = PNG + bytes(range(256)) * 3_000
GATEWAY = {"department": "gateway", "actor": "gateway-1", "accounts": ["shop"]}


async def upload(running, ticket, content, department="sales", **headers):
    headers = running.headers(department) | headers
    return await running.http.post(f"/api/tickets/{ticket}/media", content=content, headers=headers)


async def get(running, ticket, digest, department="sales", **headers):
    headers = running.headers(department) | headers
    return await running.http.get(f"/api/tickets/{ticket}/media/{digest}", headers=headers)


@pytest.fixture
async def pictured(running):
    """A ticket with a picture, and its digest."""
    ticket = await running.ticket()
    answer = await upload(running, ticket, LARGE)
    assert 201 == answer.status_code
    return ticket, answer.json()["digest"]


async def test_what_was_uploaded_is_served_as_a_download_that_runs_nothing(running, pictured):
    ticket, digest = pictured
    answer = await get(running, ticket, digest)

    assert (200, LARGE) == (answer.status_code, answer.content)
    assert hashlib.sha256(LARGE).hexdigest() == digest
    expected = {
        "content-type": "image/png",
        "content-length": str(len(LARGE)),
        "content-disposition": f'attachment; filename="{digest[:16]}.png"',
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",  # a browser is used by one person after another
        "etag": f'"{digest}"',
    }
    assert expected == {name: answer.headers[name] for name in expected}


async def test_what_is_known_is_not_sent_again(running, pictured):
    ticket, digest = pictured
    answer = await get(running, ticket, digest, **{"if-none-match": f'"{digest}"'})

    assert (304, b"") == (answer.status_code, answer.content)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-", 5, None),
        (
            f"bytes={limits.MEDIA_PIECE_BYTES - 1}-{limits.MEDIA_PIECE_BYTES}",
            limits.MEDIA_PIECE_BYTES - 1,
            limits.MEDIA_PIECE_BYTES + 1,
        ),
        ("bytes=700000-99999999", 700_000, None),
    ],
)
async def test_a_range_is_cut_out(running, pictured, asked, start, end):
    ticket, digest = pictured
    answer = await get(running, ticket, digest, range=asked)

    assert (206, LARGE[start:end]) == (answer.status_code, answer.content)
    last = (end or len(LARGE)) - 1
    assert f"bytes {start}-{last}/{len(LARGE)}" == answer.headers["content-range"]


@pytest.mark.parametrize("asked", ["bytes=-5", "bytes=9-1", "bytes=0-1,5-6", "bytes=99999999-", "lines=0-1", "x"])
async def test_another_range_is_as_if_absent(running, pictured, asked):
    ticket, digest = pictured
    answer = await get(running, ticket, digest, range=asked)

    assert (200, len(LARGE)) == (answer.status_code, len(answer.content))


@pytest.mark.parametrize("digest", ["x", "0" * 64, "D" * 64, "0" * 65])
async def test_a_digest_of_nothing_is_nothing(running, digest):
    answer = await get(running, await running.ticket(), digest)

    assert (404, "no_media") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(("content", "status", "code"), [(HTML, 400, "media_type"), (b"", 400, "media_empty")])
async def test_what_is_not_taken_is_said_by_name(running, content, status, code):
    answer = await upload(running, await running.ticket(), content, **{"content-type": "image/png"})

    assert (status, code) == (answer.status_code, answer.json()["code"])


async def test_a_body_that_says_it_is_too_large_is_not_read(running):
    ticket = await running.ticket()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.service.port)
    token = running.token()
    head = f"POST /api/tickets/{ticket}/media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    writer.write(f"{head}Content-Length: {limits.MEDIA_BYTES_MAX + 1}\r\n\r\n".encode())
    answer = await reader.readuntil(b"\r\n")
    writer.close()

    assert b"413" in answer


async def test_an_upload_that_dribbles_is_ended(running, monkeypatch):
    monkeypatch.setattr(limits, "MEDIA_UPLOAD_S", 0.05)

    ticket = await running.ticket()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.service.port)
    head = f"POST /api/tickets/{ticket}/media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running.token()}\r\n"
    writer.write(f"{head}Content-Length: 1000\r\n\r\n".encode() + PNG)
    answer = await reader.readuntil(b"\r\n\r\n")
    body = await reader.read(2_000)
    writer.close()

    assert b"400" in answer
    assert b"slow_body" in body


async def test_an_answer_has_a_text_or_a_content(running, pictured):
    ticket, digest = pictured
    path, headers = f"/api/tickets/{ticket}/messages", running.headers()
    for body, status in (
        ({}, 400),
        ({"contents": [{"type": "image", "digest": "0" * 64}]}, 404),
        ({"contents": [{"type": "voice", "digest": digest}]}, 400),
        ({"contents": [{"type": "event", "digest": digest}]}, 400),
        ({"contents": [{"type": "image", "digest": digest, "name": "plan.png"}]}, 201),
        ({"text": "See", "contents": [{"type": "file", "digest": digest}]}, 201),
    ):
        assert status == (await running.http.post(path, json=body, headers=headers)).status_code, body
    told = (await running.http.get(path, headers=headers)).json()["messages"]
    assert [["image"], ["text", "file"]] == [[part["type"] for part in one["parts"]] for one in told]


async def test_an_answer_over_grpc_names_its_contents_alike(running, pictured):
    ticket, digest = pictured
    stub = tickets_pb2_grpc.TicketServiceStub(running.channel)

    async def post(kind, digest):
        part = tickets_pb2.ContentPart(type=kind, digest=digest, name="plan.png")
        request = tickets_pb2.PostMessageRequest(id=ticket, contents=[part])
        return await stub.PostMessage(request, metadata=running.metadata())

    await post("image", digest)
    answer = await running.http.get(f"/api/tickets/{ticket}/messages", headers=running.headers())
    expected = {"type": "image", "ref": f"sha256:{digest}", "name": "plan.png", "media": {"digest": digest}}
    assert [expected] == answer.json()["messages"][0]["parts"]
    for kind, named, code in (
        ("event", digest, "content"),
        ("voice", digest, "media_kind"),
        ("image", "x", "no_media"),
    ):
        assert code == await refusal(post(kind, named))


class Gateway:
    """A gateway of one account."""

    def __init__(self, running):
        self.running = running
        self.metadata = running.metadata(**GATEWAY)
        self.ingress = gateway_pb2_grpc.IngressServiceStub(running.channel)
        self.egress = gateway_pb2_grpc.EgressServiceStub(running.channel)

    async def hear(self, *parts, key="k1"):
        customer = pb.CustomerMessage(sender="openid-1", parts=parts)
        envelope = pb.Envelope(
            idempotency_key=key, channel="wechat", account="shop", conversation="openid-1", sent_at=1, customer=customer
        )
        answer = await self.ingress.Ingest(pb.IngestRequest(envelopes=[envelope]), metadata=self.metadata)
        return answer.results[0].ticket

    async def attach(self, content, *, head=None, step=100_000):
        head = head or pb.AttachHead(account="shop", idempotency_key="k1", index=0)

        async def steps():
            yield pb.AttachRequest(head=head)
            for start in range(0, len(content), step):
                yield pb.AttachRequest(piece=content[start : start + step])

        return await self.ingress.Attach(steps(), metadata=self.metadata, timeout=10)


IMAGE = pb.Part(media=pb.Media(type="image", platform_id="media-1"))


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return code_of(refused.value)


async def test_a_gateway_brings_a_picture_that_people_read(running):
    gateway = Gateway(running)
    ticket = await gateway.hear(IMAGE)
    shown = await gateway.attach(LARGE)

    assert ("image/png", len(LARGE), "") == (shown.content.type, shown.content.size, shown.code)
    assert LARGE == (await get(running, ticket, shown.content.digest)).content
    assert shown == await gateway.attach(LARGE)


async def test_a_gateway_is_told_why_a_content_is_not_shown(running):
    gateway = Gateway(running)
    ticket = await gateway.hear(IMAGE)

    assert pb.AttachResponse(code="media_kind") == await gateway.attach(PDF)
    answer = await running.http.get(f"/api/tickets/{ticket}/messages", headers=running.headers())
    assert {"code": "media_kind"} == answer.json()["messages"][0]["parts"][0]["media"]
    head = pb.AttachHead(account="shop", idempotency_key="k1", index=0, code="media_expired")
    assert pb.AttachResponse(code="media_expired") == await gateway.attach(b"", head=head)


async def test_an_attachment_begins_with_its_head_and_goes_on_with_bytes(running):
    gateway = Gateway(running)
    await gateway.hear(IMAGE)
    head = pb.AttachHead(account="shop", idempotency_key="k1", index=0)
    for steps in (
        [],
        [pb.AttachRequest(piece=PNG)],
        [pb.AttachRequest(head=head), pb.AttachRequest(head=head)],
        [pb.AttachRequest(head=head), pb.AttachRequest()],
        [pb.AttachRequest(head=head), pb.AttachRequest(piece=b"")],
        [pb.AttachRequest(head=head), pb.AttachRequest(piece=PNG + bytes(limits.MEDIA_PIECE_BYTES))],
    ):
        assert "attachment" == await refusal(gateway.ingress.Attach(iter(steps), metadata=gateway.metadata))
    loud = pb.AttachHead(account="shop", idempotency_key="k1", code="Platform says: no!")
    assert "code" == await refusal(gateway.attach(b"", head=loud))


async def test_a_gateway_fetches_the_content_of_an_answer(running):
    gateway = Gateway(running)
    ticket = await gateway.hear(pb.Part(text="hello"))
    digest = (await upload(running, ticket, LARGE)).json()["digest"]
    body = {"contents": [{"type": "image", "digest": digest}]}
    await running.http.post(f"/api/tickets/{ticket}/messages", json=body, headers=running.headers())
    claim = gateway.egress.Claim(pb.ClaimRequest(), metadata=gateway.metadata)
    delivery = await claim.read()

    assert f"sha256:{digest}" == delivery.part.media.platform_id
    first, *rest = [
        step async for step in gateway.egress.Fetch(pb.FetchRequest(delivery=delivery.id), metadata=gateway.metadata)
    ]
    assert pb.MediaContent(digest=digest, size=len(LARGE), type="image/png") == first.content
    assert LARGE == b"".join(step.piece for step in rest)
    claim.cancel()
    unknown = gateway.egress.Fetch(pb.FetchRequest(delivery="x"), metadata=gateway.metadata)
    assert "no_delivery" == await refusal(unknown.read())
