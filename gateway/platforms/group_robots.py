"""Robots that only write into the one group chat to which each belongs: DingTalk's, WeCom's and Feishu's.

Whoever knows a robot's address may write there, so the address is the secret, and two of the three sign beside it. None
of them can tell a second send: an attempt of unknown fate is never repeated by itself.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery
from gateway.channels.dingtalk import sign
from gateway.outbound import Dead, Limits, Outcome, Rate, RetryLater, Sent
from gateway.platforms.http import CallFailed, PlatformHttp, Refused
from gateway.platforms.outcomes import failed
from gateway.ports import Clock

_MINUTE_MS = 60_000
# A bucket gives out its burst and a minute's worth of tokens in any minute: 17 and 93, below what is allowed, so that a
# gateway that started anew, with a fresh bucket, stays below it too.
_TWENTY_A_MINUTE = Limits(account=Rate(burst=2, per_s=0.25))
_FIVE_A_SECOND = Limits(account=Rate(burst=3, per_s=1.5))


@dataclass(frozen=True, slots=True)
class Post:
    """One request of a robot, below the platform's origin."""

    path: str
    body: Mapping[str, object]
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Robot:
    """How one robot is written to: `post` makes the request for a text at a time, in milliseconds.

    `code` is the field of an answer that is 0 if all is well; `busy` are its values that mean "too many", and for how
    many milliseconds to be silent then. `post` raises `Malformed` where a secret is gone.
    """

    post: Callable[[str, int], Post]
    limits: Limits
    text_bytes_max: int
    code: str
    busy: Mapping[int, int]


def dingtalk_robot(access_token: Callable[[], str], secret: Callable[[], str]) -> Robot:
    """Return a custom robot that signs. Beyond 20 messages a minute it says nothing for ten minutes."""

    def post(text: str, now_ms: int) -> Post:
        signed = {"timestamp": str(now_ms), "sign": sign(secret(), str(now_ms))}
        body = {"msgtype": "text", "text": {"content": text}}
        return Post("/robot/send", body, {"access_token": access_token(), **signed})

    busy = dict.fromkeys((130101, 410100), 10 * _MINUTE_MS)
    return Robot(post, _TWENTY_A_MINUTE, text_bytes_max=18_000, code="errcode", busy=busy)  # the body may have 20 kB


def wecom_robot(key: Callable[[], str]) -> Robot:
    """Return a group robot. It signs nothing: the key is all there is."""

    def post(text: str, now_ms: int) -> Post:
        del now_ms
        return Post("/cgi-bin/webhook/send", {"msgtype": "text", "text": {"content": text}}, {"key": key()})

    busy = {45009: _MINUTE_MS, 45033: 10_000}
    return Robot(post, _TWENTY_A_MINUTE, text_bytes_max=2_048, code="errcode", busy=busy)


def feishu_robot(hook: Callable[[], str], secret: Callable[[], str]) -> Robot:
    """Return a custom bot that signs. A tag in its texts would call people, so there is none."""

    def post(text: str, now_ms: int) -> Post:
        timestamp = str(now_ms // 1000)
        said = {"msg_type": "text", "content": {"text": text.replace("<", "＜")}}
        signed = {"timestamp": timestamp, "sign": feishu_sign(secret(), timestamp)}
        return Post(f"/open-apis/bot/v2/hook/{quote(hook(), safe='')}", {**signed, **said}, {})

    busy = dict.fromkeys((9499, 11232), _MINUTE_MS)
    return Robot(post, _FIVE_A_SECOND, text_bytes_max=18_000, code="code", busy=busy)  # the body may have 20 kB


def feishu_sign(secret: str, timestamp: str) -> str:
    """Feishu's signature of a time in seconds: base64 of HMAC-SHA256 of nothing, under time and secret as the key."""
    return base64.b64encode(hmac.digest(f"{timestamp}\n{secret}".encode(), b"", hashlib.sha256)).decode()


@dataclass(frozen=True, slots=True)
class GroupRobotSender:
    """Writes into the group of one robot at `origin`, whatever conversation a delivery names: there is only that."""

    account: str
    robot: Robot
    origin: str
    http: PlatformHttp
    clock: Clock

    @property
    def has_idempotency(self) -> bool:
        """Whether a second send does nothing: it does not."""
        return False

    @property
    def limits(self) -> Limits:
        """What the robot may say."""
        return self.robot.limits

    async def send(self, delivery: Delivery) -> Outcome:
        """One attempt. A text that is too long is cut: the ticket says the rest."""
        if delivery.part.WhichOneof("part") != "text":
            return Dead("unsupported_part")
        try:
            post = self.robot.post(_cut(delivery.part.text, self.robot.text_bytes_max), self.clock.now_ms())
        except Malformed as error:  # the secret is not where it was at the start
            return RetryLater(error.code)
        try:
            await self._write(post)
        except CallFailed as error:
            return failed(error, {})
        return Sent()

    async def close(self) -> None:
        """Nothing of its own: the gateway closes the connections that all accounts share."""

    async def _write(self, post: Post) -> None:
        answer = await self.http.post(f"{self.origin}{post.path}", post.body, query=post.query or None)
        code = answer.number(self.robot.code)
        if code in self.robot.busy:
            raise Refused("busy", retry_ms=self.robot.busy[code])
        if code or answer.status >= 300:
            raise Refused(f"{self.robot.code}_{code}" if code else f"http_{answer.status}")


def _cut(text: str, bytes_max: int) -> str:
    data = text.encode()
    return text if len(data) <= bytes_max else f"{data[: bytes_max - 3].decode(errors='ignore')}…"
