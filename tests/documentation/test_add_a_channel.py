"""docs/how-to/add-a-channel*.md: its commands are run as they stand, beside a service that runs."""

import asyncio
import re
import shlex
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from crdt_sync.cli.main import app
from crdt_sync.cli.process import development_token, running
from crdt_sync.server.settings import Settings
from gateway.specs.book import shipped_texts
from gateway.specs.lint import findings_of
from tests.architecture.tree import ROOT
from tests.replica.loopback import until

DOCUMENTS = {name: ROOT / "docs" / "how-to" / f"add-a-channel{name}.md" for name in ("", ".zh-CN")}
COMMANDS = re.compile(r"^```bash\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DATA = re.compile(r"<<'END'\n.*?^END$", re.DOTALL | re.MULTILINE)
WALKS = {"line": slice(6), "mattermost": slice(6, None)}  # which blocks of the page
SAMPLES = re.compile(r"^```yaml\n(samples:.*?)^```$", re.DOTALL | re.MULTILINE)
PIGEON = """\
version: 1
channel: pigeon
about: the platform of the page's example
secrets: [signing_secret]
origins: {api: "https://api.example.com"}
inbound:
  handshake:
    - when: "body.type == 'ping'"
      text: "{body.challenge}"
  verify:
    how: hmac-sha256
    over: [raw_body]
    key: {secret: signing_secret}
    encoding: hex
    signature: {from: header.x-signature}
  iterate: ["batch[].msgs[]"]
  keys:
    - [item.id]
  map:
    conversation: body.batch[0].room
    sender: item.user
    sent_at: {value: item.at, unit: ms}
    type: "'text'"
    kinds:
      - when: "`true`"
        parts: [{text: item.text}]
outbound:
  auth:
    request: {url: "{origin.api}/token", json: {secret: "{secret.signing_secret}"}}
    token: body.token
    lives_s: body.expires_in
    refused: "status == `401`"
  requests:
    - url: "{origin.api}/rooms/{delivery.conversation}"
      headers: {Authorization: "Bearer {auth.token}"}
      json: {text: "{delivery.text}"}
  success: "status == `200`"
  message_id: body.id
  text_max: {value: 1000}
  classify:
    - {when: "status == `429`", then: busy, code: busy}
"""
OURS = "http://127.0.0.1:8000"  # what the page calls; here the service has a free port


def commands(name: str) -> list[str]:
    return COMMANDS.findall(DOCUMENTS[name].read_text(encoding="utf-8"))


def test_both_languages_have_the_same_commands():
    assert commands("") == commands(".zh-CN")
    assert 7 == len(commands(""))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_table_of_strangers_is_so(name):
    """All but the seconds, which are those of the walks below."""
    text = DOCUMENTS[name].read_text(encoding="utf-8")
    for platform, said in (("line", "LINE"), ("mattermost", "Mattermost")):
        (row,) = re.findall(rf"^\| {said} \| (\d+) \| \d+ \| (\d+), (\d+) \| 0 \|$", text, re.MULTILINE)
        lines = [line for block in commands(name)[WALKS[platform]] for line in DATA.sub("", block).splitlines() if line]
        rules, _, samples = shipped_texts()[platform].partition("\nsamples:")
        assert (len(lines), rules.count("\n") + 1, samples.count("\n")) == tuple(map(int, row))
    modules = [path.read_text(encoding="utf-8").lower() for path in (ROOT / "gateway").rglob("*.py")]
    assert [] == [one for one in modules if "mattermost" in one or "api.line." in one or "x-line-" in one]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_samples_of_the_page_show_all_that_a_file_with_lists_in_lists_says(name):
    (samples,) = SAMPLES.findall(DOCUMENTS[name].read_text(encoding="utf-8"))
    assert [] == findings_of(PIGEON + samples)


async def run(script: str, folder: Path) -> str:
    """What a block prints. Our own commands run in this process, which is some seconds faster each."""
    pieces = re.split(r"^(crdt-sync .*)$", script, flags=re.MULTILINE)
    return "".join(
        [await (command(piece) if number % 2 else shell(piece, folder)) for number, piece in enumerate(pieces)]
    )


async def command(line: str) -> str:
    given, _, file = line.partition(" > ")
    result = await asyncio.to_thread(CliRunner().invoke, app, shlex.split(given)[1:])
    assert 0 == result.exit_code, result.output
    if file:
        await asyncio.to_thread(Path(file).write_text, result.output, encoding="utf-8")
        return ""
    return result.output


async def shell(script: str, folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:  # it waits for what does not come
            process.kill()
    assert 0 == process.returncode, output.decode()
    return output.decode()


async def messages(client, headers) -> httpx.Response:
    """The conversation of the one ticket, once it is there."""
    while True:
        found = (await client.get("/api/tickets", headers=headers)).json()["tickets"]
        if found:
            (ticket,) = found
            return await client.get(f"/api/tickets/{ticket['id']}/messages", headers=headers)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("platform", WALKS)
async def test_walk_through_brings_a_message_into_a_ticket_of_the_service_that_runs(
    tmp_path, monkeypatch, capsys, platform
):
    monkeypatch.chdir(tmp_path)
    settings = Settings(data=tmp_path / "data", port=0, grpc_port=0)
    async with running(settings) as service, asyncio.timeout(60):
        url = f"http://127.0.0.1:{service.port}"
        await until(lambda: "gateway warm" in capsys.readouterr().out)  # it would stand in what a command prints
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            open_before = (await client.get("/healthz")).extensions["network_stream"].get_extra_info("client_addr")
            said = [await run(script.replace(OURS, url), tmp_path) for script in commands("")[WALKS[platform]]]
            if platform == "line":
                assert "line\nmattermost" in said[0]
                assert '"text": "hi"' in said[1]
                assert "nothing wrong" in said[2]
            assert said[-1].endswith("{}")

            token = development_token(settings.data, actor="ann", department="sales", roles=["sales"], ttl_ms=600_000)
            headers = {"authorization": f"Bearer {token}"}
            shown = await messages(client, headers)
            assert "Where is my parcel?" in shown.text
            assert open_before == shown.extensions["network_stream"].get_extra_info("client_addr")
