"""P2: the naive fold and the incremental one agree at each prefix of whatever arrives. The heart of the proof."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.domain.lifecycle.fold import fold_lines
from property_tests import model
from property_tests.accepted import accepted_files
from property_tests.small import small_lifecycles
from property_tests.strategies import histories, replicas, schedules, shipped, told
from property_tests.subject import Lines, lifecycle
from property_tests.trouble import RECIPES, in_trouble


def decodable(lines):
    return [line for line in lines if isinstance(model.decode(line), dict)]


@given(histories())
def test_the_command_prints_what_the_definitions_say(history):
    expected = model.fold(history.spec, history.all_lines)
    assert expected == fold_lines(lifecycle(history.spec), history.all_lines)


@given(accepted_files(), RECIPES)
def test_the_command_prints_it_for_any_file_that_passes(spec, recipe):
    history = in_trouble(spec, recipe)
    assert model.fold(spec, history.all_lines) == fold_lines(lifecycle(spec), history.all_lines)


@given(histories(strange=True), st.booleans())
def test_another_files_ticket_is_listed_and_folded_only_on_demand(history, any_digest):
    expected = model.fold(history.spec, history.all_lines, any_digest=any_digest)
    assert expected == fold_lines(lifecycle(history.spec), history.all_lines, any_digest=any_digest)


@given(st.data(), histories())
def test_each_prefix_of_a_schedule_folds_as_the_definitions_say(data, history):
    lines, arrived = Lines(history.spec, history.opening), []
    for update in data.draw(schedules(decodable(history.all_lines))):
        for line in update:
            lines.add(line)
            arrived.append(line)
            assert model.fold(history.spec, arrived, ticket=history.opening) == lines.state()


@given(replicas())
def test_each_replica_folds_at_each_moment_what_it_holds(run):
    history, crowd = run
    for replica in crowd:
        lines, arrived = Lines(history.spec, history.opening), []
        for step in replica.trace:
            if isinstance(step, list):
                lines, arrived = Lines(history.spec, history.opening), []
            for line in decodable(step if isinstance(step, list) else [step]):
                lines.add(line)
                arrived.append(line)
            assert model.fold(history.spec, arrived, ticket=history.opening) == lines.state()


@given(histories())
def test_the_fold_of_a_part_is_the_fold_of_its_lines(history):
    """`state_at`, `frontier`, `frontier_of` and `judge` are the same definitions, asked about a part of the view."""
    lines = Lines(history.spec, history.opening)
    for line in history.lines.values():
        lines.add(line)
    naive = history.naive
    assert tuple(history.frontier(naive.events)) == lines.fold.frontier()
    for i in history.lines:
        part = history.closure([i])
        expected = model.fold(history.spec, [history.lines[x] for x in part], ticket=history.opening)
        assert expected == lines.printed(lines.fold.state_at([i]))
        assert tuple(history.frontier(part - {i})) == lines.fold.frontier_of(part - {i})
        verdict = lines.fold.verdict(i)
        assert (None if i == history.opening else naive.code[i]) == verdict.code


STORIES = {
    "a ruling of an older round settles nothing in the next": """
        q: sales.quote; s: sales.sign < q; l: sales.lose < q; y: sales.rule_lost < s, l; r: sales.revive < y;
        s2: sales.sign < r; l2: sales.lose < r; z: sales.rule_lost < s2, l2; x: sales.sign < r""",
    "whoever had seen a ruling decides anew, a straggler does not": """
        q: sales.quote; s: sales.sign < q; t: tech.start < s; d: tech.deliver < t; h: tech.halt < t;
        y: tech.confirm_delivered < d, h; n: tech.halt < y; w: tech.halt < t; z: tech.confirm_delivered < d, h""",
    "two people revive, and each signs": """
        q: sales.quote; l: sales.lose < q; r: sales.revive < l; s: sales.sign(contract=A) < r; r2: sales.revive < l;
        s2: sales.sign(contract=B) < r2; x: sales.sign < q; w: sales.withdraw < s, s2""",
    "inert work is seen and counts for nothing": """
        q: sales.quote; d: tech.deliver < q; s: sales.sign < d; t: tech.start < s;
        c: case.close < t; a: case.archive < c""",
}


@pytest.mark.parametrize("steps", STORIES.values(), ids=STORIES)
def test_a_hard_story_folds_as_the_definitions_say(steps):
    history, _ = told(shipped(), steps.split(";"))
    expected = model.fold(shipped(), history.all_lines)
    assert expected == fold_lines(lifecycle(shipped()), history.all_lines)


def test_a_lifecycle_has_the_digest_of_what_decides():
    for spec in [shipped(), *small_lifecycles()]:
        assert model.lifecycle_digest(spec) == lifecycle(spec).digest
