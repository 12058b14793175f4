"""The HTTP port: TLS, whichever library finds the frames, and how it ends."""

import asyncio

import httpx
import pycrdt
import pytest
import structlog
import websockets
from cryptography.hazmat.primitives import serialization

from crdt_sync.errors import Malformed
from crdt_sync.server import http_server
from crdt_sync.server.settings import load
from crdt_sync.wire import ysync
from tests.replica.loopback import until
from tests.server.conftest import run_service


@pytest.fixture(params=["picows", "websockets"])
async def secure(request, pair, tmp_path):
    async with run_service(tmp_path / "data", websockets=request.param, **pair) as running:
        yield running


def wss(running, path):
    return running.ws(path).replace("ws:", "wss:")


async def test_updates_travel_over_tls(secure, trusting):
    document = pycrdt.Doc()
    document["t"] = pycrdt.Text("x" * 200_000)
    update = document.get_update()
    url = wss(secure, f"/sync/a?token={secure.token()}")
    async with (
        websockets.connect(url, ssl=trusting, max_size=None) as author,
        websockets.connect(url, ssl=trusting, max_size=None) as reader,
    ):
        await author.recv()
        await reader.recv()
        await author.send(ysync.encode_update(update))
        for socket in (author, reader):
            assert ysync.Update(update) == ysync.decode(await socket.recv())


@pytest.mark.parametrize(
    ("path", "options", "code"),
    [
        ("/sync/a", {}, 4401),
        ("/sync/a?token={token}", {"origin": "https://elsewhere.example"}, 4403),
        ("/sync/ticket/x/log?token={token}", {}, 4404),
    ],
)
async def test_access_is_checked_over_tls(secure, trusting, path, options, code):
    async with websockets.connect(wss(secure, path.format(token=secure.token())), ssl=trusting, **options) as socket:
        await socket.wait_closed()
    assert code == socket.close_code


async def test_a_page_of_the_services_own_address_may_connect_over_tls(secure, trusting):
    origin = f"https://127.0.0.1:{secure.service.port}"
    url = wss(secure, f"/sync/a?token={secure.token()}")
    async with websockets.connect(url, ssl=trusting, origin=origin) as socket:
        assert ysync.Step1 is type(ysync.decode(await socket.recv()))


async def test_oversize_frames_are_refused_over_tls(secure, trusting):
    async with websockets.connect(wss(secure, f"/sync/a?token={secure.token()}"), ssl=trusting) as socket:
        await socket.recv()
        await socket.send(b"\x00" * (4 * 1024 * 1024 + 1))
        await socket.wait_closed()
    assert 4413 == socket.close_code


async def test_requests_are_answered_over_tls_and_not_beside_it(secure, trusting):
    base = f"https://127.0.0.1:{secure.service.port}"
    async with httpx.AsyncClient(base_url=base, verify=trusting) as client:
        assert 200 == (await client.get("/healthz")).status_code
        assert 401 == (await client.get("/api/tickets")).status_code
        assert 200 == (await client.get("/api/tickets", headers=secure.headers())).status_code
    with pytest.raises(httpx.RemoteProtocolError):
        await secure.http.get("/healthz")


async def test_a_tls_handshake_that_never_completes_is_cut_off(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(http_server, "HEAD_S", 0.2)
    async with run_service(tmp_path / "data", **pair) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.service.port)
        assert b"" == await reader.read()
        writer.close()


@pytest.mark.parametrize("grace_s", [0.05, 60], ids=["never ends", "ends"])
async def test_a_request_under_way_may_end_and_does_not_keep_the_service_for_ever(tmp_path, monkeypatch, grace_s):
    monkeypatch.setattr(http_server, "GRACE_S", grace_s)
    with structlog.testing.capture_logs() as lines:
        async with run_service(tmp_path / "data") as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.service.port)
            writer.write(b"POST /api/tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
            await until(lambda: running.service._http._server.server_state.tasks)
            stopping = asyncio.create_task(running.service.stop())
            if grace_s == 60:
                await until(lambda: not running.service._http._server.servers[0].is_serving())
                writer.write(b"x")
                assert b" 401 " in await reader.readline()
            await stopping
        writer.close()

    cut_off = [line["count"] for line in lines if line["event"] == "requests were cut off"]
    assert cut_off == ([] if grace_s == 60 else [1])


@pytest.mark.parametrize("broken", ["missing", "no PEM", "another's"])
async def test_a_pair_that_will_not_do_is_told_before_anything_answers(pair, authority, tmp_path, broken):
    if broken == "missing":
        pair["tls_key"].unlink()
    elif broken == "no PEM":
        pair["tls_certificate"].write_text("x")
    else:
        authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(pair["tls_key"])
    with pytest.raises(Malformed) as caught:
        async with run_service(tmp_path / "data", **pair):
            pass
    assert "tls" == caught.value.code


async def test_a_key_with_a_passphrase_is_refused_and_nobody_asked_for_it(pair, tmp_path):
    key = serialization.load_pem_private_key(pair["tls_key"].read_bytes(), None)
    sealed = serialization.BestAvailableEncryption(b"secret")
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pair["tls_key"].write_bytes(key.private_bytes(*form, sealed))
    with pytest.raises(Malformed) as caught:
        async with run_service(tmp_path / "data", **pair):
            pass
    assert ("tls", True) == (caught.value.code, "passphrase" in caught.value.message)


@pytest.mark.parametrize("alone", ["tls_certificate", "tls_key"])
def test_a_certificate_needs_its_key(tmp_path, alone):
    with pytest.raises(Malformed) as caught:
        load(**{alone: tmp_path / "x"})
    assert "go together" in caught.value.message
