"""What any database must do that was left at an older schema, with rows: every migration since keeps them readable."""

import pytest
from alembic import command
from sqlalchemy import Connection, column, insert, inspect, table

from crdt_sync.adapters.storage import engines
from crdt_sync.adapters.storage.database import Database
from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.domain.delivery import DeliveryState, Window
from crdt_sync.domain.media import CONVERSATION
from tests.contracts.batches import AT_MS, claim, name
from tests.contracts.contents import content

PICTURE = content(b"a picture")
USER = {"name": "sales-agent", "department": "sales", "roles": "[]", "password_hash": "", "disabled": False}


def part(place, id_, state, *, account="shop", conversation="customer", message="m", head=False):
    named = {"place": place, "id": id_, "ticket": name(id_[0]), "message": message, "state": state, "head": head}
    to = {"channel": "wechat", "account": account, "conversation": conversation, "content": '{"type":"text"}'}
    numbers = {"index": 0, "at_ms": AT_MS, "attempts": 0, "due_ms": 0}
    return named | to | numbers | {"owner": "", "platform_id": "", "code": ""}


GROUP = {"account": "robot", "conversation": "group", "message": ""}
ROWS = {
    "outbox": [
        part(32, "d-1", "sent"),
        part(64, "d-2", "pending", head=True),
        part(96, "d-3", "pending"),
        part(128, "n-1", "sent", **GROUP),
        part(160, "o-1", "pending", head=True, **GROUP),
    ],
    "media": [{"digest": PICTURE.digest, "size": 9, "type": "image/png", "upload": "u", "at_ms": AT_MS}],
    "media_uses": [
        {"ticket": name(word), "digest": PICTURE.digest, "author": "shop", "at_ms": AT_MS, "kept": word == "one"}
        for word in ("one", "two")
    ],
    "users": [USER],
    "windows": [{"account": "shop", "duration_ms": 48, "parts_max": 5}],
}


def fill(connection: Connection) -> None:
    """Write what the schema at hand has a place for."""
    looked = inspect(connection)
    for named, rows in ROWS.items():
        if looked.has_table(named):
            there = [each["name"] for each in looked.get_columns(named) if each["name"] in rows[0]]
            known = [{key: row[key] for key in there} for row in rows]
            connection.execute(insert(table(named, *map(column, there))), known)


class MigrationContract:
    @pytest.fixture
    async def url(self) -> str:
        raise NotImplementedError

    @pytest.mark.parametrize("revision", ["0013", "0016", "0018"])
    async def test_rows_of_an_older_schema_are_read_by_the_newest(self, url, revision):
        database = Database.at(url)
        await database.write(lambda connection: command.upgrade(engines._config(connection), revision))
        await database.write(fill)
        await database.close()

        store = await SqlStore.open(url)
        heads = [[row.id for row in (await store.claim(claim(accounts=[one]))).rows] for one in ("shop", "robot")]
        assert [["d-2"], ["o-1"]] == heads
        assert "d-1" == (await store.delivery("d-1")).id
        assert name("n") == await store.newest_notice("robot", "group")
        assert [(DeliveryState.LEASED, 2), (DeliveryState.PENDING, 1)] == [
            (each.state, each.count) for each in await store.open_deliveries()
        ]
        assert PICTURE == (await store.media(name("two"), PICTURE.digest, (CONVERSATION,))).media
        assert await store.media(name("two"), PICTURE.digest, ("case",)) is None
        await store.prune_media(AT_MS + 1)
        used = [await store.media(name(word), PICTURE.digest) for word in ("one", "two")]
        assert [True, False] == [one is not None for one in used], "what was kept is kept"
        assert ("sales-agent" if revision > "0014" else None) == getattr(await store.user("sales-agent"), "name", None)
        assert (Window(48, 5) if revision > "0016" else None) == await store.window("shop")
        await store.keep_window("shop", Window(9, 1))
        assert Window(9, 1) == await store.window("shop")
        await store.close()

        database = Database.at(url)
        assert ["ticket", "digest", "audience"] == await database.read(
            lambda connection: inspect(connection).get_pk_constraint("media_uses")["constrained_columns"]
        )
        await database.close()
