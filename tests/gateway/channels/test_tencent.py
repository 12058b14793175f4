"""Tencent's own vectors of WeCom, and every bit of what they sign and seal."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wechatpy.enterprise.crypto import WeChatCrypto

from gateway.channels import wxbizmsgcrypt
from gateway.channels.base import Request, Unverified
from gateway.channels.tencent import Seal
from tests.gateway.platform import VECTORS, json_body, recorded, xml_body

WECOM = json.loads((Path(__file__).parents[3] / "proto" / "vectors" / "wecom.json").read_text())
SIGNED = ("timestamp", "nonce", "msg_signature", "encrypt")


def seal(vector) -> Seal:
    receiver = vector.get("corp_id") or vector["app_id"]
    return Seal(vector["token"], (wxbizmsgcrypt.aes_key(vector["aes_key"]),), receiver, 300)


def request(vector) -> Request:
    body = xml_body if vector["format"] == "xml" else json_body
    return Request({name: vector[name] for name in SIGNED[:3]}, body=body(vector["encrypt"]))


def opened(vector, told: Request) -> bytes:
    return seal(vector).content(told, now_ms=int(vector["timestamp"]) * 1000)


@pytest.mark.parametrize("vector", WECOM["callbacks"], ids=lambda vector: vector["name"])
def test_recorded_callback_opens_and_is_sealed_as_tencent_sealed_it(vector):
    content = opened(vector, request(vector))
    key = wxbizmsgcrypt.aes_key(vector["aes_key"])
    assert vector["encrypt"] == wxbizmsgcrypt.encrypt(key, content, vector["corp_id"], random=vector["random"].encode())
    for value in (vector["fields"] or {}).values():
        assert value.encode() in content


@pytest.mark.parametrize("vector", WECOM["callbacks"], ids=lambda vector: vector["name"])
def test_wechatpy_opens_the_recorded_callback_to_the_same(vector):
    crypto = WeChatCrypto(vector["token"], vector["aes_key"], vector["corp_id"])
    signed = (vector[name] for name in ("msg_signature", "timestamp", "nonce"))
    theirs = crypto.decrypt_message({"Encrypt": vector["encrypt"]}, *signed)
    assert theirs.encode() == opened(vector, request(vector))


VECTORS_OF_BOTH = [*VECTORS["callbacks"], *WECOM["callbacks"]]


@pytest.mark.parametrize("vector", VECTORS_OF_BOTH, ids=lambda vector: vector["name"])
def test_every_byte_of_what_is_signed_counts(vector):
    for name in SIGNED:
        for place in range(len(vector[name])):
            for other in {"0", "A"} - {vector[name][place]}:
                changed = vector | {name: vector[name][:place] + other + vector[name][place + 1 :]}
                with pytest.raises(Unverified):
                    opened(vector, request(changed))


@given(vector=st.sampled_from(VECTORS_OF_BOTH), place=st.integers(0, 2**12), bit=st.integers(0, 7))
@example(vector=WECOM["callbacks"][0], place=0, bit=0)
def test_every_bit_of_a_body_counts_or_changes_nothing(vector, place, bit):
    """Bits of the markup around the ciphertext may change how it looks, and never what it says."""
    told = request(vector)
    body = bytearray(told.body)
    body[place % len(body)] ^= 1 << bit
    try:
        content = opened(vector, Request(told.query, body=bytes(body)))
    except Unverified:
        return
    assert content == opened(vector, told)


def fault(vector) -> tuple[object, ...] | None:
    """What a refusal shows of itself, to whoever reads its code, its sentence, its reason or its cause."""
    try:
        opened(vector, request(vector))
    except Unverified as error:
        return error.code, error.message, error.reason, error.__cause__
    return None


@given(vector=st.sampled_from(VECTORS_OF_BOTH), data=st.data())
def test_every_fault_of_a_ciphertext_that_is_signed_gives_the_one_error(vector, data):
    """Nobody learns whether padding, length or receiver was wrong. Where only the content is changed, it opens."""
    place = data.draw(st.integers(0, len(vector["encrypt"]) - 1))
    other = data.draw(st.characters(codec="ascii", categories=("L", "N"), exclude_characters=vector["encrypt"][place]))
    encrypt = vector["encrypt"][:place] + other + vector["encrypt"][place + 1 :]
    signature = wxbizmsgcrypt.sign(vector["token"], vector["timestamp"], vector["nonce"], encrypt)
    changed = vector | {"encrypt": encrypt, "msg_signature": signature}
    one_error = ("unauthenticated", "The callback could not be verified.", "encrypt", None)
    assert fault(changed) in (None, one_error)


def test_ciphertext_opens_under_either_key_of_a_rotation_and_under_no_third():
    vector = WECOM["callbacks"][0]
    old, new = wxbizmsgcrypt.aes_key(vector["aes_key"]), wxbizmsgcrypt.aes_key("B" * 43)
    query = {name: vector[name] for name in SIGNED[:3]}
    now_ms = int(vector["timestamp"]) * 1000
    for keys in ((old,), (new, old), (old, new)):
        both = Seal(vector["token"], keys, vector["corp_id"], 300)
        assert b"mycreate" in both.open(query, vector["encrypt"], now_ms=now_ms)
    with pytest.raises(Unverified):
        Seal(vector["token"], (new,), vector["corp_id"], 300).open(query, vector["encrypt"], now_ms=now_ms)


@pytest.mark.parametrize("vector", WECOM["handshakes"], ids=lambda vector: vector["name"])
def test_recorded_echo_opens_and_another_nonce_is_refused(vector):
    query = {name: vector[name] for name in SIGNED[:3]}
    now_ms = int(vector["timestamp"]) * 1000
    assert vector["echo"].encode() == seal(vector).open(query, vector["echostr"], now_ms=now_ms)
    wrong = query | {"nonce": vector.get("nonce_that_must_fail", "1")}
    with pytest.raises(Unverified):
        seal(vector).open(wrong, vector["echostr"], now_ms=now_ms)


def test_recorded_query_of_wechat_keeps_working_beside_it():
    for vector in VECTORS["callbacks"]:
        assert opened(vector, recorded(vector).request)
