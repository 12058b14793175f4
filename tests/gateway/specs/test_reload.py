"""A spec is taken into a running gateway, and out of it; a bad one changes nothing; what was unread is replayed."""

import asyncio
import errno
import json
import os
from contextlib import asynccontextmanager

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.specs.book import shipped_texts
from gateway.specs.folder import page_of
from gateway.specs.reading import Finding
from gateway.specs.reload import Reloader
from tests.gateway.fakes import FakeIngress, HeldClock
from tests.gateway.line import SECRET, line_account, line_event, line_post, line_signed
from tests.gateway.platform import T5_NOW_S, Platform, text
from tests.gateway.rig import NO_SERVICE, account, running

LINE = shipped_texts()["line"]


def with_accounts(spec: str, secrets, *names: str) -> str:
    """The spec with accounts of its own, whose secrets stand in files."""
    (secrets / "channel-secret").write_text(SECRET)
    (secrets / "channel-token").write_text("token")
    named = f"{{channel_secret: 'file:{secrets}/channel-secret', channel_token: 'file:{secrets}/channel-token'}}"
    listed = "".join(f"  - account: {name}\n    secrets: {named}\n    fields: {{bot_id: Ubot}}\n" for name in names)
    return f"{spec}\naccounts:\n{listed}"


def put(folder, name: str, content: str) -> None:
    """As an editor does: whole, by a rename."""
    folder.mkdir(exist_ok=True)
    (folder / f".{name}.tmp").write_text(content)
    (folder / f".{name}.tmp").replace(folder / name)


def specs(rig) -> Reloader:
    return rig.gateway.specs


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "channels"


@asynccontextmanager
async def serving(tmp_path, ingress=None, **changes):
    given = {"clock": HeldClock(T5_NOW_S), **changes}
    if ingress is None:
        async with running(tmp_path, NO_SERVICE, **given) as rig:
            yield rig
        return
    async with ingress.serving() as port, running(tmp_path, port, **given) as rig:
        yield rig


async def test_next_webhook_of_a_new_spec_is_taken_on_the_connection_that_was_open(tmp_path, folder):
    ingress = FakeIngress()
    async with serving(tmp_path, ingress) as rig, one_connection(rig.url) as client:
        post = line_post(line_event(1))
        refused = await client.post("/channels/friends", content=post.body, headers=post.headers)
        storm = asyncio.create_task(steady(client, rig))

        put(folder, "line.yaml", with_accounts(LINE, tmp_path, "friends"))
        await specs(rig).look()
        taken = await client.post("/channels/friends", content=post.body, headers=post.headers)
        others = await storm
        await rig.forwarded()

        assert (404, 200, b"{}") == (refused.status_code, taken.status_code, taken.content)
        assert {200} == {answer.status_code for answer in others}
        assert 1 == len({connection(answer) for answer in (refused, taken, *others)}), "no connection was dropped"
        assert "line" in {envelope.channel for envelope in ingress.taken.values()}
        assert 1 == rig.gateway.counts["channel.spec_taken"]
        assert ["friends", "shop"] == rig.gateway._lines.names()


@asynccontextmanager
async def one_connection(url):
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
    async with httpx.AsyncClient(base_url=url, trust_env=False, limits=limits) as client:
        yield client


async def steady(client, rig):
    """Another account's callbacks meanwhile."""
    answers = []
    for number in range(30):
        post = Platform(_sent=number).post(text(number))
        answers.append(await client.post("/channels/shop", params=post.query, content=post.body))
    return answers


def connection(answer):
    return answer.extensions["network_stream"].get_extra_info("client_addr")


async def test_watcher_sees_a_file_by_itself(tmp_path, folder):
    async with serving(tmp_path) as rig, asyncio.timeout(20):
        put(folder, "line.yaml", with_accounts(LINE, tmp_path, "friends"))
        await specs(rig).news.wait()
        post = line_post(line_event(1))
        assert 200 == (await rig.post(post, "friends")).status_code


async def test_bad_file_keeps_what_was_there_and_shows_it(tmp_path, folder):
    good = with_accounts(LINE, tmp_path, "friends")
    bad = {
        "one that is half written": good[: len(good) // 2],
        "one whose sample fails": good.replace("text: item.message.text", "text: item.message.words"),
        "one whose account lacks a secret": good.replace("channel_token: 'file", "spare: 'file"),
        "one whose secret is gone": good.replace("/channel-token", "/nowhere"),
        "one whose sample has the account's secret": good.replace("a-made-up-token", "token"),
        "one that takes another account's name": good.replace("account: friends", "account: shop"),
        "one that takes the name of code": good.replace("channel: line", "channel: wechat"),
    }
    async with serving(tmp_path) as rig:
        put(folder, "line.yaml", good)
        await specs(rig).look()
        for number, (what, content) in enumerate(bad.items()):
            put(folder, "line.yaml", content)
            await specs(rig).look()
            refused = rig.gateway.counts["channel.spec_refused"], rig.gateway.counts["channel.specs_refused"]
            assert (number + 1, 1) == refused, what
            assert 200 == (await rig.post(line_post(line_event(number)), "friends")).status_code
        put(folder, "line.yaml", good)
        await specs(rig).look()
        assert 0 == rig.gateway.counts["channel.specs_refused"]
        put(folder, "other.yaml", good.replace("account: friends", "account: others"))
        await specs(rig).look()
        answers = [(await rig.post(line_post(line_event(1)), name)).status_code for name in ("others", "nobody")]
        assert [503, 404] == answers, "a channel stands in one file, and its platform comes again"


@pytest.mark.parametrize("why", ["a typo", "a later rule", "a secret that is to come"])
async def test_refused_file_is_served_after_a_restart_as_it_was_taken_last(tmp_path, folder, monkeypatch, why):
    good = with_accounts(LINE, tmp_path, "friends")
    async with serving(tmp_path) as rig:
        put(folder, "line.yaml", good)
        await specs(rig).look()
    match why:
        case "a typo":
            put(folder, "line.yaml", good.replace("inbound:", "inbuond:"))
        case "a later rule":
            later = [Finding(1, "field_missing", "no sample has what a later release asks for.")]
            monkeypatch.setattr("gateway.specs.lint.tried", lambda spec, lines: later)
        case _:
            put(folder, "line.yaml", good.replace("/channel-token", "/not-yet"))
    with capture_logs() as logs:
        async with serving(tmp_path) as rig:
            posts = [(await rig.post(line_post(line_event(1)), name)).status_code for name in ("friends", "nobody")]
            assert [200, 404 if why == "a secret that is to come" else 503] == posts
            assert 1 == rig.gateway.counts["channel.specs_refused"]
    refused = [entry["event"] for entry in logs if entry["log_level"] == "error"]
    assert ["channel spec refused; what was taken before goes on"] == refused


async def test_refused_file_has_new_secrets_in_what_was_taken_last_until_it_is_mended(tmp_path, folder):
    good = with_accounts(LINE, tmp_path, "friends")
    async with serving(tmp_path) as rig:
        put(folder, "line.yaml", good)
        await specs(rig).look()
    put(folder, "line.yaml", good.replace("inbound:", "inbuond:"))
    (tmp_path / "channel-secret").write_text("another secret")
    async with serving(tmp_path) as rig:
        assert 200 == (await rig.post(line_post(line_event(3), secret="another secret"), "friends")).status_code
        (tmp_path / "channel-secret").write_text("a third secret")
        await specs(rig).look()
        assert 200 == (await rig.post(line_post(line_event(3), secret="a third secret"), "friends")).status_code
        assert 1 == rig.gateway.counts["channel.specs_refused"], "the file is no better for it"
    put(folder, "line.yaml", with_accounts(LINE, tmp_path, "friends", "family"))
    async with serving(tmp_path) as rig:
        assert 200 == (await rig.post(line_post(line_event(4)), "family")).status_code
        assert 0 == rig.gateway.counts["channel.specs_refused"]


async def test_refused_file_that_was_never_taken_has_its_platform_come_again(tmp_path, folder):
    put(folder, "line.yaml", with_accounts(LINE, tmp_path, "friends").replace("inbound:", "inbuond:"))
    with capture_logs() as logs:
        async with serving(tmp_path) as rig:
            answer = await rig.post(line_post(line_event(1)), "friends")
            assert (503, "2", "spec") == (answer.status_code, answer.headers["Retry-After"], answer.json()["code"])
    (refused,) = [entry["event"] for entry in logs if entry["log_level"] == "error"]
    assert "nothing of the file is in use" in refused


async def test_what_was_taken_waits_for_its_secret(tmp_path, folder):
    good = with_accounts(LINE, tmp_path, "friends")
    async with serving(tmp_path) as rig:
        put(folder, "line.yaml", good)
        await specs(rig).look()
    put(folder, "line.yaml", good[: len(good) // 2])
    (tmp_path / "channel-secret").unlink()
    async with serving(tmp_path) as rig:
        assert 503 == (await rig.post(line_post(line_event(1)), "friends")).status_code
        (tmp_path / "channel-secret").write_text(SECRET)
        await specs(rig).look()
        assert 200 == (await rig.post(line_post(line_event(1)), "friends")).status_code


@pytest.mark.parametrize("is_running", [True, False])
async def test_file_that_goes_is_forgotten(tmp_path, folder, is_running):
    good = with_accounts(LINE, tmp_path, "friends")
    async with serving(tmp_path) as rig:
        put(folder, "line.yaml", good)
        await specs(rig).look()
        if is_running:
            (folder / "line.yaml").unlink()
            await specs(rig).look()
    (folder / "line.yaml").unlink(missing_ok=True)
    async with serving(tmp_path) as rig:
        assert 404 == (await rig.post(line_post(line_event(1)), "friends")).status_code
    put(folder, "line.yaml", good.replace("inbound:", "inbuond:"))
    async with serving(tmp_path) as rig:
        assert 503 == (await rig.post(line_post(line_event(1)), "friends")).status_code


async def test_disk_that_is_full_keeps_no_file_from_being_taken(tmp_path, folder, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    good = with_accounts(LINE, tmp_path, "friends")
    async with serving(tmp_path) as rig:
        put(folder, "line.yaml", good)
        with monkeypatch.context() as patched:
            patched.setattr("gateway.specs.taken.os.fsync", full)
            await specs(rig).look()
            assert 200 == (await rig.post(line_post(line_event(1)), "friends")).status_code
            assert [] == list(tmp_path.glob("channels-taken/*.yaml"))
        await specs(rig).look()
        assert [good] == [file.read_text() for file in tmp_path.glob("channels-taken/*.yaml")]


async def test_good_file_beside_bad_ones_is_taken(tmp_path, folder):
    async with serving(tmp_path) as rig:
        bad = LINE.replace("order: [item.timestamp]", 'order: ["body.events[::0]"]').replace(
            "channel: line", "channel: bad"
        )
        put(folder, "a.yaml", bad)
        os.mkfifo(folder / "b.yaml")
        put(folder, "c.yaml", with_accounts(LINE, tmp_path, "friends"))
        await specs(rig).look()
        assert 200 == (await rig.post(line_post(line_event(1)), "friends")).status_code
        assert (1, 1) == (rig.gateway.counts["channel.spec_refused"], rig.gateway.counts["channel.specs_refused"])


async def test_file_that_breaks_the_reader_is_refused_and_the_next_is_taken(tmp_path, folder, monkeypatch):
    def broken(file, judge):
        if file.name == "a.yaml":
            raise ZeroDivisionError
        return page_of(file, judge)

    monkeypatch.setattr("gateway.specs.folder.page_of", broken)
    async with serving(tmp_path) as rig:
        put(folder, "a.yaml", LINE)
        put(folder, "c.yaml", with_accounts(LINE, tmp_path, "friends"))
        await specs(rig).look()
        assert 200 == (await rig.post(line_post(line_event(1)), "friends")).status_code
        assert 1 == rig.gateway.counts["channel.specs_refused"]


async def test_refused_file_is_taken_when_what_it_waits_for_is_there(tmp_path, folder):
    async with serving(tmp_path) as rig:
        good = with_accounts(LINE, tmp_path, "friends")
        put(folder, "a.yaml", good)
        await specs(rig).look()
        put(folder, "b.yaml", good)  # renamed, as an editor does that copies first
        for _ in range(3):
            await specs(rig).look()
        assert 1 == rig.gateway.counts["channel.spec_refused"], "one fault is counted once"
        (folder / "a.yaml").unlink()
        await specs(rig).look()
        assert 200 == (await rig.post(line_post(line_event(1)), "friends")).status_code
        assert 0 == rig.gateway.counts["channel.specs_refused"]

        other = LINE.replace("channel: line", "channel: later")
        put(folder, "c.yaml", with_accounts(other, tmp_path, "later").replace("/channel-token", "/not-yet"))
        await specs(rig).look()
        assert 1 == rig.gateway.counts["channel.specs_refused"]
        (tmp_path / "not-yet").write_text("token")
        await specs(rig).look()
        assert 200 == (await rig.post(line_post(line_event(1)), "later")).status_code
        assert 0 == rig.gateway.counts["channel.specs_refused"]


async def test_secret_that_is_changed_counts_from_the_next_look(tmp_path, folder):
    async with serving(tmp_path) as rig:
        put(folder, "line.yaml", with_accounts(LINE, tmp_path, "friends"))
        await specs(rig).look()
        old, new = line_post(line_event(1)), line_post(line_event(2), secret="another secret")
        (tmp_path / "channel-secret").write_text("another secret")
        await specs(rig).look()
        assert [401, 200] == [(await rig.post(post, "friends")).status_code for post in (old, new)]
        (tmp_path / "channel-secret").unlink()
        await specs(rig).look()
        assert 200 == (await rig.post(line_post(line_event(3), secret="another secret"), "friends")).status_code


async def test_file_that_goes_takes_its_accounts_along_and_leaves_those_of_the_settings_to_what_ships(tmp_path, folder):
    accounts = (account(), line_account(account="settled"))
    async with serving(tmp_path, accounts=accounts) as rig:
        changed = with_accounts(LINE.replace("text: item.message.text}", "text: item.message.id}"), tmp_path, "friends")
        for said in ('text: "Hello, world"', "text: 'Hello, world'"):
            changed = changed.replace(f"[{{{said}}}]", '[{text: "14353798921116"}]')
        put(folder, "line.yaml", changed)
        await specs(rig).look()
        assert 0 == rig.gateway.counts["channel.specs_refused"]
        (folder / "line.yaml").unlink()
        await specs(rig).look()
        posts = [
            (await rig.post(line_post(line_event(1)), name)).status_code for name in ("friends", "settled", "shop")
        ]
        assert [404, 200, 401] == posts


async def test_account_of_the_settings_waits_for_its_spec(tmp_path, folder):
    later = line_account(channel="later")
    async with serving(tmp_path, accounts=(later,)) as rig:
        assert 503 == (await rig.post(line_post(line_event(1)), "friends")).status_code
        assert 1 == rig.gateway.counts["channel.accounts_without_spec"]
        put(folder, "later.yaml", LINE.replace("channel: line", "channel: later"))
        await specs(rig).look()
        assert 200 == (await rig.post(line_post(line_event(1)), "friends")).status_code
        assert 0 == rig.gateway.counts["channel.accounts_without_spec"]


def renamed(event: dict, old: str, new: str) -> dict:
    return {new if name == old else name: value for name, value in event.items()}


async def test_platform_that_changes_its_payload_loses_nothing(tmp_path, folder):
    """First the key of each event has another name, then the list itself; the platform hears 200 all the while."""
    ingress = FakeIngress()
    async with serving(tmp_path, ingress) as rig:
        put(folder, "line.yaml", with_accounts(LINE, tmp_path, "friends"))
        await specs(rig).look()
        of_tomorrow = [renamed(line_event(number), "webhookEventId", "eventId") for number in (1, 2)]
        posts = [line_post(*of_tomorrow), of_another_list(line_event(3), line_event(4))]
        assert [200, 200, 200] == [(await rig.post(post, "friends")).status_code for post in (*posts, posts[0])]
        assert 5 == rig.gateway.counts["callback.dead.friends"], "an alert watches this, by account"
        assert [("dead", "malformed")] * 3 == rig.rows("state, code")
        (first,) = {row[0] for row in rig.rows("spec")}

        mended = LINE.replace("    - [item.webhookEventId]", '    - ["item.webhookEventId || item.eventId"]')
        mended = mended.replace('iterate: ["events[]"]', 'iterate: ["events[]", "items[]"]')
        mended = mended.replace("  received:\n", "  received:\n" + sample_of_tomorrow(), 1)
        put(folder, "line.yaml", with_accounts(mended, tmp_path, "friends"))
        await specs(rig).look()
        ids = [one.id for one in await rig.gateway.inbox.dead(limit=10)]
        assert [] == await rig.gateway.inbox.replay(ids)
        rig.gateway.forwarder.wake()
        await rig.forwarded()
        assert 200 == (await rig.post(posts[0], "friends")).status_code

        assert ["text 1", "text 2", "text 3", "text 4"] == sorted(
            envelope.customer.parts[0].text for envelope in ingress.taken.values()
        )
        assert [("forwarded", "Ucustomer")] * 4 == rig.rows("state, conversation")
        (second,) = {row[0] for row in rig.rows("spec")}
        assert first != second, "each row says by which spec it was read"


def of_another_list(*events, bot="Ubot", secret=SECRET):
    return line_signed(json.dumps({"destination": bot, "items": events}).encode(), secret)


def sample_of_tomorrow() -> str:
    """What shows the mended spec: no rule of it is without a sample."""
    event = renamed(line_event(9), "webhookEventId", "eventId")
    post = of_another_list(event, bot="xxxxxxxxxx", secret="a-made-up-secret")
    said = {"sender": "Ucustomer", "parts": [{"text": "text 9"}]}
    envelope = {"sent_at": str(event["timestamp"]), "customer": said}
    sample = {
        "name": "an event of tomorrow",
        "recorded": "made up",
        "at_ms": event["timestamp"],
        "headers": post.headers,
        "body": post.body.decode(),
        "expect": {"callbacks": [{"keys": ["event9", "1:9"], "conversation": "Ucustomer", "envelope": envelope}]},
    }
    return f"    - {json.dumps(sample)}\n"
