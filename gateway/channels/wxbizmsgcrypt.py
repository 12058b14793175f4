"""Tencent's WXBizMsgCrypt: signatures and encryption of callbacks, as in the official message-push document.

Owns bytes only: no XML, no HTTP, no clock. The same codec serves WeChat Official Accounts (the trailing id is the
app id) and WeCom (the corp id).
"""

import base64
import binascii
import hashlib
import hmac
import re

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from crdt_sync.errors import Malformed
from gateway.channels.base import Unverified

_AES_BLOCK_BYTES = 16
_PAD_BLOCK_BYTES = 32  # the protocol pads to 32, although AES blocks have 16 bytes
_RANDOM_BYTES = 16
_HEADER_BYTES = _RANDOM_BYTES + 4  # the random bytes, then the content's length, big endian
_ENCODING_KEY = re.compile(r"[A-Za-z0-9]{43}")


def sign(*parts: str) -> str:
    """SHA-1 over the parts, sorted and joined: Tencent's signature, 40 lowercase hexadecimal digits."""
    return hashlib.sha1("".join(sorted(parts)).encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()


def signed(signature: str, *parts: str) -> bool:
    """Whether `signature` is that of the parts, compared in constant time."""
    return hmac.compare_digest(sign(*parts).encode(), signature.encode(errors="surrogatepass"))


def aes_key(encoding_aes_key: str) -> bytes:
    """The 32 bytes of a platform's 43 characters.

    Raises:
        Malformed: it is not an EncodingAESKey.
    """
    if not _ENCODING_KEY.fullmatch(encoding_aes_key):
        raise Malformed(
            "An EncodingAESKey has 43 letters and digits.",
            code="aes_key",
            advice="Copy it from the platform's console, without spaces.",
        )
    return base64.b64decode(encoding_aes_key + "=")


def encrypt(key: bytes, content: bytes, receiver: str, *, random: bytes) -> str:
    """The base64 text that the platform would send for `content`; `random` are 16 bytes, fresh each time."""
    assert len(random) == _RANDOM_BYTES
    plain = random + len(content).to_bytes(4, "big") + content + receiver.encode()
    pad = _PAD_BLOCK_BYTES - len(plain) % _PAD_BLOCK_BYTES
    return base64.b64encode(_run(_cipher(key).encryptor(), plain + bytes([pad]) * pad)).decode()


def decrypt(keys: tuple[bytes, ...], encrypted: str, receiver: str) -> bytes:
    """The content of an Encrypt field, under the first of `keys` that opens it.

    Raises:
        Unverified: it is not for `receiver` or not under any of the keys. Every cause gives the one error, so that an
            answer tells nobody how far the decryption came.
    """
    try:
        data = base64.b64decode(encrypted, validate=True)
    except (binascii.Error, ValueError):
        raise Unverified("encrypt") from None
    if not data or len(data) % _AES_BLOCK_BYTES:
        raise Unverified("encrypt")
    for key in keys:
        content = _content(_run(_cipher(key).decryptor(), data), receiver.encode())
        if content is not None:
            return content
    raise Unverified("encrypt")


def _content(plain: bytes, receiver: bytes) -> bytes | None:
    pad = plain[-1]
    if not 1 <= pad <= _PAD_BLOCK_BYTES or plain[-pad:] != bytes([pad]) * pad:
        return None
    body = plain[:-pad]
    end = _HEADER_BYTES + int.from_bytes(body[_RANDOM_BYTES:_HEADER_BYTES], "big")
    if len(body) < _HEADER_BYTES or end > len(body) or not hmac.compare_digest(body[end:], receiver):
        return None
    return body[_HEADER_BYTES:end]


def _cipher(key: bytes) -> Cipher[CBC]:
    return Cipher(AES(key), CBC(key[:_AES_BLOCK_BYTES]))


def _run(context: CipherContext, data: bytes) -> bytes:
    return context.update(data) + context.finalize()
