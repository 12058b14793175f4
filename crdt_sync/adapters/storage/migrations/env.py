"""How Alembic runs: on the connection and in the transaction that `engines.migrate` gives it, never on its own."""

from alembic import context

from crdt_sync.adapters.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
