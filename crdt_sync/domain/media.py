r"""What a picture, a recording or a file may be, told by its own bytes and by nothing that its sender says of it. Pure.

A short list of types, each with the bytes with which its format begins. Whatever begins otherwise is not taken: a type
that nobody judged is a type that some reader executes. Sources: MIME Sniffing (whatwg), section 6, for pictures, MP3,
MP4 and PDF; RFC 4867, section 5.1, for AMR; RFC 3533, section 6, for Ogg; ISO/IEC 14496-12, section 4.3, for the brands
of MP4, and 23008-12 for those of HEIF; id3.org for the tags before MP3; APPNOTE.TXT 4.3.7 of PKWARE for ZIP and MS-CFB,
section 2.2, for compound files, which is what new and old office documents are.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from crdt_sync.domain.canonical import dumps
from crdt_sync.domain.ids import Digest
from crdt_sync.domain.message import Message

Audience = str
"""Whom a ticket's use of a content is for: the id of the lane in whose form's notes it stands, or `CONVERSATION`."""

CONVERSATION: Audience = ""
"""Whoever reads the conversation with the customer; no lane has this id."""

HEAD_BYTES = 64
"""As many bytes are enough to tell a type."""

MEDIA_PARTS = frozenset({"image", "voice", "video", "file"})
"""The types of a message's parts that have a content."""

_REF = re.compile(r"sha256:([0-9a-f]{64})")
_MP4_BRANDS = frozenset(
    [b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"dash", b"M4V ", b"3gp4", b"3gp5"]
)
_BRANDS = {
    **dict.fromkeys(_MP4_BRANDS, "video/mp4"),
    **dict.fromkeys((b"heic", b"heix", b"mif1"), "image/heic"),
    b"M4A ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
_RIFFS = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"#!AMR\n", "audio/amr"),
    (b"#!AMR-WB\n", "audio/amr-wb"),
    (b"OggS\x00", "audio/ogg"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)

EXTENSIONS: Mapping[str, str] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "audio/amr": "amr",
    "audio/amr-wb": "awb",
    "audio/mpeg": "mp3",
    "video/mp4": "mp4",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "image/heic": "heic",
    "audio/mp4": "m4a",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "video/quicktime": "mov",
    "application/x-ole-storage": "doc",
}
"""Every type that is taken, with the ending of a file's name that says it."""

_BEGINS_WITH = {"image": "image/", "voice": "audio/", "video": "video/", "file": ""}


@dataclass(frozen=True, slots=True)
class Media:
    """A content that is stored: its SHA-256, its size in bytes, and its type as its own bytes say it."""

    digest: Digest
    size: int
    type: str


def spell(content: Media | str) -> str:
    """Spell a content, or the code that says why there is none, as a conversation holds it."""
    return dumps(asdict(content) if isinstance(content, Media) else {"code": content})


def type_of(head: bytes) -> str | None:
    """Return the type of a content that begins so, None if it is none of ours; `HEAD_BYTES` of it are enough."""
    for beginning, type_ in _BEGINNINGS:
        if head.startswith(beginning):
            return type_
    if head[:4] == b"RIFF":
        return _RIFFS.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    return "audio/mpeg" if _is_id3_tag(head) or _is_mp3_frame(head) else None


def fits(part: str, type_: str) -> bool:
    """Tell whether a part that calls itself an image, a voice, a video or a file may have a content of this type."""
    return type_.startswith(_BEGINS_WITH[part])


def ref_of(digest: str) -> str:
    """Return the `ref` of a part whose content was uploaded here."""
    return f"sha256:{digest}"


def digest_of(ref: str) -> Digest | None:
    """Return the digest that a part's `ref` names, None if it names what a platform has."""
    found = _REF.fullmatch(ref)
    return Digest(found[1]) if found is not None else None


def uploads(posted: Message) -> list[Digest]:
    """Return the contents that a message names which was written here, and came through no channel."""
    found = [digest_of(part.get("ref", "")) for part in posted.parts if posted.origin is None]
    return [digest for digest in found if digest is not None]


def read(spelt: str) -> Media | str:
    """Return what a conversation holds of a part: its content, or the code that says why it has none."""
    fields = json.loads(spelt)
    return str(fields["code"]) if "code" in fields else Media(**fields)


def _is_id3_tag(head: bytes) -> bool:
    """Tell whether a tag of ID3v2 begins so: a version that there is, and a size of four bytes below 128."""
    return len(head) >= 10 and head[:3] == b"ID3" and head[3] in {2, 3, 4} and head[4] == 0 and max(head[6:10]) < 0x80


def _is_mp3_frame(head: bytes) -> bool:
    """Tell whether a frame of MPEG-1 or 2, layer III, begins so, with a bitrate and a rate that there are."""
    if len(head) < 4 or head[0] != 0xFF or head[1] not in {0xFB, 0xFA, 0xF3, 0xF2}:
        return False
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    return 0 < bitrate < 15 and rate < 3
