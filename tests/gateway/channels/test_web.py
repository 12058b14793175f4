"""What is the widget's own: whatever a visitor or a forger sends is read or refused, and never a fault."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.channels.base import Request, Unverified
from gateway.channels.web import TOKEN_MS, Web, web_secret
from tests.gateway.platform import T5_NOW_S
from tests.gateway.visitor import PAGE, SECRET, VISITOR, visitor_token

NOW_MS = T5_NOW_S * 1000
SITE = Web("site", (SECRET,), (PAGE,), 300)
TOKEN = visitor_token()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
frames = st.binary(max_size=200) | st.fixed_dictionaries(
    {"t": st.sampled_from(["msg", "hello", "rate"]) | json_values},
    optional={"cid": st.text(min_size=6, max_size=10) | json_values, "text": json_values},
).map(lambda frame: json.dumps(frame).encode())


def receive(frame, token=TOKEN, **headers):
    shown = {"origin": PAGE, "authorization": f"Bearer {token}"} | headers
    return SITE.receive(Request({}, shown, frame), now_ms=NOW_MS)


@given(frames)
@example(b'{"t":"msg","cid":"number-1","text":"\\ud800"}')
@example(b'{"t":"msg","cid":"number-1","text":' + b"[" * 9_000)
@example(b'{"t":"msg","cid":"number-1","text":"x","n":' + b"9" * 5_000 + b"}")
def test_whatever_a_visitor_says_is_one_callback_that_is_read_or_set_aside(frame):
    (callback,) = receive(frame).callbacks
    if callback.code is None:
        envelope = SITE.envelope(callback.content)
        assert (VISITOR, callback.keys[0]) == (envelope.conversation, envelope.idempotency_key)
        assert (callback.entry is not None) == (envelope.WhichOneof("kind") == "customer")
    else:
        assert (callback.code, callback.entry) == ("malformed", None)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_text_but_ours_is_a_token(token):
    with pytest.raises(Unverified):
        SITE.visitor(token, now_ms=NOW_MS)


@given(st.integers(0, len(TOKEN) - 1), st.characters(min_codepoint=33, max_codepoint=126))
def test_no_character_of_a_token_may_change(place, character):
    forged = TOKEN[:place] + character + TOKEN[place + 1 :]
    if forged == TOKEN:
        return
    try:
        visitor = SITE.visitor(forged, now_ms=NOW_MS)
    except Unverified:
        return
    assert (VISITOR, NOW_MS + TOKEN_MS) == (visitor.id, visitor.expires_at_ms), "another spelling of the same"


@pytest.mark.parametrize(
    "origin", ["", "null", "https://shop.example.evil", "http://shop.example", "https://SHOP.example"]
)
def test_page_is_known_by_its_whole_origin(origin):
    with pytest.raises(Unverified) as caught:
        receive(b"{}", origin=origin, host="chat.example")
    assert "origin" == caught.value.reason


def test_nobody_checks_our_address():
    with pytest.raises(Unverified):
        SITE.handshake(Request({}), now_ms=NOW_MS)


def test_secret_of_enough_bytes_will_do():
    assert SECRET == web_secret(SECRET)


@pytest.mark.parametrize(("state", "key"), [("delivered", "delivered:d1"), ("read", "read:d1")])
def test_notice_names_the_delivery_by_our_own_id(state, key):
    callback = SITE.notice(VISITOR, "d1", state, now_ms=NOW_MS)
    notice = SITE.envelope(callback.content).delivery
    assert ((f"{VISITOR}:{key}",), "d1", state) == (callback.keys, notice.message, notice.state)
