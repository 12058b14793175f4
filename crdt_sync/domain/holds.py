"""Who has a lane of a ticket, and why: a pure reading of the holds on its card.

`hold.{lane}.{actor}` says when somebody took the lane, or was given it, and how. Whoever takes a lane removes the
holds that they see, so two of them side by side were made without knowing of each other. Then the earlier time counts,
and the other one stays to be seen. `assignee.{lane}` names the one who has it; without a hold of theirs somebody was
named by hand, and that is the last writer's word.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from crdt_sync.domain.ids import NAME_PATTERN, ActorId, LaneId
from crdt_sync.domain.instants import instant
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.lifecycle.phrases import Language

TAKEN = "taken"
ASSIGNEE = "assignee."
HOLD = "hold."

_KEY = re.compile(rf"hold\.({NAME_PATTERN.pattern})\.([ -~]{{1,128}})")
_VALUE = re.compile(r"(0|[1-9][0-9]{0,15}) (taken|(?:least_busy|round_robin|sticky) [a-z0-9_-]{1,64})")


@dataclass(frozen=True, slots=True, order=True)
class Hold:
    """Of several holds of a lane the least one counts. `why` is "taken", or how a rule chose and the rule's name."""

    at_ms: int
    actor: ActorId
    why: str

    @property
    def value(self) -> str:
        """What stands on the card."""
        return f"{self.at_ms} {self.why}"


def key_of(lane: LaneId, actor: ActorId) -> str:
    """Return the key of somebody's hold."""
    return f"{HOLD}{lane}.{actor}"


def read(key: str, value: object) -> tuple[LaneId, Hold] | None:
    """Return the hold that an entry of a card is; None if it is none."""
    named = _KEY.fullmatch(key)
    told = _VALUE.fullmatch(value) if isinstance(value, str) else None
    if named is None or told is None:
        return None
    return LaneId(named[1]), Hold(int(told[1]), ActorId(named[2]), told[2])


def holds(card: Mapping[str, object]) -> dict[LaneId, list[Hold]]:
    """Return the holds of each lane, the one that counts first."""
    found: dict[LaneId, list[Hold]] = {}
    for key, value in card.items():
        if key.startswith(HOLD) and (held := read(key, value)) is not None:
            found.setdefault(held[0], []).append(held[1])
    return {lane: sorted(each) for lane, each in found.items()}


def assignees(card: Mapping[str, object]) -> dict[LaneId, ActorId]:
    """Return who has each lane that somebody has."""
    if not any("." in key for key in card):  # on most cards; it is asked with every key that is set
        return {}
    named = {
        LaneId(key.removeprefix(ASSIGNEE)): ActorId(value)
        for key, value in card.items()
        if key.startswith(ASSIGNEE) and isinstance(value, str) and value
    }
    for lane, each in holds(card).items():
        if named.get(lane) in {None, *(hold.actor for hold in each)}:
            named[lane] = each[0].actor
    return named


def told(lifecycle: Lifecycle, card: Mapping[str, object], language: Language) -> tuple[str, ...]:
    """Say of each lane that somebody has who it is and why, and who else took it; one sentence a line."""
    by_lane, said = holds(card), []
    for lane, actor in assignees(card).items():
        words, name = _WORDS[language], lifecycle.label(lane, language)
        held = by_lane.get(lane, [])
        mine = next((hold for hold in held if hold.actor == actor), None)
        said.append(words["has"].format(lane=name, actor=actor, how=_how(mine, language)))
        for other in held:
            if other != mine:
                why = words["later"] if mine is not None else words["overruled"]
                how = _how(other, language)
                said.append(words["also"].format(lane=name, actor=other.actor, how=how, why=why.format(actor=actor)))
    return tuple(said)


def _how(hold: Hold | None, language: Language) -> str:
    if hold is None:
        return _WORDS[language]["set"]
    way, _, rule = hold.why.partition(" ")
    return _WORDS[language][way].format(at=instant(hold.at_ms), rule=rule)


_WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "has": "{lane} is with {actor}: {how}.",
        "also": "{lane} was also taken by {actor}: {how}. {why}.",
        "later": "Neither had seen the other's hold, and that of {actor} has the earlier time",
        "overruled": "{actor} was named in the meantime",
        "taken": "taken at {at}",
        "set": "named on the card",
        "least_busy": "given at {at} by the rule {rule} to who had the fewest open tickets",
        "round_robin": "given at {at} by the rule {rule} to whose turn it was",
        "sticky": "given at {at} by the rule {rule} to who last looked after this customer",
    },
    "zh": {
        "has": "{lane}由{actor}负责：{how}。",
        "also": "{actor}也领取了{lane}：{how}。{why}。",
        "later": "双方当时都没有看到对方的领取，{actor}的时间更早",
        "overruled": "在此期间已指定{actor}",
        "taken": "于{at}领取",
        "set": "在卡片上指定",
        "least_busy": "于{at}由规则{rule}分配给未结工单最少的人",
        "round_robin": "于{at}由规则{rule}轮流分配",
        "sticky": "于{at}由规则{rule}分配给上次服务该客户的人",
    },
}
