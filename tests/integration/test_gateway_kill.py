import random
import subprocess
import sys

from tests.integration import mortal
from tests.integration.chat_platform import WECHAT, WECOM
from tests.integration.gateway_kill import Plan, kills

# `make soak` has every point, 200 messages a second, and the platforms' real patience.
CUSTOMERS = {WECHAT: 20, WECOM: 5}


def test_every_point_is_one_of_todays_code():
    arming = "from tests.integration.mortal import POINTS\nfor arm in POINTS.values(): arm(lambda: None)"
    subprocess.run([sys.executable, "-c", arming], check=True)


async def test_what_the_platforms_believe_is_in_one_ticket_once_and_in_order_after_kills_of_both(tmp_path):
    plan = Plan(
        CUSTOMERS,
        patience_s=1.0,
        lapse=False,
        gateway=("gateway, after commit, before ack", "gateway, after answer, before marking"),
        service=("service, after commit, before answer",),
    )
    outcome = await kills(tmp_path, plan, random.Random(1))

    assert dict.fromkeys((*plan.gateway, *plan.service), 1) == outcome.deaths
    assert outcome.verdict.is_good, outcome.verdict
    assert outcome.verdict.acked > 0
    assert outcome.answers > 0
    assert (set(), []) == (outcome.unshown, outcome.shown_twice)


async def test_gateway_that_acknowledges_early_or_forwards_under_new_keys_is_caught(tmp_path):
    plan = Plan(CUSTOMERS, patience_s=1.0, answers=False, gateway=mortal.CARELESS, service=())
    outcome = await kills(tmp_path, plan, random.Random(1))

    assert outcome.verdict.lost
    assert outcome.verdict.doubled
