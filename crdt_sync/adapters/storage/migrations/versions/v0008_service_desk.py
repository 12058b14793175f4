"""Who has which ticket, whose turn it is, and whose tickets are; and what was sent, by its time.

Tickets that are there already count as nobody's until somebody else has them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the tables and their indexes."""
    op.create_table(
        "assignments",
        sa.Column("ticket", sa.Text(), primary_key=True),
        sa.Column("lane", sa.Text(), primary_key=True),
        sa.Column("actor", sa.Text(), nullable=False),
    )
    op.create_index("assignments_actor", "assignments", ["actor", "ticket"])
    op.create_table(
        "turns",
        sa.Column("rule", sa.Text(), primary_key=True),
        sa.Column("actor", sa.Text(), nullable=False),
    )
    op.create_table(
        "customers",
        sa.Column("ticket", sa.Text(), primary_key=True),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
    )
    op.create_index("customers_party", "customers", ["party"])
    op.create_index("customers_customer", "customers", ["customer"])
    settled = sa.text("state IN ('sent', 'window_closed', 'dead')")
    op.create_index("outbox_settled", "outbox", ["at_ms"], sqlite_where=settled, postgresql_where=settled)
