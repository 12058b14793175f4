"""The walk-through of "signed meets pending": real processes, real sockets, a link that is really cut.

Every step says what is done, shows what the ticket says about itself, and compares it with what must be.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import typer

from crdt_sync.adapters.clock import SystemIds
from crdt_sync.cli import wechat_customer
from crdt_sync.cli.process import development_token, running, until_signal
from crdt_sync.cli.replica_process import ReplicaProcess
from crdt_sync.domain.lifecycle.explain import Language
from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import Clock
from crdt_sync.server.bootstrap import Service
from crdt_sync.server.settings import Settings

TOKEN_TTL_MS = 12 * 3_600_000
ARRIVAL_TIMEOUT_S = 15.0
TECH_FIELDS = {"port": "A-07"}

PEOPLE: Mapping[str, tuple[str, Sequence[str]]] = {
    "sales": ("sales", ["sales"]),
    "sales lead": ("sales", ["sales", "sales_lead"]),
    "tech": ("tech", ["tech"]),
    "support": ("support", ["support"]),
    "back office": ("backoffice", ["backoffice"]),
}


async def play(settings: Settings, *, language: Language, once: bool, clock: Clock) -> bool:
    """Start everything, walk through, and serve on unless `once`; True if every expectation held.

    Raises:
        Unavailable: a port is taken.

    """
    gateway = {
        "accounts": (wechat_customer.account(),),
        "timestamp_tolerance_s": wechat_customer.SAMPLE_AGE_S,
    }
    began = perf_counter()
    async with running(settings.model_copy(update={"gateway": True}), gateway=gateway) as service:
        async with AsyncExitStack() as stack:
            walk = await stack.enter_async_context(Walk(settings, service, language, clock))
            await walk.through()
        failed = walk.failures
        verdict = "every expectation held" if not failed else f"{len(failed)} expectations FAILED: {'; '.join(failed)}"
        typer.echo(f"\n{verdict}, {perf_counter() - began:.1f} s from the start.")
        if not once:
            _print_addresses(settings, service)
            await until_signal()
    return not failed


class Walk:
    """The steps, the replicas that take them, and what went otherwise than expected."""

    def __init__(self, settings: Settings, service: Service, language: Language, clock: Clock) -> None:
        self.failures: list[str] = []
        self._settings = settings
        self._service = service
        self._language = language
        self._clock = clock
        self._ids = SystemIds(clock)
        self._stack = AsyncExitStack()
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}")
        self._replicas: dict[str, ReplicaProcess] = {}

    async def __aenter__(self) -> "Walk":
        """Start the three replicas, each in its own process."""
        await self._stack.enter_async_context(self._http)
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="crdt-sync-demo-")))
        ports = {"ws": self._service.port, "grpc": self._service.grpc_port}
        for name, scheme in (("sales", "ws"), ("sales lead", "ws"), ("tech", "grpc")):
            file = directory / f"{name.replace(' ', '-')}.db"
            process = ReplicaProcess(
                name, scheme=scheme, target_port=ports[scheme], file=file, token=_token(self._settings, name)
            )
            self._replicas[name] = await self._stack.enter_async_context(process)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the replicas."""
        await self._stack.aclose()

    async def through(self) -> None:
        """Take every step; a step that breaks is a failed expectation, and the walk goes on with the next part."""
        for part in (self._customer_first, self._opened_by_hand, self._disputed):
            try:
                await part()
            except (TicketSyncError, TimeoutError, httpx.HTTPError, OSError) as error:
                self._expect(f"{part.__name__.strip('_')} goes through", f"{type(error).__name__}: {error}", "")

    async def _customer_first(self) -> None:
        """A chat opens the ticket; sales comes back first."""
        ticket = await self._chat()
        await self._apart(ticket, reply="Thank you. The offer is on its way. 谢谢，报价马上发给您。")
        await self._back(ticket, first="sales", second="tech")
        await self._start_beside_withdraw(ticket)

    async def _opened_by_hand(self) -> None:
        """The same with the other order of return."""
        ticket = await self._open("Fibre for the bakery")
        await self._apart(ticket, reply="We have booked the engineer. 已预约工程师。")
        await self._back(ticket, first="tech", second="sales")

    async def _disputed(self) -> None:
        """`sign` beside `lose`, and the settlement."""
        ticket = await self._open("Fibre for the school")
        sales, lead = self._replicas["sales"], self._replicas["sales lead"]
        for replica in (sales, lead):
            await replica.call("known", ticket=ticket)
        await sales.call("do", ticket=ticket, lane="sales", name="quote", payload={"price": "990.00"})
        for replica in (sales, lead):
            await replica.call("synced")
        self._say("The links of sales and the sales lead are cut: one signs, the other marks the deal as lost.")
        await asyncio.gather(sales.cut(), lead.cut())
        await sales.call("do", ticket=ticket, lane="sales", name="sign")
        await lead.call("do", ticket=ticket, lane="sales", name="lose")
        await asyncio.gather(sales.mend(), lead.mend())
        await self._together(ticket, "sales", "sales lead")
        await self._show(ticket, "sales lead", "deal_disputed")
        self._say("The sales lead settles the dispute: the signature stands.")
        await lead.call("do", ticket=ticket, lane="sales", name="rule_signed")
        await self._together(ticket, "sales", "sales lead")
        await self._show(ticket, "sales", "ready_to_start")

    async def _chat(self) -> str:
        """A customer writes on WeChat; return the ticket."""
        mark = self._ids.salt()[:12]
        now_s = self._clock.now_ms() // 1000
        text = f"Hello, I would like fibre at home. 你好，我想开通光纤。({mark})"
        posted = wechat_customer.callback(openid=f"demo-{mark}", text=text, message_id=int(mark, 16), now_s=now_s)
        before = {entry["id"] for entry in await self._list()}
        answer = await self._http.post(
            f"/channels/{wechat_customer.ACCOUNT}", params=dict(posted.query), content=posted.body.encode()
        )
        self._say(f"A customer writes on WeChat; the callback was encrypted by {posted.encrypted_by}.")
        self._expect("the callback is answered", (answer.status_code, answer.text), (200, "success"))
        async with asyncio.timeout(ARRIVAL_TIMEOUT_S):
            while not (fresh := [entry["id"] for entry in await self._list() if entry["id"] not in before]):  # noqa: ASYNC110 - another process changes it
                await asyncio.sleep(0.05)
        messages = (await self._get("sales", f"/api/tickets/{fresh[0]}/messages"))["messages"]
        self._expect("the message is in the conversation", len(messages), 1)
        typer.echo(f"    ticket {fresh[0][:8]}: {messages[0]['parts'][0]['text']}")
        return str(fresh[0])

    async def _apart(self, ticket: str, *, reply: str) -> None:
        """Cut both links, restart both processes, and let both departments work."""
        sales, tech = self._replicas["sales"], self._replicas["tech"]
        for replica in (sales, tech):
            await replica.call("known", ticket=ticket)
        self._say("The links of sales (WebSocket) and tech (gRPC) are cut, and both programs are killed and restarted.")
        for replica in (sales, tech):
            await replica.cut()
            await replica.kill()
            await replica.start()
        await sales.call("do", ticket=ticket, lane="sales", name="quote", payload={"price": "480.00"})
        await sales.call("do", ticket=ticket, lane="sales", name="sign", payload={"contract": "2026-0117"})
        await sales.call("say", ticket=ticket, text=reply)
        await tech.call("form", ticket=ticket, lane="tech", fields=TECH_FIELDS, note="Riser is on the left. 左侧竖井")
        shown = await self._service_shows(ticket)
        self._expect(
            "the service has heard nothing of it", (shown["stage"], shown["lanes"]["sales"]), ("presale", "lead")
        )
        pending = (await sales.call("show", ticket=ticket))["pending"]
        self._expect("what sales did is pending", len(pending), 3)

    async def _back(self, ticket: str, *, first: str, second: str) -> None:
        """Bring the links back in this order; both end with the same state."""
        self._say(f"{first} comes back, then {second}.")
        await self._replicas[first].mend()
        await self._replicas[first].call("synced")
        await self._replicas[second].mend()
        await self._together(ticket, "sales", "tech")
        await self._show(ticket, "tech", "ready_to_start")
        kinds = [one["kind"] for one in (await self._get("sales", f"/api/tickets/{ticket}/messages"))["messages"]]
        self._expect("the answer to the customer is in the conversation once", kinds.count("agent"), 1)
        form = await self._get("tech", f"/api/tickets/{ticket}/forms/tech")
        self._expect("what tech wrote offline is in its form", form["fields"], TECH_FIELDS)

    async def _start_beside_withdraw(self, ticket: str) -> None:
        """Tech starts while sales withdraws, neither knowing of the other."""
        sales, tech = self._replicas["sales"], self._replicas["tech"]
        self._say("Both are cut again: tech starts the work while sales withdraws the deal.")
        await asyncio.gather(sales.cut(), tech.cut())
        await tech.call("do", ticket=ticket, lane="tech", name="start")
        await sales.call("do", ticket=ticket, lane="sales", name="withdraw")
        await asyncio.gather(sales.mend(), tech.mend())
        await self._together(ticket, "sales", "tech")
        await self._show(ticket, "tech", "stop_work")

    async def _together(self, ticket: str, *names: str) -> None:
        """Wait until the replicas have everything of each other's, and compare their states with the service's."""
        for _ in range(2):  # the second time fetches what the others' first time delivered
            for name in names:
                await self._replicas[name].call("synced")
        shown = [await self._replicas[name].call("show", ticket=ticket) for name in names]
        self._expect(
            "nothing is pending or refused",
            [(one["pending"], one["refused"]) for one in shown],
            [([], {})] * len(names),
        )
        self._expect("the replicas agree", shown[0]["state"] == shown[1]["state"], expected=True)
        service = await self._service_shows(ticket)
        self._expect("the service agrees", service["lanes"], shown[0]["state"]["lanes"])

    async def _show(self, ticket: str, name: str, stage: str) -> None:
        """Print the explanation that a replica gives, and expect a stage."""
        shown = await self._replicas[name].call("show", ticket=ticket, language=self._language)
        self._expect(f"the stage is {stage}", shown["stage"], stage)
        for line in shown["explanation"]:
            typer.echo(f"    {line}")

    async def _open(self, title: str) -> str:
        """Open a ticket over REST."""
        headers = {"authorization": f"Bearer {_token(self._settings, 'back office')}"}
        answer = await self._http.post("/api/tickets", json={"title": title}, headers=headers)
        self._say(f"The back office opens a ticket over REST: {title}.")
        self._expect("it is created", answer.status_code, 201)
        return str(answer.json()["id"])

    async def _service_shows(self, ticket: str) -> dict[str, Any]:
        return await self._get("sales", f"/api/tickets/{ticket}")

    async def _list(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await self._get(
                "sales", f"/api/tickets?limit=500&cursor={cursor}" if cursor else "/api/tickets?limit=500"
            )
            entries += page["tickets"]
            cursor = page["next"]
        return entries

    async def _get(self, name: str, path: str) -> dict[str, Any]:
        answer = await self._http.get(path, headers={"authorization": f"Bearer {_token(self._settings, name)}"})
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _say(self, text: str) -> None:
        typer.echo(f"\n* {text}")

    def _expect(self, what: str, actual: object, expected: object) -> None:
        if actual == expected:
            typer.echo(f"  ok    {what}")
        else:
            self.failures.append(what)
            typer.echo(f"  FAIL  {what}: {actual!r} instead of {expected!r}")


def _token(settings: Settings, name: str) -> str:
    department, roles = PEOPLE[name]
    actor = f"{name.replace(' ', '-')}-1"
    return development_token(settings.data, actor=actor, department=department, roles=roles, ttl_ms=TOKEN_TTL_MS)


def _print_addresses(settings: Settings, service: Service) -> None:
    typer.echo(f"\nThe service goes on: http://127.0.0.1:{service.port}/  grpc://127.0.0.1:{service.grpc_port}")
    typer.echo("Sign in with one of these tokens (good for 12 hours); Ctrl-C ends it.")
    for name in PEOPLE:
        typer.echo(f"  {name}: {_token(settings, name)}")
