"""Keys change while the service runs: the development key by its operator, an issuer's over real HTTP."""

import asyncio
import json
import threading
import time
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from crdt_sync.server import keys as server_keys
from crdt_sync.server.keys import rotate_development_key
from crdt_sync.service import leases
from crdt_sync.wire import hocuspocus
from tests.server.conftest import run_service

OLD, NEW = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


class Issuer:
    """A JWKS endpoint on loopback; `status` is what it answers."""

    def __init__(self):
        self.keys, self.status, self.asked = [], 200, 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked += 1
                self.send_response(issuer.status)
                self.end_headers()
                self.wfile.write(json.dumps({"keys": issuer.keys}).encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/jwks"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def listed(private, kid):
    return jwt.algorithms.OKPAlgorithm.to_jwk(private.public_key(), as_dict=True) | {"kid": kid}


def signed(private, kid, actor="sales-1"):
    claims = {"sub": actor, "department": "sales", "roles": ["sales"], "exp": int(time.time()) + 600}
    return jwt.encode(claims, private, algorithm="EdDSA", headers={"kid": kid})


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """What the service does each second and every few minutes, it does at once."""
    monkeypatch.setattr(leases, "LOOK_S", 0.02)
    monkeypatch.setattr(server_keys, "JWKS_LIFETIME_MS", 50)
    monkeypatch.setattr(server_keys, "JWKS_ASK_AGAIN_MS", 0)


@asynccontextmanager
async def issued(tmp_path):
    with Issuer() as issuer:
        issuer.keys = [listed(OLD, "old")]
        async with run_service(tmp_path / "data", jwks_url=issuer.url) as running:
            yield issuer, running


async def status(running, token):
    return (await running.http.get("/api/tickets", headers={"authorization": f"Bearer {token}"})).status_code


@asynccontextmanager
async def opened(running):
    async with connect(running.ws(f"/sync/notes?token={signed(OLD, 'old')}")) as socket:
        await socket.recv()
        yield socket


async def closed(socket):
    try:
        async with asyncio.timeout(5):
            while True:
                await socket.recv()
    except ConnectionClosed:
        return socket.close_code, socket.close_reason.partition(":")[0]


async def asked_again(issuer):
    """Wait until the issuer was asked after this moment, twice, so that the first answer was taken."""
    before = issuer.asked
    await until(lambda: issuer.asked >= before + 2)


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (it becomes true in another thread, or in the service)
            await asyncio.sleep(0.01)


async def test_a_new_key_is_good_without_a_restart_and_a_withdrawn_one_ends_its_sessions(tmp_path):
    async with issued(tmp_path) as (issuer, running), opened(running) as first:
        issuer.keys.append(listed(NEW, "new"))
        assert [200, 200] == [await status(running, signed(NEW, "new")), await status(running, signed(OLD, "old"))]
        async with connect(running.ws(f"/sync/notes?token={signed(NEW, 'new')}")) as second:
            await second.recv()
            issuer.keys.pop(0)
            assert (4501, "key_withdrawn") == await closed(first)
            assert 401 == await status(running, signed(OLD, "old"))
            await asked_again(issuer)
            assert second.close_code is None


async def test_a_session_goes_on_with_a_token_of_the_new_key(tmp_path):
    async with issued(tmp_path) as (issuer, running), connect(running.ws("/collab")) as socket:
        await socket.send(hocuspocus.encode_token(b"notes", signed(OLD, "old"), "4.7.0"))
        await socket.recv()
        issuer.keys.append(listed(NEW, "new"))
        await socket.send(hocuspocus.encode_token(b"notes", signed(NEW, "new"), "4.7.0"))
        await socket.send(hocuspocus.encode_ping())
        while await socket.recv() != hocuspocus.encode_pong():
            pass
        (lease,) = running.service._leases._leases
        await until(lambda: lease.identity.key == server_keys._thumbprint(listed(NEW, "new")))
        issuer.keys.pop(0)
        await asked_again(issuer)

        assert socket.close_code is None


async def test_the_same_key_id_with_another_key_is_another_key(tmp_path):
    async with issued(tmp_path) as (issuer, running), opened(running) as socket:
        issuer.keys[:] = [listed(NEW, "old")]

        assert (4501, "key_withdrawn") == await closed(socket)


async def test_an_issuer_that_is_away_ends_nobodys_session(tmp_path):
    async with issued(tmp_path) as (issuer, running), opened(running) as socket:
        issuer.status = 500
        issuer.keys.clear()
        await asked_again(issuer)

        assert socket.close_code is None
        assert 200 == await status(running, signed(OLD, "old"))


async def test_the_development_key_is_rotated_and_its_tokens_end(tmp_path):
    async with run_service(tmp_path / "data") as running:
        old = running.token()
        async with connect(running.ws(f"/sync/notes?token={old}")) as socket:
            await socket.recv()
            rotate_development_key(tmp_path / "data", keep_former=False)

            assert (4501, "key_withdrawn") == await closed(socket)
            assert [401, 200] == [await status(running, old), await status(running, running.token())]


async def test_a_former_development_key_that_was_kept_is_good_until_the_next_rotation(tmp_path):
    async with run_service(tmp_path / "data") as running:
        old = running.token()
        rotate_development_key(tmp_path / "data", keep_former=True)
        assert [200, 200] == [await status(running, old), await status(running, running.token())]
        rotate_development_key(tmp_path / "data", keep_former=True)

        assert 401 == await status(running, old)
        assert {0o600} == {path.stat().st_mode & 0o777 for path in (tmp_path / "data").glob("*dev.key*")}
