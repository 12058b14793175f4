"""The port of a chat platform: what each channel must do for the gateway. Owns no I/O.

A channel turns hostile bytes into `Callback`s before the acknowledgement, and a kept callback into a typed `Envelope`
after it. A bug in the second never loses what the first one let in. Whatever stands behind this port, a class of its
own or a description that one class reads, is held to the same suite: `tests/gateway/channels/channel_contract.py`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from crdt_sync.errors import Malformed, Unauthenticated
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Envelope

UNKNOWN_CHARS_MAX = 16_384  # of what no channel knows: enough to see what it was; the whole of it stays in the inbox


class Unverified(Unauthenticated):
    """The callback is not the platform's, or not fresh. `reason` is for our counts and never for the sender."""

    def __init__(self, reason: str) -> None:
        super().__init__("The callback could not be verified.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request of a platform, or of somebody who claims to be it. Names of headers are found in lower case."""

    query: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Callback:
    """One verified thing that a platform told us.

    `content` is what the platform said, decrypted and otherwise untouched. `keys` holds every key under which the
    platform may send the same thing again, the primary key first; the inbox scopes them by account.
    `conversation` names the other side. `code` is None, or says why the content can never be forwarded.
    `reply_to` is what the channel's sender must know to answer this conversation, in the channel's own form; the newest
    one is kept beside the conversation. `entry` is what the other side's own log of the conversation says of it, where
    the gateway keeps one.
    `fingerprint` is of all but the key, the platform's time among it: another key with the same fingerprint is perhaps
    the same thing, and is set aside for the operator. It stands among the keys instead where it tells for certain.
    `urgent` says that the platform gives up within seconds, so that a full spool still has room for it.
    `contents` are pictures and files whose bytes came with it, by the places of their parts in the envelope, where each
    is a `Media`; the primary key is the envelope's `idempotency_key` then. They are kept in the same transaction, and
    brought to the service once it has the message, as what is downloaded from a platform is. Their size is the
    caller's to cap.
    `spec` names the text of the channel's description by which it was read, where it has one.
    """

    content: bytes
    keys: tuple[str, ...]
    conversation: str
    code: str | None = None
    reply_to: str | None = None
    fingerprint: str | None = None
    urgent: bool = False
    entry: str | None = None
    contents: Mapping[int, bytes] = field(default_factory=dict)
    spec: str | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """The platform has something for us at `source` and wants to be asked. `token` eases the asking, for minutes."""

    source: str
    token: str


@dataclass(frozen=True, slots=True)
class Received:
    """What one POST told us. `answer` is the body of the 200 that makes the platform stop sending.

    `ignored` says how many things in it are none of ours, such as echoes of our own answers.
    """

    answer: bytes
    callbacks: tuple[Callback, ...] = ()
    hint: Hint | None = None
    media_type: str = "text/plain"
    ignored: int = 0


class Channel(Protocol):
    """One account on one chat platform."""

    @property
    def account(self) -> str:
        """Our name of the account, as it stands in `/channels/{account}`; the scope of every key."""
        ...

    def handshake(self, request: Request, *, now_ms: int) -> bytes:
        """What to answer to the platform's GET when it checks our address.

        Raises:
            Unverified: the request is not the platform's, or this platform makes no such request.
        """
        ...

    def receive(self, request: Request, *, now_ms: int) -> Received:
        """Verify the raw body and read what must be known before the acknowledgement.

        Nothing of the body but what the verification needs is read before it. Content that is the platform's and yet
        unreadable is a callback with a `code`, never an error: the platform would only send it again.

        Raises:
            Unverified: the request is not the platform's, was changed on its way, or is too old.
        """
        ...

    def envelope(self, content: bytes) -> Envelope:
        """The typed form of a callback's content, without its trace.

        The same content gives the same envelope, on every attempt. What has no type of its own is `unknown`.

        Raises:
            Malformed: the content cannot be read.
        """
        ...


@runtime_checkable
class ReadsAgain(Protocol):
    """A channel that may learn to read what it could not read when it came, because its description was mended."""

    def read_again(self, content: bytes) -> tuple[Callback, ...]:
        """The callbacks of a content that was kept without keys and conversation.

        Raises:
            Malformed: something in it cannot be read still, or it is for another account.
        """
        ...


def object_of(data: bytes) -> Mapping[str, object]:
    """The JSON object that a platform sent; raises `Malformed`."""
    try:
        found = json.loads(data.decode())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Malformed("The platform sent no JSON object.")
    return found
