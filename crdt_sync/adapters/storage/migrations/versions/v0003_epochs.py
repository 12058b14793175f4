"""Former lives of documents: the client ids that ended with them, and when the database was restored."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables of ended client ids and of restores."""
    op.create_table(
        "ended_clients",
        sa.Column("document", sa.Text(), primary_key=True),
        sa.Column("clients", sa.Text(), nullable=False),
    )
    op.create_table(
        "restores",
        sa.Column("epoch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
