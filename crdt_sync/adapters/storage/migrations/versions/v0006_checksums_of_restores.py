"""Checksums of what a restore writes; the rows that are there already have none."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns."""
    for table in ("ended_clients", "restores"):
        op.add_column(table, sa.Column("checksum", sa.BigInteger()))
