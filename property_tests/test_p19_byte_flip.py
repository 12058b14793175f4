"""P19: any flipped byte gives another id or a code: what was signed off cannot be altered under its name."""

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.domain.transition import Undecodable, decode
from property_tests.model import identify
from property_tests.strategies import histories


@given(st.data(), histories(), st.integers(1, 255))
def test_no_flipped_byte_keeps_the_id(data, history, mask):
    line = history.lines[data.draw(st.sampled_from(list(history.lines)))]
    name = decode(line).id
    for at, byte in enumerate(line):
        flipped = line[:at] + bytes([byte ^ mask]) + line[at + 1 :]
        found = decode(flipped)
        if not isinstance(found, Undecodable):
            assert (identify(flipped), flipped) == (found.id, found.record.encode())
            assert name != found.id
