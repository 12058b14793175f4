"""For whom a proxy asks: believed of those that a setting names, and of nobody else."""

import pytest
import websockets

from crdt_sync.errors import Malformed
from crdt_sync.server import handshake_rate
from crdt_sync.server.settings import load
from crdt_sync.wire import limits
from tests.server.conftest import run_service

KINDS = ("/api/tickets", "/events", "WS /events", "WS /sync/notes")
REFUSED = (401, 401, 4401, 4401)


async def come(running, kind, addresses):
    """The status of an answer, or the close code; there is no token."""
    path, headers = kind.removeprefix("WS "), {"x-forwarded-for": addresses}
    if path == kind:
        return (await running.http.get(path, headers=headers)).status_code
    try:
        async with websockets.connect(running.ws(path), additional_headers=headers) as socket:
            await socket.wait_closed()
            return socket.close_code
    except websockets.InvalidStatus as denied:
        return denied.response.status_code


@pytest.fixture(autouse=True)
def _four(monkeypatch):
    monkeypatch.setattr(limits, "SOURCE_HANDSHAKES_MAX", len(KINDS))
    monkeypatch.setattr(limits, "SOURCE_HANDSHAKES_PER_S_MAX", 1)
    monkeypatch.setattr(handshake_rate, "SECOND_NS", 10**15)  # no more of them while the test runs


@pytest.mark.parametrize("proxies", [(), ("192.0.2.1", "10.0.0.0/8")], ids=["nobody", "others"])
async def test_who_names_other_addresses_is_counted_by_his_own_all_the_same(tmp_path, proxies):
    async with run_service(tmp_path / "data", proxies=proxies) as running:
        codes = [await come(running, kind, f"198.51.100.{index}") for index, kind in enumerate(KINDS * 2)]

    assert [*REFUSED, 429, 429, 429, 429] == codes


async def test_whom_a_proxy_asks_for_is_counted_by_his_own_address(tmp_path):
    """The proxy adds the last address that is not a proxy's; what stands before it, the client wrote."""
    async with run_service(tmp_path / "data", proxies=("127.0.0.0/8", "10.0.0.1")) as running:
        one = [await come(running, kind, f"203.0.113.{i}, 198.51.100.1, 10.0.0.1") for i, kind in enumerate(KINDS * 2)]
        another = [await come(running, kind, "198.51.100.2") for kind in KINDS]

    assert [*REFUSED, 429, 429, 429, 429] == one
    assert [*REFUSED] == another


def test_a_proxy_is_an_address_or_a_network():
    with pytest.raises(Malformed, match="proxies"):
        load(proxies=["proxy.example"])
