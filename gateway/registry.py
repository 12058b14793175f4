"""The kinds of accounts: what reads an account's callbacks, what brings others, and what sends.

A further platform is one more arm of each. Owns no account.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.accounts import (
    Account,
    DescribedAccount,
    DingTalkAccount,
    DingTalkGroupAccount,
    FeishuGroupAccount,
    GroupAccount,
    WebAccount,
    WeChatAccount,
    WeComAccount,
    WeComGroupAccount,
)
from gateway.channels.base import Channel
from gateway.channels.dingtalk import DingTalk
from gateway.channels.tencent import Seal
from gateway.channels.web import Web, web_secret
from gateway.channels.wechat import WeChat
from gateway.channels.wecom import WeCom
from gateway.channels.wxbizmsgcrypt import aes_key
from gateway.counts import Counts
from gateway.inbox import Inbox
from gateway.keeper import Keeper
from gateway.media import MediaPort
from gateway.outbound import Sender
from gateway.platforms.addresses import ToldAddresses
from gateway.platforms.dingtalk import DingTalkApi, DingTalkSender
from gateway.platforms.dingtalk_media import DingTalkMedia
from gateway.platforms.dingtalk_stream import DingTalkStream
from gateway.platforms.group_robots import GroupRobotSender, Robot, dingtalk_robot, feishu_robot, wecom_robot
from gateway.platforms.http import PlatformHttp
from gateway.platforms.tencent_media import WECHAT_FORMS, WECOM_FORMS, TencentMedia
from gateway.platforms.tokens import AccessToken
from gateway.platforms.wechat import WeChatSender, wechat_api
from gateway.platforms.wecom import WeComPages, WeComSender, wecom_api
from gateway.ports import Chance, Clock
from gateway.pull import Puller
from gateway.specs.account import described, described_line
from gateway.specs.book import shipped
from gateway.specs.channel import Described
from gateway.specs.lint import Proven
from gateway.visitor_log import VisitorLog
from gateway.widget.pictures import Pictures
from gateway.widget.visitors import Visitors, WidgetSender


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the accounts of one gateway share."""

    http: PlatformHttp
    inbox: Inbox
    log: VisitorLog
    pictures: Pictures
    visitors: Visitors
    keeper: Keeper
    clock: Clock
    chance: Chance
    counts: Counts
    body_bytes_max: int


class Feed(Protocol):
    """What brings callbacks that nobody posts. It may be started again after a stop."""

    def start(self) -> None:
        """Begin; returns at once."""
        ...

    async def stop(self) -> None:
        """Bring no more."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """What an account has beside its channel, if anything."""

    sender: Sender | None = None
    feed: Feed | None = None
    token: AccessToken | None = None
    media: MediaPort | None = None


def channel_of(account: Account, tolerance_s: int, spec_of: Callable[[str], Proven | None] = shipped) -> Channel | None:
    """Return what reads the account's callbacks, None where there are none, or no spec that describes its platform.

    Raises:
        Malformed: a secret is missing or of the wrong form.

    """
    match account:
        case WeChatAccount():
            return WeChat(account.account, _seal(account, account.app_id, tolerance_s), plain=account.plain)
        case WeComAccount():
            return WeCom(account.account, _seal(account, account.corp_id, tolerance_s))
        case DingTalkAccount(client_secret=secret, robot_code=robot, corp_id=corp):
            return DingTalk(account.account, secret(), robot, corp, account.mode == "http", tolerance_s)
        case WebAccount(secret=secret, previous_secret=previous):
            secrets = tuple(web_secret(read()) for read in (secret, previous) if read is not None)
            return Web(account.account, secrets, account.origins, tolerance_s)
        case DescribedAccount(channel=channel):
            spec = spec_of(channel)
            return None if spec is None else described(account, spec, tolerance_s)
        case DingTalkGroupAccount() | WeComGroupAccount() | FeishuGroupAccount():
            return None


def line_of(account: Account, channel: Channel | None, around: Surroundings) -> Line:
    """Return the rest of it; raises `Malformed` where a secret is missing."""
    match account:
        case WeChatAccount(app_secret=secret) if secret is not None:
            secret()  # a missing one should be found now, and not at the first answer
            api = wechat_api(around.http, account.api, account.app_id, secret, around.clock)
            media = TencentMedia(api, WECHAT_FORMS, ToldAddresses(around.http, account.media_origins))
            return Line(WeChatSender(account.account, api), token=api.token, media=media)
        case WeChatAccount():
            return Line()
        case WeComAccount():
            assert isinstance(channel, WeCom)
            account.secret()
            api = wecom_api(around.http, account.api, account.corp_id, account.secret, around.clock)
            pages = WeComPages(channel, api)
            puller = Puller(
                account.account,
                pages,
                around.inbox,
                around.keeper,
                clock=around.clock,
                chance=around.chance,
                counts=around.counts,
            )
            return Line(WeComSender(account.account, api), puller, api.token, TencentMedia(api, WECOM_FORMS))
        case DingTalkAccount():
            assert isinstance(channel, DingTalk)
            return _dingtalk(account, channel, around)
        case WebAccount():
            sender = WidgetSender(account.account, around.log, around.visitors, around.clock)
            return Line(sender, media=around.pictures)
        case DescribedAccount():
            return Line() if channel is None else _described(account, channel, around)
        case DingTalkGroupAccount() | WeComGroupAccount() | FeishuGroupAccount():
            robot = _robot(account)
            robot.post("", 0)  # a missing secret should be found now, and not at the first notice
            return Line(GroupRobotSender(account.account, robot, account.api, around.http, around.clock))


def _dingtalk(account: DingTalkAccount, channel: DingTalk, around: Surroundings) -> Line:
    api = DingTalkApi(around.http, account.api, account.client_id, account.client_secret, around.clock)
    sender = DingTalkSender(
        account.account,
        account.robot_code,
        api,
        around.http,
        around.inbox.reply_to,
        account.webhook_origins,
        around.clock,
        around.counts,
    )
    addresses = ToldAddresses(around.http, account.media_origins)
    media = DingTalkMedia(api, around.http, account.robot_code, uploads=account.old_api, addresses=addresses)
    if account.mode == "http":
        return Line(sender, token=api.token, media=media)
    stream = DingTalkStream(
        channel,
        api,
        around.keeper,
        frame_bytes_max=around.body_bytes_max,
        clock=around.clock,
        chance=around.chance,
        counts=around.counts,
    )
    return Line(sender, stream, api.token, media)


def _described(account: DescribedAccount, channel: Channel, around: Surroundings) -> Line:
    assert isinstance(channel, Described)
    made = described_line(account, channel.spec, around.http, around.inbox.reply_to, around.clock)
    return Line(made.sender, token=made.token, media=made.media)


def _robot(account: GroupAccount) -> Robot:
    match account:
        case DingTalkGroupAccount():
            return dingtalk_robot(account.access_token, account.secret)
        case WeComGroupAccount():
            return wecom_robot(account.key)
        case FeishuGroupAccount():
            return feishu_robot(account.hook, account.secret)


def _seal(account: WeChatAccount | WeComAccount, receiver: str, tolerance_s: int) -> Seal:
    keys = tuple(aes_key(read()) for read in (account.aes_key, account.previous_aes_key) if read is not None)
    return Seal(account.token(), keys, receiver, tolerance_s)
