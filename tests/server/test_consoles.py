import re
import tomllib
from pathlib import Path

import pytest

from crdt_sync.errors import NotFound
from crdt_sync.server import consoles

STATIC = Path(consoles.__file__).parent / "static"
FIRST_LOAD_BYTES_MAX = 200_000  # of script, packed


def references(page):
    return re.findall(r'(?:src|href)="([^"]+)"', page)


@pytest.mark.parametrize(
    "address", ["/", "/console/sales", "/console/sales/some-ticket", "/console/%22%3E%3Cb%3E", "/board"]
)
async def test_every_address_of_a_console_gives_the_one_page_to_anybody(site, address):
    del site.client.headers["authorization"]
    answer = await site.client.get(address)

    assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert (STATIC / "index.html").read_text("utf-8") == answer.text
    assert "no-cache" == answer.headers["cache-control"]


async def test_policy_runs_no_script_of_the_page_and_none_of_others(site):
    answer = await site.client.get("/")
    policy = dict(each.split(" ", 1) for each in answer.headers["content-security-policy"].split("; "))

    assert ("'none'", "'self'", "'self'") == (policy["default-src"], policy["script-src"], policy["style-src"])
    assert ("'none'", "'none'") == (policy["base-uri"], policy["frame-ancestors"])
    assert "unsafe" not in str(policy)
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", answer.text)


async def test_page_names_files_that_are_there_and_never_change(site):
    named = references((await site.client.get("/")).text)

    assert named
    for address in named:
        answer = await site.client.get(address)
        assert (200, "public, max-age=31536000, immutable") == (answer.status_code, answer.headers["cache-control"])
        assert "nosniff" == answer.headers["x-content-type-options"]


async def test_worker_and_name_of_the_build_are_asked_for_each_time(site):
    worker = await site.client.get("/assets/worker.js")
    build = (await site.client.get("/assets/build.json")).json()["build"]

    assert ("no-cache", "/") == (worker.headers["cache-control"], worker.headers["service-worker-allowed"])
    assert "text/javascript; charset=utf-8" == worker.headers["content-type"]
    page = (await site.client.get("/")).text
    assert f'<meta name="build" content="{build}">' in page
    assert build in worker.text
    assert all(address in worker.text for address in references(page))


async def test_file_is_packed_for_those_who_unpack(site):
    address = references((await site.client.get("/")).text)[-1]
    packed = await site.client.get(address, headers={"accept-encoding": "gzip"})
    plain = await site.client.get(address, headers={"accept-encoding": "identity"})

    assert ("gzip", None) == (packed.headers["content-encoding"], plain.headers.get("content-encoding"))
    assert plain.content == packed.content
    assert "Accept-Encoding" == plain.headers["vary"]


@pytest.mark.parametrize("name", ["index-00000000.js", "..%2Findex.html", "..%2F..%2Fapp.py", ""])
async def test_file_that_no_build_has_is_not_there(site, name):
    answer = await site.client.get(f"/assets/{name}")

    assert (404, "unknown_route") == (answer.status_code, answer.json()["code"])


def test_pages_that_were_not_built_are_told_by_code_and_how(tmp_path):
    with pytest.raises(NotFound) as caught:
        consoles.built(tmp_path)

    assert ("no_pages", True) == (caught.value.code, "make setup" in caught.value.advice)


def test_wheel_carries_every_file_of_the_build():
    package = STATIC.parents[1]
    settings = tomllib.loads((package.parent / "pyproject.toml").read_text("utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["crdt_sync"]
    carried = {found for pattern in patterns for found in package.glob(pattern)}

    assert set() == {path for path in STATIC.rglob("*") if path.is_file()} - carried


def test_script_of_the_first_load_is_small():
    page = (STATIC / "index.html").read_text("utf-8")
    scripts = [name for name in references(page) if name.endswith(".js")]
    files = consoles.built(STATIC)

    assert scripts
    assert FIRST_LOAD_BYTES_MAX >= sum(len(files[name.removeprefix("/")].packed) for name in scripts)
