import random
import sys

import pytest

from tests.conformance.server_process import ServerProcess
from tests.integration.aims import Phase
from tests.integration.kill import Trial
from tests.integration.load import PATHS, Size

SIZE = Size(acks=60, callers=6, customers=2)  # `make soak` has more of everything
AIMS = (Phase.WRITING, Phase.CHECKPOINT)
EAGER = (sys.executable, "-m", "tests.integration.careless_serve", "eager")

pytestmark = pytest.mark.usefixtures("strace")


async def test_killed_service_has_everything_that_it_acknowledged_once(tmp_path):
    with ServerProcess(tmp_path) as server:
        trial = Trial(server, SIZE, random.Random(1))
        outcomes = [await trial.round(aim) for aim in AIMS]
        missing, doubled = await trial.wrong()
    assert list(AIMS) == [one.phase for one in outcomes]
    assert all(count >= SIZE.acks for one in outcomes for count in one.acks.values())
    assert [] == [one for one in outcomes if not one.is_good]
    assert frozenset() == missing == doubled


async def test_service_that_acknowledges_before_its_commit_is_caught_on_every_path(tmp_path):
    with ServerProcess(tmp_path, program=EAGER) as server:
        load, outcome = await Trial(server, SIZE).strike()
    assert list(PATHS) == [path for path, tally in load.tallies.items() if tally.acked & outcome.lost]
    assert outcome.unkept
    assert not outcome.is_good
