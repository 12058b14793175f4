"""What a visitor may see: the entries that answers become, and the frames that entries become.

An allow-list: what is not named here never reaches a socket, whatever a delivery or an entry may come to hold.
"""

import json
from collections.abc import Mapping
from typing import Any

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery
from gateway.visitor_log import Entry

ENDED, RATED = "ended", "rated"
SHOWN = ("from", "name", "text", "picture", "file", "cid", "event", "stars", "at")
"""The fields of an entry that its visitor is shown."""


def entry_of(delivery: Delivery, *, now_ms: int) -> str | None:
    """The entry of an answer's part, None for a part that a page cannot show."""
    match delivery.part.WhichOneof("part"):
        case "text":
            said: dict[str, object] = {"from": "agent", "text": delivery.part.text}
        case "media" if delivery.part.media.type == "image":
            said = {"from": "agent", "picture": delivery.part.media.platform_id}
        case "media":  # to be downloaded, and called what `text` says
            media = delivery.part.media
            said = {"from": "agent", "file": media.platform_id, "text": media.name}
        case "event" if delivery.part.event == ENDED:
            said = {"from": "system", "event": ENDED}
        case _:
            return None
    if delivery.author_name:
        said["name"] = delivery.author_name
    return json.dumps({**said, "at": now_ms}, ensure_ascii=False)


def frame_of(entry: Entry) -> Mapping[str, Any]:
    """The frame that shows an entry."""
    fields = entry.fields
    shown = {name: fields[name] for name in SHOWN if name in fields}
    if entry.state:
        shown["state"] = entry.state
    shown |= {name: True for name in ("picture", "file") if name in fields}  # which is asked for by its place
    return {"t": "msg", "seq": entry.seq, **shown}
