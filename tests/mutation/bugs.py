"""The bugs that matter most, each as a patch of today's source and with the suites that must notice it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECK = "crdt_sync/domain/lifecycle/check.py"
JOIN = "crdt_sync/domain/lifecycle/join.py"
FOLD = "crdt_sync/domain/lifecycle/fold.py"
PENDING = "crdt_sync/domain/lifecycle/pending.py"
ACCESS = "crdt_sync/domain/access.py"
DRAFT = "crdt_sync/service/draft.py"
JOBS = "crdt_sync/service/jobs.py"
COMMITTER = "crdt_sync/service/committer.py"
COURIER = "crdt_sync/service/courier.py"

INBOX = "gateway/inbox.py"
ARRIVALS = "gateway/arrivals.py"
FORWARDER = "gateway/forwarder.py"

UNIT = "tests/domain/test_fold.py"
LAWS = "property_tests"
SERVICE = "tests/service"
GATEWAY = "tests/gateway"
KILLS = "tests/integration/test_gateway_kill.py"
WEBHOOKS = "tests/service/test_webhooks.py"
WEBHOOK_KILLS = "tests/integration/test_webhook_kill.py"
STORM = "tests/integration/test_duplicate_storm.py"
SIMULATION = "property_tests.simulation"  # the command, on 200 seeds


@dataclass(frozen=True)
class Edit:
    """One text of a file and what takes its place; the text stands there exactly once."""

    source: str
    old: str
    new: str


@dataclass(frozen=True)
class Bug:
    """A named mistake. Each of the suites is asked on its own, and must notice."""

    name: str
    edits: tuple[Edit, ...]
    suites: tuple[str, ...]


STORIES_ASIDE = Bug(
    "the stories of lifecycle files aside",  # else a file is refused under most bugs before any other test is asked
    (Edit(CHECK, '    "L0": _stories,\n', ""),),
    (),
)
BUGS = (
    Bug(
        "drop rounds",
        (
            Edit(
                JOIN,
                "    if first.round != second.round:\n"
                "        return Reason.ROUND if first.round < second.round else None\n",
                "",
            ),
        ),
        (LAWS, SIMULATION),
    ),
    Bug(
        "forget `settled`",
        (Edit(JOIN, "if first.to in second.settles and not first.settled:", "if first.to in second.settles:"),),
        (LAWS, SIMULATION),
    ),
    Bug(
        "judge by arrival order",
        (
            Edit(
                FOLD,
                "state = self._view_of(transition.lane, past.heads).state",
                "state = self._view_of(transition.lane, self._heads).state",
            ),
        ),
        (LAWS, SIMULATION),
    ),
    Bug(
        "acknowledge before commit",
        (
            Edit(
                JOBS,
                "        draft.update(room, self.data, self.principal, member=self.member, trace=self.trace)\n",
                "        draft.update(room, self.data, self.principal, member=self.member, trace=self.trace)\n"
                "        self.on_success(0)\n",
            ),
            Edit(JOBS, "        self.on_success(committed.last)\n", ""),
        ),
        (SERVICE, SIMULATION),
    ),
    Bug(
        "relay before commit",
        (
            Edit(
                DRAFT,
                "        self.relays.setdefault(room, []).append(Relay(data, member))\n",
                "        self.relays.setdefault(room, []).append(Relay(data, member))\n"
                "        room.relay([Relay(data, member)])\n",
            ),
            Edit(
                COMMITTER,
                "        for room, relays in draft.relays.items():\n            self._relay(room, relays)\n",
                "",
            ),
        ),
        (SERVICE, SIMULATION),
    ),
    Bug(
        "skip the actor check",
        (Edit(ACCESS, "    if transition.actor != principal.actor:\n", "    if not transition.actor:\n"),),
        (SERVICE, SIMULATION),
    ),
    Bug(
        "trust the client's clock",
        (
            Edit(
                FOLD,
                "        if not past.is_antichain:\n",
                "        if any(self._memos[parent].transition.at > transition.at for parent in transition.after):\n"
                "            return Code.AFTER\n"
                "        if not past.is_antichain:\n",
            ),
        ),
        (UNIT, LAWS),
    ),
    Bug(
        "lose a pending child",
        (
            Edit(
                PENDING,
                "        ready = []\n        for child in self._children.pop(key, ()):\n",
                "        ready = []\n        for child in self._children.pop(key, [])[:1]:\n",
            ),
        ),
        (LAWS, SIMULATION),
    ),
    Bug(
        "count inert transitions as heads",
        (
            Edit(
                FOLD,
                "        elif not transition.is_opening:\n            move =",
                "        if not transition.is_opening and self._spec(transition):\n            move =",
            ),
        ),
        (LAWS,),
    ),
    Bug(
        "obligations from a stale row",
        (
            Edit(
                FOLD,
                "obligations=obligations(match, views),",
                "obligations=obligations(self._stages.setdefault((), match), views),",
            ),
        ),
        (LAWS, SIMULATION),
    ),
    Bug(
        "answer a platform before the commit",
        (Edit(INBOX, "        return await done\n", "        return Kept.NEW\n"),),
        (GATEWAY,),
    ),
    Bug(
        "forward under another key each time",
        (
            Edit(
                FORWARDER,
                "        return _Item(row, envelope)\n",
                '        envelope.idempotency_key += f"/{id(envelope)}"\n        return _Item(row, envelope)\n',
            ),
        ),
        (GATEWAY, KILLS),
    ),
    Bug(
        "forget which keys are known",
        (
            Edit(
                ARRIVALS,
                "        if first is not None:\n            self.duplicates[first] += 1\n",
                "        if first is not None and first < 0:\n            self.duplicates[first] += 1\n",
            ),
        ),
        (GATEWAY, STORM),
    ),
    Bug(
        "let a conversation overtake itself",
        (
            Edit(
                INBOX,
                "select(func.min(inbox.c.id)).where(WAITING, inbox.c.account.in_(accounts)).group_by(*lanes)",
                "select(inbox.c.id).where(WAITING, inbox.c.account.in_(accounts)).order_by(*lanes)",
            ),
        ),
        (GATEWAY,),
    ),
    Bug(
        "go on behind events that no receiver took",
        (Edit(COURIER, "        for told in self._unsent.values():\n", "        for told in ():\n"),),
        (WEBHOOKS, WEBHOOK_KILLS),
    ),
    Bug(
        "let an event overtake one of its ticket that was not taken",
        (Edit(COURIER, "if told.ticket in chains or told.ticket not in self._waiting:", "if True:"),),
        (WEBHOOKS,),
    ),
)


def patched(bug: Bug, tree: Path) -> Iterator[tuple[Path, str]]:
    """Return each file of the tree that the bug changes, and what it then says.

    Raises:
        LookupError: the source has moved on, and the patch has to follow it.

    """
    for source in dict.fromkeys(edit.source for edit in bug.edits):
        text = (tree / source).read_text(encoding="utf-8")
        for edit in bug.edits:
            if edit.source == source:
                if text.count(edit.old) != 1:
                    raise LookupError(f"{bug.name}: {source} has {text.count(edit.old)} times: {edit.old}")
                text = text.replace(edit.old, edit.new)
        yield tree / source, text
