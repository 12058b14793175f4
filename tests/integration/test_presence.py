"""Presence over real sockets: what others see of who is quicker than is relayed, and of who comes back."""

from crdt_sync.wire import awareness, limits, ysync
from crdt_sync.wire.awareness import State
from tests.access.wires import sync_socket
from tests.server.conftest import run_service

MOVES = limits.PRESENCE_MESSAGES_PER_S_MAX + 20  # each in a turn of its own, and all soon after the other


def moved(clock):
    return awareness.encode([State(7, clock, f'{{"x":{clock}}}')])


async def test_of_a_cursor_that_moves_too_fast_others_end_with_the_last_place(tmp_path):
    async with (
        run_service(tmp_path) as running,
        sync_socket(running, "notes", running.token()) as author,
        sync_socket(running, "notes", running.token("tech")) as other,
    ):
        await other.hear(ysync.Step1)
        for clock in range(1, MOVES + 1):
            await author.say(ysync.encode_awareness(moved(clock)), ysync.encode_step1(b"\0"))
            await author.hear(ysync.Step2)
        await other.hear(ysync.Awareness, where=lambda frame: frame.states == moved(MOVES))


async def test_who_comes_back_before_the_old_socket_is_known_to_be_dead_stays_there(tmp_path):
    async with run_service(tmp_path) as running, sync_socket(running, "notes", running.token("tech")) as other:
        await other.hear(ysync.Step1)
        async with sync_socket(running, "notes", running.token()) as again:
            async with sync_socket(running, "notes", running.token()) as old:
                await old.say(ysync.encode_awareness(moved(3)))
                await other.hear(ysync.Awareness)
                await again.hear(ysync.Step1)
                await again.say(ysync.encode_awareness(moved(3)))
                await other.hear(ysync.Awareness)
            await again.say(ysync.encode_awareness(moved(4)))
            told = await other.hear(ysync.Awareness)
            assert moved(4) == told.states, "not that he has left"
        told = await other.hear(ysync.Awareness)
        assert awareness.encode([State(7, 4, None)]) == told.states
