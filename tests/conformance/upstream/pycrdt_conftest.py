"""The fixtures of pycrdt-websocket's tests, over the service instead of their server."""

import os
import subprocess
import uuid

import pytest
from httpx_ws import aconnect_ws
from pycrdt import Doc, Provider


class Channel:
    """What a Provider reads and writes."""

    def __init__(self, websocket, path):
        self._websocket, self.path = websocket, path

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await self.recv()

    async def send(self, message):
        await self._websocket.send_bytes(message)

    async def recv(self):
        return bytes(await self._websocket.receive_bytes())


@pytest.fixture
def room_name():
    return uuid.uuid4().hex


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def yws_server():
    """Stands for theirs, which is not needed."""


@pytest.fixture
async def yws_provider(room_name):
    document = Doc()
    async with (
        aconnect_ws(f"{os.environ['TARGET']}/{room_name}") as websocket,
        Provider(document, Channel(websocket, room_name)),
    ):
        yield document, None


@pytest.fixture
def yjs_client(request, room_name):
    with subprocess.Popen([os.environ["NODE"], f"yjs_client_{request.param}.js", room_name]) as client:
        yield client
        client.kill()
