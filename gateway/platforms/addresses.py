"""Downloads from addresses that a platform's answer names.

The answer is encrypted and authenticated, and still it is an address that we are told: it is called only where a list
of origins allows, if none of its addresses is a private one, and at the address that was looked at; a redirect is not
followed.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

from crdt_sync.public_addresses import Place, called, place_of
from gateway.platforms.http import NotSent, PlatformHttp, Refused

_URL_CHARACTERS_MAX = 4_096

GONE = {f"http_{status}": "media_expired" for status in (400, 403, 404, 410)}
"""What an address says, as its platform means it, that was good for a while."""

Resolve = Callable[[str], Awaitable[list[str]]]


async def resolved(host: str) -> list[str]:
    """Return every address of a host; raises `NotSent` if it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except OSError:
        raise NotSent("unreachable") from None
    return [str(each[4][0]) for each in found]


@dataclass(frozen=True, slots=True)
class Located:
    """An address that may be called, under the name of its host where it names an address."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    server_name: str | None = None


class ToldAddresses:
    """Downloads from hosts of `origins`; one with a `*` covers every host of its domain that has no private address."""

    def __init__(self, http: PlatformHttp, origins: Collection[str], resolve: Resolve = resolved) -> None:
        self._http = http
        self._origins = origins
        self._resolve = resolve

    async def download(self, url: str, *, bytes_max: int, headers: Mapping[str, str] | None = None) -> bytes:
        """GET a content; raises as `PlatformHttp.download`, and `Refused`.

        That is `media_address` where it may not be called, and `http_<status>` where there is no content.
        """
        place = await self.located(url)
        answer = await self._http.download(
            place.url, bytes_max=bytes_max, headers={**(headers or {}), **place.headers}, server_name=place.server_name
        )
        if answer.status >= 300:
            raise Refused(f"http_{answer.status}")
        return answer.content

    async def located(self, url: str) -> Located:
        """Where a call to an address goes; raises `Refused` (`media_address`) where it may not, and `NotSent`."""
        place = _place_of(url)
        if place is None or not is_allowed(url, self._origins):
            raise Refused("media_address")
        if place.origin in self._origins:
            return Located(url)
        address = called(await self._resolve(place.host))
        if address is None:
            raise Refused("media_address")
        name = place.host if place.scheme == "https" else None
        return Located(f"{place.scheme}://{address}{place.path}", {"host": place.host}, name)


def is_allowed(url: str, origins: Collection[str]) -> bool:
    """Whether an address leads to one of the origins."""
    place = _place_of(url)
    if place is None:
        return False
    return place.origin in origins or (not place.port and any(_covers(origin, place) for origin in origins))


def _place_of(url: str) -> Place | None:
    place = place_of(url) if len(url) <= _URL_CHARACTERS_MAX else None
    return place if place is not None and place.path else None


def _covers(origin: str, place: Place) -> bool:
    covered, star, domain = origin.partition("://*")
    return bool(star) and covered == place.scheme and place.host.endswith(domain)
