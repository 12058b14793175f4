"""Every refusal passes here, whatever wire said it: it is counted under its code. Refuses nothing itself."""

from dataclasses import dataclass

from crdt_sync.domain.access import Principal
from crdt_sync.ports.meter import Meter
from crdt_sync.wire.status import Wire


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, and by whom as far as it is known. `source` is the address that it came from."""

    wire: Wire
    subject: str  # a document, a route or a call
    source: str = ""
    principal: Principal | None = None


class Audit:
    """Counts refusals."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def refused(self, asked: Asked, code: str) -> None:
        """Note that what was asked was refused with `code`."""
        self._meter.refused(asked.wire, code)
