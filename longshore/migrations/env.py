"""How Alembic reaches the database: over the connection that ``adapters.schema`` hands in."""

from alembic import context

from longshore.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter most things in place
)
with context.begin_transaction():
    context.run_migrations()
