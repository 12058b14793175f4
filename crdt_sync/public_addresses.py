"""Where a URL leads that somebody told us, and which addresses are anybody's.

Asks nobody: who resolves a name has every answer judged here, and calls the one that is returned, so that no second
answer of a name server can point elsewhere.
"""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an address of IPv4

# Nothing but a plain host may stand before the path, so that no reader of addresses sees another one there.
_URL = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(/[!-~]*)?")


@dataclass(frozen=True, slots=True)
class Place:
    """A URL in its parts. An IPv6 address is in brackets; `port` and `path` are empty where the URL has none."""

    scheme: str
    host: str
    port: str
    path: str

    @property
    def origin(self) -> str:
        """The URL without its path."""
        return f"{self.scheme}://{self.host}{':' + self.port if self.port else ''}"


def place_of(url: str) -> Place | None:
    """Take a URL apart; None if it has another form than scheme, host, port and path."""
    found = _URL.fullmatch(url)
    return Place(*(part or "" for part in found.groups())) if found is not None else None


def called(addresses: Sequence[str], *, is_trusted: bool = False) -> str | None:
    """Return which of a host's addresses is called, as it stands in a URL; None if one may not be.

    A host that is trusted may have private ones.
    """
    if not addresses or not (is_trusted or all(map(is_public, addresses))):
        return None
    return f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]


def is_public(text: str) -> bool:
    """Tell whether an address is anybody's, also where a gateway on the way would make another one of it."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            address = IPv4Address(int(address) & 0xFFFFFFFF)
        elif address.sixtofour is not None:
            address = address.sixtofour
        elif address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_private(host: str) -> bool:
    """Tell whether a host is private as it is written; where a name leads is looked up with each connection."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        # As a lookup reads it: `127.1`, `0x7f000001` and `2130706433` are addresses as well.
        address = host[1:-1] if host.startswith("[") else socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return False  # a name
    try:
        return not is_public(address)
    except ValueError:
        return True  # in brackets, and no address
