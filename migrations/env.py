"""Alembic's entrance: runs the revisions on the database that `simstudio migrate` names."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from connector.tables import metadata

engine = create_engine(
    context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool
)
with engine.connect() as connection:
    # A migration waits a little for its locks, and then gives way to the studio.
    connection.execute(text("SET lock_timeout = '4s'"))
    connection.commit()
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        # Two deployments at once: the second waits, and finds nothing left to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(7203456)"))
        context.run_migrations()
