"""Named codes that open encrypted bodies of described channels. A platform's own cryptography is code, and small."""

import base64
import binascii
import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from crdt_sync.errors import Malformed

_BLOCK_BYTES = 16


def opened(name: str, sealed: str, secret: str) -> bytes:
    """The plaintext; raises `Malformed`, with one sentence for every fault."""
    assert name == "feishu", "the model knows no other"
    return _feishu(sealed, secret)


def _feishu(sealed: str, secret: str) -> bytes:
    """AES-256-CBC under the SHA-256 of the Encrypt Key; the first block is the IV, and the padding is PKCS#7."""
    try:
        blob = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    if len(blob) < 2 * _BLOCK_BYTES or len(blob) % _BLOCK_BYTES:
        raise _unreadable()
    key = hashlib.sha256(secret.encode()).digest()
    decryptor = Cipher(algorithms.AES(key), modes.CBC(blob[:_BLOCK_BYTES])).decryptor()
    padded = decryptor.update(blob[_BLOCK_BYTES:]) + decryptor.finalize()
    count = padded[-1]
    if not 1 <= count <= _BLOCK_BYTES or padded[-count:] != bytes([count]) * count:
        raise _unreadable()
    return padded[:-count]


def _unreadable() -> Malformed:
    return Malformed("The platform sent a content that cannot be opened.")
