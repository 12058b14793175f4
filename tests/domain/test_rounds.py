"""What one lane can show, and what can follow: each clause of the definition on a lane that has nothing else."""

from crdt_sync.domain.lifecycle.rounds import NOTHING, ROUNDS_MAX, VALUES_MAX, Rounds, rounds_of, values_of
from tests.domain.lanes import lane_of


def sets(*texts):
    return tuple(frozenset(text.split()) for text in texts)


def names(lane):
    values = values_of(lane)
    return [values.name(value) for value in values]


def following(lane):
    """Names of what follows, by name; nothing yet is written as a dash."""
    values = values_of(lane)
    shown = {value: values.name(value) if value else "-" for value in values}
    return {shown[value]: {shown[other] for other in others} for value, others in values.following().items()}


FORK = {"left": "a > l", "right": "a > r"}
FORKED = {"states": "a l r", "order": "a < l, a < r"}


def test_the_first_round_holds_what_plain_transitions_lead_to():
    lane = lane_of("a b c d", "a < b < c", {"go": "a > b", "on": "b > c", "never": "d > d"})
    assert Rounds(sets("b c"), 1) == rounds_of(lane)


def test_the_initial_state_belongs_to_a_round_only_if_something_leads_to_it():
    assert Rounds(sets("a b"), 1) == rounds_of(lane_of("a b", "", {"go": "a > b", "stay": "a > a"}))


def test_a_reset_starts_the_next_round_and_it_closes_like_the_first():
    lane = lane_of("a b c", "a < b < c", {"go": "a > b", "on": "b > c", "back": "c > b resets"})
    assert Rounds(sets("b c", "b c"), 1) == rounds_of(lane)


def test_a_lane_that_starts_with_a_reset_has_an_empty_first_round():
    assert Rounds(sets("", "b"), 2) == rounds_of(lane_of("a b", "a < b", {"go": "a > b resets"}))


def test_rounds_recur_from_where_they_repeat():
    lane = lane_of("a b c", "", {"go": "a > b resets", "turn": "b > c resets", "back": "c > b resets"})
    assert Rounds(sets("", "b", "c"), 1) == rounds_of(lane)


def test_rounds_that_repeat_late_are_one_round_of_every_target():
    turns = {f"t{n}_{k}": f"r{n}_{k} > r{n}_{(k + 1) % n} resets" for n in (3, 5, 7) for k in range(n)}
    states = [f"r{n}_{k}" for n in (3, 5, 7) for k in range(n)]
    lane = lane_of(" ".join(["a", *states]), "", turns | {f"in{n}": f"a > r{n}_0" for n in (3, 5, 7)})
    assert 3 * 5 * 7 > ROUNDS_MAX
    assert Rounds((frozenset(states),), 0) == rounds_of(lane)


def test_a_source_that_is_a_conflict_is_met_when_all_its_members_are():
    met = lane_of(**FORKED, transitions=FORK | {"on": "torn > a"}, conflicts={"torn": "l r"})
    unmet = lane_of(**FORKED, transitions={"left": "a > l", "on": "torn > a"}, conflicts={"torn": "l r"})
    settled = lane_of(**FORKED, transitions=FORK | {"on": "settles torn > a"}, conflicts={"torn": "l r"})
    assert (sets("l r a"), sets("l"), sets("l r a")) == tuple(rounds_of(lane).sets for lane in (met, unmet, settled))


def test_values_are_nothing_then_states_then_conflicts():
    lane = lane_of(**FORKED, transitions=FORK, conflicts={"torn": "l r"})
    assert (NOTHING, *sets("l", "r", "l r")) == tuple(values_of(lane))
    assert ["a", "l", "r", "torn"] == names(lane)


def test_a_conflict_of_states_that_share_no_round_is_no_value():
    lane = lane_of(**FORKED, transitions={"left": "a > l", "right": "l > r resets"}, conflicts={"torn": "l r"})
    assert ["a", "l", "r"] == names(lane)


def test_an_unnamed_conflict_is_a_value_where_it_is_allowed():
    assert ["a", "l", "r", "l|r"] == names(lane_of(**FORKED, transitions=FORK, unnamed=True))
    assert ["a", "l", "r"] == names(lane_of(**FORKED, transitions=FORK))


def test_a_named_conflict_stands_among_the_unnamed_once():
    lane = lane_of(**FORKED, transitions=FORK, conflicts={"torn": "l r"}, unnamed=True)
    assert ["a", "l", "r", "torn"] == names(lane)


def test_too_many_values_are_not_listed():
    states = [f"s{number}" for number in range(9)]
    lane = lane_of(" ".join(["a", *states]), "", {f"t{s}": f"a > {s}" for s in states}, unnamed=True)
    assert 1 + 2**9 - 1 > VALUES_MAX
    assert values_of(lane) is None
    fewer = lane_of(" ".join(["a", *states[:8]]), "", {f"t{s}": f"a > {s}" for s in states[:8]}, unnamed=True)
    assert VALUES_MAX == len(values_of(fewer).values)


# What follows.


def test_nothing_is_followed_by_anything_and_follows_nothing():
    found = following(lane_of("a b", "a < b", {"go": "a > b"}))
    assert {"-": {"-", "b"}, "b": {"b"}} == found


def test_what_is_above_follows_and_what_is_below_does_not():
    found = following(lane_of("a b c", "a < b < c", {"go": "a > b", "jump": "a > c"}))
    assert {"b": {"b", "c"}, "c": {"c"}} == {name: found[name] for name in "bc"}


def test_a_move_follows_although_it_goes_sideways():
    found = following(lane_of(**FORKED, transitions=FORK | {"over": "l > r"}, conflicts={"torn": "l r"}))
    assert {"l": {"l", "r", "torn"}, "r": {"r", "torn"}, "torn": {"r", "torn"}} == {
        x: found[x] for x in ("l", "r", "torn")
    }


def test_ways_up_go_on_through_what_they_lead_to():
    lane = lane_of("a b c d", "a < b, c < d", {"go": "a > b", "over": "b > c", "up": "a > d"}, unnamed=True)
    assert {"b", "c", "d", "b|c", "b|d"} == following(lane)["b"]
    assert {"c", "d", "b|c", "b|d"} == following(lane)["c"]


def test_a_conflict_is_followed_by_what_it_settles_to_and_not_its_members_otherwise():
    plain = lane_of(**FORKED, transitions=FORK, conflicts={"torn": "l r"})
    settled = lane_of(**FORKED, transitions=FORK | {"rule": "settles torn > l"}, conflicts={"torn": "l r"})
    assert {"torn"} == following(plain)["torn"]
    assert {"torn", "l"} == following(settled)["torn"]
    assert {"r", "torn", "l"} == following(settled)["r"]


def test_a_settlement_that_resets_still_takes_the_stragglers_of_its_round():
    """Right gives way to left beside z in round 1, where z is for the first time and torn is no more."""
    moves = {"l": "a > l", "r": "a > r", "q": "a > q", "rule": "settles torn > l resets", "over": "l > r"}
    moves |= {"w": "l > w resets", "z": "w > z"}
    lane = lane_of("a l r q w z", "", moves, {"torn": "l r q"}, unnamed=True)
    assert Rounds(sets("l r q", "l r w z", "w z"), 3) == rounds_of(lane)
    assert "l|z" in following(lane)["r|z"]


def test_what_recurs_may_follow_what_came_after_it():
    lane = lane_of("a b c", "", {"go": "a > b resets", "turn": "b > c resets", "back": "c > b resets"})
    assert {"b", "c"} == following(lane)["c"] == following(lane)["b"]


def test_a_reset_does_not_lead_on_within_its_round():
    lane = lane_of("a b c", "", {"go": "a > b", "away": "b > c resets"}, unnamed=True)
    assert Rounds(sets("b", "c"), 2) == rounds_of(lane)
    assert {"b", "c"} == following(lane)["b"]
    assert {"c"} == following(lane)["c"]


def test_a_later_round_may_show_anything_of_it():
    lane = lane_of("a b c", "a < b < c", {"go": "a > b", "on": "b > c", "back": "c > b resets"})
    assert {"b", "c"} == following(lane)["c"]
