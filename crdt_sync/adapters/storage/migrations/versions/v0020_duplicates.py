"""Of which ticket another one is a duplicate, and whose conversation is answered."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("tickets", sa.Column("duplicate_of", sa.Text()))
    op.add_column("tickets", sa.Column("answers_in", sa.Text()))
