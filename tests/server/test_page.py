import pytest

from crdt_sync.errors import Unavailable
from tests.server.fakes import TICKET, view


@pytest.fixture
def visitor(site):
    del site.client.headers["authorization"]
    return site


async def test_a_visitor_is_asked_for_a_token(visitor):
    answer = await visitor.client.get("/")

    assert (200, []) == (answer.status_code, visitor.tickets.calls)
    assert 'type="password" name="token"' in answer.text


async def test_a_caller_sees_the_tickets_their_stage_and_why(site):
    answer = await site.client.get("/")

    assert all(each in answer.text for each in ("Fibre: signed", "Sales has signed.", TICKET, "ann of sales"))


async def test_signing_in_keeps_the_token_where_scripts_and_other_sites_cannot_take_it(visitor):
    answer = await visitor.client.post("/", data={"token": visitor.token})

    assert (303, "/?lang=en") == (answer.status_code, answer.headers["location"])
    cookie = answer.headers["set-cookie"]
    assert all(each in cookie for each in ("HttpOnly", "SameSite=strict", "Max-Age=60", visitor.token))
    assert "Secure" not in cookie
    assert "Fibre" in (await visitor.client.get("/")).text


async def test_over_tls_the_cookie_stays_on_tls(visitor):
    answer = await visitor.client.post("https://desk.example/", data={"token": visitor.token})

    assert "Secure" in answer.headers["set-cookie"]


async def test_signing_out_forgets_the_token(visitor):
    await visitor.client.post("/", data={"token": visitor.token})
    await visitor.client.post("/", data={})

    assert "Fibre" not in (await visitor.client.get("/")).text


@pytest.mark.parametrize("token", ["x", "<script>"])
async def test_a_wrong_token_is_told_and_not_kept(visitor, token):
    answer = await visitor.client.post("/", data={"token": token})

    assert (401, False) == (answer.status_code, "set-cookie" in answer.headers)
    assert 'role="alert"' in answer.text
    assert "<script>" not in answer.text


async def test_another_site_signs_nobody_in(visitor):
    headers = {"origin": "https://elsewhere.example"}
    answer = await visitor.client.post("/", data={"token": visitor.token}, headers=headers)

    assert (403, False) == (answer.status_code, "set-cookie" in answer.headers)


@pytest.mark.parametrize("body", [b"\xff", b"token=" + b"&token=" * 20])
async def test_a_form_that_does_not_decode_is_refused(visitor, body):
    assert 400 == (await visitor.client.post("/", content=body)).status_code


async def test_nothing_that_people_wrote_is_markup(site):
    bad = '<img src=x onerror="alert(1)">'
    site.tickets.view = view(card={"title": bad}, stage=bad, kind='"><b>', lanes={bad: bad})
    site.tickets.lines = (bad,)
    site.tickets.next = TICKET
    token = site.renew(actor=bad)
    answer = await site.client.get("/", headers={"authorization": f"Bearer {token}"})

    assert "&lt;img" in answer.text
    assert "<img" not in answer.text
    assert "<b>" not in answer.text


async def test_no_script_runs_and_nobody_frames_the_page(site):
    policy = (await site.client.get("/")).headers["content-security-policy"]

    assert policy.startswith("default-src 'none'; style-src 'self' 'unsafe-inline'")
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy


@pytest.mark.parametrize(
    ("address", "header", "language"),
    [
        ("/", "", "en"),
        ("/", "zh-CN,zh;q=0.9", "zh"),
        ("/", "fr,zh;q=0.5", "zh"),
        ("/", "en,zh", "en"),
        ("/?lang=zh", "en", "zh"),
        ('/?lang="><b>', "", "en"),
    ],
)
async def test_the_page_speaks_the_callers_language(site, address, header, language):
    answer = await site.client.get(address, headers={"accept-language": header})

    assert f'<html lang="{language}">' in answer.text
    assert ("已签约" in answer.text) is (language == "zh")
    assert "<b>" not in answer.text


async def test_a_service_that_cannot_read_says_so_in_words(site):
    site.tickets.failure = Unavailable("The log cannot commit now.")

    assert 503 == (await site.client.get("/")).status_code


async def test_docs_name_every_route_and_load_nothing_from_elsewhere(site):
    answer = await site.client.get("/docs")

    assert all(each in answer.text for each in ("/api/tickets/{ticket}/transitions", "<code>seen</code>", "/readyz"))
    assert "http" not in answer.text.replace("HTTP", "")
    assert 200 == (await site.client.get("/openapi.json")).status_code


async def test_the_channels_belong_to_the_gateway_once_it_is_up(site):
    async def gateway(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    site.channels.app = gateway

    assert "/channels/main" == (await site.client.post("/channels/main")).text
