"""The tokens of one connection: that of its handshake, and those of its documents where each has its own."""

from collections.abc import Awaitable, Callable

from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.service.leases import Holder, Lease, Leases

Authenticator = Callable[[str], Awaitable[Identity]]


class Tokens:
    """Judges what a client presents, and holds a lease for each token. An empty key is the connection's own."""

    def __init__(
        self,
        leases: Leases,
        holder: Holder,
        authenticate: Authenticator,
        identity: Identity | None,
        *,
        per_document: bool,
    ) -> None:
        self.any = identity is not None  # some token was good
        self._house = leases
        self._holder: Holder | None = holder  # None when it has ended: it holds this object
        self._authenticate = authenticate
        self._handshake = identity
        self._per_document = per_document
        self._leases: dict[str, Lease] = {}
        if identity is not None and not per_document:
            self._hold("", identity)

    def __contains__(self, key: str) -> bool:
        return key in self._leases

    async def judge(self, key: str, token: str) -> Principal:
        """Return who presents a token; the lease of this key is of that token from now on.

        Raises:
            Unauthenticated: it is wrong, or has expired.
            Forbidden: there was one of somebody else before.
            Unavailable: it cannot be judged now.

        """
        lease = self._leases.get(key)
        if lease is not None:
            identity = await self._authenticate(token)
            self._house.renew(lease, identity)
        elif not token and self._handshake is not None:
            identity = self._house.check(self._handshake)
        else:
            identity = await self._authenticate(token)
        self.any = True
        if lease is None:
            self._hold(key, identity)
        return identity.principal

    def borrow(self, key: str) -> None:
        """Let a document that has no token of its own be open as long as the handshake's is good.

        Raises:
            Unauthenticated: the handshake's token has expired.

        """
        if self._per_document and key not in self._leases and self._holder is not None:
            assert self._handshake is not None, "a document opens with one token or the other"
            self._hold(key, self._house.check(self._handshake))

    def principal(self, key: str) -> Principal | None:
        """Return who a document is open for, None if nobody has a lease any more."""
        lease = self._leases.get(key if self._per_document else "")
        return lease.identity.principal if lease is not None else None

    def drop(self, key: str) -> None:
        """Forget a document's token; the connection's own stays."""
        if self._per_document and key in self._leases:
            self._house.drop(self._leases.pop(key))

    def end(self) -> None:
        """Forget every token; the connection has ended."""
        self._holder = None
        while self._leases:
            self._house.drop(self._leases.popitem()[1])

    def _hold(self, key: str, identity: Identity) -> None:
        if self._holder is not None:
            self._leases[key] = self._house.hold(identity, self._holder, key)
