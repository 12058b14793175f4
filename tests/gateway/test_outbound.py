"""The outcomes of an attempt can be told apart by their type alone, whatever they hold."""

from gateway.outbound import Dead, RetryLater, Sent, Unknown, WindowClosed


def test_outcomes_of_different_kinds_are_never_equal():
    outcomes = [RetryLater("code"), Unknown("code"), WindowClosed("code"), Dead("code"), Sent("code")]
    assert 5 == len(set(outcomes))
    assert [] == [(one, other) for one in outcomes for other in outcomes if one is not other and one == other]
