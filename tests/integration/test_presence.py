"""Presence over real sockets: what others see of somebody who is quicker than is relayed."""

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
