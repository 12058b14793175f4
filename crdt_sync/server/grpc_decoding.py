"""Bytes that are no protobuf: told to their sender as any other malformed request, and not in the library's own words.

gRPC decodes a request before any code of ours runs. This interceptor lets what does not decode through as a mark, and
refuses the call where the mark arrives.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from crdt_sync.errors import Malformed
from crdt_sync.rpc.status import abort

UNDECODED: Final = object()

Handler = Any  # grpc's handlers are named tuples without types
Context = grpc.aio.ServicerContext[Any, Any]


class DecodingInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in the stubs only
    """Refuses what does not decode, in unary calls and in streams of requests."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Return the call's handler, made to judge what gRPC could not decode."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        decode, encode = _lenient(handler.request_deserializer), handler.response_serializer
        if handler.unary_unary is not None and inspect.iscoroutinefunction(handler.unary_unary):
            return grpc.unary_unary_rpc_method_handler(_unary(handler.unary_unary), decode, encode)
        if handler.stream_stream is not None and inspect.isasyncgenfunction(handler.stream_stream):
            return grpc.stream_stream_rpc_method_handler(_stream(handler.stream_stream), decode, encode)
        return handler


def _lenient(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def attempt(data: bytes) -> Any:  # noqa: ANN401 - a message of any type, or the mark
        try:
            return decode(data)
        except DecodeError:
            return UNDECODED

    return attempt


def _unary(behaviour: Callable[[Any, Context], Awaitable[Any]]) -> Callable[[Any, Context], Awaitable[Any]]:
    async def checked(request: object, context: Context) -> Any:  # noqa: ANN401 - a message of any type
        if request is UNDECODED:
            await abort(context, _malformed())
        return await behaviour(request, context)

    return checked


def _stream(
    behaviour: Callable[[AsyncIterator[Any], Context], AsyncIterator[Any]],
) -> Callable[[AsyncIterator[Any], Context], AsyncIterator[Any]]:
    async def decoded(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async for request in requests:
            if request is UNDECODED:
                await abort(context, _malformed())
            yield request

    async def checked(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async for response in behaviour(decoded(requests, context), context):
            yield response

    return checked


def _malformed() -> Malformed:
    return Malformed("The request is no message of this call.", advice="Build it from proto/ticketsync/v1.")
