"""The way to a service over WebSocket: documents in Hocuspocus frames on `/collab`, `/events`, and the rest over HTTP.

The token goes with the handshake, so that a wrong one is told by the close code, and in-band for each document, as the
protocol has it. Source: proto/PROTOCOL.md; @hocuspocus/provider 4.7.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict
from typing import Any, assert_never

import httpx
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as dial
from websockets.exceptions import ConnectionClosed, WebSocketException

from crdt_sync.domain.ids import Digest, Position, TicketId
from crdt_sync.domain.tripwire import Agreement, Evidence, Fingerprint
from crdt_sync.errors import Malformed, NotFound, TicketSyncError, Unauthenticated, Unavailable
from crdt_sync.replica.link import (
    Answered,
    Change,
    Closed,
    Diff,
    Heard,
    Inbound,
    Join,
    Leave,
    Line,
    Listing,
    Opened,
    Outbound,
    StateVector,
    agreements_of,
    heard,
    split_reason,
)
from crdt_sync.wire import hocuspocus, ysync
from crdt_sync.wire.limits import FRAME_BYTES_MAX

PAGE_TICKETS = 500
TIMEOUT_S = 10.0  # of a handshake or a request; a phone on a bad line needs a few seconds
_UNAUTHENTICATED = 4401  # wire.md section 1, rule 7


class WebSocketLink:
    """A service at ws://HOST:PORT or wss://HOST:PORT."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(
            base_url=f"http{self._url.removeprefix('ws')}", headers=self._headers, timeout=TIMEOUT_S
        )

    async def connect(self) -> Line:
        """Open a socket.

        Raises:
            Unavailable: nobody answers, or not as a service of ours does.

        """
        try:
            socket = await self._dial("/collab")
        except (OSError, TimeoutError, WebSocketException) as error:
            raise _unreachable(error) from error
        return WebSocketLine(socket, self._token)

    async def tickets(self, changed_after: Position) -> Listing:
        """List the tickets that changed, over as many pages as there are."""
        found: list[tuple[TicketId, Digest]] = []
        position: Position | None = None
        parameters: dict[str, str | int] = {"limit": PAGE_TICKETS, "changed_after": changed_after}
        while True:
            page = (await self._ask("GET", "/api/tickets", params=parameters)).json()
            found += [(TicketId(ticket["id"]), Digest(ticket["lifecycle"])) for ticket in page["tickets"]]
            position = Position(page["position"]) if position is None else position
            if page["next"] is None:
                return Listing(tuple(found), position)
            parameters["cursor"] = page["next"]

    async def watch(self, after: Position) -> AsyncGenerator[Heard]:
        """Hear `/events` on a socket of its own."""
        try:
            async with self._dial(f"/events?after={after}") as socket:
                async for text in socket:
                    yield heard([str(text)])
                raise _closed(socket.close_code, socket.close_reason)
        except ConnectionClosed as error:
            raise _ended(error) from error
        except (OSError, TimeoutError, WebSocketException) as error:
            raise _unreachable(error) from error

    async def lifecycle(self, digest: Digest | None) -> str:
        """Fetch a lifecycle; None is the service's default."""
        if digest is None:
            listed = (await self._ask("GET", "/api/lifecycles")).json()["lifecycles"]
            digest = next(Digest(each["digest"]) for each in listed if each["default"])
        return (await self._ask("GET", f"/api/lifecycles/{digest}")).text

    async def compare(self, claims: Sequence[tuple[TicketId, Fingerprint]]) -> Sequence[Agreement]:
        """Compare tickets in one request."""
        body = {"claims": [{"ticket": ticket, **asdict(claimed)} for ticket, claimed in claims]}
        answer = (await self._ask("POST", "/api/tickets/compare", json=body)).json()
        return agreements_of(answer["agreements"], len(claims))

    async def raise_alarm(self, ticket: TicketId, claimed: Fingerprint, evidence: Evidence) -> Evidence:
        """Exchange evidence in one request."""
        body = {**asdict(claimed), "evidence": asdict(evidence)}
        answer = (await self._ask("POST", f"/api/tickets/{ticket}/alarms", json=body)).json()
        return Evidence(str(answer["evidence"]["explanation"]), str(answer["evidence"]["state"]))

    async def close(self) -> None:
        """Close what requests left open."""
        await self._http.aclose()

    def _dial(self, path: str) -> dial:
        return dial(
            f"{self._url}{path}",
            additional_headers=self._headers,
            open_timeout=TIMEOUT_S,
            close_timeout=1,
            max_size=FRAME_BYTES_MAX,
        )

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 (httpx's own)
        try:
            answer = await self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        if not answer.is_success:
            raise _problem(answer)
        return answer


class WebSocketLine:
    """One socket with many documents."""

    def __init__(self, socket: ClientConnection, token: str) -> None:
        self._socket = socket
        self._token = token

    async def send(self, frames: Sequence[Outbound]) -> None:
        """Send each frame as one message."""
        try:
            for frame in frames:
                await self._socket.send(encoded(frame, self._token))
        except ConnectionClosed as error:
            raise _ended(error) from error

    async def receive(self) -> Sequence[Inbound]:
        """Wait for the next message."""
        try:
            data = await self._socket.recv()
            if data == hocuspocus.encode_ping():
                await self._socket.send(hocuspocus.encode_pong())
                return ()
        except ConnectionClosed as error:
            raise _ended(error) from error
        if isinstance(data, str):
            raise Malformed("The service sent a text message where only binary ones count.")
        return decoded(data)

    async def close(self) -> None:
        """Close the socket."""
        await self._socket.close()


def encoded(frame: Outbound, token: str) -> bytes:
    """Return the Hocuspocus message of a frame."""
    address = frame.document.encode()
    match frame:
        case Join():
            return hocuspocus.encode_token(address, token)
        case Leave():
            return hocuspocus.encode_close(address)
        case StateVector():
            return hocuspocus.encode_step1(address, frame.state_vector)
        case Diff():
            return hocuspocus.encode_step2(address, frame.update)
        case Change():
            return hocuspocus.encode_update(address, frame.update)
        case _:
            assert_never(frame)


def decoded(data: bytes) -> Sequence[Inbound]:
    """Return what a Hocuspocus message of a service says; presence and the like say nothing to a replica.

    Raises:
        Malformed: it is no such message.

    """
    message = hocuspocus.decode(data)
    if not isinstance(message, hocuspocus.Addressed):
        return ()
    document = message.document
    match message.frame:
        case hocuspocus.Authenticated(read_only):
            return (Opened(document, read_only),)
        case hocuspocus.PermissionDenied(reason):
            return (Closed(document, *split_reason(reason)),)
        case hocuspocus.Close(reason):
            return (Closed(document, *split_reason(reason or "")),)
        case hocuspocus.SyncStatus(accepted):
            return (Answered(document, accepted),)
        case ysync.Step1(state_vector):
            return (StateVector(document, state_vector),)
        case ysync.Step2(update):
            return (Diff(document, update),)
        case ysync.Update(update):
            return (Change(document, update),)
        case _:
            return ()


def _ended(error: ConnectionClosed) -> TicketSyncError:
    close = error.rcvd
    if close is None:
        return _unreachable(error)
    return _closed(close.code, close.reason)


def _closed(status: int | None, reason: str | None) -> TicketSyncError:
    code, message = split_reason(reason or "")
    if status == _UNAUTHENTICATED:
        return Unauthenticated(message, code=code)
    return Unavailable(f"The service closed the connection: {message or status}", code=code)


def _problem(answer: httpx.Response) -> TicketSyncError:
    try:
        problem: dict[str, Any] = answer.json()
        code, message = str(problem["code"]), str(problem.get("detail") or problem.get("title"))
    except (ValueError, KeyError, TypeError):
        code, message = "unavailable", f"The service answered {answer.status_code}."
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return Unauthenticated(message, code=code)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return NotFound(message, code=code)
    return Unavailable(message, code=code)


def _unreachable(error: Exception) -> Unavailable:
    return Unavailable(
        f"The service cannot be reached: {error or type(error).__name__}.",
        code="unreachable",
        advice="The replica goes on trying; what is done meanwhile is kept.",
    )
