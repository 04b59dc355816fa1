"""Alembic's environment: the caller gives the connection, one transaction for all steps."""

from alembic import context

from dualcarbon.core.database import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
