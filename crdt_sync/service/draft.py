"""What one batch writes, while it is being decided: rows for the store, and what to relay once they are committed."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from crdt_sync.domain.access import Principal
from crdt_sync.domain.canonical import dumps
from crdt_sync.domain.delivery import SERVICE_AUTHOR, Conversation, Fate, as_fate, delivery_id, joined, outgoing
from crdt_sync.domain.event import EventType
from crdt_sync.domain.group import NO_GROUPS, Groups
from crdt_sync.domain.holds import Hold
from crdt_sync.domain.ids import ActorId, Department, Digest, LaneId, MessageId, TicketId
from crdt_sync.domain.lifecycle.result import TicketState
from crdt_sync.domain.media import CONVERSATION, Audience, uploads
from crdt_sync.domain.message import Message
from crdt_sync.domain.transition import Transition
from crdt_sync.ports import (
    Batch,
    Committed,
    NewEvent,
    NewMessage,
    NewResult,
    NewSubject,
    NewTransition,
    NewUpdate,
    Quarantined,
    TicketRow,
    TicketWrite,
)
from crdt_sync.ports.desk import Assignment, NewParty, Turn
from crdt_sync.ports.media import MediaUse
from crdt_sync.ports.operator import HOUR_MS, Refusal
from crdt_sync.ports.outbox import DeliveryChange, NewDelivery, StoredDelivery
from crdt_sync.ports.owed import OwedChange, StoredOwed
from crdt_sync.protocol.room import Member, Relay, Room
from crdt_sync.service import notices
from crdt_sync.service.live_ticket import LiveTicket
from crdt_sync.service.projection import Projection, assigned, owed_of, project, row_of, write_of

SERVICE = Principal(ActorId(SERVICE_AUTHOR), Department("service"))


@dataclass(slots=True)
class Touched:
    """A ticket that the batch changes."""

    live: LiveTicket
    before: TicketState | None = None  # before the batch first changed its state; None if it opens the ticket
    owed: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # then
    changed: bool = False
    admitted: list[Transition] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    cleared: set[str] = field(default_factory=set)
    fates: dict[str, Fate] = field(default_factory=dict)  # of parts of answers, by their keys in the conversation
    media: dict[str, str] = field(default_factory=dict)  # contents of parts, by their keys in the conversation
    traceparent: str | None = None


class Draft:
    """Rows and relays of one batch. A job checks everything it may refuse before it calls any method here."""

    def __init__(self, now_ms: int, groups: Groups = NO_GROUPS) -> None:
        self.now_ms = now_ms
        self._groups = groups
        self.subjects: dict[str, TicketId] = {}
        self.results: dict[tuple[ActorId, str], NewResult] = {}
        self.messages: dict[MessageId, tuple[TicketId, str]] = {}
        self.tickets: dict[TicketId, Touched] = {}
        self.judged: set[TicketId] = set()  # tickets in which something new may wait
        self.relays: dict[Room, list[Relay]] = {}
        self._subject_rows: list[NewSubject] = []
        self._updates: list[NewUpdate] = []
        self._events: list[NewEvent] = []
        self._quarantined: list[Quarantined] = []
        self._deliveries: list[NewDelivery] = []
        self._delivery_changes: dict[str, DeliveryChange] = {}
        self._owed: list[OwedChange] = []
        self._media: list[MediaUse] = []
        self._refusals: list[Refusal] = []
        self._refused: Counter[tuple[str, str, ActorId, Department]] = Counter()  # entries; one update may hold many
        self._writes: dict[TicketId, TicketWrite] = {}
        self.given: Counter[ActorId] = Counter()  # tickets, to people, by rules
        self.open_tickets: dict[ActorId, int] = {}  # of people, as the store has counted them for this batch
        self.turns: dict[str, Turn] = {}
        self._parties: list[NewParty] = []
        self._assignments: dict[TicketId, Assignment] = {}

    def update(
        self, room: Room, data: bytes, principal: Principal, *, member: Member | None = None, trace: str | None = None
    ) -> None:
        """Append an update that the room's document already holds to its log, and relay it after the commit."""
        assert not room.stale, "a job is prepared with rooms that hold what is committed"
        room.document_position += 1
        room.tail_bytes += len(data)
        self._updates.append(
            NewUpdate(
                document=room.text,
                document_position=room.document_position,
                data=data,
                actor=principal.actor,
                department=principal.department,
                roles=principal.roles,
                at_ms=self.now_ms,
                traceparent=trace,
            )
        )
        self.relays.setdefault(room, []).append(Relay(data, member))
        room.pending += 1

    def touch(self, live: LiveTicket, trace: str | None = None) -> Touched:
        """Note that the ticket's projection changes with this batch."""
        touched = self.tickets.get(live.id)
        if touched is None:
            touched = self.tickets[live.id] = Touched(live, traceparent=trace)
        return touched

    def bind(self, subject: str, live: LiveTicket, chat: Conversation | None = None, trace: str | None = None) -> None:
        """Bind a subject to its ticket; `chat` is whose conversation the ticket is."""
        self.subjects[subject] = live.id
        self._subject_rows.append(NewSubject(subject, live.id, chat.to_json() if chat is not None else ""))
        if chat is not None:
            live.customer = chat
            data = {"channel": chat.channel, "account": chat.account}
            self._event(EventType.CONVERSATION_BOUND, live, data, live.lifecycle.talk, trace)

    def keep_party(self, ticket: TicketId, party: str) -> None:
        """Say whose a new ticket is."""
        self._parties.append(NewParty(ticket, party))

    def give(self, live: LiveTicket, lane: LaneId, hold: Hold, trace: str | None = None) -> None:
        """Give somebody a lane of a ticket."""
        self.given[hold.actor] += 1
        self.update(live.card_room, live.card.take(lane, hold), SERVICE, trace=trace)
        self.touch(live, trace)

    def keep_result(self, result: NewResult) -> None:
        """Keep the first result of an idempotency key."""
        self.results[result.actor, result.key] = result

    def quarantine(self, document: str, actor: ActorId, code: str, data: bytes) -> None:
        """Keep refused bytes."""
        self._quarantined.append(Quarantined(document, actor, code, data, self.now_ms))

    def admit(self, live: LiveTicket, transition: Transition, trace: str | None = None) -> None:
        """Take a transition into the fold, the journal and, when the batch is finished, the log."""
        touched = self._change(live, trace)
        live.fold.add(transition)
        live.concern(transition.id)
        touched.admitted.append(transition)
        touched.cleared.add(transition.id)
        touched.refused.pop(transition.id, None)

    def mark_duplicate(self, live: LiveTicket, of: TicketId, by: ActorId, trace: str | None = None) -> None:
        """Say that the work of a ticket goes on in another one."""
        self._change(live, trace)
        live.duplicate_of = of
        self._event(EventType.DUPLICATE_MARKED, live, {"of": of, "by": by}, live.lifecycle.departments, trace)

    def clear_duplicate(self, live: LiveTicket, by: ActorId, trace: str | None = None) -> None:
        """Say that the work of a duplicate goes on in itself again."""
        self._change(live, trace)
        data = {"of": live.duplicate_of, "by": by}
        live.duplicate_of = None
        self._event(EventType.DUPLICATE_CLEARED, live, data, live.lifecycle.departments, trace)

    def answer_in(self, live: LiveTicket, of: TicketId | None, to: Conversation | None) -> None:
        """Have answers sent to the conversation of a duplicate from now on; None: to the ticket's own."""
        self._change(live)
        live.answers_in, live.customer = of, to

    def keep_refusals(self, refusals: Sequence[Refusal]) -> None:
        """Write refusals down."""
        self._refusals += refusals

    def refuse(self, live: LiveTicket, key: str, code: str, department: Department, author: Principal) -> None:
        """Note a refused entry in the log's `refused`, where its author finds it; once, however often it is judged."""
        touched = self.tickets.get(live.id)
        if live.log.refusal(key) == code and (touched is None or key not in touched.cleared):
            return
        self.touch(live).refused[key] = code
        live.concern(key)
        self._event(EventType.REFUSED, live, {"entry": key, "code": code}, (department,), None)
        self._refused[f"ticket/{live.id}/submit/{department}", code, author.actor, author.department] += 1

    def post(self, live: LiveTicket, message: Message, trace: str | None = None, by: Department | None = None) -> None:
        """Take a message into the conversation; `by` is its author's department, None of what a channel brought."""
        touched = self.touch(live, trace)
        touched.messages.append(message)
        assert live.messages is not None, "the conversation is loaded before it grows"
        live.messages.add(message.id)
        self.messages[message.id] = live.id, message.record
        self._event(EventType.MESSAGE, live, {"message": message.id, "kind": message.kind}, live.lifecycle.talk, trace)
        if message.kind == "agent":
            data = {"message": message.id, "department": by}
            self._event(EventType.ANSWERED, live, data, live.lifecycle.talk, trace)
        for digest in uploads(message):
            self.keep_media(live, digest)
        self._send(live, message, trace)

    def keep_media(self, live: LiveTicket, digest: Digest, audience: Audience = CONVERSATION) -> None:
        """Keep a content for a ticket that uses it."""
        self._media.append(MediaUse(live.id, digest, audience))

    def delivery(self, id_: str) -> StoredDelivery | None:
        """Return a part to be sent as this batch has changed it, None if it has not."""
        change = self._delivery_changes.get(id_)
        return change.after if change is not None else None

    def change_delivery(self, before: StoredDelivery, after: StoredDelivery) -> None:
        """Change a part to be sent, which stands as `before` in the store or in this batch."""
        known = self._delivery_changes.get(before.id)
        self._delivery_changes[before.id] = DeliveryChange(known.before if known is not None else before, after)

    def tell_fate(self, live: LiveTicket, row: StoredDelivery, fate: Fate, *, anew: bool = False) -> None:
        """Show what became of a part of an answer, if that says more than is shown.

        `anew` is what became of a later attempt, before which a failure counts no more.
        """
        key = f"{row.message}/{row.index}"
        touched = self.tickets.get(live.id)
        shown = touched.fates.get(key) if touched is not None else None
        known = shown or as_fate(live.talk.delivery(key))
        grown = joined(None if anew and known == "failed" else known, fate)
        if grown != known:
            self.touch(live, row.traceparent).fates[key] = grown
            data = {"message": row.message, "part": row.index, "state": grown}
            self._event(EventType.DELIVERY, live, data, live.lifecycle.talk, row.traceparent)

    def notify(self, notices: Iterable[NewDelivery]) -> None:
        """Have groups told of something."""
        self._deliveries += notices

    def turn_red(self, live: LiveTicket, owed: StoredOwed) -> None:
        """Note that something has been owed for too long; the ticket's row says that it changed."""
        self.touch(live)
        self._owed.append(OwedChange(live.id, owed.obligation, "red", self.now_ms))
        self._event(EventType.OBLIGATION_OVERDUE, live, json.loads(owed.obligation), live.lifecycle.departments, None)
        self.notify(notices.of_red(self._groups, live, owed, self.now_ms))

    def discharge(self, live: LiveTicket, obligation: str) -> None:
        """Note that something is not owed, whatever the store says of it."""
        self.touch(live)
        self._owed.append(OwedChange(live.id, obligation, "discharged", self.now_ms))

    def batch(self) -> Batch:
        """Finish: append to each log and conversation once, note the events, and return every row."""
        for touched in self.tickets.values():
            self._finish(touched)
            self._writes[touched.live.id] = self._ticket_write(touched)
        admitted = [(touched, transition) for touched in self.tickets.values() for transition in touched.admitted]
        posted = [(touched, message) for touched in self.tickets.values() for message in touched.messages]
        return Batch(
            updates=self._updates,
            transitions=[
                NewTransition(transition.id, touched.live.id, transition.record, self.now_ms, touched.traceparent)
                for touched, transition in admitted
            ],
            messages=[
                NewMessage(MessageId(message.id), touched.live.id, message.record, self.now_ms, touched.traceparent)
                for touched, message in posted
            ],
            events=self._events,
            tickets=list(self._writes.values()),
            subjects=self._subject_rows,
            results=list(self.results.values()),
            quarantined=self._quarantined,
            refusals=[*self._refusals, *self._refused_entries()],
            deliveries=self._deliveries,
            delivery_changes=list(self._delivery_changes.values()),
            owed=self._owed,
            media=self._media,
            assignments=list(self._assignments.values()),
            turns=list(self.turns.values()),
            parties=self._parties,
        )

    @property
    def has_events(self) -> bool:
        """Tell whether departments hear of something in it."""
        return bool(self._events)

    @property
    def has_deliveries(self) -> bool:
        """Tell whether something is to be sent, or may be sent after this."""
        return bool(self._deliveries or self._delivery_changes)

    def committed(self, committed: Committed) -> None:
        """Bring the tickets in memory to what is committed now."""
        for touched in self.tickets.values():
            live = touched.live
            for transition in touched.admitted:
                live.journaled(transition, committed.transitions[transition.id])
            write = self._writes[live.id]
            live.row = row_of(write, live.positions[-1], committed.last)

    def _refused_entries(self) -> list[Refusal]:
        hour_ms = self.now_ms // HOUR_MS * HOUR_MS
        return [
            Refusal(hour_ms, "submit", subject, code, actor, department, "", count, self.now_ms)
            for (subject, code, actor, department), count in self._refused.items()
        ]

    def _finish(self, touched: Touched) -> None:
        live = touched.live
        if touched.admitted:
            data = live.log.append([transition.record for transition in touched.admitted])
            self.update(live.log_room, data, SERVICE, trace=touched.traceparent)
        known = live.log.refused() if touched.cleared or touched.refused else {}
        cleared = [key for key in touched.cleared if key in known and key not in touched.refused]
        if cleared:
            self.update(live.log_room, live.log.clear(cleared), SERVICE)
        refused = {key: code for key, code in touched.refused.items() if known.get(key) != code}
        if refused:
            self.update(live.log_room, live.log.refuse(refused), SERVICE)
        if touched.messages:
            data = live.talk.append([message.record for message in touched.messages])
            self.update(live.talk_room, data, SERVICE, trace=touched.traceparent)
        if touched.fates:
            self.update(live.talk_room, live.talk.set_deliveries(touched.fates), SERVICE, trace=touched.traceparent)
        if touched.media:
            self.update(live.talk_room, live.talk.set_media(touched.media), SERVICE, trace=touched.traceparent)
        self._note_changes(touched)

    def _change(self, live: LiveTicket, trace: str | None = None) -> Touched:
        """Touch a ticket whose state the batch changes, and remember what it was before."""
        touched = self.touch(live, trace)
        if not touched.changed and live.row is not None:
            touched.before, touched.owed = live.fold.state(), owed_of(live)
        touched.changed = True
        return touched

    def _note_changes(self, touched: Touched) -> None:
        if not touched.changed:
            return
        live, audience, trace = touched.live, touched.live.lifecycle.departments, touched.traceparent
        for transition in touched.admitted:
            kind = EventType.OPENED if transition.is_opening else EventType.TRANSITIONED
            data = {"transition": transition.id, "lane": transition.lane, "name": transition.name}
            if transition.is_opening:
                data["lifecycle"] = live.lifecycle.digest
            self._event(kind, live, data, audience, trace)
        after, before = live.fold.state(), touched.before
        moved = before is None or before.stage != after.stage
        stage, was = after.stage or "", before.stage or "" if before else ""
        if moved:
            data = {"stage": stage, "kind": after.kind or "", "was": was}
            self._event(EventType.STAGE_CHANGED, live, data, audience, trace)
        owed, owes = touched.owed, owed_of(live)
        raised = {key: entry for key, entry in owes.items() if key not in owed}
        for key, entry in raised.items():
            self._owed.append(OwedChange(live.id, key, "raised", self.now_ms))
            self._event(EventType.OBLIGATION_RAISED, live, entry, audience, trace)
        for key in owed.keys() - owes.keys():
            self._owed.append(OwedChange(live.id, key, "discharged", self.now_ms))
            self._event(EventType.OBLIGATION_DISCHARGED, live, owed[key], audience, trace)
        closed = before is not None and live.closed_in(after) and not live.closed_in(before)
        if closed and live.customer is not None and live.customer.hears_events:
            self.notify([notices.of_end(live.customer, live.id, touched.admitted[-1], self.now_ms)])
        if steps := touched.admitted:
            stages = (was, stage) if moved else None
            self.notify(notices.of_moves(self._groups, live, stages, list(raised.values()), steps, self.now_ms))

    def _send(self, live: LiveTicket, message: Message, trace: str | None) -> None:
        """Have an answer sent, by a row in the commit that admits it; unless the ticket is no chat's."""
        if live.customer is None:
            return
        for index, part in outgoing(message):
            id_ = delivery_id(live.id, message.id, index)
            new = NewDelivery(id_, live.id, message.id, index, live.customer, dumps(part), self.now_ms, trace)
            self._deliveries.append(new)

    def _event(
        self,
        kind: EventType,
        live: LiveTicket,
        data: Mapping[str, object],
        audience: tuple[Department, ...],
        trace: str | None,
    ) -> None:
        self._events.append(NewEvent(kind, live.id, data, audience, self.now_ms, trace))

    def _ticket_write(self, touched: Touched) -> TicketWrite:
        live = touched.live
        shown: Projection | TicketRow
        if touched.changed or live.row is None:
            shown = project(live)
            card = shown.card
        else:  # its state is as the row says
            shown, card = live.row, live.card.card()
        before = assigned(live.lifecycle, live.row, live.row.card) if live.row is not None else {}
        if (lanes := assigned(live.lifecycle, shown, card)) != before:
            self._assignments[live.id] = Assignment(live.id, lanes)
        newest = touched.admitted[-1].id if touched.admitted else None
        return write_of(live, shown, card, newest, self.now_ms, touched.traceparent, restated=touched.changed)
