"""P27. Whoever holds the same card names the same person for a lane, and no hold vanishes that nobody saw.

The oracle knows of each hold who had seen it, and nothing of Yjs: a hold stands unless somebody who saw it took the
lane after it, or named somebody for it. Of those that stand the earliest has the lane.
"""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.documents.card import CardDocument
from crdt_sync.domain.holds import Hold, assignees, holds

PEOPLE = ("support-1", "support-2", "support-3")
LANES = ("sales", "support")

TAKE = st.tuples(st.just("take"), st.sampled_from(PEOPLE), st.sampled_from(LANES), st.integers(0, 9))
NAME = st.tuples(st.just("name"), st.sampled_from(PEOPLE), st.sampled_from(LANES), st.sampled_from(["dan", *PEOPLE]))
MEET = st.tuples(st.just("meet"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.none())


@dataclass
class Copy:
    """One person's copy: the real card, and what the oracle knows of it."""

    card: CardDocument
    said: dict[int, bytes] = field(default_factory=dict)  # by number: what was written, here or elsewhere

    def learn(self, number, update):
        if number not in self.said:
            self.said[number] = update
            self.card.apply_committed(update)


def played(history):
    """Play a history; return the copies, and for each number what was done with which others in sight."""
    copies = {person: Copy(CardDocument(number + 1)) for number, person in enumerate(PEOPLE)}
    done = {}
    for number, (what, person, other, value) in enumerate(history):
        copy = copies[person]
        if what == "meet":
            for each, update in copies[other].said.items():
                copy.learn(each, update)
            continue
        done[number] = (what, person, other, value, set(copy.said))
        if what == "take":
            copy.said[number] = copy.card.take(other, Hold(value, person, "taken"))
        else:
            copy.said[number] = copy.card.set_fields({f"assignee.{other}": value})
    return copies, done


def standing(done, lane):
    """The holds of a lane that nobody saw who did something to it later: (time, person)."""
    of_lane = {number: deed for number, deed in done.items() if deed[2] == lane}
    return sorted(
        (deed[3], deed[1])
        for number, deed in of_lane.items()
        if deed[0] == "take" and not any(number in later[4] for later in of_lane.values())
    )


@given(st.lists(TAKE | NAME | MEET, max_size=12), st.randoms(use_true_random=False))
def test_every_copy_names_the_same_person_and_every_hold_that_stands_is_seen(history, chance):
    copies, done = played(history)
    everything = {number: update for copy in copies.values() for number, update in copy.said.items()}
    shown = []
    for copy in copies.values():
        waiting = [*everything.items()] * 2
        chance.shuffle(waiting)
        while waiting:  # until each has arrived after what it builds on, some of them twice
            waiting = [one for one in waiting if copy.card.apply_committed(one[1]).value == "gap"]
        shown.append(copy.card.entries())

    assert shown[0] == shown[1] == shown[2]
    for lane in LANES:
        expected = standing(done, lane)
        assert expected == [(hold.at_ms, hold.actor) for hold in holds(shown[0]).get(lane, [])]
        named = {deed[3] for deed in done.values() if deed[0] == "name" and deed[2] == lane}
        has = assignees(shown[0]).get(lane)
        if expected and not named:
            assert expected[0][1] == has
        elif has is not None:
            assert has in named | {person for _, person in expected[:1]}
