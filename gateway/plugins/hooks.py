"""All plugins of a gateway, as its message path sees them: two questions, which are answered within milliseconds."""

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery, Envelope, Part
from gateway.counts import Counts
from gateway.plugins.process import Host, PluginProcess
from gateway.plugins.settings import PluginSettings
from gateway.ports import Clock

TEXT_CHARS_MAX = 8_192  # of a message or an answer, that a plugin is shown
_RULE_CHARS_MAX = 64  # as the name of a rule
_CODE = re.compile(r"[a-z0-9_]{1,32}")


class Plugins:
    """Every plugin that the settings name."""

    def __init__(self, settings: Sequence[PluginSettings], host: Host, *, clock: Clock, counts: Counts) -> None:
        self.all = {one.name: PluginProcess(one, host, clock=clock, counts=counts) for one in settings}
        self._counts = counts

    def start(self) -> None:
        """Begin them, in the background."""
        for process in self.all.values():
            process.start()

    async def stop(self) -> None:
        """Have them end, all at once."""
        await asyncio.gather(*(process.stop() for process in self.all.values()))

    async def route(self, envelopes: Sequence[Envelope]) -> None:
        """Let plugins choose the rules of the desk for these; of several that do, the first in the settings counts."""
        items = [_message(envelope) for envelope in envelopes]
        asked = await asyncio.gather(*(process.ask("message", items) for process in self.all.values()))
        for envelope, wishes in zip(envelopes, zip(*asked, strict=True), strict=False):
            envelope.rule = next((wish[:_RULE_CHARS_MAX] for wish in wishes if wish), "")

    async def refusal(self, delivery: Delivery) -> str | None:
        """Return why a part is not to be sent, as a code with the plugin's name; None if nobody minds."""
        if not delivery.message:
            return None  # a notice is the service's own word
        wishes = await asyncio.gather(*(process.ask("answer", [_answer(delivery)]) for process in self.all.values()))
        for name, (wish,) in zip(self.all, wishes, strict=True):
            if wish is not None:
                code = wish if _CODE.fullmatch(wish) else "refused"
                self._counts.add(f"plugin.{name}.refused")
                return f"plugin.{name.replace('-', '_')}.{code}"[:64]
        return None


def _message(envelope: Envelope) -> dict[str, object]:
    kind = envelope.WhichOneof("kind") or "unknown"
    parts: Iterable[Part] = getattr(envelope, kind).parts if kind in {"customer", "agent", "system"} else ()
    return {
        "channel": envelope.channel,
        "account": envelope.account,
        "conversation": envelope.conversation,
        "kind": kind,
        "texts": list(_cut(part.text for part in parts if part.WhichOneof("part") == "text")),
        "media": [part.media.type for part in parts if part.WhichOneof("part") == "media"],
        "sent_at_ms": envelope.sent_at,
    }


def _answer(delivery: Delivery) -> dict[str, object]:
    return {
        "ticket": delivery.ticket,
        "message": delivery.message,
        "channel": delivery.channel,
        "account": delivery.account,
        "conversation": delivery.conversation,
        "text": delivery.part.text[:TEXT_CHARS_MAX],
        "media": delivery.part.media.type,
        "attempt": delivery.attempt,
    }


def _cut(texts: Iterable[str]) -> Iterator[str]:
    left = TEXT_CHARS_MAX
    for text in texts:
        yield text[:left]
        left -= len(text[:left])
