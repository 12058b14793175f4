"""Every decoder from outside is total, exact and frugal, and none is forgotten."""

import ast
import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.errors import TicketSyncError
from tests.codecs.corpus import FOLDER, kept, path_of
from tests.codecs.decoders import DECODERS
from tests.codecs.properties import hold

SOURCES = Path(__file__).parents[2] / "crdt_sync"
NAMED_SO = re.compile(
    r"decode\w*|unseal|parse|read_\w+|(var_\w+|any|end)_at|Reader|feed|take|accept|close_code|text_of"
)
WHERE = (
    *("wire", "documents", "domain", "protocol", "replica"),
    *("server/grpc_dialect.py", "server/picows_reader.py", "server/websockets_reader.py"),
)
OTHERWISE = {
    "documents.card.CardDocument.take": "takes a lane, no bytes",
    "documents.document.Document.load": "its name says nothing, so it is named here",
    "domain.access.take": "says who may take a lane",
    "domain.lifecycle.node.Reader": "reads files of the operator; tests/adapters has hostile ones",
    "domain.lifecycle.spec.parse": "reads files of the operator; tests/adapters has hostile ones",
    "protocol.dialect.Dialect.decode": "the contract of the three dialects",
    "protocol.session.Session.read_only": "reads nothing",
    "replica.view.decoded": "passes records to domain.message.decode",
    "replica.view.text_of": "shows a message that was read",
}
MEMORY_MAX, MEMORY_A_BYTE_MAX = 256 * 1024, 512
HUGE = bytes.fromhex("ffffffffffffff0f")  # the largest integer of lib0: whatever is announced with it is not there


@pytest.fixture(params=list(DECODERS))
def decoder(request):
    return DECODERS[request.param]


def named() -> set[str]:
    """The public functions, methods and classes of the sources that are named as decoders are."""
    found = set()
    for place in WHERE:
        path = SOURCES / place
        for file in [path] if path.is_file() else path.rglob("*.py"):
            module = ".".join(file.relative_to(SOURCES).with_suffix("").parts)
            for node in ast.parse(file.read_text("utf-8")).body:
                methods = node.body if isinstance(node, ast.ClassDef) else []
                for one, prefix in [(node, module), *((method, f"{module}.{node.name}") for method in methods)]:
                    name = getattr(one, "name", "")
                    if isinstance(one, ast.FunctionDef | ast.ClassDef) and NAMED_SO.fullmatch(name):
                        found.add(f"{prefix}.{name}")
    return found


def test_every_decoder_of_the_sources_has_its_properties():
    covered = {name for decoder in DECODERS.values() for name in decoder.covers}
    assert named() - OTHERWISE.keys() == covered - OTHERWISE.keys()


def test_what_a_decoder_does_not_write_again_to_the_same_bytes_is_explained(decoder):
    assert decoder.encode is not None or decoder.because


def test_good_bytes_are_decoded_and_written_again(decoder):
    seeds = decoder.seeds()
    assert seeds
    assert [] == [data.hex() for data in seeds if not hold(decoder, data)]


def test_truncated_bytes_give_a_value_or_a_code_at_every_byte(decoder):
    for data in decoder.seeds():
        for length in range(len(data)):
            hold(decoder, data[:length])


@pytest.mark.parametrize("name", ["ysync", "hocuspocus", "awareness", "update", "state vector", "value", "reader"])
def test_no_truncated_frame_passes_for_a_whole_one(name):
    """Where nothing may be left out; a Hocuspocus frame has parts that may."""
    decoder = DECODERS[name]
    for data in decoder.seeds():
        whole = decoder.decode(data)
        passed = [data[:length] for length in range(1, len(data)) if hold(decoder, data[:length])]
        assert name == "hocuspocus" or [] == passed
        assert whole not in [decoder.decode(part) for part in passed]


@given(st.data())
def test_any_bytes_give_a_value_or_a_code(data):
    decoder = DECODERS[data.draw(st.sampled_from(sorted(DECODERS)))]
    hold(decoder, data.draw(st.binary(max_size=200)))


@given(st.data())
def test_good_bytes_with_a_few_others_in_them_give_a_value_or_a_code(data):
    decoder = DECODERS[data.draw(st.sampled_from(sorted(DECODERS)))]
    changed = bytearray(data.draw(st.sampled_from(decoder.seeds())))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed)))
        changed[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3) | st.just(HUGE))
    hold(decoder, bytes(changed))


def test_what_is_announced_and_not_there_takes_no_memory(decoder):
    """Wherever a length or a count may stand, the largest one is put."""
    for data in decoder.seeds()[:8]:
        for at in range(min(len(data), 64)):
            hostile = data[:at] + HUGE + data[at + 1 :]
            tracemalloc.start()
            try:
                hold(decoder, hostile)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert peak < MEMORY_MAX + MEMORY_A_BYTE_MAX * len(hostile), hostile.hex()


def test_what_the_fuzzer_kept_gives_values_and_codes_still(decoder):
    name = next(name for name, one in DECODERS.items() if one is decoder)
    inputs = kept(name)
    assert inputs, f"run `make fuzz` for {name!r}, which writes {path_of(name).name}"
    for data in inputs:
        hold(decoder, data)


def test_no_kept_input_is_of_a_decoder_that_is_gone():
    assert {path_of(name) for name in DECODERS} == set(FOLDER.glob("*"))


def test_a_value_that_is_written_to_other_bytes_is_noticed():
    careless = DECODERS["ysync"].__class__((), bytes, list, lambda data: data + b"!")
    with pytest.raises(AssertionError, match="written again"):
        hold(careless, b"frame")


def test_an_exception_of_another_kind_is_noticed():
    def careless(data: bytes) -> int:
        return data[9]

    with pytest.raises(IndexError):
        hold(DECODERS["ysync"].__class__((), careless, list, None, "it fails"), b"")
    assert not issubclass(IndexError, TicketSyncError)
