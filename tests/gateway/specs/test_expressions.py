"""Whatever an expression says, it makes a bounded text of a body, and one beyond it is refused before it is made."""

import pytest

from crdt_sync.errors import Malformed
from gateway.specs.expressions import Expression
from gateway.specs.trees import Uncompiled

BODY = {"text": "x" * 100_000, "pieces": ["y"] * 40_000}


@pytest.mark.parametrize(
    "text",
    [
        "[to_string(@),to_string(@),to_string(@),to_string(@)]",
        "[@,@,@,@,@,@,@,@] | to_string(@)",
        "join(text, pieces)",
        "pieces[*].[join('', [@,@,@,@])] | to_string([to_string([to_string(@)])])",
    ],
)
def test_a_text_that_no_platform_would_have_is_not_made(text):
    with pytest.raises(Malformed):
        Expression.of(text)(BODY)


def test_each_use_of_an_expression_may_make_as_much():
    expression = Expression.of("[to_string(text), join('', pieces), to_string({text: text})]")
    assert [BODY["text"], "".join(BODY["pieces"]), '{"text":"' + BODY["text"] + '"}'] == expression(BODY)
    assert expression(BODY) == expression(BODY)


@pytest.mark.parametrize("text", ["[@,@,@,@,@,@,@,@]", "join('', ['a', @, 'b', @, 'c']) | {of: @, by: 'us'}"])
def test_so_many_copies_may_be_made(text):
    assert Expression.of(text)("z")


@pytest.mark.parametrize("text", ["[@,@,@,@,@,@,@,@,@]", "[@,@,@] | {a: @, b: @, c: @}", "[[@,@,@], [@,@,@]]"])
def test_lists_multiply_what_they_hold(text):
    with pytest.raises(Uncompiled) as found:
        Expression.of(text)
    assert "loop" == found.value.code
