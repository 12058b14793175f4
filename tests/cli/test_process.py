"""The service and its gateway in one process: strangers on web pages leave the departments their connections."""

from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from crdt_sync.cli.process import VISITORS_SHARE, development_token, running
from crdt_sync.server.settings import Settings
from tests.gateway.visitor import page, web_account

CONNECTIONS = 6


async def test_visitors_hold_at_most_their_share_of_the_connections(tmp_path):
    settings = Settings(data=tmp_path, port=0, grpc_port=0, gateway=True, connections=CONNECTIONS)
    async with running(settings, gateway={"accounts": (web_account(),)}) as service, AsyncExitStack() as stack:
        host = f"127.0.0.1:{service.port}"
        for _ in range(CONNECTIONS // VISITORS_SHARE):
            visitor = await stack.enter_async_context(page(f"http://{host}", token=""))
            await visitor.hear("welcome")
        async with page(f"http://{host}", token="") as one_too_many:
            assert (1013, "full") == await one_too_many.closed()
        token = development_token(tmp_path, actor="sales-1", department="sales", roles=[], ttl_ms=60_000)
        shown = {"authorization": f"Bearer {token}"}
        for _ in range(CONNECTIONS - CONNECTIONS // VISITORS_SHARE - 1):  # one is the gateway's own stream
            await stack.enter_async_context(connect(f"ws://{host}/collab", additional_headers=shown))
        with pytest.raises(InvalidStatus, match="503"):
            await connect(f"ws://{host}/collab", additional_headers=shown)
