"""Subscriptions of other systems, over HTTP: requests into calls of the service, answers into JSON. No rule is here."""

from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BeforeValidator, Field
from starlette.responses import JSONResponse

from crdt_sync.domain.event import EventType
from crdt_sync.domain.ids import Position
from crdt_sync.domain.instants import instant
from crdt_sync.errors import Malformed
from crdt_sync.ports.webhooks import Webhook, WebhookRow
from crdt_sync.server.requests import Caller, RequestId
from crdt_sync.server.tickets_api import Body
from crdt_sync.service.webhooks import ROWS_PAGE_MAX, Webhooks

URL_CHARACTERS_MAX = 4_096  # of a body that is looked at: who sends a URL twice as long as any is told so in words

_Url = Annotated[str, Field(max_length=URL_CHARACTERS_MAX)]
_Position = Annotated[str, Field(pattern=r"^[0-9]{1,18}$", description="as the `position` of an event")]
_Type = Annotated[EventType, BeforeValidator(lambda name: EventType(name) if name in set(EventType) else name)]
_Types = Annotated[list[_Type], Field(max_length=len(EventType), description="none for all")]

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])


class NewBody(Body):
    """A receiver, and what it is told from when on."""

    url: _Url
    types: _Types = Field(default_factory=list)
    after: Annotated[_Position | None, Field(description="a position; now if absent")] = None


class ChangeBody(Body):
    """What is to be another."""

    url: _Url | None = None
    types: _Types | None = None
    paused: bool | None = None


class AgainBody(Body):
    """One event, or all behind a position."""

    event: _Position | None = None
    after: _Position | None = None


def _webhooks(request: Request) -> Webhooks:
    return cast(Webhooks, request.app.state.webhooks)


WebhooksPort = Annotated[Webhooks, Depends(_webhooks)]
_Id = Annotated[str, Path(max_length=64)]


@router.post("", status_code=201)
async def create_webhook(body: NewBody, caller: Caller, webhooks: WebhooksPort, request_id: RequestId) -> Response:
    """Subscribe a receiver to what the caller's department hears. Its secret is shown here, and never again.

    The same key and body give the same webhook again, and its secret for an hour, unless somebody changed it.
    """
    after = None if body.after is None else Position(int(body.after))
    hook = await webhooks.create(caller, body.url, body.types, after, request_id=request_id)
    return JSONResponse({**_told(hook), "secret": hook.secret or None}, 201, headers=_SECRET)


@router.get("")
async def list_webhooks(caller: Caller, webhooks: WebhooksPort) -> Response:
    """List the department's subscriptions."""
    return JSONResponse({"webhooks": [_told(hook) for hook in await webhooks.all(caller)]})


@router.get("/{webhook}")
async def get_webhook(webhook: _Id, caller: Caller, webhooks: WebhooksPort) -> Response:
    """Show a subscription: how far its receiver is, and why nothing is sent where it is paused."""
    return JSONResponse(_told(await webhooks.get(caller, webhook)))


@router.patch("/{webhook}")
async def change_webhook(webhook: _Id, body: ChangeBody, caller: Caller, webhooks: WebhooksPort) -> Response:
    """Give another address or other types, pause, or resume."""
    hook = await webhooks.change(caller, webhook, url=body.url, types=body.types, paused=body.paused)
    return JSONResponse(_told(hook))


@router.delete("/{webhook}", status_code=204)
async def delete_webhook(webhook: _Id, caller: Caller, webhooks: WebhooksPort) -> Response:
    """Forget a subscription and what waits for its receiver."""
    await webhooks.remove(caller, webhook)
    return Response(status_code=204)


@router.post("/{webhook}/secret")
async def replace_secret(webhook: _Id, caller: Caller, webhooks: WebhooksPort) -> Response:
    """Make a new secret, which is shown here alone; the former one signs as well for a day."""
    hook = await webhooks.replace_secret(caller, webhook)
    return JSONResponse({**_told(hook), "secret": hook.secret}, headers=_SECRET)


@router.get("/{webhook}/deliveries")
async def list_deliveries(
    *,
    webhook: _Id,
    caller: Caller,
    webhooks: WebhooksPort,
    state: Literal["waiting", "dead"] = "waiting",
    after: Annotated[str, Query(pattern="^[0-9]{1,18}$", description="the `next` before")] = "0",
    limit: Annotated[int, Query(ge=1, le=ROWS_PAGE_MAX)] = ROWS_PAGE_MAX,
) -> Response:
    """List events that wait to be sent again, or that were given up. What was taken is not listed."""
    rows = await webhooks.rows(caller, webhook, dead=state == "dead", after=Position(int(after)), limit=limit)
    next_ = str(rows[-1].position) if len(rows) == limit else None
    return JSONResponse({"deliveries": [_delivery(row) for row in rows], "next": next_})


@router.post("/{webhook}/redeliver", status_code=202)
async def redeliver(webhook: _Id, body: AgainBody, caller: Caller, webhooks: WebhooksPort) -> Response:
    """Send one event, or every one behind a position, once more, under the ids that they had."""
    if (body.event is None) == (body.after is None):
        raise Malformed("Name one `event`, or the position `after` which all are sent.", code="redeliver")
    if body.event is not None:
        hook = await webhooks.send_again(caller, webhook, Position(int(body.event)))
    else:
        hook = await webhooks.send_anew(caller, webhook, Position(int(body.after or 0)))
    return JSONResponse(_told(hook), 202)


_SECRET = {"Cache-Control": "no-store"}


def _told(hook: Webhook) -> dict[str, object]:
    return {
        "id": hook.id,
        "url": hook.url,
        "types": list(hook.types),
        "tickets": None if hook.tickets is None else list(hook.tickets),
        "owner": hook.actor,
        "state": "paused" if hook.paused else "active",
        "reason": str(hook.paused) or None,
        "position": str(hook.position),
        "failures": hook.failures,
        "failing_since": _instant(hook.failing_since_ms),
        "taken_at": _instant(hook.taken_ms),
        "former_secret_until": _instant(hook.former_until_ms),
        "created_at": instant(hook.created_ms),
    }


def _delivery(row: WebhookRow) -> dict[str, object]:
    return {
        "event": str(row.position),
        "ticket": row.ticket,
        "state": "dead" if row.dead else "waiting",
        "attempts": row.attempts,
        "due_at": None if row.dead else _instant(row.due_ms),
        "tried_at": _instant(row.at_ms),
        "code": row.code or None,
    }


def _instant(at_ms: int | None) -> str | None:
    return instant(at_ms) if at_ms else None
