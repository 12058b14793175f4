"""What any channel must do, on its port and over the network. A channel proves itself by a subclass.

The subclass gives an account and the platform's side of it. What differs between platforms, such as which fields make
a key, stands in the channel's own tests.
"""

import asyncio

import pytest

from crdt_sync.errors import Malformed
from gateway.channels.base import Unverified
from gateway.registry import channel_of
from tests.gateway.fakes import FakeIngress, HeldClock
from tests.gateway.platform import T5_NOW_S, Post
from tests.gateway.rig import NO_SERVICE, running

TOLERANCE_S = 300
NOW_MS = T5_NOW_S * 1000
BODY_BYTES_MAX = 8192
BROKEN = (
    b"",
    b"\xff",
    b"{",
    b"[]",
    b"null",
    b"<",
    b"<xml>",
    b'{"a":' + b"[" * 5000,
    b'<!DOCTYPE x [<!ENTITY a "a">]><x/>',
)


class ChannelContract:
    """Override what raises; `None` says that the platform has no such thing."""

    body_bytes_max = BODY_BYTES_MAX
    signs_a_time = True

    def account(self):
        """The settings of one account."""
        raise NotImplementedError

    def text(self, number: int, *, age_s: int = 0) -> Post:
        """A customer's text, sent `age_s` ago. The same number is the same text, sent again."""
        raise NotImplementedError

    def for_another(self) -> Post:
        """A callback that is well made, for another receiver."""
        raise NotImplementedError

    def unreadable(self) -> Post:
        """The platform's own callback whose content cannot be read."""
        raise NotImplementedError

    def unknown(self) -> Post:
        """The platform's own callback, of a type that is still to come."""
        raise NotImplementedError

    def tampered(self) -> list[Post]:
        """The same text, each with one signed byte changed or one signature left out."""
        raise NotImplementedError

    def handshake(self) -> tuple[Post, bytes] | None:
        """The GET by which the platform checks our address, and what it must be told."""
        raise NotImplementedError

    async def deliver(self, rig, post: Post):
        """Have a callback arrive over the network; what it was answered."""
        return await rig.post(post, self.account().account)

    @pytest.fixture(autouse=True)
    async def platform(self):
        """Run what must be there beside the requests, such as a server to pull from; nothing, for most."""

    def callbacks(self, channel, received):
        """What a POST brought; what a hint leads to, for those that are pulled."""
        return received.callbacks

    @pytest.fixture
    def channel(self):
        return channel_of(self.account(), TOLERANCE_S)

    @pytest.fixture
    async def rig(self, tmp_path, platform):
        given = {
            "accounts": (self.account(),),
            "clock": HeldClock(T5_NOW_S),
            "body_bytes_max": BODY_BYTES_MAX,
            "timestamp_tolerance_s": TOLERANCE_S,
        }
        async with running(tmp_path, NO_SERVICE, **given) as rig:
            yield rig

    # The port

    def receive(self, channel, post: Post):
        (callback,) = self.callbacks(channel, channel.receive(post.request, now_ms=NOW_MS))
        return callback

    def test_account_is_the_scope_of_its_keys(self, channel):
        assert self.account().account == channel.account

    def test_handshake_is_answered_if_it_is_signed(self, channel):
        asked = self.handshake()
        if asked is None:
            with pytest.raises(Unverified):
                channel.handshake(self.text(1).request, now_ms=NOW_MS)
            return
        post, answer = asked
        assert answer == channel.handshake(post.request, now_ms=NOW_MS)
        for name in post.query.keys() - {"echostr"}:
            wrong = Post(post.query | {name: "0" + post.query[name]}, b"")
            with pytest.raises(Unverified):
                channel.handshake(wrong.request, now_ms=NOW_MS)

    def test_text_is_one_callback_with_its_keys_and_its_conversation(self, channel):
        callback = self.receive(channel, self.text(1))
        assert callback.code is None
        assert callback.conversation
        assert callback.keys
        assert len(callback.keys) == len(set(callback.keys))

    def test_same_text_sent_again_has_the_same_primary_key_and_another_text_shares_none(self, channel):
        first, again, other = (self.receive(channel, self.text(number)) for number in (1, 1, 2))
        assert first.keys[0] == again.keys[0]
        assert set() == set(first.keys) & set(other.keys)
        assert first.conversation == other.conversation

    def test_envelope_says_what_the_callback_said_and_is_the_same_each_time(self, channel):
        callback = self.receive(channel, self.text(1))
        envelope = channel.envelope(callback.content)
        assert envelope == channel.envelope(callback.content)
        assert (callback.keys[0], callback.conversation) == (envelope.idempotency_key, envelope.conversation)
        assert (channel.account, self.account().channel) == (envelope.account, envelope.channel)
        assert T5_NOW_S * 1000 == envelope.sent_at
        assert ["text 1"] == [part.text for part in envelope.customer.parts]
        assert "" == envelope.traceparent

    def test_unknown_type_is_kept_as_unknown(self, channel):
        callback = self.receive(channel, self.unknown())
        assert callback.code is None
        envelope = channel.envelope(callback.content)
        assert "unknown" == envelope.WhichOneof("kind")
        assert envelope.unknown.raw

    def test_unreadable_content_is_a_callback_with_a_code_and_a_key_of_its_own(self, channel):
        first, again = (self.receive(channel, self.unreadable()) for _ in range(2))
        assert "malformed" == first.code
        assert first.keys[0] == again.keys[0]
        with pytest.raises(Malformed):
            channel.envelope(first.content)

    @pytest.mark.parametrize("content", BROKEN, ids=repr)
    def test_no_content_at_all_breaks_the_mapping(self, channel, content):
        with pytest.raises(Malformed):
            channel.envelope(content)

    def test_what_is_not_the_platforms_is_refused(self, channel):
        tampered = self.tampered()
        assert tampered
        for post in tampered:
            with pytest.raises(Unverified):
                channel.receive(post.request, now_ms=NOW_MS)

    def test_what_is_for_another_receiver_is_refused(self, channel):
        with pytest.raises(Unverified):
            channel.receive(self.for_another().request, now_ms=NOW_MS)

    def late(self) -> list[Post]:
        """What was not signed about now; nothing where the platform signs no time."""
        ages_s = (TOLERANCE_S + 1, -TOLERANCE_S - 1) if self.signs_a_time else ()
        return [self.text(1, age_s=age_s) for age_s in ages_s]

    def test_what_was_not_signed_about_now_is_refused(self, channel):
        for post in self.late():
            with pytest.raises(Unverified) as caught:
                channel.receive(post.request, now_ms=NOW_MS)
            assert "timestamp" == caught.value.reason

    @pytest.mark.parametrize("body", BROKEN, ids=repr)
    def test_forged_body_is_refused_or_set_aside_and_never_a_fault(self, channel, body):
        post = self.text(1)
        try:
            received = channel.receive(Post(post.query, body, post.headers).request, now_ms=NOW_MS)
        except Unverified:
            return
        assert ["malformed"] == [callback.code for callback in received.callbacks]

    # Over the network: HTTP, unless the channel says otherwise

    async def test_text_reaches_the_service_once_however_often_it_is_sent(self, tmp_path):
        ingress = FakeIngress()
        given = {"accounts": (self.account(),), "clock": HeldClock(T5_NOW_S)}
        async with ingress.serving() as port, running(tmp_path, port, **given) as rig:
            answers = [await self.deliver(rig, self.text(number)) for number in (1, 1, 2, 1)]
            assert [200] * 4 == [answer.status_code for answer in answers]
            async with asyncio.timeout(20):
                while len(ingress.taken) < 2:
                    await ingress.entered.wait()
                    ingress.entered.clear()
            await rig.forwarded()
            assert 2 == len(rig.rows("id"))
        assert ["text 1", "text 2"] == [one.customer.parts[0].text for one in ingress.taken.values()]

    async def test_what_is_refused_is_401_without_a_reason_and_leaves_no_row(self, rig):
        refused = (*self.tampered(), self.for_another(), *self.late())
        answers = [await self.deliver(rig, post) for post in refused]
        assert {401} == {answer.status_code for answer in answers}
        assert 1 == len({answer.content for answer in answers})
        assert [] == rig.rows("id")

    async def test_body_over_the_limit_is_refused_before_anything_else(self, rig):
        post = self.text(1)
        answer = await self.deliver(rig, Post(post.query, b" " * (self.body_bytes_max + 1), post.headers))
        assert 413 == answer.status_code

    async def test_unreadable_content_is_acknowledged_and_set_aside(self, rig):
        assert [200, 200] == [(await self.deliver(rig, self.unreadable())).status_code for _ in range(2)]
        assert [("dead", "malformed", 1)] == rig.rows("state, code, duplicates")
