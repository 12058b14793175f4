"""Every decoder of bytes from outside, and what holds for each: what the properties and the fuzzer run.

A decoder is total: any bytes give a value, or an error of ours with a code, and nothing else. What can be written
again is written to the same bytes, or the table says why not.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from crdt_sync.documents.document import Document
from crdt_sync.documents.runs import decode_run
from crdt_sync.documents.state_vectors import decode_state_vector, encode_state_vector
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.documents.updates import Update, decode_stored
from crdt_sync.documents.updates import decode as decode_update
from crdt_sync.documents.values import any_at
from crdt_sync.domain import message, payload, transition
from crdt_sync.domain.ids import DocumentName
from crdt_sync.domain.transition import Undecodable
from crdt_sync.errors import Malformed, TicketSyncError
from crdt_sync.protocol.collab_dialect import CollabDialect
from crdt_sync.protocol.yjs_dialect import YjsDialect
from crdt_sync.replica import websocket_link
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.server.grpc_dialect import GrpcDialect
from crdt_sync.wire import awareness, cloudevents, hocuspocus, lib0, websocket, ysync
from tests.codecs import differential
from tests.server.fakes import masked

VECTORS = Path(__file__).parents[2] / "proto" / "vectors"
CLIENT_ID = 7


@dataclass(frozen=True, slots=True)
class Decoder:
    """One decoder. `covers` names the functions that it runs, `seeds` are good bytes to begin with.

    `encode` writes a value again; if it gives other bytes, or there is no `encode`, `because` says why.
    """

    covers: tuple[str, ...]
    decode: Callable[[bytes], Any]
    seeds: Callable[[], Sequence[bytes]]
    encode: Callable[[Any], bytes | None] | None = None
    because: str = ""


def _vectors(name: str) -> list[bytes]:
    rows = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    return [bytes.fromhex(row["hex"]) for row in rows if "malformed" not in row]


def _update(data: bytes) -> Update:
    """Read an update, and as a run of one: that is the same update, or none."""
    run = None
    with suppress(Malformed):
        run = decode_run([data])
    try:
        update = decode_update(data)
    except TicketSyncError:
        assert run is None, "a run takes what no update is"
        raise
    assert run is None or run[1].structs == update.structs
    return update


def _primitives(data: bytes) -> list[object]:
    """Read what the bytes themselves ask for: one byte chooses, and what it chose follows."""
    found: list[object] = []
    at = 0
    while at < len(data):
        kind, at = data[at] % 4, at + 1
        if kind == 0:
            value, at = lib0.var_uint_at(data, at)
            found.append(value)
        elif kind == 1:
            magnitude, negative, at = lib0.var_int_at(data, at)
            found.append((magnitude, negative))
        elif kind == 2:
            raw, at = lib0.var_bytes_at(data, at)
            found.append(raw)
        else:
            text, at = lib0.var_string_at(data, at)
            found.append(text)
    return found


def _primitive_bytes(found: Sequence[object]) -> bytes | None:
    parts = []
    for value in found:
        if isinstance(value, int):
            parts.append(b"\0" + lib0.var_uint(value))
        elif isinstance(value, bytes):
            parts.append(b"\2" + lib0.var_bytes(value))
        elif isinstance(value, str):
            parts.append(b"\3" + lib0.var_string(value))
        else:
            return None
    return b"".join(parts)


def _primitive_seeds() -> list[bytes]:
    kinds = {"var_uint": b"\0", "var_int": b"\1", "var_bytes": b"\2", "var_string": b"\3"}
    rows = json.loads((VECTORS / "lib0.json").read_text("utf-8"))
    return [
        kinds[row["type"]] + bytes.fromhex(row["hex"])
        for row in rows
        if "malformed" not in row and row["type"] in kinds
    ]


def _reader(data: bytes) -> tuple[object, ...]:
    reader = lib0.Reader(data)
    found = (reader.var_uint(), reader.var_bytes(), reader.var_string(100))
    reader.end()
    return found


def _sync_bytes(frame: ysync.Frame) -> bytes:
    match frame:
        case ysync.Step1(state_vector):
            return ysync.encode_step1(state_vector)
        case ysync.Step2(update):
            return ysync.encode_step2(update)
        case ysync.Update(update):
            return ysync.encode_update(update)
        case ysync.Awareness(states):
            return ysync.encode_awareness(states)
        case ysync.QueryAwareness():
            return ysync.encode_query_awareness()
        case ysync.Denied(reason):
            return ysync.encode_denied(reason)


def _collab_bytes(found: hocuspocus.Addressed | hocuspocus.Ping | hocuspocus.Pong) -> bytes | None:
    if isinstance(found, hocuspocus.Ping):
        return hocuspocus.encode_ping()
    if isinstance(found, hocuspocus.Pong):
        return hocuspocus.encode_pong()
    address = found.address
    match found.frame:
        case ysync.Step1(state_vector):
            return hocuspocus.encode_step1(address, state_vector)
        case ysync.Step2(update):
            return hocuspocus.encode_step2(address, update)
        case ysync.Update(update):
            return hocuspocus.encode_update(address, update)
        case ysync.Awareness(states):
            return hocuspocus.encode_awareness(address, states)
        case ysync.QueryAwareness():
            return hocuspocus.encode_query_awareness(address)
        case hocuspocus.Token(token, version):
            return hocuspocus.encode_token(address, token, version)
        case hocuspocus.TokenRequest():
            return hocuspocus.encode_token_request(address)
        case hocuspocus.PermissionDenied(reason):
            return hocuspocus.encode_permission_denied(address, reason)
        case hocuspocus.Authenticated(read_only):
            return hocuspocus.encode_authenticated(address, read_only=read_only)
        case hocuspocus.Stateless(text):
            return hocuspocus.encode_stateless(address, text)
        case hocuspocus.Close(reason):
            return hocuspocus.encode_close(address, reason)
        case hocuspocus.SyncStatus(accepted):
            return hocuspocus.encode_sync_status(address, accepted=accepted)
        case _:  # what servers say to each other, and what is refused from clients: nobody here writes it
            return None


def _awareness_seeds() -> list[bytes]:
    frames = [ysync.decode(data) for data in _vectors("ysync")]
    here = awareness.encode([awareness.State(1, 2, '{"name":"Анна"}'), awareness.State(3, 4, None)])
    return [here, *(frame.states for frame in frames if isinstance(frame, ysync.Awareness))]


def _any(data: bytes) -> object:
    value, at = any_at(data, 0)
    lib0.end_at(data, at)
    return value


def _any_seeds() -> list[bytes]:
    return [
        bytes.fromhex(text)
        for text in ("7f", "7e", "79", "78", "7d05", "7d40", "7c3f800000", "7b3ff0000000000000", "7a0000000000000001")
    ] + [b"w\x04text", b"t\x02\x00\xff", b"u\x02~w\x01a", b"v\x01\x01ku\x01}\x07", b"u\x01" * 15 + b"~"]


def _state_vector_seeds() -> list[bytes]:
    return [encode_state_vector(state) for state in ({}, {1: 0}, {1: 5, 2**53 - 1: 2**31 - 1, 77: 300})]


def _load(data: bytes) -> Document:
    document = SubmitDocument(CLIENT_ID)
    document.load(data, [])
    return document


def _snapshot_seeds() -> list[bytes]:
    document = SubmitDocument(3)
    document.append_message("hello", actor="sales-1")
    return [SubmitDocument(1).snapshot(), document.snapshot()]


def _document_seeds() -> list[bytes]:
    """Without what a document refuses though it is an update, such as the content JSON of old versions of Yjs."""
    taken = []
    for data in _vectors("updates"):
        with suppress(TicketSyncError):
            differential.judged(data)
            taken.append(data)
    return taken


def _transition_seeds() -> list[bytes]:
    lines = (VECTORS / "transitions.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [row["text"].encode() for row in rows if "id" in row]


def _record_bytes(made: transition.Transition | message.Message | Undecodable) -> bytes | None:
    return None if isinstance(made, Undecodable) else made.record.encode()


def _message_seeds() -> list[bytes]:
    made = message.make(
        ticket=SOME_ID, kind="agent", author="sales-1", at=1, parts=[{"type": "text", "text": "да"}], salt="0" * 32
    )
    return [made.record.encode()]


def _unseal(data: bytes) -> object:
    return payload.unseal(data.decode(errors="replace"))


def _payload_seeds() -> list[bytes]:
    return [payload.seal({"price": "99.50", "count": 3}, "0" * 32).text.encode()]


def _event_seeds() -> list[bytes]:
    event = cloudevents.encode(position=5, type_="opened", ticket=SOME_ID, data={"a": 1}, at_ms=0, traceparent=None)
    return [event.encode(), cloudevents.encode_heartbeat(7).encode()]


def _name_seeds() -> list[bytes]:
    return [f"ticket/{SOME_ID}/{tail}".encode() for tail in ("log", "talk", "card", "submit/sales", "form/sales")]


def _frames(data: bytes) -> pb.ClientFrames:
    try:
        return pb.ClientFrames.FromString(data)
    except DecodeError as error:  # as `DecodingInterceptor` does
        raise Malformed("The request is no message of this call.") from error


def _grpc_seeds() -> list[bytes]:
    update = pb.Update(data=b"\0\0", batch_id=bytes(8))
    bodies = (
        {"open": pb.Open()}, {"leave": pb.Leave()}, {"step1": b"\0"}, {"step2": update}, {"update": update},
        {"awareness": b"\0"},
    )  # fmt: skip
    frames = [pb.ClientFrame(document="doc", **body) for body in bodies]
    return [
        pb.ClientFrames(frames=frames).SerializeToString(),
        *(pb.ClientFrames(frames=[f]).SerializeToString() for f in frames),
    ]


SOME_ID = "a" * 52
_NO_ENCODER = "it is only read here; yrs, or the client's library, writes it"


def _frame_seeds() -> list[bytes]:
    text = "签 🧵".encode()
    return [
        masked(b""),
        masked(text, websocket.TEXT),
        masked(b"x" * 126),
        masked(b"?", websocket.PING) + masked(b"", websocket.PONG),
        masked(text[:4], websocket.TEXT, fin=False) + masked(b"?", websocket.PING) + masked(text[4:], 0),
        masked(b"", websocket.CLOSE),
        masked(b"\x03\xe8" + text, websocket.CLOSE) + masked(b"unheard"),
        *(masked(code.to_bytes(2, "big"), websocket.CLOSE) for code in (1000, 1003, 1007, 1014, 3000, 4999)),
    ]


DECODERS = {
    "primitives": Decoder(
        ("wire.lib0.var_uint_at", "wire.lib0.var_int_at", "wire.lib0.var_bytes_at", "wire.lib0.var_string_at"),
        _primitives,
        _primitive_seeds,
        _primitive_bytes,
        "the byte that chooses is taken modulo four, and nobody here writes signed integers",
    ),
    "reader": Decoder(
        ("wire.lib0.Reader", "wire.lib0.end_at"),
        _reader,
        lambda: [b"\x05\x02ab\x03\xe2\x82\xac"],
        lambda found: lib0.var_uint(found[0]) + lib0.var_bytes(found[1]) + lib0.var_string(found[2]),
    ),
    "ysync": Decoder(
        ("wire.ysync.decode", "wire.ysync.read_sync"), ysync.decode, lambda: _vectors("ysync"), _sync_bytes
    ),
    "hocuspocus": Decoder(
        ("wire.hocuspocus.decode",), hocuspocus.decode, lambda: _vectors("hocuspocus"), _collab_bytes
    ),
    "awareness": Decoder(
        ("wire.awareness.decode",),
        awareness.decode,
        _awareness_seeds,
        awareness.encode,
        "a text that spells null with white space about it is the same as null",
    ),
    "update": Decoder(
        ("documents.updates.decode", "documents.runs.decode_run"),
        _update,
        lambda: _vectors("updates"),
        None,
        _NO_ENCODER,
    ),
    "stored update": Decoder(
        ("documents.updates.decode_stored",), decode_stored, lambda: _vectors("updates"), None, _NO_ENCODER
    ),
    "state vector": Decoder(
        ("documents.state_vectors.decode_state_vector",), decode_state_vector, _state_vector_seeds, encode_state_vector
    ),
    "value": Decoder(("documents.values.any_at",), _any, _any_seeds, None, _NO_ENCODER),
    "snapshot": Decoder(
        ("documents.document.Document.load", "documents.snapshots.decode"),
        _load,
        _snapshot_seeds,
        None,
        "yrs writes the state in an order of its own; `differential` holds that it is the same state",
    ),
    "document": Decoder(
        (), differential.judged, _document_seeds, None, "two implementations are compared: ours and yrs"
    ),
    "transition": Decoder(("domain.transition.decode",), transition.decode, _transition_seeds, _record_bytes),
    "message": Decoder(("domain.message.decode",), message.decode, _message_seeds, _record_bytes),
    "payload": Decoder(("domain.payload.unseal",), _unseal, _payload_seeds, None, "the salt is not kept"),
    "event": Decoder(
        ("wire.cloudevents.decode",),
        lambda data: cloudevents.decode(data.decode(errors="replace")),
        _event_seeds,
        None,
        "when it was, and in which trace, is not kept",
    ),
    "document name": Decoder(
        ("domain.ids.DocumentName.parse",),
        lambda data: DocumentName.parse(data.decode(errors="replace")),
        _name_seeds,
        lambda name: str(name).encode(),
    ),
    "y-websocket dialect": Decoder(
        ("protocol.yjs_dialect.YjsDialect.decode",),
        YjsDialect("doc").decode,
        lambda: _vectors("ysync"),
        None,
        "a dialect says what a frame means; the frame itself is `ysync`",
    ),
    "Hocuspocus dialect": Decoder(
        ("protocol.collab_dialect.CollabDialect.decode",),
        lambda data: CollabDialect().decode(data),
        lambda: _vectors("hocuspocus"),
        None,
        "a dialect says what a frame means; the frame itself is `hocuspocus`",
    ),
    "gRPC dialect": Decoder(
        ("server.grpc_dialect.GrpcDialect.decode",),
        lambda data: GrpcDialect().decode(_frames(data)),
        _grpc_seeds,
        None,
        "protobuf writes it, and keeps neither the order nor the repetition of fields",
    ),
    "replica link": Decoder(
        ("replica.websocket_link.decoded",),
        websocket_link.decoded,
        lambda: _vectors("hocuspocus"),
        None,
        "it says what a frame means; the frame itself is `hocuspocus`",
    ),
    "websocket frames": Decoder(
        (
            "server.picows_reader.PicowsReader.feed",
            "server.websockets_reader.WebsocketsReader.feed",
            "wire.websocket.Message.take",
            "wire.websocket.close_code",
            "wire.websocket.text_of",
        ),
        differential.framed,
        _frame_seeds,
        None,
        "clients write frames, by a mask that is not kept; the service writes others",
    ),
    "websocket key": Decoder(
        ("wire.websocket.accept",),
        lambda data: websocket.accept(data.decode("latin-1")),
        lambda: [b"dGhlIHNhbXBsZSBub25jZQ=="],
        None,
        "it is answered with a digest",
    ),
}
