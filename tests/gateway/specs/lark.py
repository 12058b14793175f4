"""Has Lark's own SDK judge requests that are signed and sealed as ours are, and writes down what it says of each.

    python -m tests.gateway.specs.lark

lark-oapi needs an older `websockets` than this project, so it gets an environment of its own, for this one run; the
tests hold ours to `proto/vectors/feishu.json`, and that file to what would be judged today.
"""

import base64
import hashlib
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gateway.channels.base import Request
from gateway.specs.book import shipped
from gateway.specs.channel import Described
from gateway.specs.signature import Signed, Verifier

SDK = "lark-oapi==1.7.5"
ABOUT = f"""Judged by {SDK}: `sealed` is what its AESCipher opens, with what it finds; `signed` are requests that its \
EventDispatcherHandler takes, with what it reads; `changed` are bytes (request, header or body, places) with \
whose last bit changed it refuses the request. Written by tests/gateway/specs/lark.py."""
VECTORS = Path(__file__).parents[3] / "proto" / "vectors" / "feishu.json"
EVENTS = ("im.message.receive_v1", "im.chat.member.bot.added_v1")
APP = "cli_9f5343c580712544"
AT_S = 1_603_977_298
HEADERS = ("x-lark-request-timestamp", "x-lark-request-nonce", "x-lark-signature")
WORDS = [
    "hello",
    "where is my parcel?",
    "你好，我的包裹在哪？",
    "\U0001f4e6 \U0001f600",
    '"quotes" and \\',
    "",
    "é" * 300,
]


def cases() -> dict[str, list]:
    """What is judged: the same at each call."""
    signed = [*_shipped(), *_drawn(random.Random(7))]
    return {"sealed": list(_sealed()), "signed": signed, "changed": list(_changed(signed))}


def channel_of(case: dict) -> Described:
    """Ours, for the account that a case is signed for."""
    secrets = {"encrypt_key": case["key"], "verification_token": case["token"], "app_secret": "a-made-up-secret"}
    return Described("sample", shipped("feishu").spec, "", (secrets,), {"app_id": APP, "id": "sample"}, 3_600)


def altered(case: dict, part: str, place: int) -> dict:
    """A case with another last bit in one byte."""

    def other(text: str) -> str:
        return text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]

    if part == "body":
        return {**case, "body": other(case["body"])}
    return {**case, "headers": {**case["headers"], part: other(case["headers"][part])}}


def _sealed() -> Iterator[dict]:
    spec = shipped("feishu").spec
    for one in spec.samples.received:
        yield {"key": spec.samples.secrets["encrypt_key"], "sealed": json.loads(one.body)["encrypt"]}


def _shipped() -> Iterator[dict]:
    """The samples that ship and say something to this app."""
    spec = shipped("feishu").spec
    for one in spec.samples.received:
        if one.expect.refused is None and any(callback.code is None for callback in one.expect.callbacks):
            secrets = spec.samples.secrets
            yield {
                "key": secrets["encrypt_key"],
                "token": secrets["verification_token"],
                "headers": one.request.headers,
                "body": one.body,
            }


def _drawn(chance: random.Random) -> Iterator[dict]:
    """Messages of any words under any keys."""
    for number, words in enumerate(WORDS):
        key, token, nonce = ("".join(chr(chance.randrange(33, 127)) for _ in range(size)) for size in (32, 20, 10))
        header = {"event_id": f"ev_{number}", "token": token, "create_time": f"{AT_S}000", "app_id": APP}
        message = {"message_id": f"om_{number}", "create_time": f"{AT_S}000", "chat_id": "oc_1", "message_type": "text"}
        sender = {"sender_id": {"open_id": "ou_1"}, "sender_type": "user"}
        event = {"sender": sender, "message": {**message, "content": json.dumps({"text": words})}}
        told = {"schema": "2.0", "header": {**header, "event_type": EVENTS[0]}, "event": event}
        body = json.dumps({"encrypt": _seal(key, json.dumps(told).encode(), chance.randbytes(16))})
        headers = {HEADERS[0]: str(AT_S + number), HEADERS[1]: nonce}
        case = {"key": key, "token": token, "headers": headers, "body": body}
        yield {**case, "headers": {**headers, HEADERS[2]: _signature(case)}}


def _signature(case: dict) -> str:
    channel = channel_of(case)
    verifier = Verifier(channel.spec.inbound.verify, channel.secrets, 0)
    request = Request({}, case["headers"], case["body"].encode())
    return verifier.expected(Signed(request, channel.fields), channel.secrets[0]).decode()


def _seal(key: str, plain: bytes, iv: bytes) -> str:
    pad = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(hashlib.sha256(key.encode()).digest()), modes.CBC(iv)).encryptor()
    return base64.b64encode(iv + encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()


def _changed(signed: list[dict]) -> Iterator[list]:
    for number in (0, len(signed) - 1):
        for name in HEADERS:
            yield [number, name, [*range(len(signed[number]["headers"][name]))]]
        yield [number, "body", [*range(0, len(signed[number]["body"]), 11)]]


def changes(vectors: dict[str, list]) -> list[dict]:
    """The cases with one byte changed."""
    return [
        altered(vectors["signed"][number], part, place)
        for number, part, places in vectors["changed"]
        for place in places
    ]


def main() -> None:
    """Judge them anew, and write the vectors."""
    given = cases()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/pip", "install", "-q", SDK], check=True)
        judged = subprocess.run(
            [f"{folder}/bin/python", str(Path(__file__).with_name("lark_judge.py"))],
            input=json.dumps({**given, "changed": changes(given)}),
            capture_output=True,
            check=True,
            text=True,
        )
    said = json.loads(judged.stdout)
    wrong = [one for one in said["signed"] if one is None] or [one for one in said["changed"] if one is not None]
    if wrong:
        raise SystemExit(f"Lark's SDK sees it otherwise: {wrong[:3]}")
    vectors = {
        "about": ABOUT,
        "sealed": [{**one, "plain": plain} for one, plain in zip(given["sealed"], said["sealed"], strict=True)],
        "signed": [{**one, "read": read} for one, read in zip(given["signed"], said["signed"], strict=True)],
        "changed": given["changed"],
    }
    VECTORS.write_text(_written(vectors), encoding="utf-8")


def _written(vectors: dict) -> str:
    """As JSON with a line for each case."""
    tables = (
        f'"{name}": [\n' + ",\n".join(json.dumps(one, ensure_ascii=False) for one in vectors[name]) + "\n]"
        for name in ("sealed", "signed", "changed")
    )
    return "{\n" + ",\n".join([f'"about": {json.dumps(vectors["about"])}', *tables]) + "\n}\n"


if __name__ == "__main__":
    main()
