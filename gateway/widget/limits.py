"""How much visitors of web pages may take, all of it a setting: they are strangers, and share a process with people."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gateway.outbound import Rate

Count = Annotated[int, Field(ge=1, le=1_000_000)]
_STRICT = ConfigDict(extra="forbid", frozen=True)


class VisitorRate(BaseModel):
    """So many at once, and so many a second in the long run."""

    model_config = _STRICT

    burst: Count
    per_s: float = Field(gt=0, le=1_000_000)

    @property
    def rate(self) -> Rate:
        """The same as a bucket takes it."""
        return Rate(self.burst, self.per_s)


def _rate(burst: int, per_s: float) -> VisitorRate:
    return VisitorRate(burst=burst, per_s=per_s)


class VisitorLimits(BaseModel):
    """What is refused above, and for how long a page that nobody looks at has its socket."""

    model_config = _STRICT

    sockets_max: Count = 10_000
    """Of all visitors, some 20 kB each; within the service's own process half of its connections at most."""
    address_sockets_max: Count = 500
    """Of one address, so that no one of them takes the room of all."""
    tabs_max: Count = 20
    """Sockets of one visitor."""
    idle_s: Annotated[int, Field(ge=1)] = 3_600
    """A socket on which nothing was said and nothing shown for so long ends; its page comes back with its visitor."""
    uploads_bytes_max: Annotated[int, Field(ge=5_242_880)] = 41_943_040
    """Of pictures on their way in: eight of the largest. Where more come, whoever began first has to come again."""
    frames: VisitorRate = _rate(60, 10)
    """On one socket, of any kind."""
    handshakes: VisitorRate = _rate(60, 1)
    """Of one address, behind which a whole office may sit."""
    newcomers: VisitorRate = _rate(60, 0.1)
    """Visitors without a token, of one address: each may become a ticket."""
    messages: VisitorRate = _rate(10, 0.5)
    """Of one visitor: nobody types faster for long."""
    address_messages: VisitorRate = _rate(100, 5)
    pictures: VisitorRate = _rate(5, 0.05)
    """Of one visitor."""
    address_pictures: VisitorRate = _rate(30, 0.5)
