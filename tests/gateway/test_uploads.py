"""What is done before a part counts as begun: whatever fails there, and however long it takes, nothing was sent."""

import asyncio

import grpc
import pytest

from crdt_sync.rpc.ticketsync.v1 import gateway_pb2 as pb
from gateway import uploads
from gateway.counts import Counts
from gateway.media import Form
from gateway.outbound import Dead, RetryLater
from gateway.uploads import IN_FLIGHT_MAX, Uploads
from tests.samples import PNG

FORM = Form(frozenset({"image/png"}), 1_000_000)


class Port:
    """Names contents one after the other, once its gate is open; `error` is raised instead."""

    def __init__(self):
        self.forms = {"image": FORM}
        self.uploaded = 0
        self.error = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def upload(self, _kind, _content):
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.uploaded += 1
        return f"media-{self.uploaded}"


class Stub:
    """Gives one picture, whatever is asked for."""

    async def Fetch(self, _request, **_told):  # noqa: N802 - named by the proto
        yield pb.FetchResponse(content=pb.MediaContent(size=len(PNG), type="image/png"))
        yield pb.FetchResponse(piece=PNG)


class Refusing:
    """Refuses."""

    def __init__(self, status):
        self.error = grpc.aio.AioRpcError(status, grpc.aio.Metadata(), grpc.aio.Metadata())

    async def Fetch(self, _request, **_told):  # noqa: N802 - named by the proto
        raise self.error
        yield


def delivery(id_="d"):
    media = pb.Media(type="image", platform_id="sha256:" + "0" * 64)
    return pb.Delivery(id=id_, account="shop", part=pb.Part(media=media))


@pytest.fixture
def port():
    return Port()


@pytest.fixture
def lane(port):
    return Uploads({"shop": port}, token=lambda: "token", counts=Counts())


async def test_a_bug_before_a_part_is_begun_leaves_no_doubt_whether_it_was_sent(lane, port):
    port.error = ZeroDivisionError()
    assert RetryLater("upload_failed") == await lane.ready(Stub(), delivery())


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (grpc.StatusCode.FAILED_PRECONDITION, RetryLater("media_awaited", 60_000)),
        (grpc.StatusCode.NOT_FOUND, Dead("no_media")),
        (grpc.StatusCode.UNAVAILABLE, RetryLater("content")),
    ],
)
async def test_a_content_that_may_still_be_uploaded_is_asked_for_again(lane, status, outcome):
    assert outcome == await lane.ready(Refusing(status), delivery())


async def test_a_part_waits_for_no_room_under_its_lease(lane, port):
    port.gate.clear()
    tasks = [asyncio.create_task(lane.ready(Stub(), delivery(f"d{n}"))) for n in range(IN_FLIGHT_MAX)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert RetryLater("uploads_busy") == await lane.ready(Stub(), delivery())
    port.gate.set()
    await asyncio.gather(*tasks)
    assert isinstance(await lane.ready(Stub(), delivery()), pb.Delivery)


async def test_an_upload_that_takes_too_long_goes_back(lane, port, monkeypatch):
    monkeypatch.setattr(uploads, "_READY_S", 0.01)
    port.gate.clear()
    async with asyncio.timeout(5):
        assert RetryLater("content") == await lane.ready(Stub(), delivery())


async def test_a_part_that_is_tried_again_is_uploaded_once(lane, port, monkeypatch):
    monkeypatch.setattr(uploads, "_NAMED_MAX", 1)
    names = [(await lane.ready(Stub(), delivery(id_))).part.media.platform_id for id_ in ("a", "a", "b", "b", "a")]
    assert ["media-1", "media-1", "media-2", "media-2", "media-3"] == names
