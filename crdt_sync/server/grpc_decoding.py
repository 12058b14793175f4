"""Bytes that are no protobuf: told to their sender as any other malformed request, and not in the library's own words.

gRPC decodes a request before any code of ours runs. This interceptor lets what does not decode through as a mark, and
refuses the call where the mark arrives.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from crdt_sync.errors import Malformed
from crdt_sync.rpc.status import abort
from crdt_sync.server.grpc_calls import Context, source_of
from crdt_sync.service.audit import Asked, Audit

UNDECODED: Final = object()

Handler = Any  # grpc's handlers are named tuples without types
Refuse = Callable[[Context], Awaitable[None]]


class DecodingInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in the stubs only
    """Refuses what does not decode, in unary calls and in streams of requests."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Return the call's handler, made to judge what gRPC could not decode."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        decode, encode = _lenient(handler.request_deserializer), handler.response_serializer
        refuse = partial(_refuse, self._audit, handler_call_details.method.rpartition("/")[2])
        if handler.unary_unary is not None and inspect.iscoroutinefunction(handler.unary_unary):
            return grpc.unary_unary_rpc_method_handler(_unary(handler.unary_unary, refuse), decode, encode)
        if handler.stream_stream is not None and inspect.isasyncgenfunction(handler.stream_stream):
            return grpc.stream_stream_rpc_method_handler(_stream(handler.stream_stream, refuse), decode, encode)
        return handler


def _lenient(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def attempt(data: bytes) -> Any:  # noqa: ANN401 - a message of any type, or the mark
        try:
            return decode(data)
        except DecodeError:
            return UNDECODED

    return attempt


def _unary(
    behaviour: Callable[[Any, Context], Awaitable[Any]], refuse: Refuse
) -> Callable[[Any, Context], Awaitable[Any]]:
    async def checked(request: object, context: Context) -> Any:  # noqa: ANN401 - a message of any type
        if request is UNDECODED:
            await refuse(context)
        return await behaviour(request, context)

    return checked


def _stream(
    behaviour: Callable[[AsyncIterator[Any], Context], AsyncIterator[Any]], refuse: Refuse
) -> Callable[[AsyncIterator[Any], Context], AsyncIterator[Any]]:
    async def decoded(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async for request in requests:
            if request is UNDECODED:
                await refuse(context)
            yield request

    async def checked(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async for response in behaviour(decoded(requests, context), context):
            yield response

    return checked


async def _refuse(audit: Audit, method: str, context: Context) -> None:
    error = Malformed("The request is no message of this call.", advice="Build it from proto/ticketsync/v1.")
    audit.refused(Asked("grpc", method, source_of(context)), error.code)
    await abort(context, error)
