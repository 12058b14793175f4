"""Signatures of Standard Webhooks 1.0: what a receiver proves a request with. Sends nothing, and reads no clock.

The id of a message is the same whenever it is sent; its time and its signatures are those of one attempt. While a
secret is being replaced, each attempt carries a signature of either. Source: standard-webhooks/spec, "Webhook Headers
(Sending metadata to consumers)" and "Signature scheme".
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

SECRET_BYTES = 32  # the specification asks for 24 to 64
_PREFIX = "whsec_"


def secret_of(noise: bytes) -> str:
    """Write random bytes as a secret is shown to people."""
    return _PREFIX + base64.b64encode(noise).decode()


def headers(id_: str, at_s: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return what an attempt at `at_s`, in seconds since the epoch, says beside its body."""
    signed = f"{id_}.{at_s}.".encode() + body
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
