"""How a SQL store takes contents: what nobody else has to wait for."""

from sqlalchemy import event

from crdt_sync.adapters.storage.sql import SqlStore
from tests.contracts.media_contract import taken


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
