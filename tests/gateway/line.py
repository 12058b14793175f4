"""An account of LINE, and posts that are signed as its documentation says, by the standard library alone."""

import base64
import hashlib
import hmac
import json

from gateway.accounts import DescribedAccount
from tests.gateway.platform import T5_NOW_S, Post

SECRET = "a secret of the account"
NOW_MS = T5_NOW_S * 1000


def line_account(**changes) -> DescribedAccount:
    secrets = {"channel_secret": lambda: SECRET, "channel_token": lambda: "token"}
    given = {"channel": "line", "account": "friends", "secrets": secrets, "fields": {"bot_id": "Ubot"}}
    return DescribedAccount(**(given | changes))


def line_event(number: int, kind: str = "message", **changes) -> dict:
    event = {
        "type": kind,
        "message": {"type": "text", "id": str(number), "text": f"text {number}"},
        "timestamp": NOW_MS,
        "source": {"type": "user", "userId": "Ucustomer"},
        "webhookEventId": f"event{number}",
        "mode": "active",
    }
    return event | changes


def line_post(*events: dict, bot: str = "Ubot", secret: str = SECRET) -> Post:
    return line_signed(json.dumps({"destination": bot, "events": events}).encode(), secret)


def line_signed(body: bytes, secret: str = SECRET) -> Post:
    digest = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
    return Post({}, body, {"x-line-signature": digest})
