"""The pieces of contents by their age."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create the index."""
    op.create_index("media_pieces_age", "media_pieces", ["at_ms", "upload"])
