"""Documents have numbers, and the log names them by these."""

from zlib import crc32

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_ROWS_AT_ONCE = 1_000
_ROW_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Give out the numbers, and write the log anew; a row that was damaged stays so."""
    documents = op.create_table(
        "documents",
        sa.Column("id", _ROW_KEY, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("checksum", sa.BigInteger()),
        sa.UniqueConstraint("name", name="documents_name"),
    )
    connection = op.get_bind()
    is_postgresql = connection.dialect.name == "postgresql"
    if is_postgresql:  # another node may still write, and what it writes is to have a number
        op.execute("LOCK TABLE updates IN ACCESS EXCLUSIVE MODE")
    held = "SELECT document FROM updates UNION SELECT document FROM snapshots UNION SELECT document FROM ended_clients"
    names = sorted(connection.execute(sa.text(held)).scalars())
    ids = {name: number for number, name in enumerate(names, 1)}
    if ids:
        op.bulk_insert(
            documents, [{"id": id_, "name": name, "checksum": _checksum(id_, name)} for name, id_ in ids.items()]
        )
    if is_postgresql:  # there their names are the schema's, not the table's
        op.drop_constraint("updates_document_position", "updates")
        op.execute("ALTER INDEX updates_pkey RENAME TO updates_before_pkey")
    op.rename_table("updates", "updates_before")
    updates = op.create_table(
        "updates",
        sa.Column("position", _ROW_KEY, primary_key=True, autoincrement=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("document_position", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("checksum", sa.BigInteger()),
        sa.UniqueConstraint("document_id", "document_position", name="updates_document_position"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="updates_document"),
    )
    page = sa.text("SELECT * FROM updates_before WHERE position > :after ORDER BY position LIMIT :limit")
    rows = connection.execute(page, {"after": 0, "limit": _ROWS_AT_ONCE}).all()
    while rows:
        op.bulk_insert(updates, [_renumbered(row, ids) for row in rows])
        rows = connection.execute(page, {"after": rows[-1].position, "limit": _ROWS_AT_ONCE}).all()
    op.drop_table("updates_before")


def _renumbered(row: sa.Row[tuple[object, ...]], ids: dict[str, int]) -> dict[str, object]:
    rest = (row.document_position, row.data, row.actor, row.department, row.roles, row.at_ms, row.traceparent)
    id_, checksum = ids[row.document], row.checksum
    if checksum is not None:
        is_whole = checksum == _checksum(row.position, row.document, *rest)
        checksum = _checksum(row.position, id_, *rest) ^ (not is_whole)
    names = ("document_position", "data", "actor", "department", "roles", "at_ms", "traceparent")
    return {"position": row.position, "document_id": id_, **dict(zip(names, rest, strict=True)), "checksum": checksum}


def _checksum(*values: object) -> int:
    """What `checksums` made of a row when this was written: a CRC-32 of its bytes, then of all else."""
    rest = [value for value in values if not isinstance(value, bytes)]
    data = next((value for value in values if isinstance(value, bytes)), None)
    text = ("\x1f%s" * len(rest) % tuple(rest)).encode()
    return crc32(text) if data is None else crc32(text, crc32(data))
