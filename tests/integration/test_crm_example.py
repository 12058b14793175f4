"""The CRM and the tickets stay in step though everything between them is killed."""

import random

from tests.integration.crm_kill import VICTIMS, World


async def test_no_change_is_missed_or_doubled_by_kills_on_both_sides(tmp_path):
    seen = await World(tmp_path).run(1, random.Random(1))

    assert seen.is_good, seen
    assert dict.fromkeys(VICTIMS, 1) == seen.killed
