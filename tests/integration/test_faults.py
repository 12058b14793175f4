import pytest

from tests.integration.faults import full_disk, unsyncable_disk
from tests.integration.load import Size

SIZE = Size(acks=30, callers=4, customers=2)  # `make soak` has more of everything

pytestmark = pytest.mark.usefixtures("strace")


async def test_full_disk_makes_nobody_lose_anything_and_the_service_goes_on_when_there_is_room_again(tmp_path):
    trouble = await full_disk(tmp_path / "data", SIZE)

    assert trouble.is_good, trouble
    assert trouble.acks > 5 * SIZE.acks


async def test_failing_syncs_acknowledge_nothing_and_the_service_goes_on_when_they_work_again(tmp_path):
    trouble = await unsyncable_disk(tmp_path / "data", SIZE)

    assert trouble.is_good, trouble
    assert trouble.acks > 5 * SIZE.acks
