from tests.integration.outage import outage


async def test_callbacks_are_taken_while_the_service_is_down_and_brought_in_order_when_it_is_back(tmp_path):
    seen = await outage(tmp_path, 1_000, conversations=100)  # `make outage` has 180,000

    assert seen.is_good, seen
    assert seen.answered == seen.verdict.acked == seen.verdict.held == seen.sent
