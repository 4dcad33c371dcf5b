"""Bringing the database's schema up to date. Two processes may try at once: one works, the other waits."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from longshore.adapters.db import SqlDatabase, translated
from longshore.errors import PlatformError

ADVISORY_LOCK = 0x6C6F6E67  # "long": any number, the same in all processes


def migrate(database: SqlDatabase) -> None:
    """Run the migrations that are missing. ``PlatformError`` when the database is newer than this program."""
    with translated(), _alone(database) as connection:
        config = _config(connection)
        present = MigrationContext.configure(connection).get_current_revision()
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if present and present not in known:
            raise PlatformError(
                "the database was written by a newer Longshore",
                code="newer_database",
                hint="Install that version again; this one cannot read it.",
            )
        command.upgrade(config, "head")


@contextmanager
def _alone(database: SqlDatabase) -> Iterator[Connection]:
    """A transaction that only one process at a time has: SQLite's write lock, or an advisory lock."""
    with database.engine.connect().execution_options(longshore_write=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        yield connection


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "longshore:migrations")
    config.attributes["connection"] = connection
    return config
