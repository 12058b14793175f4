"""Calls and messages that are none: told to their sender as any other refusal, and not in the library's own words.

gRPC decodes a request before any code of ours runs. This interceptor lets an error of ours stand in the place of what
does not decode or is too large, and refuses the call where that arrives; a call that does not exist it answers itself.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from crdt_sync.errors import Malformed, NotFound, TicketSyncError, TooLarge
from crdt_sync.rpc.status import abort
from crdt_sync.server.grpc_calls import Context, source_of
from crdt_sync.service.audit import Asked, Audit
from crdt_sync.wire import limits

GRPC_MESSAGE_BYTES_MAX = limits.FRAME_BYTES_MAX + 64 * limits.KIB  # one full update, and what names it

Handler = Any  # grpc's handlers are named tuples without types
Refuse = Callable[[TicketSyncError, Context], Awaitable[None]]


class DecodingInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg] # generic in the stubs only
    """Refuses what is no message, in calls with one request and in those with many, and what is no call."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Return the call's handler, made to judge what gRPC could not decode."""
        handler = await continuation(handler_call_details)
        refuse = partial(_refuse, self._audit, handler_call_details.method.rpartition("/")[2])
        if handler is None:
            return grpc.stream_stream_rpc_method_handler(_unknown(refuse))
        if handler.request_deserializer is None:
            return handler
        decode, encode = _lenient(handler.request_deserializer), handler.response_serializer
        if handler.unary_unary is not None and inspect.iscoroutinefunction(handler.unary_unary):
            return grpc.unary_unary_rpc_method_handler(_unary_unary(handler.unary_unary, refuse), decode, encode)
        if handler.unary_stream is not None and inspect.isasyncgenfunction(handler.unary_stream):
            return grpc.unary_stream_rpc_method_handler(_unary_stream(handler.unary_stream, refuse), decode, encode)
        if handler.stream_unary is not None and inspect.iscoroutinefunction(handler.stream_unary):
            return grpc.stream_unary_rpc_method_handler(_stream_unary(handler.stream_unary), decode, encode)
        if handler.stream_stream is not None and inspect.isasyncgenfunction(handler.stream_stream):
            return grpc.stream_stream_rpc_method_handler(_stream_stream(handler.stream_stream), decode, encode)
        return handler


def _lenient(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def attempt(data: bytes) -> Any:  # noqa: ANN401 - a message of any type, or an error
        if len(data) > GRPC_MESSAGE_BYTES_MAX:
            return TooLarge(f"A message has at most {GRPC_MESSAGE_BYTES_MAX} bytes.", code="frame_size")
        try:
            return decode(data)
        except DecodeError:
            return Malformed("The request is no message of this call.", advice="Build it from proto/ticketsync/v1.")

    return attempt


def _unary_unary(
    behaviour: Callable[[Any, Context], Awaitable[Any]], refuse: Refuse
) -> Callable[[Any, Context], Awaitable[Any]]:
    async def checked(request: object, context: Context) -> Any:  # noqa: ANN401 - a message of any type
        if isinstance(request, TicketSyncError):
            await refuse(request, context)
        return await behaviour(request, context)

    return checked


def _unary_stream(
    behaviour: Callable[[Any, Context], AsyncIterator[Any]], refuse: Refuse
) -> Callable[[Any, Context], AsyncIterator[Any]]:
    async def checked(request: object, context: Context) -> AsyncIterator[Any]:
        if isinstance(request, TicketSyncError):
            await refuse(request, context)
        async for response in behaviour(request, context):
            yield response

    return checked


def _stream_unary(
    behaviour: Callable[[AsyncIterator[Any], Context], Awaitable[Any]],
) -> Callable[[AsyncIterator[Any], Context], Awaitable[Any]]:
    async def checked(requests: AsyncIterator[Any], context: Context) -> Any:  # noqa: ANN401 - a message of any type
        return await behaviour(_decoded(requests), context)

    return checked


def _stream_stream(
    behaviour: Callable[[AsyncIterator[Any], Context], AsyncIterator[Any]],
) -> Callable[[AsyncIterator[Any], Context], AsyncIterator[Any]]:
    async def checked(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async for response in behaviour(_decoded(requests), context):
            yield response

    return checked


async def _decoded(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Give the messages of a call; the first that is none is raised there, where all that goes wrong is counted."""
    async for request in requests:
        if isinstance(request, TicketSyncError):
            raise request
        yield request


def _unknown(refuse: Refuse) -> Callable[[AsyncIterator[bytes], Context], AsyncIterator[bytes]]:
    async def refused(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        del requests
        error = NotFound("There is no such call.", code="unknown_method", advice="See proto/ticketsync/v1.")
        await refuse(error, context)
        yield b""  # never reached: it makes this a stream

    return refused


async def _refuse(audit: Audit, method: str, error: TicketSyncError, context: Context) -> None:
    audit.refused(Asked("grpc", method, source_of(context)), error.code)
    await abort(context, error)
