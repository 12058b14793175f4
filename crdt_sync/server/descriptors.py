"""How many connections this process may hold: an operating system counts a file descriptor for each."""

import structlog

from crdt_sync.server.http_protocol import SPARE_CONNECTIONS
from crdt_sync.server.tls_listener import HANDSHAKES_MAX

RESERVED = 200  # the database, its write-ahead log, files that are served, what libraries open
GRPC_CONNECTIONS_MAX = 2_000  # a service or a desk has one for all its calls, with 1,000 streams at once
GRPC_SPARE_CONNECTIONS = 50  # beyond those for streams: a full service still answers gateways and probes
BESIDE = GRPC_SPARE_CONNECTIONS + SPARE_CONNECTIONS + HANDSHAKES_MAX + RESERVED

_log = structlog.get_logger(__name__)


def make_room(connections: int) -> int:
    """Let this process open what so many connections need; return how many there may be.

    The soft limit is raised as far as the hard one, which is the operator's to set, allows.
    """
    needed = connections + min(connections, GRPC_CONNECTIONS_MAX) + BESIDE
    allowed = _raised(needed)
    if allowed >= needed:
        return connections
    left = allowed - BESIDE
    fewer = max(1, left // 2, left - GRPC_CONNECTIONS_MAX)
    _log.warning("too few file descriptors", wanted=connections, connections=fewer, advice=f"Raise them to {needed}.")
    return fewer


def grpc_connections(connections: int) -> int:
    """Return how many connections the gRPC port may have in a service that may hold so many streams and sockets."""
    return min(connections, GRPC_CONNECTIONS_MAX) + GRPC_SPARE_CONNECTIONS


def _raised(needed: int) -> int:
    try:
        import resource  # noqa: PLC0415 (absent on Windows, which counts no descriptors)
    except ImportError:
        return needed
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)
