"""Callbacks while the service is down: taken at once, kept on the disk, and brought in order when it is back.

`python -m tests.integration.outage --messages 180000` is an hour of 50 a second. It prints what the platform saw, what
the gateway needed, and what the oracle of `chat_oracle` says in the end.
"""

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gateway import Platform
from benchmarks.usage import usage
from crdt_sync.cli import wechat_customer
from tests.conformance.server_process import ServerProcess
from tests.integration import chat_oracle
from tests.integration.chat_oracle import Verdict
from tests.integration.chat_platform import SETTINGS, Written, wire
from tests.integration.gateway_process import GatewayProcess
from tests.integration.sources import DEPARTMENT

CONVERSATIONS = 1_000
CONNECTIONS = 20
WARM = 500  # callbacks before memory is read for the first time
LOOK_S = 0.25
RSS_GROWTH_BYTES_MAX = 50 * 2**20


@dataclass(frozen=True, slots=True)
class Outage:
    """What was seen. Sizes are bytes; `rss_growth` is from the warm gateway to its largest, the drain included."""

    answered: int  # with a 2xx, of as many as were sent
    sent: int
    sent_s: float
    rss: int
    rss_growth: int
    disk: int
    drained_s: float
    verdict: Verdict

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return self.answered == self.sent and self.rss_growth <= RSS_GROWTH_BYTES_MAX and self.verdict.is_good

    def __str__(self) -> str:
        return (
            f"{self.answered} of {self.sent} answered with 2xx in {self.sent_s:.0f} s while the service was down; the "
            f"spool took {self.disk / 2**20:.0f} MB, {self.disk / self.sent:.0f} bytes a message; drained in "
            f"{self.drained_s:.0f} s; resident {self.rss / 2**20:.0f} MB when warm, {self.rss_growth / 2**20:.1f} MB "
            f"more at the most; {self.verdict}"
        )


async def outage(folder: Path, messages: int, *, conversations: int = CONVERSATIONS) -> Outage:
    """Send so many callbacks to a gateway whose service is down, start it again, and wait."""
    core = ServerProcess(folder / "core", settings={"CRDT_SYNC_GATEWAY": "false"})
    secrets = {"token": "env:TEST_WECHAT_TOKEN", "aes_key": "env:TEST_WECHAT_AES_KEY"}
    accounts = [{"account": wechat_customer.ACCOUNT, "app_id": wechat_customer.APP_ID} | secrets]
    with core:
        gateway = GatewayProcess(folder / "gateway", core, accounts, settings=SETTINGS)
        with gateway:
            core.stop()
            platform = Platform(gateway.port)
            peaks: list[int] = []
            watching = asyncio.create_task(_watch(gateway.pid, peaks))
            try:
                written = _written(messages + WARM, conversations)
                await _send(platform, written[:WARM])
                warm_bytes, began_s = usage(gateway.pid).rss_bytes, time.monotonic()
                peaks.clear()
                await _send(platform, written[WARM:])
                sent_s = time.monotonic() - began_s
                disk = sum(file.stat().st_size for file in gateway.data.glob("inbox.db*"))
                await asyncio.to_thread(core.start)
                began_s = time.monotonic()
                while _waiting(gateway.inbox):  # noqa: ASYNC110 - the file alone tells
                    await asyncio.sleep(LOOK_S)
                drained_s = time.monotonic() - began_s
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                await platform.close()
            held = chat_oracle.held_in(core.data / "crdt-sync.db")
            async with core.client(DEPARTMENT) as rest:
                verdict = chat_oracle.judged(written, held, await chat_oracle.shown_by(rest, held))
    answered = sum(one.acked_s is not None for one in written)
    growth = max(peaks) - warm_bytes
    return Outage(answered, len(written), sent_s, warm_bytes, growth, disk, drained_s, verdict)


def _written(count: int, conversations: int) -> Sequence[Written]:
    """Messages in the order in which they are sent."""
    return [
        Written(f"openid-{number % conversations}", f"openid-{number % conversations} text {number}", float(number))
        for number in range(count)
    ]


async def _send(platform: Platform, written: Sequence[Written]) -> None:
    """Each connection has conversations of its own, and sends the next message when the last was answered.

    The platform's seconds are those of hours, so that two messages of one customer never share one.
    """
    began_s = int(time.time()) - 43_200

    async def connection(first: int) -> None:
        for one in written[first::CONNECTIONS]:
            number = int(one.sent_s)
            post = wechat_customer.callback(
                openid=one.conversation, text=one.text, message_id=number, now_s=began_s + number // CONNECTIONS
            )
            if await platform.post(wire(wechat_customer.ACCOUNT, post.query, post.body.encode())) == 200:
                one.acked_s = one.sent_s

    await asyncio.gather(*(connection(first) for first in range(CONNECTIONS)))


async def _watch(pid: int, peaks: list[int]) -> None:
    while True:
        peaks.append(usage(pid).rss_bytes)
        await asyncio.sleep(LOOK_S)


def _waiting(inbox: Path) -> int:
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(f"file:{inbox}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM inbox WHERE state = 'received'").fetchone()[0])
    return 1


async def main() -> bool:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=180_000)
    with tempfile.TemporaryDirectory() as name:
        seen = await outage(Path(name), parser.parse_args().messages)
    print(seen)
    return seen.is_good


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main()) else 1)
