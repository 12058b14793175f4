"""The demonstration's replica process, called without its pipes: every answer is one JSON value, errors by code."""

import json

import pytest

from crdt_sync.cli.demo_replica import _answer
from crdt_sync.cli.process import development_token
from crdt_sync.replica import Replica


@pytest.fixture
async def replica(tmp_path):
    token = development_token(tmp_path, actor="ann", department="sales", roles=["sales"], ttl_ms=60_000)
    async with Replica.open(tmp_path / "replica.db", token=token) as opened:
        yield opened


async def test_a_department_works_offline_through_calls(replica):
    ticket = (await _answer(replica, {"call": "open", "title": "Fibre"}))["ok"]
    quoted = {"call": "do", "ticket": ticket, "lane": "sales", "name": "quote", "payload": {"price": "1.00"}}
    made = (await _answer(replica, quoted))["ok"]
    for call in (
        {"call": "say", "ticket": ticket, "text": "hello"},
        {"call": "form", "ticket": ticket, "lane": "sales", "fields": {"port": 7}, "note": "here"},
    ):
        assert {"ok": None} == await _answer(replica, call)

    shown = (await _answer(replica, {"call": "show", "ticket": ticket}))["ok"]

    assert "presale" == shown["stage"]
    assert 3 == len(shown["pending"]), "the opening, the quote and the message"
    assert {made: "effective"} == {id_: status["status"] for id_, status in shown["state"]["status"].items()}
    assert json.loads(json.dumps(shown)) == shown


async def test_what_cannot_be_done_is_answered_by_its_code(replica):
    ticket = (await _answer(replica, {"call": "open", "title": "Fibre"}))["ok"]

    refused = await _answer(replica, {"call": "do", "ticket": ticket, "lane": "sales", "name": "sign"})
    late = await _answer(replica, {"call": "synced", "timeout_s": 0.05})

    assert "from" == refused["error"]
    assert "timeout" == late["error"]
