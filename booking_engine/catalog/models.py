"""Tables of what can be booked and bought. `simstudio apply` is their only writer."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    DDL,
    BigInteger,
    Column,
    Identity,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    event,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from booking_engine.orm import EnumText, one_of

STUDIO = "studio.id"


class ResourceKind(StrEnum):
    """What an allocation can take."""

    SIMULATOR = "simulator"
    COACH = "coach"


class Studio(SQLModel, table=True):
    """One shop, one book, one ledger; every other table carries its id."""

    __tablename__ = "studio"
    __table_args__: ClassVar[Any] = (UniqueConstraint("shop"),)

    id: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    shop: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    currency: str = Field(sa_type=Text)
    owner_calendar: str | None = Field(default=None, sa_type=Text)
    policy: dict[str, Any] = Field(sa_type=JSONB)
    coaching: dict[str, Any] = Field(sa_type=JSONB)
    revision: int = Field(default=0, sa_type=BigInteger)
    created_at: datetime


class Location(SQLModel, table=True):
    """An address with one time zone and one set of opening hours."""

    __tablename__ = "location"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "handle"),
    )

    studio_id: int = Field(foreign_key=STUDIO, sa_type=BigInteger)
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True)))
    handle: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    timezone: str = Field(sa_type=Text)
    hours: dict[str, Any] = Field(sa_type=JSONB)
    closed: list[dict[str, Any]] = Field(sa_type=JSONB)
    position: int
    retired_at: datetime | None = None


class Resource(SQLModel, table=True):
    """A simulator or a coach: something that one session at a time can take."""

    __tablename__ = "resource"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "kind", "handle"),
        one_of("kind", ResourceKind),
    )

    studio_id: int = Field(foreign_key=STUDIO, sa_type=BigInteger)
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True)))
    kind: ResourceKind = Field(sa_type=EnumText(ResourceKind))
    handle: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    calendar: str | None = Field(default=None, sa_type=Text)
    locations: list[str] = Field(sa_type=ARRAY(Text))
    tags: list[str] = Field(sa_type=ARRAY(Text))
    players: int | None = None
    hours: dict[str, Any] = Field(sa_type=JSONB)
    extra: list[dict[str, Any]] = Field(sa_type=JSONB)
    blocked: list[dict[str, Any]] = Field(sa_type=JSONB)
    buffer_minutes: int = 0
    position: int
    retired_at: datetime | None = None


class Service(SQLModel, table=True):
    """What is sold by time: its durations, and the credits that it burns."""

    __tablename__ = "service"
    __table_args__: ClassVar[Any] = (PrimaryKeyConstraint("studio_id", "handle"),)

    studio_id: int = Field(foreign_key=STUDIO, sa_type=BigInteger)
    handle: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    minutes: list[int] = Field(sa_type=JSONB)
    max_simulators: int
    burn_minutes: int
    burn_per_minutes: int
    position: int
    retired_at: datetime | None = None


class Product(SQLModel, table=True):
    """A Shopify variant, and what one paid unit of it grants."""

    __tablename__ = "product"
    __table_args__: ClassVar[Any] = (PrimaryKeyConstraint("studio_id", "variant_id"),)

    studio_id: int = Field(foreign_key=STUDIO, sa_type=BigInteger)
    variant_id: int = Field(sa_type=BigInteger)
    title: str = Field(sa_type=Text)
    price_minor: int = Field(sa_type=BigInteger)
    grants: dict[str, int] = Field(sa_type=JSONB)
    valid_days: int | None = None
    only_for: dict[str, list[str]] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    position: int
    retired_at: datetime | None = None


# A new revision of a catalogue is heard by whoever keeps one in memory.
TELL_CATALOGUE = """
CREATE OR REPLACE FUNCTION tell_catalogue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('book', NEW.id::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER studio_tells_catalogue AFTER INSERT OR UPDATE ON studio
    FOR EACH ROW EXECUTE FUNCTION tell_catalogue();
"""

event.listen(
    Studio.metadata.tables["studio"],
    "after_create",
    DDL(TELL_CATALOGUE),  # type: ignore[no-untyped-call]
)
