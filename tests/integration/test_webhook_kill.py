import random

from tests.integration.webhook_kill import kills


async def test_receivers_get_everything_in_order_from_a_service_that_is_killed_while_they_fail(tmp_path):
    seen = await kills(tmp_path, 1, random.Random(3))  # `python -m tests.integration.webhook_kill` has more

    assert seen.is_good, seen
    assert 10 < seen.events
    assert seen.again["/failing"], "it was killed, and it failed"
