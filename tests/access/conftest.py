import pytest

from tests.server.conftest import run_service


@pytest.fixture
async def running(tmp_path):
    async with run_service(tmp_path / "data", open_documents=False) as running:
        yield running
