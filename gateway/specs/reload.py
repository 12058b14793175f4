"""Takes changed channel specs into a running gateway: read, linted and tried in a thread, then swapped in one step.

No connection ends, and no callback is refused: the next one is read by the new spec. A file that is bad changes nothing
but a count and a level, which alerts watch; nor does a start change anything, which begins with what was taken last.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from crdt_sync.errors import Malformed
from gateway.accounts import DescribedAccount
from gateway.channels.base import Channel
from gateway.counts import Counts
from gateway.lines import Lines
from gateway.registry import Line
from gateway.specs.account import secrets_of
from gateway.specs.book import shipped
from gateway.specs.channel import Described
from gateway.specs.folder import Folder, Page
from gateway.specs.lint import Proven
from gateway.specs.taken import Taken
from gateway.waiting import ended

_LOOK_S = 1.0

Build = Callable[[DescribedAccount, Proven], tuple[Channel, Line]]

_log = structlog.get_logger(__name__)


class Reloader:
    """The described accounts of one gateway: those of its settings, and those that come in the files of `folder`.

    `build` makes what serves an account, and raises `Malformed` where it cannot. `changed` hears that other accounts
    can send. `news` is set when a file was taken or refused.
    """

    def __init__(
        self,
        folder: Folder,
        taken: Taken,
        lines: Lines,
        settled: Sequence[DescribedAccount],
        *,
        build: Build,
        changed: Callable[[], None],
        counts: Counts,
    ) -> None:
        self._folder = folder
        self._taken = taken
        self._lines = lines
        self._settled = settled
        self._build = build
        self._changed = changed
        self._counts = counts
        self._pages: dict[str, Page] = {}  # those that are in use, by file
        self._refused: dict[str, tuple[Page, str]] = {}  # with the reason, by file
        self._before: dict[str, tuple[Page, str]] = {}  # what an earlier process took and waits, with the reason
        self._has_begun = False
        self._looking = asyncio.Lock()
        self.news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._run(), name="channel specs")

    async def stop(self) -> None:
        """Watch no more."""
        await ended(self._task)

    async def look(self) -> None:
        """Take what changed since the last look, and what was refused only because of something else."""
        async with self._looking:
            began = not self._has_begun and await self._begin()
            pages = await asyncio.to_thread(self._folder.changes)
            taken = [self._tried(page) for page in pages]
            # A name that was taken is free, or a secret is there: that is no change of the file.
            taken += [self._tried(page) for page, _ in list(self._refused.values()) if page.spec is not None]
            turned = await asyncio.to_thread(lambda: [page for page in self._pages.values() if self._is_turned(page)])
            taken += [self._renewed(page) for page in turned]
            resumed = self._resume({name: one for name, one in self._before.items() if self._is_without(name)})
            self._tell(bool(pages) or any(taken) or began or resumed)
            await asyncio.to_thread(self._taken.follow, dict(self._pages), set(self._refused))

    def is_awaited(self, account: str) -> bool:
        """Whether an account that is not served may be soon: it waits for its spec, or for a file that is refused.

        The accounts of a file that is no spec are known to nobody, so it may be of any.
        """
        if not self._has_begun or any(one.account == account for one in self._settled):
            return True
        refused = (page for page, _ in self._refused.values())
        return any(page.spec is None or account in {one.account for one in page.accounts} for page in refused)

    async def _begin(self) -> bool:
        """Take what was taken last, by an earlier process. Whether anything was."""
        pages = await asyncio.to_thread(self._taken.pages)
        self._folder.expect(page.name for page in pages)
        resumed = self._resume({page.name: (page, "") for page in pages})
        self._has_begun = True
        return resumed

    def _is_without(self, name: str) -> bool:
        """Whether nothing is in use of a file that is refused."""
        return name in self._refused and name not in self._pages

    def _resume(self, before: Mapping[str, tuple[Page, str]]) -> bool:
        """Take what was taken last. What cannot be is tried at the next look, unless its file has given something."""
        left: dict[str, tuple[Page, str]] = {}
        for name, (page, known) in before.items():
            try:
                accounts = self._swap(page)
            except Malformed as error:
                left[name] = page, error.message
                if error.message != known:
                    _log.warning("what was taken of a channel spec cannot go on", file=name, reason=error.message)
            else:
                digest = page.spec.digest if page.spec is not None else None
                _log.info("what was taken of a channel spec goes on", file=name, spec=digest, accounts=accounts)
        self._before = left
        return len(left) < len(before)

    def _is_turned(self, page: Page) -> bool:
        """Whether an account of the file has other secrets now. While one cannot be read, the old one goes on."""
        for account in page.accounts:
            channel = self._lines.channels.get(account.account)
            try:
                if isinstance(channel, Described) and secrets_of(account) != channel.secrets:
                    return True
            except Malformed as error:
                _log.warning("a channel's secret cannot be read", account=account.account, reason=error.message)
        return False

    def _renewed(self, page: Page) -> bool:
        """Whether a page that is in use has its new secrets now. Its file, if that is refused, is so still."""
        refused, _ = self._refused.get(page.name, (page, ""))
        if refused is page:
            return self._tried(page)
        try:
            self._swap(page)
        except Malformed as error:
            _log.warning("a channel's new secret cannot be used", file=page.name, reason=error.message)
            return False
        return True

    def _tried(self, page: Page) -> bool:
        """Whether the page is taken now; one fault is counted and logged once."""
        try:
            self._take(page)
        except Malformed as error:
            self._refuse(page, error.message)
            return False
        return True

    def _tell(self, news: bool) -> None:
        if news:
            self._changed()
            self.news.set()
        self._counts.show("channel.specs_refused", len(self._refused))
        without = [one.account for one in self._settled if one.account not in self._lines.channels]
        self._counts.show("channel.accounts_without_spec", len(without))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)  # a file changes in real time, whatever clock the gateway runs by
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - the task's boundary: no later change would be seen
                _log.exception("channel specs could not be looked at")

    def _take(self, page: Page) -> None:
        accounts = self._swap(page)
        self._refused.pop(page.name, None)
        self._counts.add("channel.spec_taken")
        digest = page.spec.digest if page.spec is not None else None
        _log.info("channel spec taken", file=page.name, spec=digest, accounts=accounts)

    def _swap(self, page: Page) -> list[str]:
        """Have a page in use, in place of what was there of its file. The accounts that it serves now."""
        if page.refused:
            raise Malformed(page.refused, code="spec")
        before = self._pages.get(page.name)
        if page.spec is None:
            self._pages.pop(page.name, None)
        else:
            self._check_names(page)
        made = {account.account: self._build(account, spec) for account, spec in self._served(page, before)}
        if page.spec is not None:
            self._pages[page.name] = page
        # From here on nothing can fail, and nobody else has a turn: this is the swap.
        for account in self._names(before) | self._names(page):
            self._lines.drop(account)
        for name, (channel, line) in made.items():
            self._lines.put(name, channel, line)
        return sorted(made)

    def _served(self, page: Page, before: Page | None) -> list[tuple[DescribedAccount, Proven]]:
        """The accounts that the page serves, and those of the settings that fall back on what ships."""
        served = [(account, page.spec) for account in page.accounts if page.spec is not None]
        for account in self._settled:
            if page.spec is not None and account.channel == page.spec.spec.channel:
                served.append((account, page.spec))
            elif before is not None and before.spec is not None and account.channel == before.spec.spec.channel:
                spec = shipped(account.channel)
                served += [(account, spec)] if spec is not None else []
        return served

    def _names(self, page: Page | None) -> set[str]:
        if page is None or page.spec is None:
            return set()
        settled = {one.account for one in self._settled if one.channel == page.spec.spec.channel}
        return settled | {one.account for one in page.accounts}

    def _check_names(self, page: Page) -> None:
        assert page.spec is not None
        for file, other in self._pages.items():
            if file != page.name and other.spec is not None and other.spec.spec.channel == page.spec.spec.channel:
                raise Malformed(f"{page.name}: the channel {page.spec.spec.channel} stands in {file} already.")
        own = self._names(self._pages.get(page.name))
        for account in page.accounts:
            if account.account in self._lines.names() and account.account not in own:
                raise Malformed(f"{page.name}: the account {account.account} is there already.")
        settled = {one.account for one in self._settled}
        listed = [one.account for one in page.accounts]
        if len(listed) != len(set(listed)) or settled & set(listed):
            raise Malformed(f"{page.name}: an account's name stands twice.")

    def _refuse(self, page: Page, reason: str) -> None:
        known, why = self._refused.get(page.name, (None, ""))
        if known is page and why == reason:
            return
        self._refused[page.name] = page, reason
        self._counts.add("channel.spec_refused")
        used = self._pages.get(page.name)
        if used is not None and used.spec is not None:
            what = "channel spec refused; what was taken before goes on"
            _log.error(what, file=page.name, reason=reason, spec=used.spec.digest)
        else:
            what = "channel spec refused; nothing of the file is in use, and accounts that come with it answer 503"
            _log.error(what, file=page.name, reason=reason)
