"""A package with entry points, as pip would have left it, in a folder that a plugin's process looks into."""

import os
from pathlib import Path

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery, Envelope
from gateway.plugins.api import GROUP

ROOT = Path(__file__).parents[3]


def installed(folder: Path, monkeypatch, **plugins: str) -> None:
    """Have these entry points found by processes that are begun from here."""
    info = folder / "some_plugins-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-plugins\nVersion: 1\n")
    entries = "".join(f"{name} = {place}\n" for name, place in plugins.items())
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entries}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)]))


class Held:
    """Tells whether any process that was begun with this file as its output lives."""

    def __init__(self, place: Path) -> None:
        os.mkfifo(place)
        self._end = os.open(place, os.O_RDONLY | os.O_NONBLOCK)

    def lives(self) -> bool:
        """Whether one does."""
        try:
            return os.read(self._end, 1) != b""
        except BlockingIOError:
            return True

    def close(self) -> None:
        """Look no more."""
        os.close(self._end)


def said(text: str, account: str = "shop") -> Envelope:
    """What a customer said."""
    envelope = Envelope(idempotency_key=text, channel="wechat", account=account, conversation="openid")
    envelope.customer.parts.add().text = text
    return envelope


def answered(text: str, account: str = "shop") -> Delivery:
    """A part of an answer."""
    delivery = Delivery(id="d", ticket="t", message="m", channel="wechat", account=account, conversation="openid")
    delivery.part.text = text
    return delivery
