"""Binding a port, with which certificate, and saying clearly why one cannot be had. Listens to nothing itself."""

import errno
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from crdt_sync.errors import Malformed, TicketSyncError, Unavailable

LOOPBACK = "127.0.0.1"
BACKLOG = 1024  # every console of a floor comes back at once after a restart


@dataclass(frozen=True, slots=True)
class Tls:
    """Where the certificate chain and its private key lie, in PEM."""

    certificate: Path
    key: Path

    def read(self) -> tuple[bytes, bytes]:
        """Return the private key and the chain.

        Raises:
            Malformed: they cannot be read, are no pair, or the key has a passphrase (`tls`).

        """
        try:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.certificate, self.key, _passphrase)
            return self.key.read_bytes(), self.certificate.read_bytes()
        except (OSError, ssl.SSLError) as error:
            raise Malformed(
                "The TLS certificate or its key cannot be read.",
                code="tls",
                advice="Look at CRDT_SYNC_TLS_CERTIFICATE and CRDT_SYNC_TLS_KEY: both are PEM files, and a pair.",
            ) from error


def _passphrase() -> str:
    """Have none: OpenSSL itself would ask for it on the terminal, and wait there for ever."""
    raise Malformed(
        "The TLS key has a passphrase, and nobody is there to enter it.",
        code="tls",
        advice="Give CRDT_SYNC_TLS_KEY a key without one, in a file that only the service can read.",
    )


def bind(host: str, port: int, option: str) -> socket.socket:
    """Bind a port; `option` is the command line's name for it.

    Raises:
        Unavailable: it is taken.
        Malformed: this machine has no such address, or may not use the port.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise _refusal(host, port, option, error) from error
    # What it accepts inherits this. asyncio itself, unlike uvloop, lets each body wait 40 ms for its head's receipt.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


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
