"""The walk-through: stories of the lifecycle's file, played by real processes behind links that are really cut.

It knows no lifecycle: who takes part, who meets whom when, and what must come of it, the file says. Each story is
played twice, with both orders of return, and compared with the file, between the replicas, and with the service.
"""

import asyncio
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import typer

from crdt_sync.adapters.clock import SystemIds
from crdt_sync.cli import wechat_customer
from crdt_sync.cli.process import development_token
from crdt_sync.cli.replica_process import ReplicaProcess
from crdt_sync.cli.rest import Rest
from crdt_sync.cli.story_plan import Move, Seat, Step, plan
from crdt_sync.domain.access import GATEWAY
from crdt_sync.domain.ids import Role, TransitionId
from crdt_sync.domain.lifecycle import stories
from crdt_sync.domain.lifecycle.explain import Language
from crdt_sync.domain.lifecycle.model import Story
from crdt_sync.domain.lifecycle.people import Person, openers, people
from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import Clock
from crdt_sync.server.bootstrap import Service
from crdt_sync.server.settings import Settings

TOKEN_TTL_MS = 12 * 3_600_000
ARRIVAL_TIMEOUT_S = 15.0
SCHEMES = ("ws", "grpc")  # departments take turns, and so do the people of a role
REPLY = "Thank you, we are on it. 谢谢，我们正在处理。"
NOTE = "Written with no network. 离线填写。"

OPENED = Story("a ticket is opened", (), {})  # what a file without a story that can be played is shown with


@dataclass(frozen=True, slots=True)
class Scene:
    """A story and who plays it. A `full` one has a customer, every department, and programs that are killed."""

    story: Story
    steps: Sequence[Step]
    seats: Sequence[Seat]
    full: bool


def token(settings: Settings, person: Person, number: int = 1) -> str:
    """Return a token for the `number`-th person of a role."""
    actor = f"{person.name}-{number}"
    return development_token(
        settings.data, actor=actor, department=person.department, roles=person.roles, ttl_ms=TOKEN_TTL_MS
    )


def in_words(value: object, keys: Mapping[TransitionId, str]) -> object:
    """Return a ticket's plain form with the keys of a story instead of ids, so that two plays of it compare."""
    if isinstance(value, Mapping):
        return {in_words(name, keys): in_words(inner, keys) for name, inner in value.items()}
    if isinstance(value, list):
        return sorted((in_words(inner, keys) for inner in value), key=repr)
    return keys.get(TransitionId(value), value) if isinstance(value, str) else value


class Walk:
    """The steps, the replicas that take them, and what went otherwise than expected."""

    def __init__(self, settings: Settings, service: Service, language: Language, clock: Clock) -> None:
        self.failures: list[str] = []
        self._settings = settings
        self._service = service
        self._lifecycle = service.lifecycle
        self._language = language
        self._clock = clock
        self._ids = SystemIds(clock)
        self._stack = AsyncExitStack()
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}")
        self._rest = Rest(self._http, lambda person: token(settings, person))
        self._reader = people(service.lifecycle)[0]
        self._directory = Path()
        self._replicas: dict[Seat, ReplicaProcess] = {}

    async def __aenter__(self) -> "Walk":
        """Make room for the replicas' files; each replica starts when a story first needs it."""
        await self._stack.enter_async_context(self._http)
        self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="crdt-sync-demo-")))
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the replicas."""
        await self._stack.aclose()

    async def through(self, count: int) -> None:
        """Play the first `count` stories that people can play; one that breaks is a failure, and the walk goes on."""
        for scene in self._scenes(count):
            typer.echo(f"\n=== {scene.story.name}")
            try:
                await self._tell(scene)
            except (TicketSyncError, TimeoutError, httpx.HTTPError, OSError) as error:
                self._expect(f"{scene.story.name!r} goes through", f"{type(error).__name__}: {error}", "")
                for replica in self._replicas.values():
                    await replica.cut()
                    await replica.mend()

    def _scenes(self, count: int) -> Sequence[Scene]:
        scenes: list[Scene] = []
        for story, steps in self._planned(count) or [(OPENED, ())]:
            seats = list(dict.fromkeys(step.seat for step in steps))
            if not scenes:
                seated = {seat.person.department for seat in seats}
                plain = [person for person in people(self._lifecycle) if person.role == Role(person.department)]
                seats += [Seat(person, 1) for person in plain if person.department not in seated]
            scenes.append(Scene(story, steps, seats, full=not scenes))
        return scenes

    def _planned(self, count: int) -> Sequence[tuple[Story, Sequence[Step]]]:
        found: list[tuple[Story, Sequence[Step]]] = []
        for story in self._lifecycle.stories:
            if len(found) == count:
                break
            if steps := plan(self._lifecycle, story):
                found.append((story, steps))
            else:
                typer.echo(f"\n=== {story.name}: not played, since people at their machines cannot bring it about")
        return found

    async def _tell(self, scene: Scene) -> None:
        """Play a story twice, with both orders of return."""
        talks = scene.full and Role(GATEWAY) in self._lifecycle.open_by
        first = await self._play(scene, await self._opened(scene.story.name, by_chat=talks))
        again = await self._play(scene, await self._opened(scene.story.name, by_chat=False), again=True)
        self._expect("the other order of return gives the same", again, first)

    async def _play(self, scene: Scene, ticket: str, *, again: bool = False) -> object:
        """Play once; return what came of it, in the story's words. Once `again`, the last seat comes back first."""
        seats = scene.seats[::-1] if again else scene.seats
        replicas = [await self._replica(seat) for seat in seats]
        for replica in replicas:
            await replica.call("known", ticket=ticket)
        names = ", ".join(replica.name for replica in replicas)
        self._say(f"The links are cut: {names}.{' The same moves are made.' if again else ''}")
        await asyncio.gather(*(replica.cut() for replica in replicas))
        made, undelivered = await self._take(scene.steps, ticket, aloud=not again)
        pending = {seat: len(undelivered.get(seat, ())) for seat in seats}
        talker = self._talker(seats) if scene.full else None
        if scene.full:
            await self._work_offline(seats, talker, ticket)
        if talker is not None:
            pending[talker] += 1
        history = (await self._rest.get(self._reader, f"/api/tickets/{ticket}/history"))["history"]
        delivered = {ticket, *made.values()}.difference(*undelivered.values())
        self._expect("the service has heard of nothing else", sorted(one["id"] for one in history), sorted(delivered))
        shown = [await replica.call("show", ticket=ticket) for replica in replicas]
        self._expect("everybody's own work is pending", [len(one["pending"]) for one in shown], list(pending.values()))
        await self._return(replicas, killed=scene.full and not again)
        keys = {TransitionId(id_): key for key, id_ in made.items()} | {TransitionId(ticket): stories.OPENER}
        outcome = await self._compare(scene.story, replicas, ticket, keys)
        if scene.full:
            await self._compare_work(seats, ticket)
        if not again:
            self._print(await replicas[0].call("show", ticket=ticket, language=self._language))
        return outcome

    async def _take(
        self, steps: Sequence[Step], ticket: str, *, aloud: bool
    ) -> tuple[dict[str, str], dict[Seat, list[str]]]:
        """Take the steps; return the transitions' ids by their keys, and those that each seat has not delivered."""
        made: dict[str, str] = {}
        undelivered: dict[Seat, list[str]] = {}
        for step in steps:
            replica = self._replicas[step.seat]
            if isinstance(step, Move):
                if aloud:
                    await self._print_move(step, replica, ticket)
                called = {"lane": step.event.lane, "name": step.event.name, "payload": step.values}
                made[step.event.key] = await replica.call("do", ticket=ticket, **called)
                undelivered.setdefault(step.seat, []).append(made[step.event.key])
            else:
                await replica.mend()
                await replica.call("synced")
                await replica.cut()
                undelivered.pop(step.seat, None)
        return made, undelivered

    async def _print_move(self, move: Move, replica: ReplicaProcess, ticket: str) -> None:
        """Say who does what on seeing what; and why it is so, if what is seen asks for somebody's attention."""
        shown = await replica.call("show", ticket=ticket, language=self._language)
        event, language, label = move.event, self._language, self._lifecycle.label
        if shown["state"]["kind"] in {"attention", "compensation"}:
            self._print(shown)
        what = f"{label(event.lane, language)}, {label(f'{event.lane}.{event.name}', language)}"
        carried = f" ({event.payload})" if event.payload else ""
        typer.echo(f'  {replica.name} sees "{label(shown["stage"], language)}": {what}{carried}')

    async def _work_offline(self, seats: Sequence[Seat], talker: Seat | None, ticket: str) -> None:
        """Let each department fill in a form, and one that talks to the customer answer."""
        for seat, lane in self._forms(seats).items():
            await self._replicas[seat].call("form", ticket=ticket, lane=lane, fields={"by": seat.name}, note=NOTE)
        self._say("Each department fills in its form.")
        if talker is not None:
            await self._replicas[talker].call("say", ticket=ticket, text=REPLY)
            self._say(f"{self._replicas[talker].name} answers the customer.")

    def _talker(self, seats: Sequence[Seat]) -> Seat | None:
        return next((seat for seat in seats if seat.person.department in self._lifecycle.talk), None)

    def _forms(self, seats: Sequence[Seat]) -> Mapping[Seat, str]:
        """Return a lane of each department, by one seat of it."""
        owners = {seat.person.department: seat for seat in seats}
        return {owners[lane.owner]: lane.id for lane in self._lifecycle.lanes.values() if lane.owner in owners}

    async def _return(self, replicas: Sequence[ReplicaProcess], *, killed: bool) -> None:
        """Bring the links back one by one, and wait until everybody has everything."""
        if killed:
            await asyncio.gather(*(replica.kill() for replica in replicas))
            await asyncio.gather(*(replica.start() for replica in replicas))
        names = ", then ".join(replica.name for replica in replicas)
        self._say(f"{'The programs are killed and started again. ' if killed else ''}Back come {names}.")
        for replica in replicas:
            await replica.mend()
            await replica.call("synced")
        for replica in replicas:  # once more, for what those after it delivered
            await replica.call("synced")

    async def _compare(
        self, story: Story, replicas: Sequence[ReplicaProcess], ticket: str, keys: Mapping[TransitionId, str]
    ) -> object:
        """Compare the replicas with each other, with the service and with the story."""
        shown = [await replica.call("show", ticket=ticket) for replica in replicas]
        left = [(one["pending"], one["refused"]) for one in shown]
        self._expect("nothing is pending or refused", left, [([], {})] * len(replicas))
        states = [one["state"] for one in shown]
        self._expect("the replicas agree", [state == states[0] for state in states], [True] * len(replicas))
        service = await self._rest.get(self._reader, f"/api/tickets/{ticket}")
        same = {name: states[0][name] for name in ("stage", "kind", "lanes", "flags", "obligations")}
        self._expect("the service agrees", {name: service[name] for name in same}, same)
        for what, value in story.expect.items():
            one = replace(story, expect={what: value})
            self._expect(f"{what} is {_plain(value)}", stories.differences(one, states[0], keys), [])
        fold, folded_keys = stories.folded(self._lifecycle, story)
        told = in_words(fold.state().to_json(), folded_keys)
        outcome = in_words(states[0], keys)
        self._expect("every transition stands as the story folds", outcome, told)
        return outcome

    async def _compare_work(self, seats: Sequence[Seat], ticket: str) -> None:
        """Look for what was written offline beside the transitions."""
        talker = self._talker(seats)
        if talker is not None:
            talked = await self._rest.get(talker.person, f"/api/tickets/{ticket}/messages")
            answers = [one["kind"] for one in talked["messages"]].count("agent")
            self._expect("the answer to the customer is in the conversation once", answers, 1)
        written = {}
        for seat, lane in self._forms(seats).items():
            form = await self._rest.get(seat.person, f"/api/tickets/{ticket}/forms/{lane}")
            written[lane] = form["fields"]
        expected = {lane: {"by": seat.name} for seat, lane in self._forms(seats).items()}
        self._expect("what was written offline is in the forms", written, expected)

    def _print(self, shown: Mapping[str, Any]) -> None:
        for line in shown["explanation"]:
            typer.echo(f"      {line}")

    async def _replica(self, seat: Seat) -> ReplicaProcess:
        """Return the seat's replica, in a process of its own."""
        if seat not in self._replicas:
            place = self._lifecycle.departments.index(seat.person.department) + seat.number - 1
            scheme = SCHEMES[place % len(SCHEMES)]
            process = ReplicaProcess(
                f"{seat.name} ({scheme})",
                scheme=scheme,
                target_port={"ws": self._service.port, "grpc": self._service.grpc_port}[scheme],
                file=self._directory / f"{seat.name}.db",
                token=token(self._settings, seat.person, seat.number),
            )
            self._replicas[seat] = await self._stack.enter_async_context(process)
        return self._replicas[seat]

    async def _opened(self, title: str, *, by_chat: bool) -> str:
        """Open a ticket over REST, or by a chat if nobody may; return it."""
        able = openers(self._lifecycle)
        if by_chat or not able:
            return await self._chat()
        self._say(f"{able[0].name} opens a ticket over REST.")
        return await self._rest.open(able[0], title)

    async def _chat(self) -> str:
        """A customer writes on WeChat; return the ticket."""
        mark = self._ids.salt()[:12]
        now_s = self._clock.now_ms() // 1000
        text = f"Hello, I need your help. 你好，请帮我办理。({mark})"
        posted = wechat_customer.callback(openid=f"demo-{mark}", text=text, message_id=int(mark, 16), now_s=now_s)
        before = await self._rest.tickets(self._reader)
        answer = await self._http.post(
            f"/channels/{wechat_customer.ACCOUNT}", params=dict(posted.query), content=posted.body.encode()
        )
        self._say(f"A customer writes on WeChat; the callback was encrypted by {posted.encrypted_by}.")
        self._expect("the callback is answered", (answer.status_code, answer.text), (200, "success"))
        async with asyncio.timeout(ARRIVAL_TIMEOUT_S):
            while not (fresh := await self._rest.tickets(self._reader) - before):  # noqa: ASYNC110 - another process changes it
                await asyncio.sleep(0.05)
        ticket = fresh.pop()
        talker = next((one for one in people(self._lifecycle) if one.department in self._lifecycle.talk), None)
        if talker is not None:
            messages = (await self._rest.get(talker, f"/api/tickets/{ticket}/messages"))["messages"]
            self._expect("the message is in the conversation", len(messages), 1)
            typer.echo(f"      ticket {ticket[:8]}: {messages[0]['parts'][0]['text']}")
        return ticket

    def _say(self, text: str) -> None:
        typer.echo(f"* {text}")

    def _expect(self, what: str, actual: object, expected: object) -> None:
        if actual == expected:
            typer.echo(f"  ok    {what}")
        else:
            self.failures.append(what)
            typer.echo(f"  FAIL  {what}: {actual!r} instead of {expected!r}")


def _plain(expected: object) -> str:
    """What a story expects, as its file writes it."""
    if isinstance(expected, Mapping):
        return ", ".join(f"{name} {_plain(value)}" for name, value in expected.items())
    if isinstance(expected, Collection) and not isinstance(expected, str):
        return f"[{', '.join(map(str, expected))}]"
    return str(expected)
