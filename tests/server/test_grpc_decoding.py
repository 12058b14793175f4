"""What is no message and no call on gRPC, against the real service: a code, counted once, and no fault of ours."""

import asyncio

import grpc
import pytest
import structlog

from crdt_sync.server.grpc_decoding import GRPC_MESSAGE_BYTES_MAX
from tests.counted import refused
from tests.grpc_ends import Ending
from tests.server.conftest import run_service

CALLS = {  # one of each form
    "TicketService/Get": "unary_unary",
    "EgressService/Claim": "unary_stream",
    "IngressService/Attach": "stream_unary",
    "SyncService/Sync": "stream_stream",
    "EventService/Watch": "stream_stream",
}
GARBAGE, OVERSIZE = b"\xff\xff\xff", bytes(GRPC_MESSAGE_BYTES_MAX + 1)
WRONG = {
    "garbage": (GARBAGE, grpc.StatusCode.INVALID_ARGUMENT, "malformed"),
    "oversize": (OVERSIZE, grpc.StatusCode.RESOURCE_EXHAUSTED, "frame_size"),
}


@pytest.fixture
async def running(tmp_path):
    async with run_service(tmp_path / "data") as running:
        yield running


async def end(running, call, form, message):
    """Say one message, as it is on the wire, and return how the call ended."""
    multicallable = getattr(running.channel, form)(f"/ticketsync.v1.{call}")
    said = message if form.startswith("unary") else iter([message])
    calling = multicallable(said, metadata=running.metadata(), timeout=20)
    ending = Ending(calling)
    async with asyncio.timeout(20):
        await calling.code()
    return ending.told


@pytest.mark.parametrize(("message", "status", "code"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize(("call", "form"), CALLS.items(), ids=CALLS)
async def test_what_is_no_message_is_refused_once_and_is_no_fault(running, call, form, message, status, code):
    with structlog.testing.capture_logs() as logs:
        async with refused(running, ("grpc", code)):
            assert (status, code) == await end(running, call, form, message)

    assert [] == [log for log in logs if log["log_level"] in {"warning", "error"}]


@pytest.mark.parametrize("form", ["unary_unary", "stream_stream"])
async def test_a_call_that_does_not_exist_is_refused_with_a_code_and_counted(running, form):
    async with refused(running, ("grpc", "unknown_method")):
        told = await end(running, "TicketService/Steal", form, b"")

    assert (grpc.StatusCode.UNIMPLEMENTED, "unknown_method") == told
