import sys

from tests.conformance.server_process import ServerProcess
from tests.integration.kill import ACKS_MIN, PATHS, Trial

ROUNDS = 3
EAGER = (sys.executable, "-m", "tests.integration.careless_serve", "eager")


async def test_killed_service_has_everything_that_it_acknowledged_once(tmp_path):
    with ServerProcess(tmp_path) as server:
        trial = Trial(server)
        outcomes = [one for _ in range(ROUNDS) for one in await trial.round()]
        missing, doubled = await trial.wrong()
    assert ROUNDS * len(PATHS) == len(outcomes)
    assert all(one.acks >= ACKS_MIN for one in outcomes)
    assert {} == {(one.round, one.path): one.lost for one in outcomes if one.lost}
    assert [] == [one for one in outcomes if not one.is_good]
    assert dict.fromkeys(PATHS, frozenset()) == missing == doubled


async def test_service_that_acknowledges_before_its_commit_is_caught_on_every_path(tmp_path):
    with ServerProcess(tmp_path, program=EAGER) as server:
        _, outcomes = await Trial(server).strike()
    assert list(PATHS) == [one.path for one in outcomes if one.lost]
    assert not any(one.is_good for one in outcomes)
