"""The positions of notices whose rows are deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_ROW_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table("pruned_notices", sa.Column("position", _ROW_KEY, primary_key=True, autoincrement=False))
