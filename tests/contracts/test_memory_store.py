import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from tests.contracts.outbox_contract import OutboxContract
from tests.contracts.owed_contract import OwedContract
from tests.contracts.store_contract import StoreContract


class TestMemoryStore(OutboxContract, OwedContract, StoreContract):
    @pytest.fixture
    async def store(self):
        return MemoryStore()
