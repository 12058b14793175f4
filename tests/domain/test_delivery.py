"""Whom an answer is for, which of its parts are sent, and how the states of a part join."""

from itertools import permutations, product

import pytest

from crdt_sync.domain import message
from crdt_sync.domain.delivery import FATES, Conversation, delivery_id, joined, outgoing
from crdt_sync.domain.message import MESSAGE_KINDS

TICKET = "a" * 52
ORIGIN = message.origin_id("shop", "k1")


def posted(kind="agent", origin=None, parts=({"type": "text", "text": "hello"},)):
    return message.make(ticket=TICKET, kind=kind, author="ada", at=1, parts=parts, salt="0" * 32, origin=origin)


def folded(fates):
    state = None
    for fate in fates:
        state = joined(state, fate)
    return state


@pytest.mark.parametrize("told", list(product(sorted(FATES), repeat=3)))
def test_neither_order_nor_repetition_of_notices_matters(told):
    assert {folded(told)} == {folded(order + order[:1]) for order in permutations(told)}


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ("read", ["read", "delivered"]),
        ("delivered", ["delivered", "sent"]),
        ("failed", ["failed", "sent"]),
        ("delivered", ["failed", "delivered"]),
    ],
)
def test_what_is_known_of_a_part_only_grows(expected, told):
    assert expected == folded(told)


@pytest.mark.parametrize("kind", MESSAGE_KINDS)
@pytest.mark.parametrize("origin", [None, ORIGIN])
def test_only_what_an_agent_wrote_here_is_sent(kind, origin):
    assert (kind == "agent" and origin is None) == bool(outgoing(posted(kind, origin)))


def test_each_part_is_sent_under_its_place_but_no_event():
    parts = ({"type": "event", "event": "typing"}, {"type": "text", "text": "hello"})
    assert ((1, parts[1]),) == outgoing(posted(parts=parts))


def test_an_id_names_one_part_of_one_message_of_one_ticket():
    named = [delivery_id(*each) for each in product(["a" * 52, "b" * 52], ["c" * 52, "d" * 52], [0, 1])]
    assert 8 == len(set(named))
    assert "j5yt4up4rzqp2bviorjuwxldibzkpmbayet7ep5ry2ne7b3zoieq" == named[0]


def test_a_conversation_is_read_as_it_was_spelt():
    chen = Conversation("wechat", "shop", "王")
    assert chen == Conversation.read(chen.to_json())
    assert Conversation.read("") is None
