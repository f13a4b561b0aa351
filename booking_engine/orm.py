"""The base of every table, and the column types they share."""

from collections.abc import Iterable
from enum import StrEnum
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import CheckConstraint, Dialect, ForeignKeyConstraint, Text
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = SQLModel.metadata


def new_id() -> UUID:
    """Make a time-ordered id (UUIDv7), so that newest rows sit together in the indexes."""
    return uuid_utils.compat.uuid7()


class EnumText(TypeDecorator[StrEnum]):
    """Text in the database, a member of one `StrEnum` in Python."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Write the member's value; a text that is no member raises `ValueError`."""
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """Read the member back."""
        return None if value is None else self.kind(value)


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """Make the CHECK that keeps a text column to the values of an enumeration."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def belongs_to(table: str, column: str, *, ondelete: str | None = None) -> ForeignKeyConstraint:
    """Make the foreign key to a row of the same studio."""
    return ForeignKeyConstraint(
        ["studio_id", column], [f"{table}.studio_id", f"{table}.id"], ondelete=ondelete
    )
