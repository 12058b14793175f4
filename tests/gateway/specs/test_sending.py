"""What a spec says of answers and contents is what its platform is asked, and what its answers come to."""

import json

import pytest

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery, Media, Part
from gateway.media import Content, MediaFailed
from gateway.outbound import Dead, RetryLater, Sent, Unknown
from gateway.platforms.http import PlatformHttp
from gateway.specs.account import described, described_line
from gateway.specs.book import shipped
from gateway.specs.lint import Proven, proven
from tests.gateway.fakes import HeldClock
from tests.gateway.line import line_account
from tests.gateway.platform import T5_NOW_S
from tests.gateway.rig import free_port
from tests.gateway.specs.recording import Recording

SENT = (200, {}, b'{"sentMessages":[{"id":"p1"}]}')


@pytest.fixture
async def http():
    http = PlatformHttp(call_timeout_s=5)
    yield http
    await http.close()


@pytest.fixture
async def platform():
    platform = Recording(always=SENT)
    async with platform.serving() as url:
        platform.url = url
        yield platform


def line_of(http, url, spec: Proven | None = None, **changes):
    account = line_account(origins={"api": url, "contents": url}, **changes)
    spec = spec or shipped("line")
    described(account, spec, 300)

    async def reply_to(account, conversation):
        return None

    return described_line(account, spec.spec, http, reply_to, HeldClock(T5_NOW_S))


def delivery(text="hello", id_="d1") -> Delivery:
    return Delivery(id=id_, conversation="Ucustomer", part=Part(text=text))


async def test_text_is_pushed_under_a_key_that_is_the_same_at_each_attempt(http, platform):
    sender = line_of(http, platform.url).sender
    assert [Sent("p1"), Sent("p1")] == [await sender.send(delivery()) for _ in range(2)]
    await sender.send(delivery(id_="d2"))

    keys = [asked.headers["x-line-retry-key"] for asked in platform.asked]
    assert keys[0] == keys[1] != keys[2]
    first = platform.asked[0]
    assert ("POST", "/v2/bot/message/push", "Bearer token") == (
        first.method,
        first.path,
        first.headers["authorization"],
    )
    assert {"to": "Ucustomer", "messages": [{"type": "text", "text": "hello"}]} == json.loads(first.body)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((409, {}, b"{}"), Sent()),
        ((429, {"retry-after": "3"}, b'{"message":"rate"}'), RetryLater("busy", 3_000)),
        ((429, {}, b'{"message":"monthly limit"}'), Dead("quota")),
        ((400, {}, b"no json"), Dead("http_400")),
        ((502, {}, b""), Unknown("server_error")),
    ],
)
async def test_answer_means_what_the_spec_says(http, platform, answer, outcome):
    platform.answers.append(answer)
    assert outcome == await line_of(http, platform.url).sender.send(delivery())


async def test_what_the_platform_does_not_take_is_not_sent(http, platform):
    sender = line_of(http, platform.url).sender
    assert Dead("text_size") == await sender.send(delivery("x" * 5_001))
    assert Dead("unsupported_part") == await sender.send(Delivery(id="d1", part=Part(media=Media(type="image"))))
    assert [] == platform.asked


async def test_nobody_there_and_a_secret_that_is_gone_are_tried_again(http, platform):
    nobody = line_of(http, f"http://127.0.0.1:{free_port()}").sender
    assert RetryLater("unreachable") == await nobody.send(delivery())

    values = ["token", "token"]

    def read():
        if not values:
            raise Malformed("not there", code="secret")
        return values.pop()

    sender = line_of(http, platform.url, secrets={"channel_secret": lambda: "s", "channel_token": read}).sender
    await sender.send(delivery())
    assert RetryLater("secret") == await sender.send(delivery())


async def test_picture_is_fetched_by_its_id_and_nothing_of_it_leads_elsewhere(http, platform):
    platform.answers += [(200, {}, b"picture"), (404, {}, b"")]
    media = line_of(http, platform.url).media
    wanted = Media(type="image", platform_id="../secret?x=1")
    assert b"picture" == await media.download(wanted, bytes_max=100)
    assert "/v2/bot/message/..%2Fsecret%3Fx%3D1/content" == platform.asked[0].path
    with pytest.raises(MediaFailed, match="media_expired"):
        await media.download(wanted, bytes_max=100)
    for id_ in ("..", "."):
        with pytest.raises(MediaFailed):
            await media.download(Media(type="image", platform_id=id_), bytes_max=100)
    assert 2 == len(platform.asked)
    with pytest.raises(MediaFailed, match="unsupported_part"):
        await media.upload("image", Content("image/png", "a.png", b"x"))


TOKEN = """
  auth:
    request:
      url: "{origin.api}/token"
      json: {secret: "{secret.channel_token}"}
    token: body.token
    lives_s: body.expires_in
    refused: "status == `401`"
"""
TOKEN_SAMPLE = """  token:
    recorded: made up
    request: {url: https://api.line.me/token, json: {secret: a-made-up-token}}
    answer: {status: 200, body: '{"token":"sample-token","expires_in":7200}'}
    token: sample-token
    lives_s: 7200
  fetched:
"""


async def test_token_is_fetched_once_and_anew_when_it_is_refused(http, platform):
    text = (shipped_line().replace("outbound:\n", "outbound:" + TOKEN, 1)).replace(
        "Bearer {secret.channel_token}", "Bearer {auth.token}", 1
    )
    text = text.replace("{Authorization: Bearer a-made-up-token, X", "{Authorization: Bearer sample-token, X")
    text = text.replace(
        "outcome: busy, code: busy}", "outcome: busy, code: busy}\n        - {status: 401, outcome: token}"
    )
    text = text.replace("  fetched:\n", TOKEN_SAMPLE)
    spec = proven(text, "line.yaml")
    grants = [(200, {}, json.dumps({"token": f"t{number}", "expires_in": 7200}).encode()) for number in (1, 2)]
    platform.answers += [grants[0], SENT, SENT, (401, {}, b"{}"), grants[1], SENT]
    sender = line_of(http, platform.url, spec).sender

    assert [Sent("p1")] * 3 == [await sender.send(delivery(id_=f"d{number}")) for number in range(3)]
    used = [asked.headers.get("authorization") for asked in platform.asked]
    assert [None, "Bearer t1", "Bearer t1", "Bearer t1", None, "Bearer t2"] == used

    platform.answers += [(401, {}, b"{}"), (500, {}, b"")]
    assert RetryLater("token") == await sender.send(delivery(id_="d4"))


def shipped_line() -> str:
    from gateway.specs.book import shipped_texts

    return shipped_texts()["line"]


async def test_address_out_of_a_callback_is_called_only_where_the_spec_allows(http, platform):
    account = line_account(origins={"api": platform.url})
    text = shipped_line().replace(
        "    type: item.type\n", "    type: item.type\n    reply: {webhook: item.replyToken}\n"
    )
    text = text.replace('    - url: "{origin.api}/v2/bot/message/push"', '    - url: "{reply.webhook}"')
    text = text.replace("  text_max:", "  told: [https://hooks.example]\n  text_max:")
    spec = Proven(_spec_of(text), "d")
    for address, outcome in {
        f"{platform.url}/hook": Sent("p1"),
        "https://evil.example/hook": Dead("media_address"),
        "https://hooks.example@evil.example/": Dead("media_address"),
    }.items():

        async def reply_to(account, conversation, address=address):
            return json.dumps({"webhook": address})

        sender = described_line(account, spec.spec, http, reply_to, HeldClock(T5_NOW_S)).sender
        assert outcome == await sender.send(delivery())
    assert ["/hook"] == [asked.path for asked in platform.asked]


def _spec_of(text: str):
    from gateway.specs.reading import parse

    parsed = parse(text)
    assert () == parsed.findings
    return parsed.spec
