import pytest

from tests.contracts.desk_contract import DeskContract
from tests.contracts.media_contract import MediaContract
from tests.contracts.migration_contract import MigrationContract
from tests.contracts.outbox_contract import OutboxContract
from tests.contracts.owed_contract import OwedContract
from tests.contracts.store_contract import StoreContract
from tests.contracts.user_contract import UserContract
from tests.contracts.webhook_contract import WebhookContract
from tests.empty_database import empty_store


class TestSqlStore(
    DeskContract, MediaContract, OutboxContract, OwedContract, StoreContract, UserContract, WebhookContract
):
    @pytest.fixture
    async def store(self, tmp_path):
        store = await empty_store(tmp_path / "log.db")
        yield store
        await store.close()


class TestSqlMigrations(MigrationContract):
    @pytest.fixture
    async def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/older.db"
