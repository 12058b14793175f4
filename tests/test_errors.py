import re

import pytest

from crdt_sync import errors


def tree(root):
    yield root
    for kind in root.__subclasses__():
        yield from tree(kind)


KINDS = [kind for kind in tree(errors.TicketSyncError) if kind.__module__ == errors.__name__]


def test_error_carries_its_code_and_its_advice():
    error = errors.Conflict("Not now.", code="from", advice="Look again.")
    assert ("Not now.", "from", "Look again.") == (str(error), error.code, error.advice)


def test_error_without_a_code_takes_that_of_its_kind():
    assert "conflict" == errors.Conflict("Not now.").code


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_code_is_one_word_that_clients_can_rely_on(kind):
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.default_code)


def test_only_what_may_pass_by_itself_is_worth_a_retry():
    retryable = {errors.ServiceError, errors.Unavailable, errors.NotThereYet, errors.TooMany}
    assert retryable == {kind for kind in KINDS if kind.retryable}


def test_two_kinds_never_share_a_code():
    named = [kind.default_code for kind in KINDS if "default_code" in vars(kind)]
    assert len(set(named)) == len(named)


def test_tree_in_the_docstring_shows_every_kind():
    drawing = errors.__doc__.partition("Codes are")[0]
    assert {kind.__name__ for kind in KINDS} == set(re.findall(r"(?m)^ [ |+-]*([A-Z]\w+)", drawing))
