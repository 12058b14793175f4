"""How a service ended a call: grpc.aio tells of its own error instead if a write fails afterwards (grpc/grpc#36066)."""

import grpc

from crdt_sync.rpc.status import code_of


class Ending:
    """Keeps how a call ended, at the moment that it does."""

    def __init__(self, call):
        self.error = None
        call.add_done_callback(self._keep)

    @property
    def told(self):
        """The status, and our code."""
        return self.error.code(), code_of(self.error)

    def _keep(self, call):
        parts = call.code(), call.initial_metadata(), call.trailing_metadata(), call.details()
        self.error = grpc.aio.AioRpcError(*map(_at_once, parts))


def _at_once(coroutine):
    """What a coroutine returns that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits")
