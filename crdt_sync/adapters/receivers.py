"""The receivers of webhooks over HTTP: only where it may be called, bounded in time and size, and never redirected.

A host's addresses are looked up with each connection and all judged; the call goes to one that was judged, so that no
second answer of a name server can point elsewhere. What a setting names by its origin may have a private address and
speak in the clear. A lookup may hang for as long as its name servers like: it has a thread of its own receiver's, and
none that others wait for.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx

from crdt_sync.errors import Malformed
from crdt_sync.ports import Clock
from crdt_sync.ports.webhooks import Reply
from crdt_sync.public_addresses import called, is_private, place_of

URL_CHARACTERS_MAX = 2_048
ATTEMPT_S = 10.0  # from the lookup to the last byte of the answer; a receiver is to take first and work afterwards
ANSWER_BYTES_MAX = 16_384  # of which none is read: it is taken off the line, so that the connection can be used again
KEEP_S = 2.0  # for which an idle connection is kept: well below what receivers keep one, which then breaks off a call
RETRY_AFTER_MS_MAX = 86_400_000  # that an answer may ask for: as long as the longest delay of ours
LOOKUPS_MAX = 256  # threads, of which one that is idle is used before a new one is made: one a receiver at worst

Resolve = Callable[[str, int], Awaitable[list[str]]]


class HttpReceivers:
    """Receivers of webhooks. `origins` are those of this network, as `http://crm.internal:8080`."""

    def __init__(
        self,
        clock: Clock,
        origins: Collection[str] = (),
        *,
        resolve: Resolve | None = None,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        self._clock = clock
        self._origins = frozenset(origins)
        self._threads = ThreadPoolExecutor(LOOKUPS_MAX, thread_name_prefix="lookup")
        self._resolve = resolve or self._addresses
        self._verify = verify or ssl.create_default_context()

    def check(self, url: str) -> None:
        """Judge an address as it stands."""
        place = place_of(url) if len(url) <= URL_CHARACTERS_MAX else None
        if place is None or not 0 < int(place.port or 1) < 65_536 or "#" in place.path:
            raise _wrong(f"A webhook's URL reads https://host/path and has at most {URL_CHARACTERS_MAX} characters.")
        if place.scheme != "https" and place.origin not in self._origins:
            raise _wrong("Events travel encrypted.", "Use https, or have the operator name the origin.")
        if is_private(place.host) and place.origin not in self._origins:
            raise _wrong("Events go to public addresses alone.", "Have the operator name the origin.")

    def open(self, url: str) -> "HttpReceiver":
        """Return the way to a receiver."""
        return HttpReceiver(self, url, self._verify)

    async def address_of(self, url: str) -> str | None:
        """Return an address of the URL's host, as it stands in a URL; None where it may not be called.

        Raises:
            OSError: it has none.

        """
        place = place_of(url)
        assert place is not None, "it was checked"
        is_ours = place.origin in self._origins
        if place.scheme != "https" and not is_ours:
            return None  # it was, when somebody subscribed
        port = int(place.port or (443 if place.scheme == "https" else 80))
        return called(await self._resolve(place.host.strip("[]"), port), is_trusted=is_ours)

    def close(self) -> None:
        """Wait for no lookup."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def retry_after_ms(self, header: str) -> int:
        """Return how long an answer asks to be left alone: seconds, or a date of HTTP; 0 where it says neither."""
        if header.isascii() and header.isdigit():
            return min(int(header[:9]) * 1_000, RETRY_AFTER_MS_MAX)
        try:
            until = parsedate_to_datetime(header)
        except ValueError:
            return 0
        until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
        return min(max(0, int(until.timestamp() * 1_000) - self._clock.now_ms()), RETRY_AFTER_MS_MAX)

    async def _addresses(self, host: str, port: int) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _lookup, host, port)


class HttpReceiver:
    """Connections to one receiver, all to the one address that its host had when it was first called."""

    def __init__(self, receivers: HttpReceivers, url: str, verify: ssl.SSLContext) -> None:
        self._receivers = receivers
        self._url = httpx.URL(url)
        self._looking: asyncio.Future[str | None] | None = None
        self._client = httpx.AsyncClient(
            verify=verify,
            timeout=httpx.Timeout(ATTEMPT_S),
            limits=httpx.Limits(keepalive_expiry=KEEP_S),
            headers={"user-agent": "crdt-sync"},
            follow_redirects=False,
            trust_env=False,
        )

    async def post(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one event; whatever goes wrong is a code."""
        try:
            async with asyncio.timeout(ATTEMPT_S):
                address = await self._address()
                return Reply("address") if address is None else await self._exchange(address, headers, body)
        except (TimeoutError, httpx.TimeoutException):
            return Reply("timeout")
        except (OSError, httpx.ConnectError):
            return Reply("unreachable")
        except (httpx.HTTPError, httpx.InvalidURL):
            return Reply("broken_off")

    async def close(self) -> None:
        """Let go of the connections; a lookup that hangs goes on alone."""
        if self._looking is not None:
            self._looking.cancel()
        await self._client.aclose()

    async def _address(self) -> str | None:
        """Look once for all that are sent at the same time."""
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._receivers.address_of(str(self._url)))
            self._looking.add_done_callback(lambda done: done.cancelled() or done.exception())  # all may have left
        return await asyncio.shield(self._looking)

    async def _exchange(self, address: str, headers: Mapping[str, str], body: bytes) -> Reply:
        url = self._url.copy_with(host=address)
        told = {**headers, "host": self._url.netloc.decode()}
        extensions = {"sni_hostname": self._url.host} if self._url.scheme == "https" else {}
        request = self._client.build_request("POST", url, content=body, headers=told, extensions=extensions)
        response = await self._client.send(request, stream=True)
        try:
            read = 0
            async for chunk in response.aiter_raw():
                read += len(chunk)
                if read > ANSWER_BYTES_MAX:
                    break
        finally:
            await response.aclose()
        if response.is_success:
            return Reply()
        return Reply(
            f"http_{response.status_code}", self._receivers.retry_after_ms(response.headers.get("retry-after", ""))
        )


def _lookup(host: str, port: int) -> list[str]:
    return [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _wrong(message: str, advice: str = "") -> Malformed:
    return Malformed(message, code="webhook_url", advice=advice)
