"""The widget's script and the page that shows it."""

import gzip
import json
import re
from importlib import resources

from gateway.widget.http import Widget
from gateway.widget.limits import VisitorLimits
from tests.gateway.rig import NO_SERVICE, running
from tests.gateway.visitor import web_account

SCRIPT = resources.files("gateway.widget").joinpath("widget.js").read_text("utf-8")
SCRIPT_BYTES_MAX = 15_000  # compressed; a page waits for nothing else of ours


def site(data, **changes):
    return running(data, NO_SERVICE, accounts=(web_account(**changes),))


async def test_script_may_be_kept_and_is_asked_for_anew_by_its_digest(tmp_path):
    async with site(tmp_path) as rig:
        first = await rig.client.get("/widget.js")
        again = await rig.client.get("/widget.js", headers={"if-none-match": first.headers["etag"]})
    assert (200, 304, b"") == (first.status_code, again.status_code, again.content)
    assert "public, max-age=300" == first.headers["cache-control"] == again.headers["cache-control"]
    assert "text/javascript" in first.headers["content-type"]
    assert "@media (prefers-reduced-motion" in first.text
    assert "{{" not in first.text


async def test_page_for_a_demonstration_is_there_where_an_account_says_so(tmp_path):
    async with site(tmp_path) as rig:
        assert 404 == (await rig.client.get("/widget/demo")).status_code
    async with site(tmp_path, demo=True) as rig:
        shown = await rig.client.get("/widget/demo?lang=zh")
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert 'data-site="site" data-lang="zh"' in shown.text


async def test_gateway_without_a_site_has_none_of_it(tmp_path):
    async with running(tmp_path, NO_SERVICE) as rig:
        assert 404 == (await rig.client.get("/widget.js")).status_code


def test_gateway_of_no_site_has_no_address_for_it():
    assert [] == Widget({}, VisitorLimits()).routes()


def test_script_is_small():
    assert len(gzip.compress(Widget({}, VisitorLimits())._script)) < SCRIPT_BYTES_MAX


def test_script_is_a_module_of_at_most_400_lines():
    assert len(SCRIPT.splitlines()) <= 400


def test_script_depends_on_nothing_and_never_reads_text_as_markup_or_code():
    wrong = (
        r"\bimport\b|\brequire\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.cssText"
    )
    assert [] == re.findall(wrong, SCRIPT)


def test_script_has_every_text_in_both_languages():
    words = json.loads(resources.files("gateway.widget").joinpath("words.json").read_text("utf-8"))
    used = set(re.findall(r"WORDS\.([a-z]+)", SCRIPT))
    assert used == words["en"].keys() == words["zh"].keys()
    assert all(text for texts in words.values() for text in texts.values())
    assert b"{{" not in Widget({}, VisitorLimits())._script
