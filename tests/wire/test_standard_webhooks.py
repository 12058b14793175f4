"""What we sign, as the specification's own library judges it."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from crdt_sync.wire.standard_webhooks import SECRET_BYTES, headers, secret_of

SECRET, OTHER, THIRD = (secret_of(bytes([number]) * SECRET_BYTES) for number in (1, 2, 3))
BODY = '{"id":"7","subject":"纤"}'.encode()


def now_s():
    """Return what the library asks the machine for; it takes five minutes more or less."""
    return int(datetime.now(UTC).timestamp())


def is_good(secret, body, told):
    try:
        Webhook(secret).verify(body, told)
    except (WebhookVerificationError, ValueError):
        return False
    return True


def test_the_vector_that_is_published():
    told = headers(
        "msg_loFOjxBNrRLzqYUf",
        1731705121,
        b'{"event_type":"ping","data":{"success":true}}',
        ["whsec_plJ3nmyCDGBKInavdOK15jsl"],
    )
    assert "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=" == told["webhook-signature"]


@settings(max_examples=20)
@given(noise=st.binary(min_size=24, max_size=64), id_=st.from_regex(r"[0-9]{1,19}", fullmatch=True), text=st.text())
def test_the_library_of_the_specification_agrees(noise, id_, text):
    at_s = now_s()
    secret, at, body = secret_of(noise), datetime.fromtimestamp(at_s, UTC), text.encode()
    assert Webhook(secret).sign(id_, at, text) == headers(id_, at_s, body, [secret])["webhook-signature"]


def test_while_a_secret_is_replaced_either_verifies_and_no_third():
    told = headers("7", now_s(), BODY, [SECRET, OTHER])
    assert [True, True, False] == [is_good(one, BODY, told) for one in (SECRET, OTHER, THIRD)]


def test_no_byte_can_be_changed():
    told = headers("7", now_s(), BODY, [SECRET])
    assert is_good(SECRET, BODY, told)
    for place in range(len(BODY)):
        changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        assert not is_good(SECRET, changed, told)
    for name, value in told.items():
        for place in range(len(value)):
            if value[place] != "=":  # of base64, where padding is not read
                changed = value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]
                assert not is_good(SECRET, BODY, told | {name: changed}) or _same(value, changed)


def _same(one, other):
    """Tell whether two signatures are one: the last character of base64 has bits that mean nothing."""
    return base64.b64decode(one.partition(",")[2]) == base64.b64decode(other.partition(",")[2])


@pytest.mark.parametrize("late", [-301, 301])
def test_what_was_signed_long_ago_or_ahead_is_not_taken(late):
    at_s = int((datetime.now(UTC) + timedelta(seconds=late)).timestamp())
    assert not is_good(SECRET, BODY, headers("7", at_s, BODY, [SECRET]))
