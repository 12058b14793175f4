"""Where a conversation goes when it begins or comes back: the rule, who is given it, and what is said out of hours.

It reads the store and writes nothing: what it decides, `Ingest` writes in the commit that holds the message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crdt_sync.domain import holds, message
from crdt_sync.domain.access import GATEWAY
from crdt_sync.domain.delivery import SERVICE_AUTHOR, Conversation
from crdt_sync.domain.holds import Hold
from crdt_sync.domain.ids import ActorId, Department, LaneId, MessageId, Role
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.message import Message, Part
from crdt_sync.domain.service_desk import Rule, ServiceDesk, filled, language_of, least_busy, next_in_turn
from crdt_sync.errors import Malformed
from crdt_sync.ports import Store
from crdt_sync.ports.desk import Turn
from crdt_sync.service.draft import Draft
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.live_ticket import LiveTicket

REMEMBERED_TICKETS_MAX = 20  # of a customer, among which the one is who looked after them last


@dataclass(frozen=True, slots=True)
class Given:
    """To whom a lane is given, and the rule whose turn that was, if it goes round."""

    lane: LaneId
    hold: Hold
    turn: Turn | None


class Reception:
    """The service desk over the lifecycles that there are."""

    def __init__(self, desk: ServiceDesk, lifecycles: Lifecycles) -> None:
        """Compare the two.

        Raises:
            Malformed: a rule names a lifecycle or a lane that there is not, or one that will not do.

        """
        self._desk = desk
        self._lifecycles = lifecycles
        for number, rule in enumerate(desk.rules):
            if (wrong := self._wrong(rule)) is not None:
                key, why = wrong
                raise Malformed(f"The service desk does not hold: rules.{number}.{key}: {why}.", code="desk")

    def rule(self, conversation: Conversation, parts: Sequence[Part], named: str = "") -> Rule | None:
        """Return the rule for a conversation that begins with these parts: the one that is named, if there is such."""
        return self._desk.rule_named(named) or self._desk.rule(conversation, _text(parts))

    def lifecycle(self, rule: Rule | None) -> Lifecycle:
        """Return what a ticket by this rule is opened with."""
        if rule is None or rule.lifecycle is None:
            return self._lifecycles.default
        return self._lifecycles.given(rule.lifecycle)

    async def give(self, rule: Rule | None, live: LiveTicket, party: str, store: Store, draft: Draft) -> Given | None:
        """Choose who is given the lane of a rule; None if nobody is, or who has it keeps it."""
        lane = live.lifecycle.lanes.get(rule.lane) if rule is not None and rule.lane is not None else None
        if rule is None or rule.assign is None or lane is None:
            return None
        department = lane.owner
        candidates = self._desk.candidates(department, draft.now_ms)
        if holds.assignees(live.card.card()).get(lane.id) in candidates:
            return None
        way, chosen, turn = rule.assign, None, None
        if way == "sticky":
            chosen = await self._last(party, candidates, store)
            way = "sticky" if chosen is not None else "least_busy"
        if way == "least_busy":
            counted = await self._counted(candidates, store, draft)
            chosen = least_busy(candidates, {actor: counted[actor] + draft.given[actor] for actor in candidates})
        elif way == "round_robin":
            before = draft.turns.get(rule.name)
            last = before.actor if before is not None else await store.turn(rule.name)
            chosen = next_in_turn(candidates, self._everybody(department), last)
            if chosen is not None:  # the turn is taken by the commit, from whoever had it before the batch
                turn = Turn(rule.name, chosen, before.after if before is not None else last)
        if chosen is None:
            return None
        return Given(lane.id, Hold(draft.now_ms, chosen, f"{way} {rule.name}"), turn)

    async def away_message(
        self, arrival: Message, live: LiveTicket, party: str, store: Store, draft: Draft
    ) -> Message | None:
        """Return what a customer is told who writes while nobody answers; None if they are not, or were told before.

        Its id is made of the conversation and the closed period, so that there is one whoever says it. The store is
        asked only where the ticket does not hold it, which is once, or in another ticket of the same period.
        """
        hours, now_ms = self._desk.hours, draft.now_ms
        if arrival.kind != "customer" or not self._desk.away or hours is None or hours.is_open(now_ms):
            return None
        opens_ms = hours.opens_ms(now_ms)
        if opens_ms is None:
            return None
        id_ = message.origin_id("", f"away/{party}/{opens_ms}")
        assert live.messages is not None, "the conversation is loaded"
        if id_ in live.messages or id_ in draft.messages or await store.message(MessageId(id_)) is not None:
            return None
        away, language = self._desk.away, language_of(_text(arrival.parts))
        text = away[language] if language is not None and language in away else "\n".join(away.values())
        return message.make(
            ticket=arrival.ticket,
            kind="system",
            author=SERVICE_AUTHOR,
            at=max(now_ms, arrival.at + 1),
            parts=({"type": "text", "text": filled(text, {"opens": hours.local(opens_ms)})},),
            salt=arrival.salt,
            origin=id_,
        )

    async def _counted(self, actors: Sequence[ActorId], store: Store, draft: Draft) -> Mapping[ActorId, int]:
        """Count the open tickets of people once for a batch, however many conversations begin in it."""
        if unknown := [actor for actor in actors if actor not in draft.open_tickets]:
            found = await store.open_tickets(unknown)
            draft.open_tickets |= {actor: found.get(actor, 0) for actor in unknown}
        return draft.open_tickets

    async def _last(self, party: str, candidates: Sequence[ActorId], store: Store) -> ActorId | None:
        """Return which of the candidates had a lane of the customer's newest ticket of theirs."""
        digests = [lifecycle.digest for lifecycle in self._lifecycles.all()]
        rows = await store.tickets_of(await store.customer_of(party), digests, limit=REMEMBERED_TICKETS_MAX)
        looked_after = (actor for row in rows for actor in holds.assignees(row.card).values())
        return next((actor for actor in looked_after if actor in candidates), None)

    def _everybody(self, department: Department) -> Sequence[ActorId]:
        return [person.actor for person in self._desk.people if person.department == department]

    def _wrong(self, rule: Rule) -> tuple[str, str] | None:
        """Return the key of a rule that will not do, and why."""
        lifecycle = self.lifecycle(rule)
        if Role(GATEWAY) not in lifecycle.open_by:
            return "lifecycle", f"the lifecycle {lifecycle.name} lets no gateway open a ticket"
        if rule.lane is None:
            return None
        if rule.lane not in lifecycle.lanes:
            return "lane", f"the lifecycle {lifecycle.name} has no lane {rule.lane}"
        owner = lifecycle.lanes[rule.lane].owner
        if not self._everybody(owner):
            return "lane", f"it belongs to {owner}, of which nobody is among the people"
        return None


def _text(parts: Sequence[Part]) -> str:
    return "\n".join(part.get("text", "") for part in parts if part.get("type") == "text")
