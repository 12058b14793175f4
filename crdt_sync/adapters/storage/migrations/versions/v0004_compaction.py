"""Compaction: a snapshot says who its authors are and what it holds, and who wrote what when stays in a cold table.

Rows that never change get a checksum; those that are there already have none. The snapshots so far stood beside every
row that they cover, so they can go: the documents are compacted anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Change the tables."""
    op.drop_table("snapshots")
    op.create_table(
        "snapshots",
        sa.Column("document", sa.Text(), primary_key=True),
        sa.Column("document_position", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("authors", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("checksum", sa.BigInteger()),
    )
    op.create_table(
        "authorship",
        sa.Column("document", sa.Text(), primary_key=True),
        sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("checksum", sa.BigInteger()),
    )
    for table in ("updates", "transitions", "messages", "events", "subjects", "results"):
        op.add_column(table, sa.Column("checksum", sa.BigInteger()))
