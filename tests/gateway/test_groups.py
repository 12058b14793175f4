"""A service and a gateway, whole: what happens to tickets is said in group chats, and what is said there is noted."""

import asyncio
import hashlib
import json
import time
from contextlib import asynccontextmanager

import pytest

from gateway.bootstrap import Gateway
from gateway.outbound import Limits
from gateway.platforms import group_robots
from tests.gateway.dingtalk_server import DingTalkServer, call, dingtalk_account, said, signed
from tests.gateway.group_server import GroupServer, dingtalk_group, feishu_group, wecom_group
from tests.gateway.platform import Post
from tests.gateway.rig import Rig, http, settings
from tests.replica.loopback import until
from tests.samples import PNG
from tests.server.conftest import run_service

DESK = """
version = 1
groups = [
    {channel = "wecom-group", account = "wecom-office", department = "backoffice"},
    {channel = "dingtalk-group", account = "ding-office", department = "backoffice", language = "en"},
    {channel = "feishu-group", account = "feishu-office", department = "backoffice", notices = ["red"]},
    {channel = "dingtalk", account = "robot", conversation = "cid-tech==", department = "tech", notices = ["red"]},
]
"""
SIGN = ("sales", "sales", "sign", {"contract": "7"})
START, WITHDRAW = ("tech", "tech", "start"), ("sales", "sales", "withdraw")


class Floor:
    """Everybody: the service, its gateway, the platforms and who works."""

    def __init__(self, running, rig, groups, robots):
        self.running, self.rig, self.groups, self.robots = running, rig, groups, robots
        self.ticket = ""

    async def ask(self, department, method, path, body=None):
        headers = self.running.headers(department)
        return await self.running.http.request(method, f"/api/tickets{path}", json=body, headers=headers)

    async def do(self, department, lane, name, payload=None):
        shown = (await self.ask(department, "GET", f"/{self.ticket}")).json()
        body = {"lane": lane, "name": name, "seen": shown["version"], "payload": payload}
        (await self.ask(department, "POST", f"/{self.ticket}/transitions", body)).raise_for_status()

    async def withdrawn(self, *, each_is_said=False):
        """A ticket that owes a halt. What waits is said together; if `each_is_said`, nothing waits at any move."""
        opened = await self.ask("sales", "POST", "", {"title": "Fibre"})
        self.ticket = opened.json()["id"]
        await self.do("sales", "sales", "quote", payload={"price": "1.00"})
        for count, move in enumerate((SIGN, START, WITHDRAW), start=1):
            for channel in ("wecom-group", "dingtalk-group") if each_is_said else ():
                await self.shown(channel, count)
            await self.do(*move)

    async def red(self):
        overdue = self.running.service._overdue
        overdue._red_after_ms = 0
        await overdue.look()

    async def say(self, number, text, conversation="cid-tech==", **more):
        """Somebody writes to the robot in a group."""
        told = said(number, conversationId=conversation, conversationType="2", text={"content": text}, **more)
        post: Post = signed(json.dumps(told).encode(), now_s=time.time())
        assert 200 == (await self.rig.post(post, "robot")).status_code
        await self.rig.forwarded()

    async def notes(self, department="tech", lane="tech"):
        return await self.ask(department, "GET", f"/{self.ticket}/forms/{lane}")

    async def shown(self, channel, count):
        await until(lambda: len(self.groups.texts(channel)) >= count)
        return self.groups.texts(channel)

    async def reported(self):
        """Wait until a notice about the ticket is known to be sent."""
        async with asyncio.timeout(20):
            while not await self.running.service._store.newest_notice("robot", "cid-tech=="):  # noqa: ASYNC110 - a store tells nobody
                await asyncio.sleep(0.01)

    async def said_in_group(self, count):
        await until(lambda: len(self.robots.sends) >= count)
        assert {("/v1.0/robot/groupMessages/send", "cid-tech==")} == {
            (path, body["openConversationId"]) for path, body in self.robots.sends
        }
        return [json.loads(body["msgParam"])["content"] for _, body in self.robots.sends]


@asynccontextmanager
async def opened(tmp_path, mode="http"):
    (tmp_path / "desk.toml").write_text(DESK, "utf-8")
    groups, robots = GroupServer(), DingTalkServer()
    async with (
        groups.serving() as url,
        robots.serving() as robots_url,
        run_service(tmp_path / "data", desk=tmp_path / "desk.toml") as running,
    ):
        accounts = (wecom_group(url), dingtalk_group(url), feishu_group(url), dingtalk_account(robots_url, mode=mode))
        token = running.token("gateway", accounts=[one.account for one in accounts])
        given = settings(tmp_path, running.service.grpc_port, accounts=accounts, core_token=lambda: token)
        gateway = Gateway(given)
        async with http(gateway) as client:
            await gateway.start()
            try:
                yield Floor(running, Rig(gateway, client, None, tmp_path), groups, robots)
            finally:
                await gateway.stop()


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch):
    """Let the robots say what they have to: their pace is another test's."""
    monkeypatch.setattr(group_robots, "_TWENTY_A_MINUTE", Limits())


@pytest.fixture
async def floor(tmp_path):
    async with opened(tmp_path) as floor:
        yield floor


async def test_stages_and_what_is_owed_are_said_in_the_groups_in_their_order(floor):
    await floor.withdrawn(each_is_said=True)
    head = f"#{floor.ticket[:8]} Fibre"

    assert [
        f"{head}：新工单，售前",
        f"{head}：售前 → 可以开工\n销售：签约（销售）",
        f"{head}：可以开工 → 交付中\n技术：开始开通（技术）",
        f"{head}：交付中 → 合同已失效，停止施工\n销售：撤约（销售）\n待办：技术：暂停施工 或 拆除",
    ] == await floor.shown("wecom-group", 4)
    assert f"{head}: opened as Presale" == (await floor.shown("dingtalk-group", 4))[0]
    await floor.red()
    red = f"{head}：已超过 0 分钟仍待办：技术：暂停施工 或 拆除"
    assert [red] == await floor.shown("feishu-group", 1)
    assert [red] == await floor.said_in_group(1)


async def test_what_is_said_in_a_bound_group_is_a_note_for_its_department_and_goes_nowhere_else(floor):
    await floor.withdrawn()
    await floor.say(1, f" #{floor.ticket[:8]} cable cut at gate 3")
    await floor.say(1, f" #{floor.ticket[:8]} cable cut at gate 3")

    notes = (await floor.notes()).json()["notes"]
    assert notes.endswith(f" UTC, 张三:\n     #{floor.ticket[:8]} cable cut at gate 3\n")
    assert 1 == notes.count("cable")
    for department in ("sales", "support", "backoffice"):
        assert 403 == (await floor.notes(department)).status_code
    messages = await floor.ask("sales", "GET", f"/{floor.ticket}/messages")
    assert [] == messages.json()["messages"]
    assert not [text for _, text in floor.groups.shown if "cable" in text]
    assert [] == floor.robots.sends


async def test_a_picture_from_a_bound_group_is_opened_by_whoever_reads_its_note_and_by_nobody_else(floor):
    await floor.withdrawn()
    floor.robots.shelf.kept["code-1"] = PNG
    parts = [{"text": f"#{floor.ticket[:8]} cable cut"}, {"type": "picture", "downloadCode": "code-1"}]
    await floor.say(1, "", msgtype="richText", content={"richText": parts})
    async with asyncio.timeout(20):
        while "sha256:" not in (notes := (await floor.notes()).json()["notes"]):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)

    digest = hashlib.sha256(PNG).hexdigest()
    assert notes.endswith(f"    [image] (image/png, {len(PNG)} bytes, sha256:{digest})\n")
    address = f"/{floor.ticket}/media/{digest}"
    assert PNG == (await floor.ask("tech", "GET", address)).content
    assert [404] * 3 == [
        (await floor.ask(other, "GET", address)).status_code for other in ("sales", "support", "backoffice")
    ]


async def test_a_group_hears_where_a_message_without_a_code_went_and_that_one_went_nowhere(floor):
    await floor.say(1, " is anybody there")
    assert ["未找到对应工单"] == [text[:7] for text in await floor.said_in_group(1)]

    await floor.withdrawn()
    await floor.red()
    await floor.reported()
    await floor.say(2, " on my way")
    assert f"#{floor.ticket[:8]}：已记入该工单" == (await floor.said_in_group(3))[2].partition("，")[0]
    assert "on my way" in (await floor.notes()).json()["notes"]


async def test_a_message_of_a_group_that_is_bound_to_nobody_is_a_customers(floor):
    await floor.say(1, "hello", conversation="cid-customers==")
    (ticket,) = (await floor.ask("sales", "GET", "")).json()["tickets"]
    messages = await floor.ask("sales", "GET", f"/{ticket['id']}/messages")
    assert 1 == len(messages.json()["messages"])


async def test_what_a_stream_brings_is_noted_too(tmp_path):
    async with opened(tmp_path, mode="stream") as floor:
        await floor.withdrawn()
        told = {"conversationId": "cid-tech==", "conversationType": "2"}
        frame = call(1, **told, text={"content": f"#{floor.ticket} by stream"})
        assert 200 == (await floor.robots.push(frame, await floor.robots.stream()))["code"]
        await floor.rig.forwarded()
        assert "by stream" in (await floor.notes()).json()["notes"]
