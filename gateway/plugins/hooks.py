"""All plugins of a gateway, as its message path sees them: two questions, which are answered within milliseconds."""

import asyncio
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

import structlog

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery, Envelope, Part
from gateway.counts import Counts
from gateway.plugins.process import Host, PluginProcess
from gateway.plugins.settings import PluginSettings
from gateway.ports import Clock

TEXT_CHARS_MAX = 8_192  # of a message or an answer, that a plugin is shown
_RULE_CHARS_MAX = 64  # as the name of a rule
_CODE = re.compile(r"[a-z0-9_]{1,32}")

_log = structlog.get_logger(__name__)


class Plugins:
    """Every plugin that the settings name."""

    def __init__(self, settings: Sequence[PluginSettings], host: Host, *, clock: Clock, counts: Counts) -> None:
        self.all = {one.name: PluginProcess(one, host, clock=clock, counts=counts) for one in settings}
        self._counts = counts

    def start(self, accounts: Collection[str]) -> None:
        """Begin them, in the background. One that is to see an account beside these sees it once it comes."""
        for name, process in self.all.items():
            if missing := process.accounts.difference(accounts):
                _log.warning("plugin names accounts that are not there", plugin=name, accounts=sorted(missing))
            process.start()

    async def stop(self) -> None:
        """Have them end, all at once."""
        await asyncio.gather(*(process.stop() for process in self.all.values()))

    async def route(self, envelopes: Sequence[Envelope]) -> None:
        """Let plugins choose the rules of the desk for these; of several that do, the first in the settings counts."""
        shown = [
            (process, theirs)
            for process in self.all.values()
            if (theirs := [each for each in envelopes if process.is_asked("message", each.account)])
        ]
        asking = (process.ask("message", [_message(each) for each in theirs]) for process, theirs in shown)
        asked = await asyncio.gather(*asking)
        for (_, theirs), wishes in zip(reversed(shown), reversed(asked), strict=True):
            for envelope, wish in zip(theirs, wishes, strict=True):
                if wish:
                    envelope.rule = wish[:_RULE_CHARS_MAX]

    async def refusal(self, delivery: Delivery) -> str | None:
        """Return why a part is not to be sent, as a code with the plugin's name; None if nobody minds."""
        if not delivery.message:
            return None  # a notice is the service's own word
        shown = {name: each for name, each in self.all.items() if each.is_asked("answer", delivery.account)}
        wishes = await asyncio.gather(*(process.ask("answer", [_answer(delivery)]) for process in shown.values()))
        for name, (wish,) in zip(shown, wishes, strict=True):
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
