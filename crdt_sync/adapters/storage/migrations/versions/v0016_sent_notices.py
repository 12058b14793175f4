"""The index of notices holds those that were sent, which alone are looked for."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Create the index anew."""
    op.drop_index("outbox_notices", "outbox")
    sent = sa.text("message = '' AND state = 'sent'")
    columns = ["account", "conversation", "place"]
    op.create_index("outbox_notices", "outbox", columns, sqlite_where=sent, postgresql_where=sent)
