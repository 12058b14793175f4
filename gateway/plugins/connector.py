"""Calls from a plugin to a business system over gRPC: pooled and warm channels, deadlines, a retry budget, a breaker.

Retries and their budget are gRPC's own, by its service configuration; only the breaker is ours.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import grpc

from gateway.plugins.api import TryLater
from gateway.plugins.breaker import Breaker

DEADLINE_S = 2.0
POOL_CHANNELS = 2
WARM_S_MAX = 2.0

# A tenth of what is called may be tried again in the long run, and ten at once: who is overloaded is not asked thrice.
_RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.05s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.1},
}
_OPTIONS: Sequence[tuple[str, object]] = (
    ("grpc.service_config", json.dumps(_RETRIES)),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.use_local_subchannel_pool", 1),  # else the channels of a pool would share one connection
)

# Of the other side, or of the way there: the call may be made again. Any other status is an answer.
_AWAY = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)

S = TypeVar("S")
R = TypeVar("R")


class Connector(Generic[S]):
    """One system behind `target`, HOST:PORT. Every call must bear to be made twice: give it a key of your own.

    `stub` is the generated class; without a `certificate` (PEM) nothing is encrypted. Use it as an async context.
    """

    def __init__(
        self,
        target: str,
        stub: Callable[[grpc.aio.Channel], S],
        *,
        certificate: Path | None = None,
        token: Callable[[], str] | None = None,
        deadline_s: float = DEADLINE_S,
        channels: int = POOL_CHANNELS,
    ) -> None:
        self._target = target
        self._token = token
        self._deadline_s = deadline_s
        self._channels = [open_channel(target, certificate) for _ in range(channels)]
        self._stubs = itertools.cycle([stub(channel) for channel in self._channels])
        self._breaker = Breaker()

    async def __aenter__(self) -> Self:
        """Warm every channel, for two seconds at most: a system that is away is no reason not to start."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WARM_S_MAX):
                await asyncio.gather(*(channel.channel_ready() for channel in self._channels), return_exceptions=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        await asyncio.gather(*(channel.close(None) for channel in self._channels))

    async def call(self, method: Callable[[S], Callable[..., Awaitable[R]]], request: object) -> R:
        """Make one call, with its retries within the deadline: `await crm.call(lambda stub: stub.Upsert, request)`.

        Raises:
            TryLater: the system is away, slow or full; or it was so often enough that it is not asked now.
            AioRpcError: it answered, with a refusal.

        """
        wait_s = self._breaker.wait_s(time.monotonic())
        if wait_s:
            raise TryLater(f"{self._target} is away", wait_s)
        try:
            answer = await method(next(self._stubs))(request, timeout=self._deadline_s, metadata=self.metadata())
        except grpc.aio.AioRpcError as error:
            if error.code() not in _AWAY:
                self._breaker.succeed()
                raise
            self._breaker.fail(time.monotonic())
            raise TryLater(f"{self._target} said {error.code().name}") from error
        except BaseException:
            self._breaker.give_up()
            raise
        self._breaker.succeed()
        return answer

    def stub(self) -> S:
        """Return the stub of the next channel, for calls that stream; they have neither deadline nor breaker."""
        return next(self._stubs)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries: the token, read anew."""
        return (("authorization", f"Bearer {self._token()}"),) if self._token is not None else ()


def open_channel(target: str, certificate: Path | None) -> grpc.aio.Channel:
    """Return a channel, encrypted if it is known whom to trust."""
    options: Any = _OPTIONS
    if certificate is None:
        return grpc.aio.insecure_channel(target, options=options)
    trusted = grpc.ssl_channel_credentials(certificate.read_bytes())
    return grpc.aio.secure_channel(target, trusted, options=options)
