"""The page about plugins says what the code does, in both languages, and its plugin does what it says."""

import re
from pathlib import Path
from typing import get_args

import pytest

from gateway.plugins.api import OnAnswer, OnEvent, OnMessage, Runs
from gateway.plugins.connector import DEADLINE_S
from gateway.plugins.process import Reason
from gateway.plugins.settings import PluginSettings
from tests.gateway.plugins.packages import answered, installed, said
from tests.gateway.plugins.test_faults_of_plugins import faulty, house

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"
ENGLISH, CHINESE = ((HOW_TO / name).read_text("utf-8") for name in ("write-a-plugin.md", "write-a-plugin.zh-CN.md"))
PAGES = pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh"])


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


@PAGES
def test_every_setting_has_its_row_with_its_default(page):
    shown = dict(re.findall(r"(?m)^\| `(\w+)` \| (\w*) ?\|", page))
    defaults = {name: field.default for name, field in PluginSettings.model_fields.items()}
    assert set(defaults) <= set(shown)
    numbers = {name: str(default) for name, default in defaults.items() if isinstance(default, int)}
    assert numbers == {name: shown[name] for name in defaults if shown[name].isdecimal()}


@PAGES
def test_every_hook_and_fault_has_its_row(page):
    hooks = [[name for name in vars(hook) if name[0] != "_"] for hook in (OnMessage, OnAnswer, OnEvent, Runs)]
    assert [["on_message"], ["on_answer"], ["on_event"], ["run"]] == hooks
    rows = [*(f"`{hook}`" for (hook,) in hooks), *(f"`fault.{name}`" for name in get_args(Reason) if name != "stopped")]
    assert [] == [row for row in rows if f"| {row} |" not in page]


def test_both_pages_have_the_same_code():
    for language in ("toml", "python"):
        assert blocks(ENGLISH, language) == blocks(CHINESE, language)
    assert f"deadline_s={DEADLINE_S}" in ENGLISH


async def test_plugin_of_the_page_does_what_it_says(tmp_path, monkeypatch):
    (tmp_path / "house_rules.py").write_text(blocks(ENGLISH, "python")[0])
    installed(tmp_path, monkeypatch, **{"house-rules": "house_rules:HouseRules"})
    async with house(tmp_path, faulty("house-rules", options={"word": "refund"})) as it:
        await it.ready("house-rules")
        assert ["returns", ""] == [await it.rule("A REFUND, please"), await it.rule("hello")]
        refused = [await it.plugins.refusal(answered(text)) for text in ("My password is", "Hello")]
        assert ["plugin.house_rules.password", None] == refused
    assert said("x").rule == ""
