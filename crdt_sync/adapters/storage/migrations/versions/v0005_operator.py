"""What operators have taken from people, and the record of refusals."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "restrictions",
        sa.Column("actor", sa.Text(), primary_key=True),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("restriction", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("change", name="restrictions_change"),
    )
    op.create_table(
        "refusals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("hour_ms", sa.BigInteger(), nullable=False),
        sa.Column("wire", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint(
            "hour_ms", "source", "actor", "department", "wire", "code", "subject", name="refusals_kind"
        ),
    )
