"""Runs where lark-oapi is, and nothing of ours: reads cases, and says what Lark's SDK makes of each.

Null where it takes none; see lark.py.
"""

import json
import sys

import lark_oapi
from lark_oapi.core.model import RawRequest
from lark_oapi.core.utils import AESCipher

NAMES = {
    "x-lark-request-timestamp": "X-Lark-Request-Timestamp",
    "x-lark-request-nonce": "X-Lark-Request-Nonce",
    "x-lark-signature": "X-Lark-Signature",
}  # as the SDK looks them up


def read(case: dict) -> dict | None:
    """What the SDK's handlers are told of a request."""
    told: list[dict] = []

    def message(data) -> None:
        said = data.event.message
        told.append(
            {
                "message_id": said.message_id,
                "chat_id": said.chat_id,
                "content": said.content,
                "person": data.event.sender.sender_id.open_id,
            }
        )

    def added(data) -> None:
        told.append({"chat_id": data.event.chat_id, "person": data.event.operator_id.open_id})

    builder = lark_oapi.EventDispatcherHandler.builder(case["key"], case["token"], lark_oapi.LogLevel.CRITICAL)
    builder.register_p2_im_message_receive_v1(message).register_p2_im_chat_member_bot_added_v1(added)
    request = RawRequest()
    request.uri, request.body = "/", case["body"].encode()
    request.headers = {NAMES[name]: value for name, value in case["headers"].items()}
    answer = builder.build().do(request)
    return told[0] if answer.status_code == 200 and told else None


def main() -> None:
    """Judge what comes in."""
    given = json.load(sys.stdin)
    said = {
        "sealed": [AESCipher(one["key"]).decrypt_str(one["sealed"]) for one in given["sealed"]],
        "signed": [read(one) for one in given["signed"]],
        "changed": [read(one) for one in given["changed"]],
    }
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
