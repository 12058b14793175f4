import pytest
from quality_inspection.rules import Rules, Said, inspect

RULES = Rules(forbidden=("guarantee", "包退"), greetings=("hello", "您好"), answer_s=60)


def found(*told, rules=RULES):
    messages = [Said(f"m{number}", by, at_s * 1000, text) for number, (by, at_s, text) in enumerate(told)]
    return [(finding.rule, finding.message) for finding in inspect(messages, rules)]


@pytest.mark.parametrize("text", ["Hello, we GUARANTEE it", "您好，包退"])
def test_forbidden_word_is_found_in_answers_alone(text):
    assert [("forbidden", "m1")] == found(("customer", 0, "guarantee?"), ("agent", 1, text))


def test_answer_is_late_from_the_first_thing_that_was_not_answered():
    late = [
        ("customer", 0, "a"),
        ("customer", 50, "b"),
        ("agent", 61, "hello"),
        ("customer", 70, "c"),
        ("agent", 130, "d"),
    ]
    assert [("late", "m2")] == found(*late)


def test_first_answer_greets():
    assert [("greeting", "m0")] == found(("agent", 0, "yes"), ("agent", 1, "no"))


def test_what_is_not_asked_for_is_not_found():
    assert [] == found(("customer", 0, "a"), ("agent", 999, "guarantee"), rules=Rules())


def test_what_is_behind_an_answer_is_inspected_alone():
    told = [("customer", 0, "a"), ("agent", 61, "guarantee"), ("customer", 70, "b"), ("customer", 80, "c")]
    told += [("agent", 131, "hello"), ("agent", 132, "guarantee"), ("customer", 200, "d")]
    said = [Said(f"m{number}", by, at_s * 1000, text) for number, (by, at_s, text) in enumerate(told)]
    whole = list(inspect(said, RULES))
    for done, (by, _, _) in enumerate(told, 1):
        if by == "agent":
            before = list(inspect(said[:done], RULES))
            assert whole == before + list(inspect(said[done:], RULES, is_first=False))
