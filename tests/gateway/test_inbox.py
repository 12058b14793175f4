import asyncio
import dataclasses
import shutil
import sqlite3
from contextlib import asynccontextmanager, closing

import pytest
from sqlalchemy.dialects import sqlite

from crdt_sync.errors import ServiceError, Unavailable
from gateway.arrivals import Arrival, Kept, State
from gateway.inbox import Inbox, Outcome, Pulled, heads_of, known_keys, oldest
from gateway.media_queue import MediaQueue, Wanted
from gateway.tables import SCHEMA_VERSION
from tests.gateway.rig import rows


def arrival(number: int = 1, *, account: str = "shop", keys: tuple[str, ...] = (), **changes: object) -> Arrival:
    given = {
        "account": account,
        "conversation": f"openid-{number}",
        "keys": keys or (f"key-{number}",),
        "raw": b"content",
        "received_at_ms": 1_000 + number,
        "traceparent": "trace",
    }
    return Arrival(**(given | changes))


@asynccontextmanager
async def opened(path, **changes):
    inbox = Inbox(path / "inbox.db", **({"spool_rows_max": 100} | changes))
    await inbox.open()
    try:
        yield inbox
    finally:
        await inbox.close()


async def test_kept_callback_is_on_disk_when_keep_returns(tmp_path):
    async with opened(tmp_path) as inbox:
        assert Kept.NEW == await inbox.keep(arrival())

        assert [("shop", "openid-1", b"content", "received", 1_001)] == rows(
            tmp_path, "account, conversation, raw, state, received_at_ms"
        )


async def test_file_is_written_ahead_and_synced_in_full(tmp_path):
    async with opened(tmp_path) as inbox:
        with inbox.file._engine.connect() as connection:
            assert "wal" == connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            assert 2 == connection.exec_driver_sql("PRAGMA synchronous").scalar()


async def test_what_a_log_brought_back_is_in_the_file_itself_before_anything_is_added(tmp_path):
    for folder in ("killed", "alone"):
        (tmp_path / folder).mkdir()
    async with opened(tmp_path) as inbox:
        await inbox.keep(arrival())
        for file in tmp_path.glob("inbox.db*"):
            shutil.copy(file, tmp_path / "killed")

    async with opened(tmp_path / "killed"):
        shutil.copy(tmp_path / "killed" / "inbox.db", tmp_path / "alone")

    assert [("shop", "openid-1")] == rows(tmp_path / "alone", "account, conversation")


async def test_same_key_is_one_row_in_one_account_and_another_in_the_next(tmp_path):
    async with opened(tmp_path) as inbox:
        assert Kept.NEW == await inbox.keep(arrival())
        assert Kept.DUPLICATE == await inbox.keep(arrival())
        assert Kept.NEW == await inbox.keep(arrival(account="other"))

        assert [("shop", 1), ("other", 0)] == rows(tmp_path, "account, duplicates")


async def test_twenty_at_once_are_one_row(tmp_path):
    async with opened(tmp_path) as inbox:
        kept = await asyncio.gather(*(inbox.keep(arrival()) for _ in range(20)))

        assert [Kept.NEW] + [Kept.DUPLICATE] * 19 == sorted(kept, key=lambda one: one is not Kept.NEW)
        assert [(19,)] == rows(tmp_path, "duplicates")


class CountingInbox(Inbox):
    """Notes how many callbacks each transaction holds."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.groups = []
        self.began = asyncio.Event()

    async def _insert(self, arrivals):
        self.groups.append(len(arrivals))
        self.began.set()
        return await super()._insert(arrivals)


async def test_callbacks_that_come_while_a_commit_runs_share_the_next(tmp_path):
    inbox = CountingInbox(tmp_path / "inbox.db", spool_rows_max=1_000)
    await inbox.open()
    first = asyncio.create_task(inbox.keep(arrival(1)))
    await inbox.began.wait()  # the writer takes the first alone, because it was idle
    await asyncio.gather(first, *(inbox.keep(arrival(number)) for number in range(2, 252)))
    await inbox.close()

    assert [1, 200, 50] == inbox.groups
    assert 251 == len(rows(tmp_path, "id"))


async def test_any_known_key_makes_a_duplicate_and_links_the_unknown_ones(tmp_path):
    async with opened(tmp_path) as inbox:
        await inbox.keep(arrival(keys=("a", "b")))
        assert Kept.DUPLICATE == await inbox.keep(arrival(keys=("b", "c")))
        assert Kept.DUPLICATE == await inbox.keep(arrival(keys=("c",)))


async def test_new_callbacks_are_refused_when_the_spool_is_full_and_known_ones_are_not(tmp_path):
    async with opened(tmp_path, spool_rows_max=2) as inbox:
        results = await asyncio.gather(*(inbox.keep(arrival(number)) for number in (1, 2, 3)), return_exceptions=True)
        assert [Kept.NEW, Kept.NEW] == results[:2]
        assert isinstance(results[2], Unavailable)
        assert Kept.DUPLICATE == await inbox.keep(arrival(1))

        await inbox.settle([Outcome(1, State.FORWARDED)])
        assert Kept.NEW == await inbox.keep(arrival(3))


async def test_reserve_is_for_what_is_urgent_alone(tmp_path):
    async with opened(tmp_path, spool_rows_max=4, reserve_rows=2) as inbox:
        for number in (1, 2):
            assert await inbox.has_room()
            await inbox.keep(arrival(number))
        assert not await inbox.has_room()
        with pytest.raises(Unavailable):
            await inbox.keep(arrival(3))
        for number in (4, 5):
            assert Kept.NEW == await inbox.keep(arrival(number, urgent=True))
        with pytest.raises(Unavailable):
            await inbox.keep(arrival(6, urgent=True))

        await inbox.settle([Outcome(number, State.FORWARDED) for number in (1, 2, 3)])
        assert Kept.NEW == await inbox.keep(arrival(3))


async def test_another_key_with_the_same_fingerprint_is_set_aside_and_can_be_replayed(tmp_path):
    async with opened(tmp_path) as inbox:
        assert Kept.NEW == await inbox.keep(arrival(1, fingerprint="same"))
        again = arrival(2, conversation="openid-1", fingerprint="same")
        assert Kept.SUSPECTED == await inbox.keep(again)
        assert Kept.DUPLICATE == await inbox.keep(again)
        assert Kept.NEW == await inbox.keep(arrival(3, account="other", fingerprint="same"))
        assert [("received", None), ("dead", "suspected_duplicate"), ("received", None)] == rows(
            tmp_path, "state, code"
        )

        (dead,) = await inbox.dead(limit=10)
        assert (2, "shop", 1_002, "suspected_duplicate", b"content", None) == dataclasses.astuple(dead)
        assert [1, 7] == await inbox.replay([1, 2, 7])
        assert [("received", None)] * 3 == rows(tmp_path, "state, code")
        assert [] == await inbox.dead(limit=10)


async def forgotten(forget, before_ms):
    reached, after = 0, 0
    while reached is not None:
        after, reached = reached, await forget(before_ms, after=reached)
    return after


async def test_what_forwarded_callbacks_said_is_forgotten_and_their_keys_are_not(tmp_path):
    async with opened(tmp_path, spool_rows_max=2_000) as inbox:
        await asyncio.gather(*(inbox.keep(arrival(number)) for number in range(1, 602)))
        settled = [number for number in range(1, 602) if number not in {2, 3}]
        await inbox.settle([Outcome(number, State.FORWARDED) for number in settled])
        await inbox.settle([Outcome(3, State.DEAD, code="c")])

        assert [True, False] == [await inbox.forget_bodies(1_601) for _ in range(2)]
        raws = rows(tmp_path, "raw")
        assert [(b"",), (b"content",), (b"content",), (b"",)] == raws[:4]
        assert [(b"",), (b"content",)] == raws[-2:]
        assert Kept.DUPLICATE == await inbox.keep(arrival(1))


async def test_old_rows_are_forgotten_with_their_keys_unless_they_wait(tmp_path):
    async with opened(tmp_path, spool_rows_max=2_000) as inbox:
        await asyncio.gather(*(inbox.keep(arrival(number)) for number in range(1, 602)))
        await inbox.settle([Outcome(number, State.FORWARDED) for number in range(3, 602)])
        await inbox.settle([Outcome(2, State.DEAD, code="c")])

        assert 600 == await forgotten(inbox.forget_rows, 1_601)
        assert [(1,), (601,)] == rows(tmp_path, "id")
        assert [Kept.DUPLICATE, Kept.NEW] == [await inbox.keep(arrival(number)) for number in (1, 2)]


async def test_failed_commit_is_told_to_the_caller_and_the_next_one_works(tmp_path):
    async with opened(tmp_path, busy_timeout_ms=1) as inbox:
        with closing(sqlite3.connect(tmp_path / "inbox.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable):
                await inbox.keep(arrival())
            with pytest.raises(Unavailable):
                await inbox.settle([Outcome(1, State.FORWARDED)])
            other.rollback()

        assert Kept.NEW == await inbox.keep(arrival())
        assert 1 == len(rows(tmp_path, "id"))


async def test_callback_of_a_cancelled_request_is_kept_all_the_same(tmp_path):
    async with opened(tmp_path) as inbox:
        request = asyncio.create_task(inbox.keep(arrival(1)))
        await asyncio.wait((request,), timeout=0)
        request.cancel()
        assert Kept.NEW == await inbox.keep(arrival(2))

        assert request.cancelled()
        assert Kept.DUPLICATE == await inbox.keep(arrival(1))


async def test_lanes_are_the_oldest_row_of_each_conversation_first_due_first(tmp_path):
    async with opened(tmp_path) as inbox:
        for number, conversation in ((1, "a"), (2, "b"), (3, "a")):
            await inbox.keep(arrival(number, conversation=conversation))
        await inbox.keep(arrival(4, account="other"))
        assert [(1, 1_001), (2, 1_002)] == await inbox.lanes(["shop"], limit=10)

        await inbox.settle([Outcome(1, State.RECEIVED, next_attempt_ms=9_000)])
        assert [(2, 1_002), (1, 9_000)] == await inbox.lanes(["shop"], limit=10)
        assert [(2, 0), (1, 1)] == [(row.id, row.attempts) for row in await inbox.waiting([2, 1])]

        await inbox.settle([Outcome(1, State.FORWARDED), Outcome(2, State.DEAD, code="c")])
        assert [(3, 1_003)] == await inbox.lanes(["shop"], limit=10)


async def test_lanes_are_read_from_the_index_of_what_waits(tmp_path):
    async with opened(tmp_path):
        query = oldest(["shop"]).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
        with closing(sqlite3.connect(tmp_path / "inbox.db")) as connection:
            (plan,) = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]

    assert "COVERING INDEX inbox_waiting" in plan
    assert "TEMP B-TREE" not in plan


async def test_what_follows_in_a_conversation_is_found_by_the_same_index(tmp_path):
    async with opened(tmp_path) as inbox:
        for number, conversation in ((1, "a"), (2, "b"), (3, "a"), (4, "c")):
            await inbox.keep(arrival(number, conversation=conversation))
        assert [1, 2] == await inbox.following([1, 2])
        await inbox.settle([Outcome(1, State.FORWARDED), Outcome(2, State.FORWARDED)])
        assert [3] == await inbox.following([1, 2])

        query = heads_of([1, 2]).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
        with closing(sqlite3.connect(tmp_path / "inbox.db")) as connection:
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert any(
        "SEARCH inbox USING COVERING INDEX inbox_waiting (account=? AND conversation=?)" in line for line in plan
    )


async def test_known_keys_are_found_by_the_primary_key(tmp_path):
    async with opened(tmp_path):
        query = known_keys("shop", ["a", "b"]).compile(
            dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True, "literal_binds": True}
        )
        with closing(sqlite3.connect(tmp_path / "inbox.db")) as connection:
            (plan,) = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert "SEARCH inbox_key USING PRIMARY KEY (account=? AND key=?)" == plan


async def test_settled_row_stays_as_it_is(tmp_path):
    async with opened(tmp_path) as inbox:
        await inbox.keep(arrival())
        await inbox.settle([Outcome(1, State.FORWARDED, ticket="t", message="m")])
        await inbox.settle([Outcome(1, State.DEAD, code="late")])

        assert 0 == await inbox.waiting_count()
        assert [("forwarded", None, "t", "m", 1)] == rows(tmp_path, "state, code, ticket, message, attempts")


async def test_close_commits_what_is_pending_and_then_nothing_is_taken(tmp_path):
    async with opened(tmp_path) as inbox:
        pending = [asyncio.create_task(inbox.keep(arrival(number))) for number in (1, 2)]
        await asyncio.wait(pending, timeout=0)
        await inbox.close()

        assert [Kept.NEW] * 2 == [await task for task in pending]
        with pytest.raises(Unavailable):
            await inbox.keep(arrival(3))


async def test_ids_go_on_after_a_restart(tmp_path):
    async with opened(tmp_path) as inbox:
        await inbox.keep(arrival(1))
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as connection:
        connection.execute("DELETE FROM inbox_key")
        connection.execute("DELETE FROM inbox")
        connection.commit()
    async with opened(tmp_path) as inbox:
        await inbox.keep(arrival(2))

        assert [(2,)] == rows(tmp_path, "id")


async def test_inbox_of_a_newer_gateway_is_left_alone(tmp_path):
    async with opened(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as connection:
        connection.execute("PRAGMA user_version = 99")

    inbox = Inbox(tmp_path / "inbox.db", spool_rows_max=1)
    with pytest.raises(ServiceError, match="form 99"):
        await inbox.open()
    await inbox.close()


async def test_place_that_cannot_hold_an_inbox_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    inbox = Inbox(tmp_path / "file" / "inbox.db", spool_rows_max=1)
    with pytest.raises(Unavailable, match="cannot be made"):
        await inbox.open()
    await inbox.close()


async def test_page_and_its_cursor_are_one_commit(tmp_path):
    async with opened(tmp_path) as inbox:
        await inbox.keep(arrival(1))
        page = [arrival(number) for number in (1, 2, 2, 3)]
        kept = await inbox.keep_page(page, Pulled("shop", "kf1", "c1", 7))

        assert [Kept.DUPLICATE, Kept.NEW, Kept.DUPLICATE, Kept.NEW] == kept
        assert [Pulled("shop", "kf1", "c1", 7)] == await inbox.pulled("shop")
        assert [] == await inbox.keep_page([], Pulled("shop", "kf1", "c2", 8))
        assert [Pulled("shop", "kf1", "c2", 8)] == await inbox.pulled("shop")
        assert [] == await inbox.pulled("other")


async def test_page_that_does_not_fit_leaves_its_cursor_and_no_row(tmp_path):
    async with opened(tmp_path, spool_rows_max=1) as inbox:
        with pytest.raises(Unavailable, match="no room"):
            await inbox.keep_page([arrival(1), arrival(2)], Pulled("shop", "kf1", "c1", 7))

        assert [] == await inbox.pulled("shop")
        assert [] == rows(tmp_path, "id")


async def test_page_whose_cursor_cannot_be_written_leaves_no_row(tmp_path):
    async with opened(tmp_path) as inbox:
        with closing(sqlite3.connect(tmp_path / "inbox.db")) as other:
            other.execute("DROP TABLE pull")
        with pytest.raises(Unavailable):
            await inbox.keep_page([arrival(1)], Pulled("shop", "kf1", "c1", 7))
        assert [] == rows(tmp_path, "id")


async def test_source_is_known_once_heard_of_and_keeps_its_cursor(tmp_path):
    async with opened(tmp_path) as inbox:
        await inbox.hear_of("shop", "kf1", now_ms=5)
        assert [Pulled("shop", "kf1", "", 5)] == await inbox.pulled("shop")

        await inbox.keep_page([], Pulled("shop", "kf1", "c1", 7))
        await inbox.hear_of("shop", "kf1", now_ms=9)
        assert [Pulled("shop", "kf1", "c1", 7)] == await inbox.pulled("shop")


async def test_newest_callback_says_how_its_conversation_is_answered(tmp_path):
    async with opened(tmp_path) as inbox:
        for number, reply_to in ((1, "one"), (2, "two"), (1, "of a duplicate"), (3, None)):
            await inbox.keep(arrival(number, conversation="c", reply_to=reply_to))

        assert "two" == await inbox.reply_to("shop", "c")
        assert await inbox.reply_to("other", "c") is None


async def test_how_a_conversation_is_answered_that_is_long_silent_is_forgotten(tmp_path):
    async with opened(tmp_path) as inbox:
        for number, conversation in ((1, "c"), (2, "d"), (3, "c")):
            await inbox.keep(arrival(number, conversation=conversation, reply_to="there"))

        assert not await inbox.forget_replies(1_003)
        assert ["there", None] == [await inbox.reply_to("shop", one) for one in ("c", "d")]


FORM_1 = """
CREATE TABLE inbox (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, account VARCHAR NOT NULL,
    conversation VARCHAR NOT NULL, received_at_ms BIGINT NOT NULL, raw BLOB NOT NULL, state VARCHAR NOT NULL,
    code VARCHAR, ticket VARCHAR, message VARCHAR, traceparent VARCHAR NOT NULL,
    duplicates INTEGER DEFAULT '0' NOT NULL, attempts INTEGER DEFAULT '0' NOT NULL, next_attempt_ms BIGINT NOT NULL);
CREATE INDEX inbox_waiting ON inbox (account, conversation, id, state) WHERE state = 'received';
CREATE TABLE inbox_key (account VARCHAR NOT NULL, "key" VARCHAR NOT NULL, inbox_id INTEGER NOT NULL,
    PRIMARY KEY (account, "key"), FOREIGN KEY(inbox_id) REFERENCES inbox (id)) WITHOUT ROWID;
INSERT INTO inbox VALUES (1, 'shop', 'openid-1', 1001, x'00', 'received', NULL, NULL, NULL, 'trace', 0, 0, 1001);
INSERT INTO inbox_key VALUES ('shop', 'key-1', 1);
PRAGMA user_version = 1;
"""


async def test_file_of_the_first_form_is_brought_up_to_date_with_all_that_it_holds(tmp_path):
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as old:
        old.executescript(FORM_1)
    async with opened(tmp_path) as inbox:
        assert Kept.DUPLICATE == await inbox.keep(arrival(1))
        await inbox.keep_page([arrival(2)], Pulled("shop", "kf1", "c1", 7))
        assert [(1, 1_001), (2, 1_002)] == await inbox.lanes(["shop"], limit=10)
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as now:
        assert (SCHEMA_VERSION,) == now.execute("PRAGMA user_version").fetchone()


FORM_7_REPLY = """
CREATE TABLE reply (account VARCHAR NOT NULL, conversation VARCHAR NOT NULL, reply_to VARCHAR NOT NULL,
    PRIMARY KEY (account, conversation)) WITHOUT ROWID;
INSERT INTO reply VALUES ('shop', 'openid-1', 'there');
"""


async def test_how_an_older_file_answers_a_conversation_is_as_old_as_its_newest_callback(tmp_path):
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as old:
        old.executescript(FORM_1 + FORM_7_REPLY)
    async with opened(tmp_path) as inbox:
        assert not await inbox.forget_replies(1_001)
        assert "there" == await inbox.reply_to("shop", "openid-1")
        assert not await inbox.forget_replies(1_002)
        assert await inbox.reply_to("shop", "openid-1") is None


FORM_8_WANTED = """
CREATE TABLE media_wanted (account VARCHAR NOT NULL, "key" VARCHAR NOT NULL, "index" INTEGER NOT NULL,
    type VARCHAR NOT NULL, platform_id VARCHAR NOT NULL, url VARCHAR NOT NULL, since_ms BIGINT NOT NULL,
    attempts INTEGER NOT NULL, next_attempt_ms BIGINT NOT NULL, code VARCHAR NOT NULL,
    PRIMARY KEY (account, "key", "index")) WITHOUT ROWID;
INSERT INTO media_wanted VALUES ('shop', 'k', 0, 'image', 'm', 'http://x', 5, 2, 7, '');
"""


async def test_what_an_older_file_wants_is_wanted_still(tmp_path):
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as old:
        old.executescript(FORM_1 + FORM_8_WANTED)
    async with opened(tmp_path) as inbox:
        assert Wanted("shop", "k", 0, "image", "m", 5, 2, 7) == await MediaQueue(inbox.file).first()


async def test_a_content_that_is_still_to_be_brought_takes_the_room_of_a_callback(tmp_path):
    async with opened(tmp_path, spool_rows_max=3) as inbox:
        await inbox.keep(arrival(1))
        ((row, _),) = await inbox.lanes(["shop"], limit=9)
        wanted = [Wanted("shop", "key-1", index, "image", "m", 5) for index in range(2)]
        await inbox.settle([Outcome(row, State.FORWARDED, wanted=tuple(wanted))])
        assert await inbox.has_room()
        await inbox.keep(arrival(2))
        assert not await inbox.has_room()
        with pytest.raises(Unavailable):
            await inbox.keep(arrival(3))
        await MediaQueue(inbox.file).done(wanted[0])
        await inbox.keep(arrival(3))
