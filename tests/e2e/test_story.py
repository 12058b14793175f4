"""The whole story: two people in browsers and a replica in Python, offline and back, with the service killed meanwhile.

At its end the screens, the replica and the service agree, and every copy of every document holds the same.
"""

import asyncio
import re
from contextlib import asynccontextmanager

from playwright.async_api import expect

from crdt_sync.adapters import lifecycle_files
from crdt_sync.replica import Replica
from tests.e2e import copies
from tests.e2e.console_site import WITH_A_WIDGET, running_consoles
from tests.replica.loopback import until

SYNC_S = 15.0


@asynccontextmanager
async def replica(site, path, department, *roles):
    """A back-office program of a department, over gRPC."""
    token = site.service.token(department, actor="robot", roles=[department, *roles])
    async with Replica.open(path, url=f"grpc://{site.service.grpc}", token=token, poll_s=0.1) as opened:
        yield opened


class Story:
    """A ticket, and everybody who has it open."""

    def __init__(self, site, lifecycle, ticket, desks, held):
        self.site, self.ticket, self.desks, self.held = site, ticket, desks, held
        self.lifecycle = lifecycle_files.load(lifecycle_files.shipped()[lifecycle])

    async def offline(self):
        for desk in self.desks:
            await desk.offline()

    async def online(self):
        for desk in self.desks:
            await desk.online()

    async def stage(self, name):
        """Return once everybody is shown this stage."""
        for desk, language in self.desks.items():
            await desk.stage(self.lifecycle.label(name, language))
        await until(lambda: self.held.stage == name)

    async def agree(self, department):
        """What the screens show, what the replica holds and what the service answers is the same, down to the bytes."""
        for desk in self.desks:
            await desk.saved()
        told = await self.site.ask(department, "GET", f"/api/tickets/{self.ticket}")
        await until(lambda: told["stage"] == self.held.stage and told["lanes"] == self.held.lanes)
        assert told["card"] == self.held.card
        talk = (await self.site.ask(department, "GET", f"/api/tickets/{self.ticket}/messages"))["messages"]
        texts = [part["text"] for message in talk for part in message["parts"] if part["type"] == "text"]
        assert texts == [part["text"] for one in self.held.messages for part in one.parts if part["type"] == "text"]
        for desk, language in self.desks.items():
            await desk.stage(self.lifecycle.label(told["stage"], language))
            said = {
                self.lifecycle.label(lane, language): self.lifecycle.label(f"{lane}.{state}", language)
                for lane, state in told["lanes"].items()
            }
            assert said == await desk.lanes()
            assert texts == await desk.page.locator(".message .text").all_text_contents()
        await self._same_bytes()

    async def _same_bytes(self):
        held = copies.in_replica(self.held)
        for desk in self.desks:
            kept = await copies.in_browser(desk.page, self.ticket)
            department = desk.page.url.split("/")[4]
            assert kept == await copies.at_service(self.site.service, kept, department)
            both = held.keys() & kept.keys()
            assert {name.split("/")[2] for name in both} >= {"log", "card", "talk"}
            assert {name: held[name] for name in both} == {name: kept[name] for name in both}


async def test_default_lifecycle(tmp_path):
    async with (
        running_consoles(tmp_path / "site", WITH_A_WIDGET) as site,
        replica(site, tmp_path / "robot.db", "sales", "sales_lead") as robot,
    ):
        sales, tech, customer = await site.desk(), await site.desk(), await site.customer()
        await sales.sign_in("sales")
        await tech.sign_in("tech")
        await customer.write("We need fibre for the bakery.")
        await sales.open("Without a title")
        await expect(sales.page.get_by_role("log")).to_contain_text("We need fibre for the bakery.")
        await sales.fill("Title", "Fibre for the bakery")
        await sales.fill("Customer", "Ms Novak")
        await sales.say("A colleague will call you.")
        await customer.shows("A colleague will call you.")
        await tech.open("Fibre for the bakery")
        ticket = sales.page.url.split("/")[-1]
        await robot.refresh()
        await robot.synced(SYNC_S)
        held = await robot.ticket(ticket)
        story = Story(site, "connect-order", ticket, {sales: "en", tech: "en"}, held)
        await story.stage("presale")
        await sales.move("Quote", price="120.00")
        await tech.lane("Sales", "Quoted")
        await until(lambda: held.lanes["sales"] == "quoted")
        await sales.saved()

        await story.offline()
        await asyncio.to_thread(site.service.kill)
        await sales.move("Sign", contract="C-17")
        await sales.stage("Ready to start")
        await sales.page.get_by_label("Internal notes: Sales").fill("Margin 40 %.")
        await sales.say("It is signed.")
        await tech.fill("Priority", "high")
        await tech.page.locator(".lane.own").get_by_role("button", name="Take it").click()
        await held.do("sales", "lose")
        await held.set_form("sales", {"source": "fair"})
        assert "cancelled" == held.stage
        await sales.saved("Saved here, 3 on the way to the server")  # before that a page that ends may take it along
        await sales.page.reload()
        await sales.stage("Ready to start")
        await tech.stage("Presale")

        await asyncio.to_thread(site.service.start)
        await robot.synced(SYNC_S)
        await story.online()
        await story.stage("deal_disputed")
        told = re.compile("“(Sign|Mark as lost)” by .* and “(Sign|Mark as lost)” by .* contradict each other")
        for desk in story.desks:
            await expect(desk.page.get_by_role("region", name="Needs attention")).to_contain_text(told)
        await expect(sales.page.locator(".form")).to_contain_text("C-17")
        await expect(sales.page.get_by_label("source")).to_have_value("fair")
        await expect(sales.page.get_by_label("Priority")).to_have_value("high")
        await customer.shows("It is signed.")
        await story.agree("sales")

        await held.do("sales", "rule_signed")
        await story.stage("ready_to_start")
        await tech.move("Start")
        await story.stage("in_delivery")
        await story.offline()
        await tech.move("Deliver", ends=True)
        await tech.stage("In service")
        await sales.move("Withdraw")
        await sales.stage("Stop the work, the deal is gone")
        await customer.write("When do you come?")
        await story.online()
        await story.stage("stop_work")
        await expect(tech.page.locator(".todo")).to_contain_text("yours")
        await tech.page.locator(".todo").get_by_role("button", name="Dismantle").click()
        await tech.page.get_by_role("dialog").get_by_role("button", name="Dismantle").click()
        await story.stage("cancelled")
        await site.move(ticket, "case", "close", by="backoffice")
        await story.stage("closed")
        await customer.page.get_by_text("This conversation has ended.").wait_for()
        await expect(tech.page.get_by_role("log")).to_contain_text("When do you come?")
        await story.agree("sales")
        assert [] == sales.faults + tech.faults + customer.faults


async def test_lifecycle_of_one_department_which_the_console_has_never_heard_of(tmp_path):
    async with (
        running_consoles(tmp_path / "site", {"CRDT_SYNC_LIFECYCLE": "support-only"}) as site,
        replica(site, tmp_path / "robot.db", "support") as robot,
    ):
        clerk, lead = await site.desk(locale="zh-CN"), await site.desk()
        await clerk.sign_in("support")
        await lead.sign_in("support_lead")
        await clerk.offline()
        await clerk.page.keyboard.press("c")
        await clerk.page.get_by_label("标题").fill("我的订单在哪里？")
        await clerk.page.keyboard.press("Enter")
        await clerk.stage("待回复")
        await clerk.move("回复")
        await clerk.stage("处理中")
        await clerk.online()
        await lead.open("我的订单在哪里？")
        ticket = lead.page.url.split("/")[-1]
        await robot.refresh()
        await robot.synced(SYNC_S)
        held = await robot.ticket(ticket)
        story = Story(site, "support-only", ticket, {clerk: "zh", lead: "en"}, held)
        await story.stage("in_hand")

        await story.offline()
        await asyncio.to_thread(site.service.kill)
        await clerk.move("标记解决", ends=True)
        await clerk.say("已经发货。")
        await clerk.stage("已完成")
        await lead.move("Ask again")
        await lead.fill("Priority", "urgent")
        await lead.saved("Saved here, 2 on the way to the server")  # before that a page that ends may take it along
        await lead.page.reload()
        await lead.stage("To answer")
        await held.set_form("request", {"parcel": "P-9"})
        await asyncio.to_thread(site.service.start)
        await robot.synced(SYNC_S)
        await story.online()
        await story.stage("to_answer")
        await expect(clerk.page.get_by_role("region", name="需要关注")).to_contain_text("support 的“标记解决”未生效")
        await expect(lead.page.get_by_role("region", name="Needs attention")).to_contain_text("did not win")
        await expect(clerk.page.get_by_label("优先级")).to_have_value("urgent")
        await expect(lead.page.get_by_label("parcel")).to_have_value("P-9")
        await story.agree("support")

        await clerk.move("回复")
        await story.stage("in_hand")
        await held.do("request", "solve")
        await story.stage("done")
        await lead.move("Close")
        await clerk.lane("客服请求", "已关闭")
        await until(lambda: held.lanes["request"] == "closed")
        await story.agree("support")
        assert [] == clerk.faults + lead.faults
