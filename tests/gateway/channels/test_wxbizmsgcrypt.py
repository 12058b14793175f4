import base64

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import PrpCrypto, WeChatCrypto

from crdt_sync.errors import Malformed
from gateway.channels import wxbizmsgcrypt
from gateway.channels.base import Unverified
from tests.gateway.platform import T5, VECTORS

KEY = wxbizmsgcrypt.aes_key(T5["aes_key"])
OTHER_KEY = wxbizmsgcrypt.aes_key("A" * 43)


@pytest.mark.parametrize("vector", VECTORS["signatures"], ids=lambda vector: vector["name"])
def test_signature_sorts_its_parts(vector):
    assert vector["signature"] == wxbizmsgcrypt.sign(*vector["parts"])


@pytest.mark.parametrize("vector", VECTORS["callbacks"], ids=lambda vector: vector["name"])
def test_recorded_callback_is_signed_and_opens(vector):
    assert wxbizmsgcrypt.signed(
        vector["msg_signature"], vector["token"], vector["timestamp"], vector["nonce"], vector["encrypt"]
    )

    key = wxbizmsgcrypt.aes_key(vector["aes_key"])
    content = wxbizmsgcrypt.decrypt((key,), vector["encrypt"], vector["app_id"])
    again = wxbizmsgcrypt.encrypt(key, content, vector["app_id"], random=vector["random"].encode())
    assert vector["encrypt"] == again


@pytest.mark.parametrize("vector", VECTORS["encryptions"], ids=lambda vector: vector["name"])
def test_encryption_gives_the_recorded_text(vector):
    encrypt = wxbizmsgcrypt.encrypt(
        wxbizmsgcrypt.aes_key(vector["aes_key"]),
        vector["content"].encode(),
        vector["app_id"],
        random=vector["random"].encode(),
    )
    assert vector["encrypt"] == encrypt


@given(content=st.text(max_size=200))
def test_what_wechatpy_encrypts_opens(content):
    encrypt = PrpCrypto(KEY).encrypt(content, T5["app_id"]).decode()
    assert content.encode() == wxbizmsgcrypt.decrypt((KEY,), encrypt, T5["app_id"])


@given(content=st.text(max_size=200), random=st.binary(min_size=16, max_size=16))
def test_wechatpy_opens_what_is_encrypted_and_signed(content, random):
    crypto = WeChatCrypto(T5["token"], T5["aes_key"], T5["app_id"])
    encrypt = wxbizmsgcrypt.encrypt(KEY, content.encode(), T5["app_id"], random=random)
    signature = wxbizmsgcrypt.sign(T5["token"], "1", "2", encrypt)
    assert content == crypto.decrypt_message({"Encrypt": encrypt}, signature, "1", "2")


def test_previous_key_still_opens():
    encrypt = wxbizmsgcrypt.encrypt(OTHER_KEY, b"content", "app", random=bytes(16))
    assert b"content" == wxbizmsgcrypt.decrypt((KEY, OTHER_KEY), encrypt, "app")


def sealed(plain: bytes) -> str:
    context = Cipher(AES(KEY), CBC(KEY[:16])).encryptor()
    return base64.b64encode(context.update(plain) + context.finalize()).decode()


def padded(body: bytes) -> bytes:
    pad = 32 - len(body) % 32
    return body + bytes([pad]) * pad


HEAD = bytes(16) + (2).to_bytes(4, "big")

WRONG = {
    "nothing": "",
    "no base64": "****",
    "no ASCII": "票票票票",
    "half a block": base64.b64encode(bytes(8)).decode(),
    "padding of 0": sealed((HEAD + b"hiapp").ljust(32, b"\0")),
    "padding of 33": sealed(HEAD + b"hiapp" + bytes([33]) * 39),
    "padding not all equal": sealed(HEAD + b"hiapp" + b"\x06" + b"\x07" * 6),
    "padding longer than all": sealed(b"\x20" * 16),
    "shorter than its head": sealed(padded(bytes(8))),
    "length beyond the rest": sealed(padded(bytes(16) + (6).to_bytes(4, "big") + b"hiapp")),
    "length of 4 GiB": sealed(padded(bytes(16) + b"\xff\xff\xff\xff" + b"hiapp")),
    "another receiver": sealed(padded(HEAD + b"hiapq")),
    "a longer receiver": sealed(padded(HEAD + b"hiapps")),
    "no receiver": sealed(padded(HEAD + b"hi")),
    "another key": wxbizmsgcrypt.encrypt(OTHER_KEY, b"hi", "app", random=bytes(16)),
}


def test_the_well_made_neighbour_of_the_wrong_ones_opens():
    assert b"hi" == wxbizmsgcrypt.decrypt((KEY,), sealed(padded(HEAD + b"hiapp")), "app")


@pytest.mark.parametrize("encrypt", WRONG.values(), ids=WRONG.keys())
def test_every_wrong_ciphertext_gives_the_one_error(encrypt):
    with pytest.raises(Unverified) as caught:
        wxbizmsgcrypt.decrypt((KEY,), encrypt, "app")

    assert ("encrypt", "unauthenticated") == (caught.value.reason, caught.value.code)
    assert caught.value.__cause__ is None


def test_length_beyond_the_rest_is_refused_even_where_no_receiver_is_expected():
    with pytest.raises(Unverified):
        wxbizmsgcrypt.decrypt((KEY,), sealed(padded(bytes(16) + (6).to_bytes(4, "big") + b"hi")), "")


@given(st.binary(max_size=300))
def test_random_ciphertext_is_refused(data):
    with pytest.raises(Unverified):
        wxbizmsgcrypt.decrypt((KEY,), base64.b64encode(data).decode(), "app")


def test_signature_that_is_not_ascii_is_refused():
    assert not wxbizmsgcrypt.signed("票", "token")


@pytest.mark.parametrize("given_key", ["", "A" * 42, "A" * 44, "A" * 42 + "="])
def test_encoding_aes_key_of_another_form_is_refused(given_key):
    with pytest.raises(Malformed, match="43 letters"):
        wxbizmsgcrypt.aes_key(given_key)
