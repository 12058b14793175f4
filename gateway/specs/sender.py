"""The sender and the contents of an account whose platform is described by a spec: `outbound` and `media` over HTTP.

Nothing is called but the spec's origins, or the account's in their place, and addresses that a callback or an answer
tells where the spec's `told` allows them. No error and no log holds an address: tokens stand in some.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from json import loads

from crdt_sync.errors import Malformed, Unavailable
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery, Media
from gateway.media import Content, Form, MediaFailed
from gateway.outbound import Dead, Limits, Outcome, RetryLater, Unknown
from gateway.platforms.addresses import GONE, ToldAddresses
from gateway.platforms.http import CallFailed, NotSent, PlatformHttp, Refused
from gateway.platforms.outcomes import failed, media_failed
from gateway.platforms.tokens import AccessToken, Grant
from gateway.ports import Clock
from gateway.specs import model
from gateway.specs.answers import (
    Call,
    Reply,
    call_of,
    chosen,
    delivery_scope,
    is_too_long,
    limits_of,
    outcome_of,
    times,
)
from gateway.specs.expressions import text_of
from gateway.specs.model import Spec


@dataclass(frozen=True, slots=True)
class Ends:
    """What an account's templates are filled with: its fields, and its secrets, read anew each time."""

    fields: Mapping[str, str]
    origins: Mapping[str, str]
    secrets: Mapping[str, Callable[[], str]] = field(repr=False)

    def scope(self) -> dict[str, object]:
        """What every template sees; raises `Malformed` (code `secret`) where a secret is gone."""
        secrets = {name: read() for name, read in self.secrets.items()}
        return {"account": self.fields, "origin": self.origins, "secret": secrets}


class Line:
    """Calls of one account, with the token that they share, if the spec has one."""

    def __init__(self, auth: model.Auth | None, ends: Ends, http: PlatformHttp, clock: Clock) -> None:
        self._auth = auth
        self._ends = ends
        self._http = http
        self.token = AccessToken(self._grant, clock) if auth is not None else None

    async def exchange(self, request: model.Request, scope: Mapping[str, object], told: ToldAddresses) -> Reply:
        """The answer of a call that was made, with a fresh token if the first was refused.

        Raises:
            CallFailed: as `PlatformHttp.exchange`; `NotSent` too where there is no address, or no token.
            Malformed: a secret is gone, or an expression cannot be applied; nothing was sent.
        """
        for _ in range(2):
            call, token = await self.filled(request, scope)
            reply = await _exchanged(self._http, call, told)
            if self._auth is None or self.token is None or not self._auth.refused.holds(reply.scope):
                return reply
            self.token.refused(token)
        raise NotSent("token")

    async def filled(self, request: model.Request, scope: Mapping[str, object]) -> tuple[Call, str]:
        """The call with everything filled in, and the token in it; raises as `exchange`."""
        token = await self.token.get() if self.token is not None else ""
        call = call_of(request, {**scope, **self._ends.scope(), "auth": {"token": token}})
        if call is None:
            raise NotSent("address")
        return call, token

    async def _grant(self) -> Grant:
        assert self._auth is not None
        try:
            call = call_of(self._auth.request, self._ends.scope())
            if call is None:
                raise NotSent("token")
            scope = (await _exchanged(self._http, call, None)).scope
            token, lives = text_of(self._auth.token(scope)), self._auth.lives_s(scope)
        except (CallFailed, Malformed):
            raise NotSent("token") from None
        if not token or not isinstance(lives, int) or lives <= 0:
            raise NotSent("token")
        return Grant(token, lives)


class DescribedSender:
    """Answers the conversations of one account. `reply_to` finds what the newest callback of one said of how."""

    def __init__(
        self,
        account: str,
        outbound: model.Outbound,
        line: Line,
        told: ToldAddresses,
        reply_to: Callable[[str, str], Awaitable[str | None]],
        clock: Clock,
    ) -> None:
        self.account = account
        self.has_idempotency = outbound.idempotent
        self.limits: Limits = limits_of(outbound)
        self._outbound = outbound
        self._line = line
        self._told = told
        self._reply_to = reply_to
        self._clock = clock

    async def send(self, delivery: Delivery) -> Outcome:
        """One attempt, at the first request of the spec whose `when` holds."""
        if delivery.part.WhichOneof("part") != "text":
            return Dead("unsupported_part")
        if is_too_long(self._outbound, delivery.part.text):
            return Dead("text_size")
        try:
            known = await self._reply_to(self.account, delivery.conversation)
        except Unavailable:
            return RetryLater("store")
        scope = {
            "delivery": delivery_scope(delivery),
            "reply": loads(known) if known else None,
            **times(self._clock.now_ms()),
        }
        try:
            request = chosen(self._outbound.requests, scope)
            if request is None:
                return Dead("no_address")
            reply = await self._line.exchange(request, scope, self._told)
        except Malformed as error:
            return RetryLater(error.code)
        except CallFailed as error:
            return failed(error, {})
        try:
            return outcome_of(self._outbound, reply)
        except Malformed:
            return Unknown("answer_form")

    async def close(self) -> None:
        """Nothing of its own: the gateway closes the connections that all accounts share."""


class DescribedMedia:
    """The contents of one account: fetched, and none uploaded."""

    def __init__(self, media: model.Media, line: Line, http: PlatformHttp, told: ToldAddresses) -> None:
        self.forms: Mapping[str, Form] = {}
        self._media = media
        self._line = line
        self._http = http
        self._told = told

    async def download(self, media: Media, *, bytes_max: int) -> bytes:
        """Ask for the address if the spec says so, then for what is there."""
        told = {"id": media.platform_id, "parts": media.platform_id.split("/"), "type": media.type}
        scope: dict[str, object] = {"media": told, "answer": None}
        try:
            if self._media.ask is not None:
                reply = await self._line.exchange(self._media.ask, scope, self._told)
                if reply.status >= 300:
                    raise Refused(f"http_{reply.status}")
                scope["answer"] = reply.body
            call, _ = await self._line.filled(self._media.download, scope)
            if call.told:
                return await self._told.download(call.url, bytes_max=bytes_max, headers=call.headers)
            answer = await self._http.download(call.url, bytes_max=bytes_max, query=call.query, headers=call.headers)
            if answer.status >= 300:
                raise Refused(f"http_{answer.status}")
        except CallFailed as error:
            raise media_failed(error, GONE) from None
        except Malformed as error:
            raise MediaFailed(error.code, again=True) from None
        return answer.content

    async def upload(self, kind: str, content: Content) -> str:  # noqa: ARG002 - as the port has it
        """No described platform takes any; raises `MediaFailed`."""
        raise MediaFailed("unsupported_part")


def origins_of(spec: Spec, given: Mapping[str, str]) -> dict[str, str]:
    """The origins of an account: the spec's, or its own in their place.

    Raises:
        Malformed: it names one that the spec has not, or lacks one that is each account's own (code `origins`).
    """
    origins = {name: given.get(name) or origin for name, origin in spec.origins.items()}
    unknown = [*(given.keys() - spec.origins.keys()), *(name for name, origin in origins.items() if not origin)]
    if unknown:
        raise Malformed(
            f"The channel {spec.channel} and its account disagree about the origin {min(unknown)}.",
            code="origins",
            advice="`origins` of the account names the hosts that the spec leaves open, and may replace others.",
        )
    return {name: origin for name, origin in origins.items() if origin}


async def _exchanged(http: PlatformHttp, call: Call, told: ToldAddresses | None) -> Reply:
    url, headers, server_name = call.url, dict(call.headers), None
    if call.told:
        assert told is not None, "only requests of `outbound` and `media` may have a told address"
        place = await told.located(url)
        url, headers, server_name = place.url, {**headers, **place.headers}, place.server_name
    answer = await http.exchange(
        call.method, url, json_=call.json, form=call.form, query=call.query, headers=headers, server_name=server_name
    )
    return Reply.of(answer.status, answer.headers, answer.content)
