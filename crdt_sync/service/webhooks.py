"""People's side of webhooks: who subscribes another system to what, and what it has missed. Sends nothing.

A subscription belongs to a department and stands on the access of whoever made it, resumed it or gave it another
address. Each of the department may look after it, unless a token names tickets: then those alone that name no other.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from crdt_sync.domain import access
from crdt_sync.domain.access import Principal
from crdt_sync.domain.canonical import digest, dumps
from crdt_sync.domain.event import EventType
from crdt_sync.domain.ids import Position
from crdt_sync.domain.webhook import Paused
from crdt_sync.errors import NotFound, PreconditionUnknown, TooMany
from crdt_sync.ports import Clock, Ids, NewResult, Store, StoreConflict, StoredResult
from crdt_sync.ports.webhooks import Receivers, Webhook, WebhookRow
from crdt_sync.service.command import key_reused
from crdt_sync.service.courier import WAITING_MAX
from crdt_sync.service.couriers import Couriers
from crdt_sync.wire import standard_webhooks

PER_DEPARTMENT_MAX = 20  # systems that a department tells of its tickets; each has a courier and some connections
TOTAL_MAX = 200  # of a service: 800 connections at once at worst, and as many lookups as a machine can bear
FORMER_SECRET_MS = 86_400_000  # for which a secret that was replaced signs as well: a day to bring the new one out
SHOWN_AGAIN_MS = 3_600_000  # for which whoever made a webhook and had no answer may ask again, and learn its secret
ROWS_PAGE_MAX = 200


class Webhooks:
    """What people may do with subscriptions. Every method raises `Forbidden` and `StoreUnavailable`."""

    def __init__(self, store: Store, receivers: Receivers, couriers: Couriers, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._receivers = receivers
        self.couriers = couriers
        self._clock = clock
        self._ids = ids

    async def create(
        self,
        principal: Principal,
        url: str,
        types: Sequence[EventType] = (),
        after: Position | None = None,
        *,
        request_id: str | None = None,
    ) -> Webhook:
        """Subscribe from a position on, None for now. The only answer, with `replace_secret`'s, to show a secret.

        The same request with the same `request_id` gives the subscription that it made first; its secret is empty
        once that is an hour ago, or somebody has changed the subscription.

        Raises:
            Malformed: nothing may be sent to this address.
            PreconditionUnknown: there is no such position yet.
            TooMany: the department or the service has enough.
            Conflict: the `request_id` came with another request (`idempotency_key_reused`).
            NotFound: what it made is not there any more.

        """
        _check(access.subscribe(principal))
        request = digest({"webhook": url, "types": types, "after": after, "tickets": principal.tickets})
        if request_id is not None and (first := await self._store.result(principal.actor, request_id)) is not None:
            if first.request != request:
                raise key_reused()
            return await self._made(principal, first)
        self._receivers.check(url)
        now_ms = self._clock.now_ms()
        newest = await self._store.position()
        if after is not None and after > newest:
            raise PreconditionUnknown(
                f"There is no position {after} yet; the newest is {newest}.", code="position_unknown"
            )
        hook = Webhook(
            self._ids.uuid7(),
            principal.department,
            principal.actor,
            principal.tickets,
            now_ms,
            url,
            tuple(types),
            now_ms,
            newest if after is None else after,
            self._secret(),
        )
        result = None
        if request_id is not None:
            result = NewResult(principal.actor, request_id, request, dumps({"webhook": hook.id}), now_ms)
        try:
            added = await self._store.add_webhook(
                hook, department_max=PER_DEPARTMENT_MAX, total_max=TOTAL_MAX, result=result
            )
        except StoreConflict:  # it came twice at once, and the other one was first
            return await self.create(principal, url, types, after, request_id=request_id)
        if not added:
            raise TooMany("There are enough webhooks.", code="webhooks", advice="Delete one that is not needed.")
        self.couriers.notice()
        return hook

    async def all(self, principal: Principal) -> Sequence[Webhook]:
        """Return those that the caller may look after."""
        _check(access.watch(principal))
        stored = await self._store.webhooks(principal.department)
        return [hook for hook in stored if access.tends(principal, hook.department, hook.tickets)]

    async def get(self, principal: Principal, id_: str) -> Webhook:
        """Return one.

        Raises:
            NotFound: there is no such one for this caller. So do all methods that name one.

        """
        _check(access.watch(principal))
        hook = await self._store.webhook(id_)
        if hook is None or not access.tends(principal, hook.department, hook.tickets):
            raise _unknown()
        return hook

    async def change(
        self,
        principal: Principal,
        id_: str,
        *,
        url: str | None = None,
        types: Sequence[EventType] | None = None,
        paused: bool | None = None,
    ) -> Webhook:
        """Change what is given. With another address, and when it is resumed, what waits is tried from the beginning.

        Raises:
            Malformed: nothing may be sent to this address.

        """
        before = await self._own(principal, id_)
        if url is not None:
            self._receivers.check(url)
        now_ms = self._clock.now_ms()
        anew = url is not None or paused is False

        def amend(hook: Webhook) -> Webhook:
            changed = replace(hook, url=url or hook.url, types=hook.types if types is None else tuple(types))
            if paused is not None:
                changed = replace(changed, paused=Paused.ASKED if paused else Paused.NO)
            if not anew:
                return changed
            granted = replace(changed, actor=principal.actor, granted_ms=now_ms)
            return replace(granted, failures=0, failing_since_ms=None)

        waiting = await self._waiting(before) if anew else ()
        rows = [replace(row, attempts=0, due_ms=0, since_ms=0) for row in waiting]
        return await self._amended(id_, amend, rows=rows)

    async def replace_secret(self, principal: Principal, id_: str) -> Webhook:
        """Sign with a new secret, and for a while with the former one as well."""
        await self._own(principal, id_)
        secret, until_ms = self._secret(), self._clock.now_ms() + FORMER_SECRET_MS

        def amend(hook: Webhook) -> Webhook:
            return replace(hook, secret=secret, former_secret=hook.secret, former_until_ms=until_ms)

        return await self._amended(id_, amend)

    async def remove(self, principal: Principal, id_: str) -> None:
        """Forget a subscription and what it has missed."""
        await self._own(principal, id_)
        await self._store.remove_webhook(id_)
        self.couriers.notice()

    async def rows(
        self, principal: Principal, id_: str, *, dead: bool, after: Position, limit: int = ROWS_PAGE_MAX
    ) -> Sequence[WebhookRow]:
        """Return what waits to be sent again, or was given up, behind a position."""
        await self.get(principal, id_)
        return await self._store.webhook_rows(id_, dead=dead, after=after, limit=limit)

    async def send_again(self, principal: Principal, id_: str, position: Position) -> Webhook:
        """Send one event once more, before whatever waits of its ticket; one that is still to come comes once.

        Raises:
            NotFound: there is no such event for this subscription (`no_event`).
            TooMany: enough waits already.

        """
        hook = await self._own(principal, id_)
        found = await self._store.events(Position(position - 1), limit=1)
        hears = Principal(hook.actor, hook.department, tickets=hook.tickets)
        if not (found and found[0].position == position and access.hear(hears, found[0].ticket, found[0].audience)):
            raise NotFound("There is no such event for this webhook.", code="no_event")
        if len(await self._waiting(hook)) >= WAITING_MAX:
            raise TooMany("Enough waits for this receiver.", code="webhook_waiting", advice="Resume from a position.")
        if position > hook.position:
            return hook
        row = WebhookRow(hook.id, position, found[0].ticket)
        return await self._amended(id_, _same, rows=[row])

    async def send_anew(self, principal: Principal, id_: str, after: Position) -> Webhook:
        """Send every event behind a position once more, in order, under the ids that they had."""
        await self._own(principal, id_)

        def amend(hook: Webhook) -> Webhook:
            return replace(hook, position=min(hook.position, after))

        return await self._amended(id_, amend, forget_after=after)

    async def _made(self, principal: Principal, first: StoredResult) -> Webhook:
        """Return what a request made that comes again."""
        hook = await self.get(principal, json.loads(first.result)["webhook"])
        is_new = hook.version == 1 and self._clock.now_ms() < hook.created_ms + SHOWN_AGAIN_MS
        return hook if is_new else replace(hook, secret="")

    async def _own(self, principal: Principal, id_: str) -> Webhook:
        """Return one that is to be changed."""
        hook = await self.get(principal, id_)
        _check(access.subscribe(principal))
        return hook

    async def _waiting(self, hook: Webhook) -> Sequence[WebhookRow]:
        return await self._store.webhook_rows(hook.id, dead=False, limit=2 * WAITING_MAX)

    async def _amended(
        self,
        id_: str,
        amend: Callable[[Webhook], Webhook],
        *,
        rows: Sequence[WebhookRow] = (),
        forget_after: Position | None = None,
    ) -> Webhook:
        hook = await self._store.amend_webhook(id_, amend, rows=rows, forget_after=forget_after)
        if hook is None:
            raise _unknown()
        self.couriers.notice()
        return hook

    def _secret(self) -> str:
        return standard_webhooks.secret_of(bytes.fromhex(self._ids.salt() + self._ids.salt()))


def _same(hook: Webhook) -> Webhook:
    return hook


def _check(denial: access.Denial | None) -> None:
    if denial is not None:
        raise denial.error()


def _unknown() -> NotFound:
    return NotFound("There is no such webhook.", code="no_webhook", advice="GET /api/webhooks lists them.")
