"""Rows of the conformance matrix over one service that every cell shares."""

from types import SimpleNamespace

import httpx
import pytest

from tests.conformance import matrix
from tests.conformance.matrix import Site, saved
from tests.conformance.offline_story import made, opened, play, start_the_work, subscribe
from tests.conformance.reader import read
from tests.conformance.server_process import ServerProcess
from tests.counted import refusals

SCOPES = {"log": "readonly", "card": "read-write", "submit": "read-write", "form": "read-write"}
UPDATE_BYTES = 3_300_000  # above UPDATE_BYTES_MAX, below FRAME_BYTES_MAX
FILLS, FILL_BYTES = 60, 300_000  # some 18 MB: above SEND_QUEUE_BYTES_MAX and what two kernels buffer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("matrix"), settings=matrix.OPEN_DOCUMENTS) as server:
        yield server


@pytest.fixture
def site(node, server, kind):
    return Site(node, server, kind)


@matrix.kinds
async def test_join(site):
    """A newcomer has what was there, sees who is there, and is seen."""
    async with site.client() as sales, site.client() as tech, site.server.client("sales") as rest:
        names = await opened(rest)
        await subscribe(site.server, sales, names, "sales")
        await sales.tell("present", document=names.card, state={"name": "Zoë"})
        await sales.tell("set", document=names.card, root="card", fields={"customer": "Bäckerei"})
        await saved(sales, *names.of("sales"))
        await subscribe(site.server, tech, names, "tech")
        await tech.hear("presence", document=names.card, states=[{}, {"name": "Zoë"}])
        await tech.tell("present", document=names.card, state={"name": "Ann"})
        await sales.hear("presence", document=names.card, states=[{"name": "Zoë"}, {"name": "Ann"}])
        assert "Bäckerei" == tech.contents[names.card]["card"]["customer"]
        await tech.tell("set", document=names.card, root="card", fields={"assignee.tech": "tech-1"})
        await sales.until(lambda held: "tech-1" == held[names.card]["card"]["assignee.tech"])
        before = len(sales.events)
        await tech.tell("disconnect")
        await sales.hear("presence", since=before, document=names.card, states=[{"name": "Zoë"}])


@matrix.kinds
async def test_offline_edit(site):
    """Everybody edits offline, the service changes meanwhile, and all agree in the end (`offline_story.play`)."""
    async with site.client() as sales, site.client() as tech:
        grpc = site.kind is matrix.GRPC
        names = await play(site.server, sales, tech, replica=f"grpc://{site.server.grpc}" if grpc else site.server.ws)
        await start_the_work(names, sales, tech)
        for client, department in ((sales, "sales"), (tech, "tech")):
            await saved(client, *names.of(department))
            granted = [one for one in client.events if one["event"] == "authenticated"]
            scopes = {one["document"].split("/")[2]: one["scope"] for one in granted}
            assert scopes in (SCOPES, {}), "y-websocket tells none"
            assert (site.kind is matrix.Y_WEBSOCKET) is not bool(scopes)


@matrix.kinds
async def test_read_only(site):
    """A write to the log is refused, is never acknowledged, and disturbs nothing else."""
    async with site.client() as sales, site.client() as tech, site.server.client("sales") as rest:
        names = await opened(rest)
        await subscribe(site.server, sales, names, "sales")
        await subscribe(site.server, tech, names, "tech")
        await sales.tell("set", document=names.log, root="refused", fields={"forged": "yes"})
        quote, _ = made(names, "sales", "quote")
        await sales.tell("push", document=names.submit("sales"), root="transitions", values=[quote.record])
        await saved(sales, names.submit("sales"))
        for held in (sales, tech):
            await held.until(lambda held: 2 == len(held[names.log]["log"]))
        assert 1 == sales.last("unsynced", names.log)["number"]
        assert (0, 0) == (sales.count("close"), sales.count("denied"))
        assert {} == tech.contents[names.log]["refused"]
        assert {} == (await read(site.server, names.log, "sales")).refused()


@matrix.kinds
async def test_oversize(site):
    """An update over the limit is refused for good by its code, and other documents go on."""
    async with site.client() as client:
        await site.open(client, "oversize", "beside it")
        await client.tell("fill", document="oversize", root="map", key="k", bytes=UPDATE_BYTES)
        denied = await client.hear("denied", document="oversize")
        await client.tell("write", document="beside it", root="text", text="still here")
        await saved(client, "beside it")
        await client.tell("attempts", within_ms=0)
        opened = 2 if site.kind is matrix.Y_WEBSOCKET else 1
        assert ("size", opened) == (denied["reason"].partition(":")[0], (await client.hear("attempts"))["attempts"])


async def cut_off(http):
    """How many readers were given up because they read too slowly."""
    counted = await refusals(SimpleNamespace(http=http))
    return sum(number for (_, code), number in counted.items() if code == "slow_reader")


@matrix.kinds
async def test_slow_reader(site):
    """Who does not read neither holds up others nor misses anything when it reads again."""
    document = f"slow {site.kind.name}"
    async with httpx.AsyncClient(base_url=site.server.http) as http, site.client() as slow, site.client() as writer:
        before = await cut_off(http)
        for client in (slow, writer):
            await site.open(client, document)
        await slow.tell("stop_reading")
        for index in range(FILLS):
            await writer.tell("fill", document=document, root="map", key="k", bytes=FILL_BYTES + index)
            if index % 10 == 9:  # what comes back to the writer itself stays far below the bound
                await saved(writer, document)
        assert await cut_off(http) > before, "what waits for a reader is bounded, else nobody would be cut off"
        await slow.tell("read")
        newest = f"{FILL_BYTES + FILLS - 1} characters"
        await slow.until(lambda held: newest == held[document]["map"]["k"])
        assert 0 == writer.count("close")


@matrix.kinds
async def test_two_clients_with_one_name(site):
    """One person on two screens: both write and both are there."""
    async with site.client() as here, site.client() as there, site.server.client("sales") as rest:
        names = await opened(rest)
        for client in (here, there):
            await site.open(client, names.card, names.form("sales"))
        await here.tell("write", document=names.form("sales"), root="notes", text="from here\n")
        await there.tell("write", document=names.form("sales"), root="notes", text="from there\n")
        for client in (here, there):
            await client.until(lambda held: 2 == len(held[names.form("sales")]["notes"].splitlines()))
            await saved(client, names.form("sales"))
        await here.tell("present", document=names.card, state={"at": "desk"})
        await there.hear("presence", document=names.card, states=[{}, {"at": "desk"}])
        await there.tell("present", document=names.card, state={"at": "phone"})
        await here.hear("presence", document=names.card, states=[{"at": "desk"}, {"at": "phone"}])


@matrix.kinds
async def test_non_ascii_names(site):
    """Names go through as they are, whatever a wire escapes."""
    document = f"заявка/签约 é 🧵 {site.kind.name}"
    async with site.client() as first, site.client() as second:
        for client in (first, second):
            await site.open(client, document)
        await first.tell("write", document=document, root="text", text="签 🧵")
        await saved(first, document)
        await second.until(lambda held: "签 🧵" == held[document]["text"])


@matrix.kinds
async def test_gap(site):
    """An update is lost on its way: what builds on it is held until the service has asked for the rest."""
    document = f"gap {site.kind.name}"
    async with site.client() as author, site.client() as other:
        for client in (author, other):
            await site.open(client, document)
        await author.tell("lose", updates=1)
        for word in ("lost ", "found"):
            await author.tell("write", document=document, root="text", text=word)
        await other.until(lambda held: "lost found" == held[document]["text"])
        await saved(author, document)
        assert (0, 0) == (author.count("close"), author.count("denied"))
