"""`python -m gateway` as its own process, killed without a warning."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
import time
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.__main__ import main
from tests.gateway.fakes import FakeIngress
from tests.gateway.platform import T5, Platform, text
from tests.gateway.rig import rows

ENVIRONMENT = {
    "SHOP_TOKEN": T5["token"],
    "SHOP_KEY": T5["aes_key"],
    "CORE_TOKEN": "jwt",
    "CRDT_SYNC_GATEWAY_CORE_TOKEN": "env:CORE_TOKEN",
    "CRDT_SYNC_GATEWAY_ACCOUNTS": json.dumps(
        [{"account": "shop", "app_id": T5["app_id"], "token": "env:SHOP_TOKEN", "aes_key": "env:SHOP_KEY"}]
    ),
}


@asynccontextmanager
async def process(data, core_port):
    """The process and its address, once it listens."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "--core", f"127.0.0.1:{core_port}", "--data", str(data), "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | ENVIRONMENT | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
    )
    try:
        async with asyncio.timeout(60):
            while not (found := re.search(rb"gateway listening.*port=(\d+)", line := await running.stdout.readline())):
                assert line, "the gateway ended before it listened"
        yield running, f"http://127.0.0.1:{int(found[1])}/channels/shop"
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def post(url, number):
    sent = Platform(now_s=int(time.time())).post(text(number))
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.post(url, params=sent.query, content=sent.body)).status_code


async def test_kill_in_mid_forward_loses_nothing_and_doubles_nothing(tmp_path):
    ingress = FakeIngress()
    ingress.gate.clear()
    async with ingress.serving() as port:
        async with process(tmp_path, port) as (first, url):
            assert [200] * 3 == [await post(url, number) for number in (1, 2, 3)]
            await ingress.entered.wait()  # the service has the first; the gateway does not know it yet
            first.kill()
            await first.wait()
        assert [("received",)] * 3 == rows(tmp_path, "state")

        ingress.gate.set()
        async with process(tmp_path, port) as (second, url):
            assert 200 == await post(url, 1)
            async with asyncio.timeout(20):
                while len(ingress.taken) < 3:
                    await ingress.entered.wait()
                    ingress.entered.clear()
            second.send_signal(signal.SIGTERM)
            await second.wait()

    assert ["openid-1:1", "openid-1:2", "openid-1:3"] == list(ingress.taken)
    assert [("forwarded", 1), ("forwarded", 0), ("forwarded", 0)] == rows(tmp_path, "state, duplicates")


def test_unusable_settings_end_in_one_sentence(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("CRDT_SYNC_GATEWAY_CORE_TOKEN", raising=False)
    assert 2 == main(["--data", str(tmp_path)])
    assert "gateway: core_token: Field required\n" == capsys.readouterr().err

    monkeypatch.setenv("CRDT_SYNC_GATEWAY_CORE_TOKEN", "env:SURELY_NOT_SET")
    assert 2 == main(["--data", str(tmp_path)])
    assert "env:SURELY_NOT_SET is not set" in capsys.readouterr().err


def test_busy_port_ends_in_one_sentence(monkeypatch, tmp_path, capsys):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert 2 == main(["--data", str(tmp_path), "--port", str(port)])
    assert f"gateway: 127.0.0.1:{port} cannot be used: Address already in use.\n" == capsys.readouterr().err


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_ends_the_process_in_order(tmp_path, signal_number):
    async with process(tmp_path, 1) as (running, url), httpx.AsyncClient(trust_env=False) as client:
        assert "crdt_sync_gateway_events_total" in (await client.get(httpx.URL(url).join("/metrics"))).text
        running.send_signal(signal_number)
        async with asyncio.timeout(20):
            await running.wait()
        assert b"gateway stopped" in await running.stdout.read()


async def test_signal_lets_what_is_under_way_end_and_be_written_down(tmp_path):
    """A callback half of which has arrived, and a call to the service that is not answered yet."""
    ingress = FakeIngress()
    ingress.gate.clear()
    async with ingress.serving() as port, process(tmp_path, port) as (running, url):
        assert 200 == await post(url, 1)
        await ingress.entered.wait()
        late = Platform(now_s=int(time.time())).post(text(2, "openid-2"))
        place = httpx.URL(url, params=late.query)
        reader, writer = await asyncio.open_connection(place.host, place.port)
        head = f"POST {place.raw_path.decode()} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(late.body)}\r\n\r\n"
        writer.write(head.encode() + late.body[:10])
        await writer.drain()
        await asyncio.sleep(0)
        running.send_signal(signal.SIGTERM)
        writer.write(late.body[10:])
        async with asyncio.timeout(20):
            assert b"200" in await reader.readline()
            ingress.gate.set()
            await running.wait()
        writer.close()
        assert b"gateway stopped" in await running.stdout.read()

    states = rows(tmp_path, "state")
    assert (("forwarded",), 2) == (states[0], len(states))  # the second may have been brought already, or waits
