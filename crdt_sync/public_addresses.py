"""Which addresses are anybody's. Asks nobody: who resolves a name judges every answer, and calls the one it judged."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an address of IPv4


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
