"""`crdt-sync demo` as a user runs it, and then the same service asked by somebody else."""

import asyncio
import json
import os
import re
import socket
import sys
from pathlib import Path

import grpc
import httpx
import pytest

from crdt_sync.cli.process import development_token
from crdt_sync.rpc.ticketsync.v1.tickets_pb2 import ListRequest
from crdt_sync.rpc.ticketsync.v1.tickets_pb2_grpc import TicketServiceStub
from tests.gateway import visitor
from tests.samples import PNG

DEMO_TIMEOUT_S = 150
ROOT = Path(__file__).parents[2]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "crdt_sync.cli.main", *arguments]


async def run(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command(*arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        async with asyncio.timeout(DEMO_TIMEOUT_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_demonstration_holds_and_the_service_agrees_when_asked_by_others(tmp_path):
    """`demo --once` exits 0, REST and gRPC of a service on its data show the six tickets, and it can be repeated."""
    code, out, err = await run("demo", "--once", "--port", "0", "--grpc-port", "0", "--data", str(tmp_path))
    assert (0, []) == (code, re.findall(r"^ +FAIL.*", out, re.MULTILINE)), out + err
    assert "every expectation held" in out
    assert "encrypted by wechatpy" in out
    assert 2 == out.count("  ok    stage is stop_work\n"), "in both orders of return"
    assert "The ticket is in the stage Deal disputed: " in out, "what the sales lead read"

    service = await asyncio.create_subprocess_exec(
        *command("serve", "--port", "0", "--grpc-port", "0", "--data", str(tmp_path), "--log-level", "warning"),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(30):
            http = (await service.stdout.readline()).decode().split()[0]
            grpc_address = (await service.stdout.readline()).decode().strip().removeprefix("grpc://")
        token = development_token(
            tmp_path, actor="auditor", department="backoffice", roles=["backoffice"], ttl_ms=600_000
        )
        async with httpx.AsyncClient(base_url=http, headers={"authorization": f"Bearer {token}"}) as client:
            tickets = (await client.get("/api/tickets")).json()["tickets"]
            histories = {one["id"]: (await client.get(f"/api/tickets/{one['id']}/history")).json() for one in tickets}
        moves = sorted(
            (one["stage"], sorted(entry["name"] for entry in histories[one["id"]]["history"])) for one in tickets
        )
        assert [
            ("ready_to_start", ["lose", "open", "quote", "rule_signed", "sign"]),
            ("ready_to_start", ["lose", "open", "quote", "rule_signed", "sign"]),
            ("ready_to_start", ["open", "quote", "sign"]),
            ("ready_to_start", ["open", "quote", "sign"]),
            ("stop_work", ["open", "quote", "sign", "start", "withdraw"]),
            ("stop_work", ["open", "quote", "sign", "start", "withdraw"]),
        ] == moves
        async with grpc.aio.insecure_channel(grpc_address) as channel:
            listed = await TicketServiceStub(channel).List(
                ListRequest(), metadata=[("authorization", f"Bearer {token}")], timeout=10
            )
        assert {one["id"]: (one["version"], one["stage"], one["lanes"]) for one in tickets} == {
            one.id: (one.version, one.stage, dict(one.lanes)) for one in listed.tickets
        }
    finally:
        service.terminate()
        await asyncio.wait_for(service.wait(), 30)
    assert 0 == service.returncode

    again = ["--once", "--stories", "1", "--port", "0", "--grpc-port", "0", "--data", str(tmp_path)]
    code, out, err = await run("demo", *again)
    assert 0 == code, f"a second time on the same data: {out}{err}"


async def test_a_department_is_data_and_the_demonstration_goes_on_with_its_tokens_and_its_console(tmp_path):
    """On the smallest file: the walk holds, the console has an address, and a token's holder finds the tickets."""
    process = await asyncio.create_subprocess_exec(
        *command("demo", "--port", "0", "--grpc-port", "0", "--data", str(tmp_path), "--stories", "2"),
        env={**os.environ, "CRDT_SYNC_LIFECYCLE": "support-only"},
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(DEMO_TIMEOUT_S):
            walked = (await process.stdout.readuntil(b"Ctrl-C ends it.\n")).decode()
            tokens = dict([(await process.stdout.readline()).decode().split() for _ in range(2)])
        assert "every expectation held" in walked, walked
        assert ["support:", "support_lead:"] == list(tokens)
        [base] = re.findall(r"The service goes on: (\S+?)/ ", walked)
        headers = {"authorization": f"Bearer {tokens['support_lead:']}"}
        async with httpx.AsyncClient(base_url=base, headers=headers) as client:
            tickets = (await client.get("/api/tickets")).json()["tickets"]
            assert f"The console of support: {base}/console/support\n" in walked
            assert (await client.get("/console/support")).is_success
            assert f"{base}/widget/demo" in walked
            assert 'data-site="web"' in (await client.get("/widget/demo")).text
            assert (await client.get("/widget.js")).is_success
        async with visitor.page(base, origin=base, token="", site="web") as customer, httpx.AsyncClient() as client:
            own = {"authorization": f"Bearer {(await customer.hear('welcome'))['token']}", "origin": base}
            pictures = f"{base}/widget/web/pictures?cid=a-picture"
            assert (await client.post(pictures, content=PNG * 4_000, headers=own)).is_success, "more than other bodies"
            assert 200 == (await customer.delivered('{"t":"msg","cid":"first-one","text":"Hello"}')).status_code
            assert 413 == (await customer.delivered("x" * 16_385)).status_code
        assert ["answered", "answered", "waiting", "waiting"] == sorted(each["lanes"]["request"] for each in tickets)
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)
    assert 0 == process.returncode


async def test_goods_that_come_back_are_walked_through_as_well(tmp_path):
    arguments = ["--once", "--lifecycle", "return-of-goods", "--stories", "1"]
    code, out, err = await run("demo", *arguments, "--port", "0", "--grpc-port", "0", "--data", str(tmp_path))
    assert 0 == code, out + err
    assert "The ticket is in the stage Paid, but the goods are not here" in out
    assert "every expectation held" in out


async def test_a_busy_port_is_one_clear_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments in (
            ["demo", "--once", "--port", port, "--grpc-port", "0"],
            ["serve", "--no-gateway", "--port", "0", "--grpc-port", port],
        ):
            code, out, err = await run(*arguments, "--data", str(tmp_path))

            assert 2 == code, out + err
            assert 1 == len(err.strip().splitlines()), err
            assert port in err
            assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["token", "--actor", "ann", "--department", "sales", "--ttl", "soon"], "no duration"),
        (["serve", "--host", "0.0.0.0", "--port", "0", "--grpc-port", "0"], "loopback"),
        (["serve", "--lifecycle", "nothing.yaml", "--port", "0", "--grpc-port", "0"], "neither a shipped"),
    ],
)
async def test_what_cannot_be_is_one_clear_sentence(tmp_path, arguments, part):
    code, out, err = await run(*arguments, "--data", str(tmp_path))

    assert 2 == code, out + err
    assert part in err
    assert 1 == len(err.strip().splitlines()), err


async def test_a_token_is_printed_alone_so_that_a_shell_can_take_it(tmp_path):
    code, out, err = await run("token", "--actor", "ann", "--department", "sales", "--data", str(tmp_path))

    assert (0, "") == (code, err)
    claims = json.loads(_padded(out.strip().split(".")[1]))
    assert ("ann", "sales", ["sales"]) == (claims["sub"], claims["department"], claims["roles"])


def _padded(part: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_the_walk_through_runs_without_development_tools():
    """Only the simulated customer may use a development dependency, and it goes on without."""
    sources = {path.name: path.read_text() for path in (ROOT / "crdt_sync").rglob("*.py")}
    assert {"wechat_customer.py"} == {name for name, text in sources.items() if "wechatpy" in text}
    assert "except ImportError" in sources["wechat_customer.py"]
