"""Random lifecycle files that the checker accepts: what the laws about any file draw from."""

import random

from hypothesis import reject
from hypothesis import strategies as st

from crdt_sync.errors import Malformed
from property_tests.files import lifecycle_file
from property_tests.subject import lifecycle
from property_tests.tweaks import tweaked


@st.composite
def accepted_files(draw):
    """A file that passes; one of three was tampered with, and passes nonetheless."""
    dice = random.Random(draw(st.integers(0, 2**32 - 1)))
    spec = lifecycle_file(dice)
    if draw(st.integers(0, 2)) == 2:
        spec = tweaked(dice, spec)
    try:
        lifecycle(spec)
    except Malformed:
        reject()
    return spec
