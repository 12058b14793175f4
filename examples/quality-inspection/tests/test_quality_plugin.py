"""Findings reach the ticket, once, from a real service."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, suppress

from quality_inspection import plugin
from quality_inspection.plugin import QualityPlugin

from gateway.plugins.api import Answer, Context, Refusal
from tests.replica.loopback import until
from tests.server.conftest import run_service

OPTIONS = {"forbidden": "guarantee, 包退", "greetings": "hello", "refuse": True}


@asynccontextmanager
async def inspecting(core, data, tokens=None):
    counted = Counter()

    def token():
        made = core.token("support", actor="quality")
        if tokens is not None:
            tokens.append(made)
        return made

    context = Context(
        "quality",
        data,
        f"127.0.0.1:{core.service.grpc_port}",
        None,
        OPTIONS,
        token=token,
        secret=str,
        count=lambda name: counted.update([name]),
    )
    task = asyncio.create_task(QualityPlugin(context).run())
    try:
        yield counted
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_findings_are_noted_once_on_the_ticket(tmp_path):
    async with run_service(tmp_path / "data") as core:
        headers = core.headers("support")
        opened = await core.http.post("/api/tickets", json={"title": "Fibre"}, headers=headers)
        ticket = opened.json()["id"]

        async def say(text):
            await core.http.post(f"/api/tickets/{ticket}/messages", json={"text": text}, headers=headers)

        await say("We guarantee it.")
        async with inspecting(core, tmp_path) as counted:
            await until(lambda: counted["found.forbidden"] == counted["found.greeting"] == 1)
        await say("包退")
        async with inspecting(core, tmp_path) as counted:
            await until(lambda: counted["found.forbidden"])
        assert {"found.forbidden": 1} == counted  # what was there before is not inspected again
        shown = await core.http.get(f"/api/tickets/{ticket}/forms/support", headers=headers)
        notes = shown.json()["notes"].splitlines()
        assert [
            "Quality: An answer has the word 'guarantee'.",
            "Quality: The first answer has no greeting.",
            "Quality: An answer has the word '包退'.",
        ] == notes


async def test_nothing_of_it_goes_on_when_it_is_cancelled(tmp_path):
    def own():
        return {task for task in asyncio.all_tasks() if task.get_coro().__qualname__.startswith("QualityPlugin.")}

    async with run_service(tmp_path / "data") as core:
        headers = core.headers("support")
        opened = await core.http.post("/api/tickets", json={"title": "Fibre"}, headers=headers)
        await core.http.post(f"/api/tickets/{opened.json()['id']}/messages", json={"text": "Yes."}, headers=headers)
        async with inspecting(core, tmp_path) as counted:
            await until(lambda: counted["found.greeting"] == 1)
            assert own()
        assert set() == own()


async def test_it_opens_anew_with_a_fresh_token(tmp_path, monkeypatch):
    monkeypatch.setattr(plugin, "REOPEN_S", 0)
    opened = []
    async with run_service(tmp_path / "data") as core, inspecting(core, tmp_path, opened):
        await until(lambda: len(opened) > 1)


async def test_answer_with_a_forbidden_word_is_refused():
    plugin = QualityPlugin(Context("quality", None, "core:1", None, OPTIONS, token=str, secret=str))
    said = {"ticket": "t", "message": "m", "channel": "wechat", "account": "shop", "conversation": "c"}
    asked = [Answer(**said, text=text, media="", attempt=1) for text in ("A Guarantee", "fine")]
    assert [Refusal("forbidden_word"), None] == [await plugin.on_answer(each) for each in asked]
