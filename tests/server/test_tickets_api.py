import pytest

from crdt_sync.errors import Conflict, Forbidden, PreconditionUnknown, Unavailable
from tests.server.fakes import DIGEST, OTHER, TICKET

HERE = f"/api/tickets/{TICKET}"
MOVE = {"lane": "sales", "name": "sign", "seen": "7"}
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def last(site):
    return site.tickets.calls[-1]


async def test_opening_answers_201_with_the_ticket(site):
    answer = await site.client.post("/api/tickets", json={"title": "Fibre", "card": {"priority": 2}})

    assert (201, TICKET, "7") == (answer.status_code, answer.json()["id"], answer.json()["version"])
    assert '"7.9"' == answer.headers["etag"]
    name, (principal,), named = last(site)
    assert ("open", "ann", {"priority": 2}) == (name, principal.actor, named["card"])


async def test_opening_a_subject_again_answers_200(site):
    site.tickets.created = False

    assert 200 == (await site.client.post("/api/tickets", json={"title": "x", "subject": "s"})).status_code


async def test_a_ticket_has_the_fields_of_the_interface(site):
    answer = await site.client.get(HERE)

    fields = "id version lifecycle stage kind lanes flags obligations card subject opened_at updated_at position"
    assert {*fields.split(), "duplicate_of"} == set(answer.json())


@pytest.mark.parametrize("known", ['"7.9"', 'W/"7.9"', '"1.1", "7.9"', "*"])
async def test_what_did_not_change_is_not_sent_again(site, known):
    answer = await site.client.get(HERE, headers={"if-none-match": known})

    assert (304, b"", '"7.9"') == (answer.status_code, answer.content, answer.headers["etag"])


@pytest.mark.parametrize("known", ['"7.8"', "7.9", ""])
async def test_what_changed_is_sent(site, known):
    assert 200 == (await site.client.get(HERE, headers={"if-none-match": known})).status_code


@pytest.mark.parametrize("ticket", ["x", "A" * 52, "a" * 53, "%00", TICKET + "%0A"])
async def test_an_id_that_can_never_be_is_unknown(site, ticket):
    answer = await site.client.get(f"/api/tickets/{ticket}")

    assert (404, "unknown_ticket", []) == (answer.status_code, answer.json()["code"], site.tickets.calls)


async def test_filters_are_those_of_the_caller(site):
    site.tickets.next = OTHER
    answer = await site.client.get(
        f"/api/tickets?stage=x&lane=sales:signed&lane.tech=pending&owed=tech&changed_after=7&limit=5&cursor={TICKET}&department=tech"
    )

    assert (OTHER, 9, [TICKET]) == (
        answer.json()["next"],
        answer.json()["position"],
        [each["id"] for each in answer.json()["tickets"]],
    )
    _, (_, where), named = last(site)
    assert ("sales", "x", "tech", 7) == (where.department, where.stage, where.owed_by, where.changed_after)
    assert where.together_with == "tech"
    assert {"sales": "signed", "tech": "pending"} == where.lane_states
    assert {"after": TICKET, "limit": 5} == named


@pytest.mark.parametrize(
    "query",
    [
        "lane=sales",
        "lane=:x",
        "lane=Sales:x",
        "lane.=x",
        "lane.sales=",
        "lane=a:x&lane.a=y",
        "stag=x",
        "limit=0",
        "limit=501",
        "limit=x",
        f"stage={'x' * 257}",
        "cursor=elsewhere",
    ],
)
async def test_a_filter_that_means_nothing_is_refused(site, query):
    answer = await site.client.get(f"/api/tickets?{query}")

    assert (400, []) == (answer.status_code, site.tickets.calls)


async def test_a_restricted_token_lists_its_tickets_only(site):
    token = site.renew(tickets=[OTHER])
    await site.client.get("/api/tickets", headers={"authorization": f"Bearer {token}"})

    assert (OTHER,) == last(site)[1][1].tickets


async def test_a_transition_passes_on_what_its_author_had_seen(site):
    headers = {"idempotency-key": "k-1", "traceparent": TRACEPARENT}
    answer = await site.client.post(f"{HERE}/transitions", json=MOVE | {"payload": {"price": "1"}}, headers=headers)

    assert (200, OTHER, TICKET) == (answer.status_code, answer.json()["transition"], answer.json()["ticket"]["id"])
    assert {
        "lane": "sales",
        "name": "sign",
        "seen": "7",
        "payload": {"price": "1"},
        "request_id": "k-1",
        "trace": TRACEPARENT,
    } == last(site)[2]


@pytest.mark.parametrize("body", [{"lane": "sales", "name": "sign"}, MOVE | {"seen": None}])
async def test_a_transition_without_seen_is_428(site, body):
    answer = await site.client.post(f"{HERE}/transitions", json=body)

    assert (428, "seen_missing", []) == (answer.status_code, answer.json()["code"], site.tickets.calls)


async def test_a_seen_that_names_nothing_is_412(site):
    site.tickets.failure = PreconditionUnknown("Unknown.")

    assert 412 == (await site.client.post(f"{HERE}/transitions", json=MOVE)).status_code


async def test_a_move_that_was_not_enabled_is_409_with_the_explanation(site):
    site.tickets.failure = Conflict("Sign needs a quote.", code="not_enabled", advice="Quote first.")
    answer = await site.client.post(f"{HERE}/transitions", json=MOVE)

    assert (409, "not_enabled", "Sign needs a quote.", "Quote first.") == (
        answer.status_code,
        answer.json()["code"],
        answer.json()["detail"],
        answer.json()["advice"],
    )


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 129, "é"])
async def test_an_idempotency_key_of_another_form_is_refused(site, key):
    answer = await site.client.post(
        f"{HERE}/transitions", json=MOVE, headers={b"idempotency-key": key.encode("latin-1")}
    )

    assert (400, "idempotency_key") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("header", ["x", f"00-{'0' * 32}-b7ad6b7169203331-01", TRACEPARENT + "-x", TRACEPARENT.upper()])
async def test_a_traceparent_of_another_form_is_as_if_absent(site, header):
    await site.client.post(f"{HERE}/transitions", json=MOVE, headers={"traceparent": header})

    assert last(site)[2]["trace"] is None


async def test_a_message_is_posted_and_listed(site):
    posted = await site.client.post(f"{HERE}/messages", json={"text": "你好"})
    listed = await site.client.get(f"{HERE}/messages")

    assert (201, {"message": OTHER, "position": 10}) == (posted.status_code, posted.json())
    assert {"messages": [{"kind": "customer"}]} == listed.json()


async def test_a_card_is_patched_with_its_fields(site):
    answer = await site.client.patch(f"{HERE}/card", json={"title": "x", "priority": None})

    assert (200, '"7.9"') == (answer.status_code, answer.headers["etag"])
    assert {"title": "x", "priority": None} == last(site)[2]["fields"]


async def test_a_lane_is_taken(site):
    answer = await site.client.post(f"{HERE}/take", json={"lane": "sales"}, headers={"idempotency-key": "t"})

    assert (200, '"7.9"') == (answer.status_code, answer.headers["etag"])
    assert ((TICKET, "sales"), "t") == (last(site)[1][1:], last(site)[2]["request_id"])


async def test_a_form_is_read_and_patched(site):
    read = await site.client.get(f"{HERE}/forms/sales")
    patched = await site.client.patch(f"{HERE}/forms/sales", json={"fields": {"price": "11"}, "note": "n"})

    assert {"fields": {"price": "10"}, "notes": "a note", "position": 9} == read.json()
    assert {"fields": {"price": "11"}, "notes": "a note", "position": 10} == patched.json()


async def test_why_is_told_in_the_language_that_was_asked_for(site):
    answer = await site.client.get(f"{HERE}/explain?language=zh")

    assert ["Sales has signed."] == answer.json()["lines"]
    assert "zh" == last(site)[1][2]
    assert 400 == (await site.client.get(f"{HERE}/explain?language=fr")).status_code


async def test_the_history_is_listed(site):
    assert {"history": [{"id": TICKET}]} == (await site.client.get(f"{HERE}/history")).json()


async def test_lifecycles_are_listed_and_given_as_they_were_written(site):
    listed = (await site.client.get("/api/lifecycles")).json()["lifecycles"]
    given = await site.client.get(f"/api/lifecycles/{DIGEST}")

    assert [(DIGEST, "fibre", True)] == [(each["digest"], each["lifecycle"], each["default"]) for each in listed]
    assert ("lifecycle: fibre\n", "application/yaml") == (given.text, given.headers["content-type"].split(";")[0])
    assert 404 == (await site.client.get("/api/lifecycles/x")).status_code
    as_json = await site.client.get(f"/api/lifecycles/{DIGEST}", headers={"accept": "application/json"})
    assert ({"lifecycle": "fibre"}, "Accept") == (as_json.json(), as_json.headers["vary"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/tickets", {}),
        ("POST", "/api/tickets", {"title": 1}),
        ("POST", "/api/tickets", {"title": "x", "stage": "y"}),
        ("POST", "/api/tickets", {"title": "x", "card": {"a": [1]}}),
        ("POST", "/api/tickets", {"title": "x" * 257}),
        ("POST", "/api/tickets", {"title": "x", "subject": "s" * 513}),
        ("POST", "/api/tickets", []),
        ("POST", f"{HERE}/transitions", MOVE | {"seen": 7}),
        ("POST", f"{HERE}/transitions", MOVE | {"actor": "bob"}),
        ("POST", f"{HERE}/messages", {"text": ""}),
        ("POST", f"{HERE}/messages", {"text": "x" * 65_537}),
        ("POST", f"{HERE}/take", {"lane": 1}),
        ("PATCH", f"{HERE}/card", {"a": {"b": 1}}),
        ("PATCH", f"{HERE}/card", {str(n): n for n in range(257)}),
        ("PATCH", f"{HERE}/forms/sales", {"price": "1"}),
    ],
)
async def test_a_body_of_another_form_is_refused(site, method, path, body):
    answer = await site.client.request(method, path, json=body)

    assert (400, "malformed", []) == (answer.status_code, answer.json()["code"], site.tickets.calls)


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud800"}', '{"\\ud800": 1}', "{", "[" * 9999, "\xff"]
)
async def test_json_that_is_none_is_refused(site, text):
    answer = await site.client.patch(
        f"{HERE}/card", content=text.encode("latin-1"), headers={"content-type": "application/json"}
    )

    assert (400, "application/problem+json", []) == (
        answer.status_code,
        answer.headers["content-type"],
        site.tickets.calls,
    )


ROUTES = [
    ("GET", "/api/tickets"),
    ("POST", "/api/tickets"),
    ("GET", HERE),
    ("POST", f"{HERE}/transitions"),
    ("GET", f"{HERE}/messages"),
    ("POST", f"{HERE}/messages"),
    ("PATCH", f"{HERE}/card"),
    ("POST", f"{HERE}/take"),
    ("GET", f"{HERE}/forms/sales"),
    ("PATCH", f"{HERE}/forms/sales"),
    ("GET", f"{HERE}/explain"),
    ("GET", f"{HERE}/history"),
    ("GET", "/api/lifecycles"),
    ("GET", f"/api/lifecycles/{DIGEST}"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("header", ["", "Bearer x", "Basic x", None])
async def test_no_route_answers_without_a_good_token(site, method, path, header):
    del site.client.headers["authorization"]
    headers = {} if header is None else {"authorization": header}
    answer = await site.client.request(method, path, json={}, headers=headers)

    assert (401, "Bearer", []) == (answer.status_code, answer.headers["www-authenticate"], site.tickets.calls)


async def test_a_token_in_the_address_is_not_read(site):
    del site.client.headers["authorization"]

    assert 401 == (await site.client.get(f"/api/lifecycles?token={site.token}")).status_code


async def test_an_expired_token_is_told_apart(site):
    site.clock.advance(61_000)

    assert "token_expired" == (await site.client.get(HERE)).json()["code"]


@pytest.mark.parametrize(
    ("failure", "status"), [(Forbidden("no", code="department"), 403), (Unavailable("not now"), 503)]
)
async def test_what_the_service_refuses_has_its_status(site, failure, status):
    site.tickets.failure = failure

    assert (status, failure.code) == (
        (answer := await site.client.get(HERE)).status_code,
        answer.json()["code"],
    )
