"""The port of a platform's pictures, recordings and files: what it must do for the gateway, both ways.

What a platform sends is a reference; the gateway asks for the content afterwards, beside the messages. What leaves is
uploaded first, and sent by the name that the platform gives it. The service alone says of what type a content is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Media

UPLOADED = "sha256:"
"""How a delivery names a content that the service gives."""

PIECE_BYTES = 262_144  # gateway.proto

_UNFIT = re.compile(r'[\x00-\x1f"\\/:*?<>|]')
_ENDINGS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "audio/amr": ".amr",
    "audio/amr-wb": ".awb",
    "audio/mpeg": ".mp3",
    "video/mp4": ".mp4",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "image/heic": ".heic",
    "audio/mp4": ".m4a",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "video/quicktime": ".mov",
    "application/x-ole-storage": ".doc",
}
TYPES = frozenset(_ENDINGS)
"""Every type that the service takes."""

_CONTAINERS = frozenset({".zip", ".doc"})  # office documents of many endings are these, and keep the one that they have


class MediaFailed(Exception):
    """A content that was not downloaded, or not uploaded. `code` is a constant name in lowercase, for agents.

    `again` says whether it may be tried again, after `delay_ms` if the platform said when.
    """

    def __init__(self, code: str, *, again: bool = False, delay_ms: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.again = again
        self.delay_ms = delay_ms


@dataclass(frozen=True, slots=True)
class Content:
    """A content with its type, as the service has judged it, and its name, empty if it has none."""

    type: str
    name: str
    data: bytes

    @property
    def file_name(self) -> str:
        """The name as a platform is told it: the customer sees it, so there is one, and it ends as the type says."""
        ending = _ENDINGS.get(self.type, "")  # the service may know more types than we do
        name = _UNFIT.sub("_", self.name).strip(". ")[:100]
        has_ending = name.lower().endswith(ending) or (ending in _CONTAINERS and "." in name)
        return name if has_ending else f"{name or 'file'}{ending}"


@dataclass(frozen=True, slots=True)
class Form:
    """What a platform takes as an image, a voice, a video or a file: of which types, and of how many bytes."""

    types: frozenset[str]
    bytes_max: int


class MediaPort(Protocol):
    """The contents of one account on one chat platform."""

    @property
    def forms(self) -> Mapping[str, Form]:
        """What it takes, by the type of a part; what is not there it does not take."""
        ...

    async def download(self, media: Media, *, bytes_max: int) -> bytes:
        """Return the content that a message refers to.

        Raises:
            MediaFailed: it was not had: `media_expired` and `media_size` among the codes, for ever.
        """
        ...

    async def upload(self, kind: str, content: Content) -> str:
        """Return the platform's own name of a content that it takes, good for a while; raises `MediaFailed`."""
        ...


def refused(port: MediaPort, kind: str, type_: str, size: int) -> str:
    """Say why the platform does not take such a content as such a part; empty if it does."""
    form = port.forms.get(kind)
    if form is None:
        return "unsupported_part"
    if type_ not in form.types:
        return "media_type"
    return "media_size" if size > form.bytes_max else ""
