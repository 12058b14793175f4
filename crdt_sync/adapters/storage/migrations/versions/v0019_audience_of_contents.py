"""A ticket uses a content for its conversation, or for the notes of a lane's form."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Write the table anew, because the audience is a part of its key; all there was is of conversations."""
    for name in ("media_uses_digest", "media_uses_author", "media_uses_unkept"):
        op.drop_index(name, "media_uses")
    if op.get_bind().dialect.name == "postgresql":  # there its name is the schema's, not the table's
        op.execute("ALTER INDEX media_uses_pkey RENAME TO media_uses_before_pkey")
    op.rename_table("media_uses", "media_uses_before")
    uses = op.create_table(
        "media_uses",
        sa.Column("ticket", sa.Text(), primary_key=True),
        sa.Column("digest", sa.Text(), sa.ForeignKey("media.digest", name="media_uses_digest"), primary_key=True),
        sa.Column("audience", sa.Text(), primary_key=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.Boolean(), nullable=False),
    )
    names = ["ticket", "digest", "author", "at_ms", "kept"]
    before = sa.table("media_uses_before", *map(sa.column, names))
    conversation = sa.literal("").label("audience")
    op.execute(sa.insert(uses).from_select([*names, "audience"], sa.select(*before.columns, conversation)))
    op.drop_table("media_uses_before")
    op.create_index("media_uses_digest", "media_uses", ["digest"])
    op.create_index("media_uses_author", "media_uses", ["author", "at_ms"])
    unkept = sa.text("NOT kept")
    op.create_index("media_uses_unkept", "media_uses", ["at_ms"], sqlite_where=unkept, postgresql_where=unkept)
