"""Who a token says that somebody is, and for how long. Reads no token."""

from dataclasses import dataclass

from crdt_sync.domain.access import Principal


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is. Times are milliseconds since the epoch; a token that never ends has None."""

    principal: Principal
    expires_at_ms: int | None
    issued_at_ms: int = 0  # 0 where the token does not say it
    key: str = ""  # names the key that has signed the token
    granted: Principal | None = None  # what the token says, where an operator has taken something of it
