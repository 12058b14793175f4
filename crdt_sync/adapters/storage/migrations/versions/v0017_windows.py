"""What the platforms of accounts allow."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "windows",
        sa.Column("account", sa.Text(), primary_key=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("parts_max", sa.BigInteger()),
    )
