"""The port of a chat platform: what each channel must do for the gateway. Owns no I/O and no state.

A channel turns hostile bytes into a `Callback` before the acknowledgement, and a kept callback into a typed
`Envelope` after it. Both are pure: a bug in the second never loses what the first one let in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from crdt_sync.errors import Unauthenticated
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Envelope


class Unverified(Unauthenticated):
    """The callback is not the platform's, or not fresh. `reason` is for our counts and never for the sender."""

    def __init__(self, reason: str) -> None:
        super().__init__("The callback could not be verified.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Callback:
    """One verified thing that a platform told us.

    `content` is what the platform said, decrypted and otherwise untouched. `keys` holds every key under which the
    platform may send the same thing again, the primary key first; the inbox scopes them by account.
    `conversation` names the other side. `code` is None, or says why the content can never be forwarded.
    """

    content: bytes
    keys: tuple[str, ...]
    conversation: str
    code: str | None = None


class Channel(Protocol):
    """One account on one chat platform."""

    @property
    def account(self) -> str:
        """Our name of the account, as it stands in `/channels/{account}`; the scope of every key."""
        ...

    def handshake(self, query: Mapping[str, str], *, now_ms: int) -> bytes:
        """What to answer to the platform's GET when it checks our address.

        Raises:
            Unverified: the request is not the platform's.
        """
        ...

    def receive(self, query: Mapping[str, str], body: bytes, *, now_ms: int) -> Callback:
        """Verify the raw body and read what must be known before the acknowledgement.

        Content that is the platform's and yet unreadable is a callback with a `code`, never an error: the platform
        would only send it again.

        Raises:
            Unverified: the request is not the platform's, was changed on its way, or is too old.
        """
        ...

    def acknowledgement(self) -> bytes:
        """The body of the 200 that makes the platform stop sending."""
        ...

    def envelope(self, content: bytes) -> Envelope:
        """The typed form of a callback's content, without its trace.

        The same content gives the same envelope, on every attempt. What has no type of its own is `unknown`.

        Raises:
            Malformed: the content cannot be read.
        """
        ...
