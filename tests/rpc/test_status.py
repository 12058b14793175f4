from collections.abc import AsyncIterator

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from crdt_sync import errors
from crdt_sync.rpc.status import DETAILS_KEY, RETRY_S, abort, code_of, grpc_status_of
from crdt_sync.wire.status import BY_CODE, TABLE


@pytest.mark.parametrize("kind", TABLE)
def test_every_error_has_a_grpc_status(kind):
    assert grpc_status_of(kind("x")) in grpc.StatusCode


@pytest.mark.parametrize("code", BY_CODE)
def test_every_code_with_a_row_of_its_own_has_a_grpc_status(code):
    assert grpc_status_of(errors.Refused("x", code=code)) in grpc.StatusCode


@pytest.fixture
async def call() -> AsyncIterator:
    """Call a server that ends each call with the error that is given."""
    server = grpc.aio.server()
    raised = []

    async def handler(request, context):
        await abort(context, raised[-1])

    handlers = {"Fail": grpc.unary_unary_rpc_method_handler(handler)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()

    async def fail(error):
        raised.append(error)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/test.Service/Fail")(b"")
        return caught.value

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield fail
    await server.stop(None)


async def test_an_error_crosses_the_wire_with_its_stable_code(call):
    error = await call(errors.Conflict("Sign needs a quote.", code="not_enabled", advice="报价 first."))

    assert (grpc.StatusCode.FAILED_PRECONDITION, "Sign needs a quote.", "not_enabled") == (
        error.code(),
        error.details(),
        code_of(error),
    )


async def test_an_error_of_somebody_else_has_no_code_of_ours(call):
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/test.Service/Fail")(b"")

    assert "" == code_of(caught.value)


async def test_what_may_pass_by_itself_says_when_to_try_again_and_nothing_else_does(call):
    delays = [
        _retry_s(await call(error)) for error in (errors.Unavailable("x"), errors.TooMany("x"), errors.Refused("x"))
    ]

    assert [RETRY_S, RETRY_S, None] == delays


def _retry_s(error):
    found = error_details_pb2.RetryInfo()
    trailers = dict(error.trailing_metadata())
    for detail in status_pb2.Status.FromString(trailers[DETAILS_KEY]).details:
        if detail.Unpack(found):
            return found.retry_delay.seconds
    return None
