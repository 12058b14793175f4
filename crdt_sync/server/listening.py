"""Binding a port, and saying clearly why one cannot be had. Listens to nothing itself."""

import errno
import socket

from crdt_sync.errors import Malformed, TicketSyncError, Unavailable

BACKLOG = 1024  # every console of a floor comes back at once after a restart


def bind(host: str, port: int, option: str) -> socket.socket:
    """Bind a port; `option` is the command line's name for it.

    Raises:
        Unavailable: it is taken.
        Malformed: this machine has no such address, or may not use the port.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise _refusal(host, port, option, error) from error


def _refusal(host: str, port: int, option: str, error: OSError) -> TicketSyncError:
    if error.errno == errno.EADDRINUSE:
        return Unavailable(
            f"Port {port} on {host} is taken by another program.",
            code="port_busy",
            advice=f"Stop that program, or choose another port with {option}; 0 takes a free one.",
        )
    return Malformed(
        f"Port {port} on {host} cannot be used: {error.strerror}.", code="address", advice="Choose another."
    )
