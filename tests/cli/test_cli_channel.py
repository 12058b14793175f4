"""`crdt-sync gateway channel`: before a gateway runs, and beside one that does."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from crdt_sync.cli.main import app
from crdt_sync.errors import Malformed, NotFound
from gateway.specs.book import shipped_texts
from tests.gateway.fakes import FakeIngress, HeldClock
from tests.gateway.line import line_account, line_event, line_post
from tests.gateway.platform import T5_NOW_S
from tests.gateway.rig import running
from tests.replica.loopback import until

LINE = shipped_texts()["line"]


def channel(*arguments):
    result = CliRunner().invoke(app, ["gateway", "channel", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_lint_names_line_and_code_and_fails(tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(LINE)
    bad.write_text(LINE.replace("order: [item.timestamp]", 'order: ["item..timestamp"]'))
    line = LINE[: LINE.index("order:")].count("\n") + 1
    code, output = channel("lint", good, bad)
    assert 1 == code
    assert output.startswith("good.yaml: nothing wrong; 8 samples hold; spec ")
    assert f"\nbad.yaml:{line} expression: inbound.order.0: this is not JMESPath" in output
    assert 0 == channel("lint", good)[0]
    with pytest.raises(Malformed, match="cannot be read"):
        channel("lint", tmp_path / "nowhere.yaml")


def test_dry_run_shows_what_a_sample_comes_to_and_what_a_recorded_body_would(tmp_path):
    file, body = tmp_path / "line.yaml", tmp_path / "body.json"
    file.write_text(LINE)
    _, output = channel("dry-run", file, "--sample", "signed by somebody else")
    assert '# signed by somebody else\n{\n  "refused": "signature"\n}\n' == output
    _, output = channel("dry-run", file)
    assert LINE.count("      at_ms:") == output.count("# ")
    with pytest.raises(NotFound):
        channel("dry-run", file, "--sample", "none")

    post = line_post(line_event(7), bot="xxxxxxxxxx", secret="a-made-up-secret")
    body.write_bytes(post.body)
    _, output = channel("dry-run", file, "--body", body)
    first, _, shown = output.partition("\n")
    signature = post.headers["x-line-signature"]
    assert f"# refused: signature; its signature would be {signature}" == first
    assert ["event7", "1:7"] == json.loads(shown)["callbacks"][0]["keys"]
    _, output = channel("dry-run", file, "--body", body, "--header", f"X-Line-Signature: {signature}")
    assert json.loads(shown) == json.loads(output)
    post = line_post(line_event(7), bot="another", secret="a-made-up-secret")
    body.write_bytes(post.body)
    _, output = channel(
        "dry-run", file, "--body", body, "--header", f"X-Line-Signature: {post.headers['x-line-signature']}"
    )
    assert {"refused": "receiver"} == json.loads(output)
    place = {"type": "location", "id": "1", "title": "Pier", "latitude": 31.25, "longitude": 121.5}
    body.write_bytes(line_post(line_event(7, message=place), bot="xxxxxxxxxx", secret="a-made-up-secret").body)
    (part,) = json.loads(channel("dry-run", file, "--body", body)[1].split("\n", 1)[1])["callbacks"][0]["envelope"][
        "customer"
    ]["parts"]
    assert {"latitude": "31.25", "longitude": "121.5"} == {
        name: part["location"][name] for name in ("latitude", "longitude")
    }
    body.write_bytes(line_post(line_event(7, timestamp=None), bot="xxxxxxxxxx").body)
    with pytest.raises(Malformed, match="`sent_at` found no time"):
        channel("dry-run", file, "--body", body)


def test_dry_run_reads_a_body_by_a_file_that_has_no_samples_yet(tmp_path):
    file, body = tmp_path / "line.yaml", tmp_path / "body.json"
    rules = LINE[: LINE.index("samples:")]
    body.write_bytes(line_post(line_event(7)).body)
    file.write_text(rules)
    with pytest.raises(Malformed, match="the samples have no bot_id"):
        channel("dry-run", file, "--body", body)
    file.write_text(f"{rules}samples: {{fields: {{bot_id: Ubot}}}}\n")
    _, output = channel("dry-run", file, "--body", body)
    first, _, shown = output.partition("\n")
    assert "# not verified: `samples.secrets` has no channel_secret, channel_token" == first
    assert ["event7", "1:7"] == json.loads(shown)["callbacks"][0]["keys"]
    with pytest.raises(NotFound, match="has no samples"):
        channel("dry-run", file)
    code, output = channel("lint", file)
    line = rules.count("\n") + 1
    assert (1, f"line.yaml:{line} sample: 3 `received` are needed, and there are 0.\n") == (code, output)


@pytest.mark.parametrize("secrets", ["samples: {fields: {app_id: A0}}\n", None])
def test_dry_run_answers_a_handshake_that_is_posted(tmp_path, secrets):
    file, body = tmp_path / "slack.yaml", tmp_path / "ping.json"
    slack = shipped_texts()["slack"]
    file.write_text(slack if secrets is None else slack[: slack.index("samples:")] + secrets)
    body.write_text(json.dumps({"type": "url_verification", "challenge": "3eZbrw1a"}))
    code, output = channel("dry-run", file, "--body", body)
    first, second, shown = output.split("\n", 2)
    assert (0, first.split(":")[0]) == (code, "# refused" if secrets is None else "# not verified")
    assert '# handshake, answered with {"challenge":"3eZbrw1a"}' == second
    assert {"answer": '{"challenge":"3eZbrw1a"}'} == json.loads(shown)


def test_shipped_specs_are_listed_and_printed():
    assert "\n".join(shipped_texts()) + "\n" == channel("show")[1]
    assert LINE == channel("show", "line")[1]
    with pytest.raises(NotFound, match="No spec of smoke"):
        channel("show", "smoke-signals")


async def test_what_was_unread_is_replayed_while_the_gateway_runs(tmp_path):
    ingress, clock = FakeIngress(), HeldClock(T5_NOW_S)
    unread = {name: value for name, value in line_event(1).items() if name != "timestamp"}
    async with ingress.serving() as port, running(tmp_path, port, clock=clock, accounts=(line_account(),)) as rig:
        assert 200 == (await rig.post(line_post(unread), "friends")).status_code
        (digest,) = {row[0] for row in rig.rows("spec")}
        (tmp_path / "channels").mkdir()
        mended = LINE.replace("value: item.timestamp, unit: ms", 'value: "item.timestamp || `1`", unit: ms')
        (tmp_path / "channels" / "line.yaml").write_text(mended)
        await rig.gateway.specs.look()
        await clock.asleep(60)

        _, output = await asyncio.to_thread(channel, "replay", "friends", "--data", tmp_path)
        told, where = output.splitlines()[-2:]
        assert f"1 to be read again: 1 by {digest}." == told
        assert "`forward.dead`" in where
        clock.advance(60)
        await until(lambda: [("forwarded",)] == rig.rows("state"))
        assert ["event1"] == list(ingress.taken)
    _, output = await asyncio.to_thread(channel, "replay", "friends", "--data", tmp_path)
    assert "0 to be read again.\n" == output
