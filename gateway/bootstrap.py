"""Puts a gateway together from its settings. The only place where channels and the machine's own clock are chosen."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

import grpc
import structlog
from starlette.applications import Starlette

from crdt_sync.errors import Unavailable
from crdt_sync.rpc.ticketsync.v1.gateway_pb2_grpc import EgressServiceStub, IngressServiceStub
from gateway.accounts import DescribedAccount, WebAccount
from gateway.channels.base import Channel
from gateway.channels.web import Web
from gateway.clock import SystemChance, SystemClock
from gateway.counts import Counts
from gateway.dispatcher import Dispatcher
from gateway.fetcher import Fetcher
from gateway.forwarder import Forwarder, Pace
from gateway.http import Intake
from gateway.inbox import Inbox
from gateway.keeper import Keeper
from gateway.lines import Lines
from gateway.media_queue import MediaQueue
from gateway.outbound import Sender
from gateway.platforms.http import PlatformHttp
from gateway.platforms.tokens import AheadOfNeed
from gateway.plugins.hooks import Plugins
from gateway.plugins.process import Host
from gateway.ports import Chance, Clock
from gateway.pull import Puller
from gateway.registry import Line, Surroundings, channel_of, line_of
from gateway.retention import Retention
from gateway.settings import GatewaySettings
from gateway.specs.account import described
from gateway.specs.folder import Folder
from gateway.specs.lint import Proven
from gateway.specs.reload import Reloader
from gateway.specs.taken import Taken
from gateway.visitor_log import VisitorLog
from gateway.waiting import ended
from gateway.widget.http import Widget
from gateway.widget.pictures import Pictures
from gateway.widget.socket import Site
from gateway.widget.visitors import Visitors

# gRPC's own back-off grows to two minutes; a service that came back should be found within seconds.
_CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 30_000),  # a claim may be silent for hours; a service that is gone is noticed
    ("grpc.keepalive_timeout_ms", 10_000),
)
_WARM_S_MAX = 2.0  # what is not there by then is waited for where it is needed

_log = structlog.get_logger(__name__)


class Gateway:
    """One running gateway: `app` takes the platforms' callbacks, `forwarder` brings them to the service.

    `app` serves `/channels/{account}` and the widget's addresses and nothing else, and may be a part of another
    application. Its callbacks are answered with 503 before `start` and after `stop`. `senders` are those of its
    accounts that can answer. Secrets are looked for here, once, so that none is found missing later.

    Raises:
        Malformed: a secret is missing (code `secret`) or is not an AES key (code `aes_key`).
    """

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        clock: Clock | None = None,
        chance: Chance | None = None,
        own_token: Callable[[Sequence[str]], str] | None = None,
    ) -> None:
        """`own_token` makes the gateway's token for its accounts, in place of the settings', at each call."""
        clock = clock or SystemClock()
        chance = chance or SystemChance()
        self._settings = settings
        self.counts = Counts()
        self._lines = Lines()
        token = settings.core_token if own_token is None else lambda: own_token(self._lines.names())
        token()  # a missing token should be found now, and not at the first callback
        self.inbox = _inbox(settings)
        pace = Pace(settings.call_timeout_ms, settings.retry_delay_ms_min, settings.retry_delay_ms_max)
        media_queue = MediaQueue(self.inbox.file)
        self.plugins = _plugins(settings, clock, self.counts)
        self.forwarder = Forwarder(
            self.inbox,
            self._lines.channels,
            token=token,
            pace=pace,
            clock=clock,
            chance=chance,
            counts=self.counts,
            wanted=media_queue.notice,
            route=self.plugins.route if settings.plugins else None,
        )
        keeper = Keeper(self.inbox, self.forwarder, clock=clock, chance=chance, counts=self.counts)
        self._http = PlatformHttp()
        log, self._visitors = VisitorLog(self.inbox.file), Visitors(clock, settings.visitors)
        self.pictures = Pictures(self.inbox.file, clock)
        around = Surroundings(
            http=self._http,
            inbox=self.inbox,
            log=log,
            pictures=self.pictures,
            visitors=self._visitors,
            keeper=keeper,
            clock=clock,
            chance=chance,
            counts=self.counts,
            body_bytes_max=settings.body_bytes_max,
        )
        for one in settings.accounts:
            channel = channel_of(one, settings.timestamp_tolerance_s)
            self._lines.put(one.account, channel, line_of(one, channel, around))
        self.senders: Mapping[str, Sender] = self._lines.senders
        self._tokens = AheadOfNeed(self._lines.tokens, clock=clock, counts=self.counts)
        self._retention = _retention(settings, around)
        self._fetcher = Fetcher(
            media_queue,
            self._lines.media,
            bytes_max=settings.media_bytes_max,
            token=token,
            clock=clock,
            chance=chance,
            counts=self.counts,
        )
        self._dispatcher = Dispatcher(
            self.senders,
            media=self._lines.media,
            token=token,
            pace=pace,
            clock=clock,
            chance=chance,
            counts=self.counts,
            refusal=self.plugins.refusal if settings.plugins else None,
        )
        self.specs = _reloader(settings, self._lines, around, self._dispatcher.renew)
        self.app = _app(settings, self._lines, self.specs, around)
        self._clock = clock
        self._warm = asyncio.Event()
        self._running = AsyncExitStack()

    async def start(self) -> None:
        """Open the inbox and begin to forward what an earlier process left. The service need not be there yet.

        Raises:
            Unavailable: the inbox cannot be opened.
        """
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._http.close)
            stack.push_async_callback(self.inbox.close)
            await self.inbox.open()
            await self.specs.look()
            left = await self.inbox.waiting_count()
            channel = open_channel(self._settings)
            stack.push_async_callback(channel.close, None)
            self.plugins.start(self._lines.names())
            stack.push_async_callback(self.plugins.stop)
            self._tokens.start()
            stack.push_async_callback(self._tokens.stop)
            self._retention.start()
            stack.push_async_callback(self._retention.stop)
            warming = asyncio.create_task(self._warm_up(channel), name="warm-up")
            stack.push_async_callback(ended, warming)
            self.forwarder.start(IngressServiceStub(channel))
            stack.push_async_callback(self.forwarder.stop)
            self._fetcher.start(IngressServiceStub(channel))
            stack.push_async_callback(self._fetcher.stop)
            self._dispatcher.start(EgressServiceStub(channel))
            stack.push_async_callback(self._dispatcher.stop)
            self._visitors.start()
            stack.callback(self._visitors.stop)
            for feed in self._lines.feeds.values():
                feed.start()
                stack.push_async_callback(feed.stop)
            self.specs.start()
            stack.push_async_callback(self.specs.stop)
            self._running = stack.pop_all()
        _log.info("gateway started", accounts=len(self._lines.names()), waiting=left)

    async def warm(self) -> None:
        """Return when the way to the service stands and the platforms' tokens are there, or after two seconds."""
        await self._warm.wait()

    async def check(self) -> None:
        """Return if callbacks are kept, and what is to be warm at the first is warm.

        Raises:
            Unavailable: they are not, or not yet.
        """
        await self.inbox.check()
        if not self._warm.is_set():
            raise Unavailable("The gateway is starting.", code="starting", advice="Ask again in a moment.")

    async def _warm_up(self, channel: grpc.aio.Channel) -> None:
        there = asyncio.gather(channel.channel_ready(), self._tokens.first.wait())
        bound = asyncio.ensure_future(self._clock.sleep(_WARM_S_MAX))
        try:
            await asyncio.wait((there, bound), return_when=asyncio.FIRST_COMPLETED)
            _log.info("gateway warm", whole=there.done())
            self._warm.set()
        finally:
            for each in (there, bound):
                each.cancel()
            await asyncio.gather(there, bound, return_exceptions=True)

    async def stop(self) -> None:
        """Finish the call on its way and the commits that began, then let go. Stop the HTTP server first."""
        self._warm.clear()
        await self._running.aclose()
        _log.info("gateway stopped")


def _plugins(settings: GatewaySettings, clock: Clock, counts: Counts) -> Plugins:
    host = Host(settings.core, settings.core_certificate, settings.data / "plugins")
    return Plugins(settings.plugins, host, clock=clock, counts=counts)


def _inbox(settings: GatewaySettings) -> Inbox:
    reserve_rows = min(settings.spool_reserve_rows, settings.spool_rows_max // 10)
    return Inbox(settings.data / "inbox.db", spool_rows_max=settings.spool_rows_max, reserve_rows=reserve_rows)


def _retention(settings: GatewaySettings, around: Surroundings) -> Retention:
    return Retention(
        around.inbox,
        around.log,
        around.pictures,
        bodies_h=settings.bodies_kept_h,
        rows_h=settings.rows_kept_h,
        log_h=settings.visitor_log_kept_h,
        clock=around.clock,
        counts=around.counts,
    )


def _reloader(settings: GatewaySettings, lines: Lines, around: Surroundings, changed: Callable[[], None]) -> Reloader:
    def build(account: DescribedAccount, spec: Proven) -> tuple[Channel, Line]:
        channel = described(account, spec, settings.timestamp_tolerance_s)
        return channel, line_of(account, channel, around)

    folder = Folder(settings.channels if settings.channels is not None else settings.data / "channels")
    settled = [one for one in settings.accounts if isinstance(one, DescribedAccount)]
    taken = Taken(settings.data / "channels-taken")
    return Reloader(folder, taken, lines, settled, build=build, changed=changed, counts=around.counts)


def _app(settings: GatewaySettings, lines: Lines, specs: Reloader, around: Surroundings) -> Starlette:
    """Lay out the addresses: callbacks are posted to every account but those whose visitors hold a socket."""
    sites = {
        one.account: Site(one, channel, around)
        for one in settings.accounts
        if isinstance(one, WebAccount) and isinstance(channel := lines.channels[one.account], Web)
    }
    intake = Intake(
        lambda name: lines.channels.get(name) if name not in sites else None,
        around.keeper,
        {name: feed for name, feed in lines.feeds.items() if isinstance(feed, Puller)},
        is_awaited=lambda name: name not in sites and specs.is_awaited(name),
        body_bytes_max=settings.body_bytes_max,
        clock=around.clock,
        counts=around.counts,
    )
    return Starlette(routes=[*intake.routes(), *Widget(sites, settings.visitors).routes()])


def open_channel(settings: GatewaySettings) -> grpc.aio.Channel:
    """Return the way to the service, encrypted if it is known whom to trust."""
    if settings.core_certificate is None:
        return grpc.aio.insecure_channel(settings.core, options=_CHANNEL_OPTIONS)
    trusted = grpc.ssl_channel_credentials(settings.core_certificate.read_bytes())
    return grpc.aio.secure_channel(settings.core, trusted, options=_CHANNEL_OPTIONS)
