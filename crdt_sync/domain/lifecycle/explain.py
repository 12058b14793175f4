"""Why a ticket is where it is, in words for the people who work on it: one sentence a line.

Every transition of the view is named: as what holds, as what came earlier, or with the reason why it does not count. It
reads a fold and decides nothing; the words themselves stand in `phrases`.
"""

from collections.abc import Iterable, Iterator

from crdt_sync.domain.ids import LaneId, Role, TransitionId
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.lifecycle.model import Lifecycle, Pattern
from crdt_sync.domain.lifecycle.phrases import PHRASES, Language
from crdt_sync.domain.lifecycle.result import Code, Flag, OpenObligation, Standing, Status, TicketState
from crdt_sync.domain.lifecycle.stage import match_stage
from crdt_sync.domain.transition import Transition

__all__ = ["Language", "explain"]


def explain(
    lifecycle: Lifecycle, fold: Fold, *, language: Language = "en", state: TicketState | None = None
) -> tuple[str, ...]:
    """Return, in sentences of `language`, why the ticket is in the state that `fold` says, or in one of its past."""
    return tuple(_Explanation(lifecycle, fold, language, fold.state() if state is None else state).sentences())


class _Explanation:
    def __init__(self, lifecycle: Lifecycle, fold: Fold, language: Language, state: TicketState) -> None:
        self._lifecycle = lifecycle
        self._fold = fold
        self._state = state
        self._language = language
        self._phrases = PHRASES[language]
        self._steps: dict[LaneId, list[tuple[Transition, Status]]] = {}
        for transition in self._in_time(self._state.status):
            told = (transition, self._state.status[transition.id])
            self._steps.setdefault(transition.lane, []).append(told)

    def sentences(self) -> Iterator[str]:
        """Give the sentences, from the whole to the particular."""
        if self._state.ticket is None:
            yield self._say("unopened")
        elif self._state.codes:
            yield self._say("lifecycle_unknown", count=len(self._state.codes))
        else:
            yield from self._stage()
            for lane in self._lifecycle.lanes:
                yield self._lane(lane)
            yield from self._flags()
            yield from self._owed()
            for lane, steps in self._steps.items():
                for transition, status in steps:
                    yield from self._ineffective(lane, transition, status)
            yield from self._earlier()
        if self._state.pending:
            yield self._say("pending", count=len(self._state.pending))
        if self._state.quarantined:
            yield self._say("quarantined", count=len(self._state.quarantined))

    def _in_time(self, ids: Iterable[TransitionId]) -> list[Transition]:
        """Return the transitions as people expect to read them; their clocks may be wrong, and decide nothing."""
        return sorted((self._fold.transition(key) for key in ids), key=lambda told: (told.at, told.id))

    def _stage(self) -> Iterator[str]:
        match = match_stage(self._lifecycle, self._state.lanes)
        if match is None:
            yield self._say("no_stage")
            return
        yield self._say("stage", stage=self._label(match.row.stage), kind=self._say(f"kind_{match.row.kind}"))
        place = {"number": self._lifecycle.stages.index(match.row) + 1, "count": len(self._lifecycle.stages)}
        reasons = self._conditions(match.alternative.items())
        yield self._say("row" if reasons else "row_always", reasons=reasons, **place)

    def _lane(self, lane: LaneId) -> str:
        effective = [
            (transition, status)
            for transition, status in self._steps.get(lane, ())
            if status.status in {Standing.EFFECTIVE, Standing.CONTESTED}
        ]
        words = {"lane": self._label(lane), "state": self._state_name(lane, self._state.lanes[lane])}
        if not effective:
            return self._say("lane_initial", **words)
        if any(status.status is Standing.CONTESTED for _, status in effective):
            steps = self._join("comma", (self._step_to(transition) for transition, _ in effective))
            return self._say("lane_contested", steps=steps, **words)
        steps = self._join("and", (self._step(transition) for transition, _ in effective))
        return self._say("lane_one" if len(effective) == 1 else "lane_agreed", steps=steps, **words)

    def _flags(self) -> Iterator[str]:
        reviews = self._state.obligations[len(self._state.obligations) - len(self._state.flags) :]
        for (lane, flags), review in zip(self._state.flags.items(), reviews, strict=True):
            for flag in flags:
                steps = self._flagged(flag, review)
                yield self._say(f"flag_{flag.value}", lane=self._label(lane), steps=self._join("and", steps))

    def _flagged(self, flag: Flag, review: OpenObligation) -> list[str]:
        causes = [(cause, self._state.status[cause.id].status) for cause in self._in_time(review.trigger)]
        if flag is Flag.OVERTAKEN:
            return [self._step(transition) for transition, standing in causes if standing is Standing.OVERTAKEN]
        with_payload = [
            transition for transition, standing in causes if standing is not Standing.OVERTAKEN and transition.payload
        ]
        return [
            self._step(transition)
            for transition in with_payload
            if any(self._differ_in_payload(transition, other) for other in with_payload)
        ]

    def _differ_in_payload(self, first: Transition, second: Transition) -> bool:
        return self._to(first) == self._to(second) and first.payload != second.payload

    def _owed(self) -> Iterator[str]:
        for owed in self._state.obligations[: len(self._state.obligations) - len(self._state.flags)]:
            steps = self._join("either", (self._owed_in(lane, names) for lane, names in owed.owes.items()))
            causes = self._join("and", map(self._step, self._in_time(owed.trigger)))
            yield self._say("owed_because" if causes else "owed", steps=steps, causes=causes)

    def _owed_in(self, lane: LaneId, names: tuple[str, ...]) -> str:
        declared = self._lifecycle.lanes[lane].transitions
        roles = dict.fromkeys(role for name in names for role in declared[name].by)
        return self._say(
            "owed_in",
            names=self._join("or", (self._label(f"{lane}.{name}") for name in names)),
            lane=self._label(lane),
            roles=self._join("or", map(self._role, roles)),
        )

    def _ineffective(self, lane: LaneId, transition: Transition, status: Status) -> Iterator[str]:
        words = {"step": self._step(transition), "lane": self._label(lane)}
        if status.status is Standing.OVERTAKEN:
            others = self._join("and", map(self._step, self._in_time(status.by or ())))
            yield self._say("_".join(["overtaken", *filter(None, [status.because])]), others=others, **words)
        elif status.code is not None:
            yield self._say("inert", reason=self._inert_reason(transition, status.code), **words)

    def _inert_reason(self, transition: Transition, code: Code) -> str:
        if code in {Code.ROLE, Code.FROM, Code.IF}:
            lane = self._lifecycle.lanes[transition.lane]
            spec = lane.transitions[transition.name]
            sources = [name for name in self._names_of(lane.id) if name in spec.sources or name == spec.settles]
            return self._say(
                f"inert_{code.value}",
                actor=transition.actor,
                lane=self._label(lane.id),
                roles=self._join("comma", map(self._role, transition.roles)),
                allowed=self._join("or", map(self._role, spec.by)),
                state=self._state_name(lane.id, self._fold.state_at(transition.after).lanes[lane.id]),
                sources=self._join("or", (self._state_name(lane.id, name) for name in sources)),
                conditions=self._conditions(spec.conditions),
            )
        return self._say(f"inert_{code.value}")

    def _earlier(self) -> Iterator[str]:
        for lane, told in self._steps.items():
            steps = [self._step(transition) for transition, status in told if status.status is Standing.SUPERSEDED]
            if steps:
                yield self._say("earlier", lane=self._label(lane), steps=self._join("comma", steps))

    def _conditions(self, patterns: Iterable[tuple[str, Pattern]]) -> str:
        return self._join("all_of", (self._condition(key, pattern) for key, pattern in patterns if not pattern.any))

    def _condition(self, key: str, pattern: Pattern) -> str:
        wanted = [name for name in self._names_of(key) if name in pattern.names]
        if key == "stage":
            what, names = self._say("the_stage"), [self._label(name) for name in wanted]
        else:
            what, names = self._label(key), [self._state_name(LaneId(key), name) for name in wanted]
        return self._say("is_not" if pattern.negated else "is", what=what, names=self._join("or", names))

    def _names_of(self, key: str) -> list[str]:
        """Return, in the order of the file, every name that a pattern for this lane, or for the stage, may hold."""
        if key == "stage":
            return list(dict.fromkeys(row.stage for row in self._lifecycle.stages))
        lane = self._lifecycle.lanes[LaneId(key)]
        return [*lane.states, *lane.conflicts.values()]

    def _step(self, transition: Transition) -> str:
        return self._say("step", name=self._name(transition), actor=transition.actor)

    def _step_to(self, transition: Transition) -> str:
        state = self._state_name(transition.lane, self._to(transition))
        return self._say("step_to", name=self._name(transition), actor=transition.actor, state=state)

    def _to(self, transition: Transition) -> str:
        return self._lifecycle.lanes[transition.lane].transitions[transition.name].to

    def _name(self, transition: Transition) -> str:
        return self._label(f"{transition.lane}.{transition.name}")

    def _state_name(self, lane: LaneId, state: str) -> str:
        return self._join("and", (self._label(f"{lane}.{part}") for part in state.split("|")))

    def _label(self, key: str) -> str:
        return self._lifecycle.label(key, self._language)

    def _role(self, role: Role) -> str:
        """The label of a role, else the whole of it: a record may carry roles that no file names."""
        return self._lifecycle.labels.get(role, {}).get(self._language) or role

    def _join(self, glue: str, parts: Iterable[str]) -> str:
        return self._phrases[glue].join(parts)

    def _say(self, phrase: str, **words: object) -> str:
        return self._phrases[phrase].format(**words)
