"""Canonical JSON: one value, one string of bytes. Digests and ids are taken over nothing else."""

import base64
import hashlib
import json

from crdt_sync.domain.ids import Digest

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def dumps(value: object) -> str:
    """Write `value` with sorted keys, no white space and the shortest escapes; UTF-8 stands for itself."""
    return _ENCODER.encode(value)


def digest(value: object) -> Digest:
    """SHA-256, in hexadecimal, over the canonical JSON of `value`."""
    return Digest(hashlib.sha256(dumps(value).encode()).hexdigest())


def base32_id(prefix: bytes, data: bytes) -> str:
    """SHA-256 over prefix and data, in lowercase base32 without padding: 52 characters."""
    return base64.b32encode(hashlib.sha256(prefix + data).digest()).decode().rstrip("=").lower()
