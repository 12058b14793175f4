"""Passwords by argon2id (RFC 9106): the only module that hashes one. Keeps nothing."""

import base64

import argon2


class Argon2Passwords:
    """Hashes and compares; each takes some 50 ms and 64 MiB, so that it belongs into a thread."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        """`hasher` has the parameters; those of argon2-cffi are RFC 9106's for little memory."""
        self._hasher = hasher or argon2.PasswordHasher()
        self._nobodys = _hash_of_nothing(self._hasher)

    def hash(self, password: str) -> str:
        """Return what may be kept; it says how it was made."""
        return self._hasher.hash(password)

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Tell whether a password is the one of the hash; the same work is done where there is none (None)."""
        try:
            self._hasher.verify(password_hash or self._nobodys, password)
        except argon2.exceptions.VerifyMismatchError:
            return False
        return password_hash is not None

    def is_dated(self, password_hash: str) -> bool:
        """Tell whether a hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(password_hash)


def _hash_of_nothing(hasher: argon2.PasswordHasher) -> str:
    """Return what no password has for its hash, and costs to compare with what a hash of these parameters does."""
    parameters = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    salt, digest = (base64.b64encode(bytes(size)).decode().rstrip("=") for size in (hasher.salt_len, hasher.hash_len))
    return f"$argon2id$v=19${parameters}${salt}${digest}"
