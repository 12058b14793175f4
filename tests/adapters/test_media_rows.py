"""How a SQL store takes contents: what nobody else has to wait for."""

from sqlalchemy import event

from crdt_sync.adapters.storage.sql import SqlStore
from tests.contracts.batches import AT_MS
from tests.contracts.contents import taken


async def test_a_quota_is_summed_up_before_the_lock_of_commits(tmp_path):
    store = await SqlStore.open(f"sqlite:///{tmp_path}/log.db")
    statements = {"reader": [], "writer": []}
    for name, seen in statements.items():

        def note(_connection, _cursor, statement, _values, _context, _many, seen=seen):
            seen.append(statement.lower())

        event.listen(getattr(store._database, name), "before_cursor_execute", note)
    await taken(store, "u1", b"0123456789")
    await store.close()

    assert [2, 0] == [sum("sum(" in one for one in seen) for seen in statements.values()]


async def test_pruning_deletes_few_uploads_in_one_transaction(tmp_path):
    store = await SqlStore.open(f"sqlite:///{tmp_path}/log.db")
    deleted = []

    def note(_connection, cursor, statement, _values, _context, _many):
        if statement.lower().startswith("delete from media_pieces"):
            deleted.append(cursor.rowcount)

    for number in range(9):
        await store.put_piece(f"u{number}", 0, b"loose", AT_MS)
    event.listen(store._database.writer, "after_cursor_execute", note)
    assert 9 == await store.prune_media(AT_MS + 1)
    await store.close()

    assert [4, 4, 1] == deleted
