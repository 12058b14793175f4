"""A visitor's socket over a real network: nothing lost, nothing twice, and nobody's but his own."""

import asyncio
import base64
from contextlib import asynccontextmanager

import pytest

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery, Location, Part
from gateway.bootstrap import Gateway
from gateway.channels.web import FRAME_BYTES_MAX, TOKEN_MS, Web
from gateway.keeper import Keeper
from gateway.outbound import Dead, Sent
from gateway.visitor_log import RETAINED
from gateway.widget import socket, transport
from gateway.widget.limits import VisitorLimits, VisitorRate
from tests.gateway import rig
from tests.gateway.fakes import FakeIngress, HeldClock
from tests.gateway.platform import T5_NOW_S
from tests.gateway.rig import NO_SERVICE, running, settings
from tests.gateway.visitor import VISITOR, page, visitor_token, web_account

LIMITS = VisitorLimits()


@asynccontextmanager
async def site(data, port=NO_SERVICE, limits=LIMITS, **changes):
    accounts = (web_account(**changes), web_account(account="other"))
    async with running(data, port, accounts=accounts, visitors=limits, clock=HeldClock(T5_NOW_S)) as rig:
        yield rig


def said(number):
    return {"t": "msg", "cid": f"number-{number}", "text": f"text {number}"}


async def answer(rig, id_, text, conversation=VISITOR):
    delivery = Delivery(id=id_, account="site", conversation=conversation, part=Part(text=text))
    return await rig.gateway.senders["site"].send(delivery)


async def test_somebody_new_is_given_a_token_that_brings_the_conversation_back(tmp_path):
    async with site(tmp_path) as rig:
        async with page(rig.url) as visitor:
            welcome = await visitor.hello()
            await visitor.say(said(1))
            assert {"t": "ack", "cid": "number-1", "seq": 1, "dup": False} == await visitor.hear("ack")
        async with page(rig.url) as again:
            assert (welcome["token"], 1) == ((back := await again.hello(welcome["token"]))["token"], back["last_seq"])
            shown = await again.hear("msg")
    assert {
        "t": "msg",
        "seq": 1,
        "from": "visitor",
        "cid": "number-1",
        "text": "text 1",
        "at": T5_NOW_S * 1000,
    } == shown


async def test_message_said_again_is_kept_once_and_acknowledged_with_its_place(tmp_path):
    async with site(tmp_path) as rig, page(rig.url, token=visitor_token()) as visitor:
        for number in (1, 2, 1):
            await visitor.say(said(number))
        acks = [await visitor.hear("ack") for _ in range(3)]
        assert [(1, False), (2, False), (1, True)] == [(ack["seq"], ack["dup"]) for ack in acks]
        assert 2 == len(rig.rows("id"))


async def test_answer_reaches_every_tab_once_and_in_one_order(tmp_path):
    token = visitor_token()
    async with site(tmp_path) as rig, page(rig.url, token=token) as first, page(rig.url, token=token) as second:
        for tab in (first, second):
            await tab.hear("welcome")
        await first.say(said(1))
        await second.hear("msg")
        assert [Sent("d1"), Sent("d1"), Sent("d2")] == [await answer(rig, id_, id_) for id_ in ("d1", "d1", "d2")]
        await first.say(said(2))
        assert [2, 3, 4] == [(await second.hear("msg"))["seq"] for _ in range(3)]
        shown = [await first.hear("msg") for _ in range(4)]
    assert [(1, "text 1"), (2, "d1"), (3, "d2"), (4, "text 2")] == [(one["seq"], one["text"]) for one in shown]


async def test_page_that_comes_back_is_shown_what_it_missed_and_nothing_else(tmp_path):
    async with site(tmp_path) as rig:
        for number in range(1, 6):
            await answer(rig, f"d{number}", f"answer {number}")
        async with page(rig.url, token=visitor_token(), last_seq=3) as visitor:
            assert 5 == (await visitor.hear("welcome"))["last_seq"]
            assert [4, 5] == [(await visitor.hear("msg", "reset"))["seq"] for _ in range(2)]


@pytest.mark.parametrize("last_seq", [3, RETAINED + 50])
async def test_gap_over_what_is_retained_is_a_reset(tmp_path, last_seq):
    async with site(tmp_path) as rig:
        for number in range(1, RETAINED + 6):
            await answer(rig, f"d{number}", f"answer {number}")
        async with page(rig.url, token=visitor_token(), last_seq=last_seq) as visitor:
            assert {"t": "reset"} == await visitor.hear("reset", "msg")
            seqs = [(await visitor.hear("msg"))["seq"] for _ in range(RETAINED)]
    assert list(range(6, RETAINED + 6)) == seqs


async def test_what_a_killed_gateway_had_acknowledged_is_shown_by_the_next(tmp_path):
    async with site(tmp_path) as rig, page(rig.url, token=visitor_token()) as visitor:
        await visitor.say(said(1))
        await visitor.hear("ack")
        await answer(rig, "d1", "answer 1")
        await visitor.hear("msg")
    async with site(tmp_path) as rig, page(rig.url, token=visitor_token(), last_seq=1) as visitor:
        assert (2, "answer 1") == ((shown := await visitor.hear("msg"))["seq"], shown["text"])
        await visitor.say(said(1))
        assert {"t": "ack", "cid": "number-1", "seq": 1, "dup": True} == await visitor.hear("ack")


async def test_answers_that_were_seen_are_told_to_the_service_once(tmp_path):
    ingress = FakeIngress()
    async with ingress.serving() as port, site(tmp_path, port) as rig:
        async with page(rig.url, token=visitor_token()) as visitor:
            await visitor.hear("welcome")
            for number in (1, 2):
                await answer(rig, f"d{number}", "answer")
                await visitor.hear("msg")
            for seq, state in ((1, "delivered"), (10**30, "read"), (2, "delivered"), (2, "read")):
                await visitor.say({"t": "seen", "seq": seq, "state": state})
            await visitor.say(said(1))
            await visitor.hear("ack")
            await rig.forwarded()
        notices = [one.delivery for one in ingress.taken.values() if one.WhichOneof("kind") == "delivery"]
        assert [("d1", "delivered"), ("d1", "read"), ("d2", "read")] == [(one.message, one.state) for one in notices]
        async with page(rig.url, token=visitor_token()) as visitor:
            assert ["read", "read"] == [(await visitor.hear("msg"))["state"] for _ in range(2)]


async def test_receipt_of_many_answers_waits_for_one_commit_and_is_read_once(tmp_path, monkeypatch):
    keep, under_way, most, received = Keeper.keep, [], [], []

    async def watched(self, account, callback):
        under_way.append(callback)
        most.append(len(under_way))
        kept = await keep(self, account, callback)
        under_way.remove(callback)
        return kept

    monkeypatch.setattr(Keeper, "keep", watched)
    async with site(tmp_path) as rig, page(rig.url, token=visitor_token()) as visitor:
        for number in range(3):
            await answer(rig, f"d{number}", "answer")
            await visitor.hear("msg")
        monkeypatch.setattr(Web, "receive", lambda *_, **__: received.append("a signature is verified again"))
        await visitor.say({"t": "seen", "seq": 3, "state": "read"})
        await visitor.say({"t": "rate", "stars": 5})
        await visitor.hear("refused")
    assert (3, []) == (max(most), received)


async def end(rig, id_="e1", event="ended"):
    delivery = Delivery(id=id_, account="site", conversation=VISITOR, part=Part(event=event))
    return await rig.gateway.senders["site"].send(delivery)


async def test_conversation_that_has_ended_is_rated_once(tmp_path):
    ingress = FakeIngress()
    async with ingress.serving() as port, site(tmp_path, port) as rig, page(rig.url, token=visitor_token()) as visitor:
        rate = {"t": "rate", "stars": 5, "comment": "Thank you"}
        await visitor.say(rate | {"cid": "number-1"})
        assert {"t": "refused", "cid": "number-1", "code": "not_ended"} == await visitor.hear("refused")
        assert Sent("e1") == await end(rig)
        assert ("system", "ended") == ((shown := await visitor.hear("msg"))["from"], shown["event"])
        await visitor.say(rate)
        assert ("rated", 5) == ((shown := await visitor.hear("msg"))["event"], shown["stars"])
        await visitor.say(rate | {"stars": 1})
        assert "not_ended" == (await visitor.hear("refused"))["code"]
        await rig.forwarded()
    (told,) = ingress.taken.values()
    assert ("rated 5 of 5", "e1") == (told.system.event, told.system.about)
    assert ["Thank you"] == [part.text for part in told.system.parts]


async def test_conversation_that_goes_on_is_not_rated_any_more(tmp_path):
    async with site(tmp_path) as rig, page(rig.url, token=visitor_token()) as visitor:
        await end(rig)
        await visitor.say(said(1))
        await visitor.hear("ack")
        await visitor.say({"t": "rate", "stars": 5})
        assert "not_ended" == (await visitor.hear("refused"))["code"]


async def test_event_that_no_page_knows_is_not_shown(tmp_path):
    async with site(tmp_path) as rig:
        assert Dead("unsupported_part") == await end(rig, event="assigned")


async def test_answer_is_shown_with_the_name_of_who_wrote_it(tmp_path):
    async with site(tmp_path) as rig, page(rig.url, token=visitor_token()) as visitor:
        part, named = Part(text="hello"), {"account": "site", "conversation": VISITOR, "author_name": "Ms Li"}
        await rig.gateway.senders["site"].send(Delivery(id="d1", part=part, **named))
        assert ("agent", "Ms Li") == ((shown := await visitor.hear("msg"))["from"], shown["name"])


async def test_visitor_is_shown_nothing_of_another_visitor_or_site(tmp_path):
    async with site(tmp_path) as rig:
        other = "0" * 31 + "2"
        await answer(rig, "d1", "for another", other)
        delivery = Delivery(id="d2", account="other", conversation=VISITOR, part=Part(text="of another site"))
        await rig.gateway.senders["other"].send(delivery)
        async with page(rig.url, token=visitor_token()) as visitor:
            assert 0 == (await visitor.hear("welcome"))["last_seq"]
            await visitor.say({"t": "seen", "seq": 1, "state": "read"})
            await visitor.say(said(1))
            assert 1 == (await visitor.hear("msg"))["seq"]
        assert 1 == len(rig.rows("id"))


async def test_part_that_a_page_cannot_show_is_dead(tmp_path):
    async with site(tmp_path) as rig:
        part = Part(location=Location(latitude=1, longitude=1))
        delivery = Delivery(id="d1", account="site", conversation=VISITOR, part=part)
        assert Dead("unsupported_part") == await rig.gateway.senders["site"].send(delivery)


# Who may not come in

REFUSED = {
    "signed by another": ({"token": visitor_token(secret="another secret of sufficient length")}, 4401),
    "of another site": ({"token": visitor_token(account="other")}, 4401),
    "over": ({"token": visitor_token(T5_NOW_S - TOKEN_MS // 1000)}, 4401),
    "unsigned": ({"token": "eyJhbGciOiJub25lIn0.eyJzaXRlIjoic2l0ZSJ9."}, 4401),
    "a token whose head is a bomb": ({"token": f"{base64.urlsafe_b64encode(b'[' * 9_000).decode()}.e30.x"}, 4401),
    "no token": ({"token": "no token"}, 4401),
    "foreign page": ({"origin": "https://evil.example"}, 4403),
    "no page": ({"origin": None}, 4403),
    "other version": ({"subprotocols": ["crdt-sync-widget.v0"]}, 4422),
    "no such site": ({"site": "nowhere"}, 4404),
}


@pytest.mark.parametrize("given", REFUSED.values(), ids=REFUSED)
async def test_who_may_not_come_in_is_told_a_code_and_no_reason(tmp_path, given):
    options, code = given
    async with site(tmp_path) as rig, page(rig.url, **({"token": visitor_token()} | options)) as visitor:
        closed, reason = await visitor.closed()
    assert code == closed
    assert reason in {"unauthenticated", "not_found", "subprotocol"}


async def test_visitor_who_forges_anothers_token_is_refused_whatever_he_changes(tmp_path):
    """His own token is good; with another's name, time or site in it the signature is not."""
    head, claims, signature = visitor_token().split(".")
    other = visitor_token(visitor="f" * 32).split(".")[1]
    async with site(tmp_path) as rig:
        for token in (f"{head}.{other}.{signature}", f"{head}.{claims}.{signature[:-2]}AA", f"{head}.{claims}."):
            async with page(rig.url, token=token) as visitor:
                assert (4401, "unauthenticated") == await visitor.closed()
        assert 3 == rig.gateway.counts["widget.refused.signature"]


async def test_page_of_the_gateways_own_address_may_come(tmp_path):
    async with site(tmp_path, origins=()) as rig, page(rig.url, origin=rig.url, token="") as visitor:
        assert (await visitor.hear("welcome"))["token"]


async def test_token_of_the_secret_before_is_taken_and_renewed_once_half_its_life_is_over(tmp_path):
    before = "the secret before this one, long enough"
    changes = {"previous_secret": lambda: before}
    old, older = (visitor_token(T5_NOW_S - age_s, secret=before) for age_s in (0, TOKEN_MS // 1000 // 2 + 1))
    async with site(tmp_path, **changes) as rig:
        async with page(rig.url) as visitor:
            assert old == (await visitor.hello(old))["token"]
        async with page(rig.url) as visitor:
            renewed = (await visitor.hello(older))["token"]
        assert visitor_token() == renewed


@pytest.mark.parametrize("frame", [said(1), {"t": "seen", "seq": 0, "state": "read"}], ids=["msg", "seen"])
async def test_token_that_ends_ends_its_open_socket(tmp_path, frame):
    async with site(tmp_path) as rig:
        async with page(rig.url, token=visitor_token(T5_NOW_S - TOKEN_MS // 1000 + 1)) as visitor:
            renewed = await visitor.hear("welcome")
            rig.clock.advance(TOKEN_MS / 1000)
            await visitor.say(frame)
            assert (4401, "unauthenticated") == await visitor.closed()
        assert renewed["token"]
        assert [] == rig.rows("id")


# What may not be said

SAID_WRONG = {
    "no hello": ([said(1)], 4422),
    "no object": (["[]"], 4422),
    "no JSON": (["{"], 4422),
    "no receipt": ([{"t": "hello"}, {"t": "seen", "seq": "1", "state": "read"}], 4422),
    "no state": ([{"t": "hello"}, {"t": "seen", "seq": 1, "state": []}], 4422),
    "no place": ([{"t": "hello"}, {"t": "seen", "seq": -(10**30), "state": "read"}], 4422),
    "no stars": ([{"t": "hello"}, {"t": "rate", "stars": True}], 4422),
    "too many stars": ([{"t": "hello"}, {"t": "rate", "stars": 6}], 4422),
    "long comment": ([{"t": "hello"}, {"t": "rate", "stars": 5, "comment": "x" * 1_001}], 4422),
    "over 16 KiB": ([{"t": "hello"}, {"t": "msg", "cid": "number-1", "text": "x" * FRAME_BYTES_MAX}], 4413),
}


@pytest.mark.parametrize("given", SAID_WRONG.values(), ids=SAID_WRONG)
async def test_frame_that_will_not_do_ends_the_socket_with_a_code(tmp_path, given):
    frames, code = given
    async with site(tmp_path) as rig, page(rig.url) as visitor:
        for frame in frames:
            await visitor.say(frame)
        assert code == (await visitor.closed())[0]
        assert [] == rig.rows("id")


@pytest.mark.parametrize(
    "frame",
    [
        {"t": "msg", "cid": "short", "text": "x"},
        {"t": "msg", "cid": "number-1", "text": " "},
        {"t": "msg", "cid": 1},
        "no JSON",
    ],
)
async def test_message_that_cannot_be_read_is_refused_and_leaves_nothing(tmp_path, frame):
    async with site(tmp_path) as rig, page(rig.url, token=visitor_token()) as visitor:
        await visitor.say(frame)
        assert "malformed" == (await visitor.hear("refused"))["code"]
        assert [] == rig.rows("id")
        assert 1 == rig.gateway.counts["widget.refused.malformed"]


async def test_flood_is_told_to_wait_and_what_it_said_is_kept_when_said_again(tmp_path):
    async with site(tmp_path) as rig, page(rig.url, token=visitor_token()) as visitor:
        burst = LIMITS.messages.burst
        for number in range(burst + 1):
            await visitor.say(said(number))
        heard = [await visitor.hear("ack", "busy") for _ in range(burst + 1)]
        assert ["ack"] * burst + ["busy"] == [frame["t"] for frame in heard]
        assert 2_000 == heard[-1]["retry_ms"]
        rig.clock.advance(2)
        await visitor.say(said(burst))
        assert burst + 1 == (await visitor.hear("ack"))["seq"]


async def test_socket_that_does_not_stop_is_closed_and_another_visitor_is_undisturbed(tmp_path):
    async with site(tmp_path) as rig:
        other = visitor_token(visitor="f" * 32)
        async with page(rig.url, token=visitor_token()) as flood, page(rig.url, token=other) as bystander:
            await bystander.hear("welcome")
            for number in range(100):
                await flood.say(said(number))
            assert (4429, "too_fast") == await flood.closed()
            await bystander.say(said(1))
            assert 1 == (await bystander.hear("ack"))["seq"]
        assert LIMITS.messages.burst + 1 == len(rig.rows("id"))


async def test_fault_of_ours_ends_its_socket_with_a_code_and_is_counted(tmp_path, monkeypatch):
    async def fail(*_):
        raise KeyError("a bug")

    async with site(tmp_path) as rig, page(rig.url, token=visitor_token()) as visitor:
        await visitor.hear("welcome")
        monkeypatch.setattr(Keeper, "keep", fail)
        await visitor.say(said(1))
        assert (1011, "internal") == await visitor.closed()
        assert 1 == rig.gateway.counts["widget.failed"]


async def test_address_that_opens_too_many_sockets_is_refused(tmp_path):
    async with site(tmp_path) as rig:
        for _ in range(LIMITS.handshakes.burst):
            rig.gateway._visitors.handshakes.take("127.0.0.1", rig.clock.now_ms())
        async with page(rig.url, token=visitor_token()) as visitor:
            assert (4429, "too_many_handshakes") == await visitor.closed()


async def test_address_brings_somebody_new_less_often_than_somebody_known(tmp_path):
    async with site(tmp_path, limits=VisitorLimits(newcomers=VisitorRate(burst=1, per_s=0.5))) as rig:
        async with page(rig.url, token="") as first:
            await first.hear("welcome")
        async with page(rig.url, token="") as second:
            assert (4429, "too_many_newcomers") == await second.closed()
        async with page(rig.url, token=visitor_token()) as known:
            await known.hear("welcome")
        rig.clock.advance(2)
        async with page(rig.url, token="") as third:
            await third.hear("welcome")


async def test_address_holds_so_many_sockets_and_no_more(tmp_path):
    async with site(tmp_path, limits=VisitorLimits(address_sockets_max=1)) as rig:
        async with page(rig.url, token=visitor_token()) as first:
            await first.hear("welcome")
            async with page(rig.url, token=visitor_token(visitor="f" * 32)) as second:
                assert (1013, "full") == await second.closed()
            with rig.gateway._visitors.arrive("192.0.2.1"):
                pass
        async with page(rig.url, token=visitor_token()) as third:
            await third.hear("welcome")
        assert "192.0.2.1" not in rig.gateway._visitors._held


async def test_visitor_has_so_many_tabs_and_no_more(tmp_path):
    async with site(tmp_path, limits=VisitorLimits(tabs_max=1)) as rig:
        async with page(rig.url, token=visitor_token()) as first:
            await first.hear("welcome")
            async with page(rig.url, token=visitor_token()) as second:
                assert (1013, "full") == await second.closed()
        async with page(rig.url, token=visitor_token()) as third:
            await third.hear("welcome")


async def test_gateway_has_so_many_sockets_and_no_more(tmp_path):
    async with site(tmp_path, limits=VisitorLimits(sockets_max=1)) as rig:
        async with page(rig.url), page(rig.url, token=visitor_token()) as second:
            assert (1013, "full") == await second.closed()
        async with page(rig.url, token=visitor_token()) as third:
            await third.hear("welcome")


async def test_frames_of_a_socket_are_bounded_by_their_setting(tmp_path):
    limits = VisitorLimits(frames=VisitorRate(burst=2, per_s=0.5))
    async with site(tmp_path, limits=limits) as rig, page(rig.url, token=visitor_token()) as visitor:
        for number in range(3):
            await visitor.say(said(number))
        assert (4429, "too_fast") == await visitor.closed()
        assert 2 == len(rig.rows("id"))


async def test_messages_of_an_address_are_bounded_for_all_its_visitors_together(tmp_path):
    limits = VisitorLimits(address_messages=VisitorRate(burst=1, per_s=0.5))
    async with site(tmp_path, limits=limits) as rig:
        async with page(rig.url, token=visitor_token()) as one:
            await one.say(said(1))
            await one.hear("ack")
        async with page(rig.url, token=visitor_token(visitor="f" * 32)) as two:
            await two.say(said(2))
            assert 2_000 == (await two.hear("busy"))["retry_ms"]


async def test_socket_on_which_nobody_says_anything_ends_and_one_that_is_used_stays(tmp_path):
    token = visitor_token(visitor="f" * 32)
    async with site(tmp_path, limits=VisitorLimits(idle_s=60)) as rig:  # noqa: SIM117 - pages of what is there then
        async with page(rig.url, token=visitor_token()) as idle, page(rig.url, token=token) as used:
            for one in (idle, used):
                await one.hear("welcome")
            await rig.clock.asleep(60)
            rig.clock.advance(40)
            await used.say(said(1))
            await used.hear("ack")
            rig.clock.advance(20)
            assert (4408, "idle") == await idle.closed()
            await answer(rig, "d1", "text", conversation="f" * 32)
            while (await used.hear("msg"))["seq"] != 2:
                pass
            rig.clock.advance(59)
            await used.say(said(2))
            await used.hear("ack")
            assert 1 == rig.gateway.counts["widget.refused.idle"]


async def test_socket_that_says_nothing_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "_HELLO_S", 0.05)
    async with site(tmp_path) as rig, page(rig.url) as silent:
        assert (1013, "late") == await silent.closed()


async def test_page_that_reads_nothing_is_let_go_and_cut_off(tmp_path, monkeypatch):
    cut = asyncio.Event()

    class Watched(transport.VisitorTransport):
        def connection_lost(self, exc):
            super().connection_lost(exc)
            cut.set()

    monkeypatch.setattr(socket, "_SEND_S", 0.1)
    monkeypatch.setattr(transport, "STALLED_S", 0.5)
    monkeypatch.setattr(rig, "VisitorTransport", Watched)
    async with site(tmp_path) as it:
        for number in range(20):
            await answer(it, f"d{number}", "x" * 1_000_000)  # more than the kernel keeps for a reader
        async with page(it.url, token=visitor_token(), max_queue=1, compression=None) as lazy, asyncio.timeout(20):
            await cut.wait()
            lazy.socket.transport.abort()
        assert (1, {}) == (it.gateway.counts["widget.refused.slow_reader"], it.gateway._visitors._open)


async def test_message_that_cannot_be_kept_now_is_said_again_later(tmp_path):
    given = {"accounts": (web_account(),), "clock": HeldClock(T5_NOW_S), "spool_rows_max": 1}
    async with running(tmp_path, NO_SERVICE, **given) as rig, page(rig.url, token=visitor_token()) as visitor:
        await visitor.say(said(1))
        await visitor.hear("ack")
        await visitor.say(said(2))
        assert "number-2" == (await visitor.hear("busy"))["cid"]


async def test_gateway_that_stops_lets_its_sockets_go(tmp_path):
    async with site(tmp_path) as rig, page(rig.url, token=visitor_token()) as visitor:
        await visitor.hear("welcome")
        await rig.gateway.stop()
        assert (1013, "stopping") == await visitor.closed()


def test_short_secret_is_found_before_anything_runs(tmp_path):
    with pytest.raises(Exception, match="at least 32 bytes"):
        Gateway(settings(tmp_path, NO_SERVICE, accounts=(web_account(secret=lambda: "short"),)))
