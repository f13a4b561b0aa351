"""Runs the Alembic migrations that stand beside the packages."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

SCRIPTS = Path(__file__).resolve().parent.parent / "migrations"


def config(database_url: str) -> Config:
    """Return Alembic's configuration for a database."""
    found = Config()
    found.set_main_option("script_location", str(SCRIPTS))
    found.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    return found


def upgrade(database_url: str) -> None:
    """Bring a database to the newest revision."""
    command.upgrade(config(database_url), "head")


def is_current(connection: Connection) -> bool:
    """Tell whether a database is at the newest revision."""
    present = MigrationContext.configure(connection).get_current_revision()
    return present == ScriptDirectory(str(SCRIPTS)).get_current_head()
