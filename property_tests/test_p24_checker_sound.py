"""P24: the checker is sound. A file that it accepts shows no defect, however its people get in each other's way.

Nothing is undone silently (P7), there is always a stage (P8), those who owe can leave a compensation alone (P11), and
neither an end, nor a broken condition, nor a payload is lost from sight. The oracle judges. One file of three has been
tampered with; what the checker refuses is left to P25. Each rule is then switched off, and the same law must fail for
a file that only this rule refuses.
"""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crdt_sync.adapters.lifecycle_files import read
from crdt_sync.domain.lifecycle import check
from property_tests.accepted import accepted_files
from property_tests.defects import DEFECTS, View
from property_tests.files import lifecycle_file
from property_tests.plants import PLANTS, planted
from property_tests.strategies import SHIPPED, shipped, text_of
from property_tests.test_p07_nothing_silent import assert_nothing_silent
from property_tests.trouble import RECIPES, in_trouble, random_recipe

HISTORIES = 8  # of each file
SEEDS, TRIES = 12, 60  # files without a rule, and histories of each: enough for every rule, and no more
WANTED = 200  # accepted files with each feature, once enough files are drawn
PROMISED = {rule: defects for rule, defects in DEFECTS.items() if rule != "L7"}  # a row below another is no defect yet


def assert_sound(history):
    view = View(history)
    assert {} == {rule: found for rule, defects in PROMISED.items() if (found := list(defects(view)))}
    assert_nothing_silent(history, view.result)


FEATURES = {
    "guards": lambda spec: any("if" in rule for rule in _rules(spec)),
    "guards on the stage": lambda spec: any("stage" in rule.get("if", {}) for rule in _rules(spec)),
    "conflicts": lambda spec: any("conflicts" in lane for lane in spec["lanes"].values()),
    "rulings": lambda spec: any("settles" in rule for rule in _rules(spec)),
    "payloads": lambda spec: any("payload" in rule for rule in _rules(spec)),
    "ends": lambda spec: any("final" in lane for lane in spec["lanes"].values()),
    "compensations": lambda spec: any(row["kind"] == "compensation" for row in spec["stages"]),
}


def _rules(spec):
    return [rule for lane in spec["lanes"].values() for rule in lane["transitions"].values()]


def test_a_file_that_passes_shows_no_defect_in_any_history(record_property):
    drawn = Counter()
    wanted = 2 * settings.default.max_examples

    @settings(max_examples=wanted)
    @given(accepted_files(), st.lists(RECIPES, min_size=HISTORIES, max_size=HISTORIES))
    def law(spec, recipes):
        drawn.update(["files", *(feature for feature, has in FEATURES.items() if has(spec))])
        for recipe in recipes:
            assert_sound(in_trouble(spec, recipe))
            drawn["histories"] += 1

    law()
    for what, count in drawn.items():
        record_property(what if what in {"files", "histories"} else f"files with {what}", count)
    for feature in ("guards", "conflicts", "compensations"):
        assert (WANTED if wanted > WANTED else wanted // 4) <= drawn[feature]


@pytest.mark.parametrize("name", [path.stem for path in sorted(SHIPPED.glob("*.yaml"))])
def test_a_shipped_file_shows_no_defect_in_any_history(name):
    @given(st.tuples(RECIPES, RECIPES))
    def law(recipes):
        assert_sound(in_trouble(shipped(name), [step for recipe in recipes for step in recipe]))

    law()


@pytest.mark.parametrize("rule", PROMISED)
def test_without_any_one_rule_a_file_passes_that_shows_a_defect(monkeypatch, rule):
    monkeypatch.delitem(check.RULES, rule)
    assert any(shows_a_defect(spec, seed) for seed, spec in passing(rule))


def passing(rule):
    """Files with a defect that only this rule finds."""
    for seed in range(SEEDS):
        for plant in PLANTS[rule]:
            dice = random.Random(seed)
            found = planted(dice, lifecycle_file(dice), plant)
            if found and not read(text_of(found[0])).findings:
                yield seed, found[0]


def shows_a_defect(spec, seed):
    dice = random.Random(seed)
    for _ in range(TRIES):
        try:
            assert_sound(in_trouble(spec, random_recipe(dice)))
        except AssertionError:
            return True
    return False
