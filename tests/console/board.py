"""The figures of the operations board once more, from the rows of the event log: an oracle written apart.

It asks each ticket's events as a whole what they amount to, where the board keeps a ledger and goes on from event to
event. It knows none of the board's code and nothing of its ledger.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from crdt_sync.ports import StoredEvent

HOUR_MS = 3_600_000
AGES = [1, 4, 24, 72]  # hours
ENDS = {"settled", "final"}
SAID = {"customer": "received", "agent": "answered"}
OWED = {"obligation_raised", "obligation_overdue", "obligation_discharged"}


def figures(events: Sequence[StoredEvent], *, zone: str, now_ms: int, quiet_ms: int) -> dict:
    """What the board is to show whoever hears these events."""
    counted = [event for event in events if event.type != "refused"]
    tickets = {id_: [event for event in counted if event.ticket == id_] for id_ in {e.ticket for e in counted}}
    found = {id_: of_ticket(told) for id_, told in tickets.items()}
    going = {
        id_: one
        for id_, one in found.items()
        if one["stage"] and one["stage"][1] not in ENDS and not is_duplicate(tickets[id_])
    }
    owed = [each for one in found.values() for each in one["owed"]]
    answers = [answer for told in tickets.values() for answer in waits(told)]
    return {
        "open": len(going),
        "overdue": sum(each["red"] for each in owed),
        "waiting": sum(one["asked"] is not None for one in going.values()),
        "stages": stages(going.values()),
        "flow": flow(counted, tickets.values(), zone, now_ms),
        "obligations": obligations(owed, now_ms),
        "stuck": stuck(going, now_ms - quiet_ms),
        "responses": responses(answers, zone),
        "channels": channels(tickets.values(), zone),
    }


def day(at_ms: int, zone: str) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone)).date().isoformat()


def of_ticket(told: Sequence[StoredEvent]) -> dict:
    stages = [event.data for event in told if event.type == "stage_changed"]
    moved = [
        event.at_ms
        for event in told
        if event.type in {"opened", "transitioned"} or (event.type == "message" and event.data["kind"] in SAID)
    ]
    owing = defaultdict(list)
    for event in told:
        if event.type in OWED:
            owing[json.dumps(event.data, sort_keys=True)].append(event)
    return {
        "stage": (stages[-1]["stage"], stages[-1]["kind"] or "attention") if stages else None,
        "moved": max(moved, default=told[0].at_ms),
        "owed": [each for one in owing.values() if (each := still(one)) is not None],
        "asked": asked_at(told),
    }


def is_duplicate(told: Sequence[StoredEvent]) -> bool:
    return [event.type for event in told if event.type.startswith("duplicate_")][-1:] == ["duplicate_marked"]


def still(told: Sequence[StoredEvent]) -> dict | None:
    """What is owed, if after the last time that it was raised nobody did it."""
    raised = max(index for index, event in enumerate(told) if event.type == "obligation_raised")
    since = [event.type for event in told[raised + 1 :]]
    if "obligation_discharged" in since:
        return None
    return {
        "lanes": sorted(told[raised].data["owes"]),
        "since": told[raised].at_ms,
        "red": "obligation_overdue" in since,
    }


def ends(told: Sequence[StoredEvent]) -> list[tuple[StoredEvent, bool]]:
    """When a ticket ended, True, and when it came back, False."""
    states = [(None, False)]
    states += [(event, event.data["kind"] in ENDS) for event in told if event.type == "stage_changed"]
    return [(event, after) for (_, before), (event, after) in pairwise(states) if before != after]


def turns(told: Sequence[StoredEvent]) -> list[tuple[str, StoredEvent]]:
    """The customer's words, answers and ends of a ticket, in their order."""
    ended = {event.position for event, over in ends(told) if over}
    return [
        (name, event)
        for event in told
        for name, is_one in (
            ("asked", event.type == "message" and event.data["kind"] == "customer"),
            ("answered", event.type == "answered"),
            ("ended", event.position in ended),
        )
        if is_one
    ]


def asked_at(told: Sequence[StoredEvent]) -> int | None:
    """Since when the customer waits: the first word after the last answer or end."""
    since = []
    for name, event in reversed(turns(told)):
        if name != "asked":
            break
        since.append(event.at_ms)
    return since[-1] if since else None


def waits(told: Sequence[StoredEvent]) -> list[tuple[StoredEvent, int]]:
    """Each answer that somebody waited for, and for how long."""
    found = []
    for event in (event for event in told if event.type == "answered"):
        asked = asked_at([each for each in told if each.position < event.position])
        if asked is not None:
            found.append((event, event.at_ms - asked))
    return found


def stages(going: Iterable[dict]) -> list[dict]:
    counts = Counter(one["stage"] for one in going)
    in_order = sorted(counts.items(), key=lambda item: (-item[1], item[0][0]))
    return [{"stage": stage, "kind": kind, "count": count} for (stage, kind), count in in_order]


def flow(counted, tickets, zone: str, now_ms: int) -> list[dict]:
    if not counted:
        return []
    opened = Counter(day(event.at_ms, zone) for event in counted if event.type == "opened")
    ended = Counter((day(event.at_ms, zone), over) for told in tickets for event, over in ends(told))
    first = date.fromisoformat(min(day(event.at_ms, zone) for event in counted))
    length = (date.fromisoformat(day(now_ms, zone)) - first).days + 1
    names = [(first + timedelta(days=index)).isoformat() for index in range(length)]
    return [
        {"day": name, "opened": opened[name], "ended": ended[name, True], "reopened": ended[name, False]}
        for name in names
    ]


def obligations(owed: Sequence[dict], now_ms: int) -> list[dict]:
    found = []
    for lanes in sorted({tuple(each["lanes"]) for each in owed}):
        these = [each for each in owed if tuple(each["lanes"]) == lanes]
        hours = [(now_ms - each["since"]) / HOUR_MS for each in these]
        bounds = [float("-inf"), *AGES, float("inf")]
        ages = [sum(low <= age < high for age in hours) for low, high in pairwise(bounds)]
        found.append({"lanes": list(lanes), "ages": ages, "overdue": sum(each["red"] for each in these)})
    return found


def stuck(going: dict[str, dict], quiet_since: int) -> list[dict]:
    found = []
    for id_, one in going.items():
        red = any(each["red"] for each in one["owed"])
        if red or (one["owed"] and one["moved"] <= quiet_since):
            lanes = sorted({lane for each in one["owed"] for lane in each["lanes"]})
            found.append(
                {"ticket": id_, "stage": one["stage"][0], "lanes": lanes, "since": one["moved"], "isOverdue": red}
            )
    return sorted(found, key=lambda one: (one["since"], one["ticket"]))


def within(waited: Sequence[int], percent: int) -> int:
    """The least wait than which so many of a hundred were no longer."""
    return min(one for one in waited if 100 * sum(each <= one for each in waited) >= percent * len(waited))


def responses(answers, zone: str) -> list[dict]:
    groups = defaultdict(list)
    for event, waited in answers:
        groups[day(event.at_ms, zone), event.data["department"] or ""].append(waited)
    return [
        {
            "day": name,
            "department": department,
            "count": len(waited),
            "withinHour": sum(each <= HOUR_MS for each in waited),
            "medianMs": within(waited, 50),
            "p95Ms": within(waited, 95),
            "longestMs": max(waited),
        }
        for (name, department), waited in sorted(groups.items())
    ]


def channels(tickets, zone: str) -> list[dict]:
    counts = defaultdict(Counter)
    for told in tickets:
        bound = [event.data for event in told if event.type == "conversation_bound"]
        name = f"{bound[0]['channel']}/{bound[0]['account']}" if bound else ""
        for event in told:
            key = day(event.at_ms, zone), name
            if event.type == "message":
                counts[key][SAID.get(event.data["kind"], "other")] += 1
            elif event.type == "delivery":
                counts[key]["failed"] += event.data["state"] == "failed"
    names = ("received", "answered", "other", "failed")
    return [
        {"day": name, "channel": channel} | {each: count[each] for each in names}
        for (name, channel), count in sorted(counts.items())
    ]
