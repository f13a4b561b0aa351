"""Imports every table, so that the metadata is whole, and has the connector's own tables."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import BigInteger, Index, LargeBinary, PrimaryKeyConstraint, Text
from sqlmodel import Field, SQLModel

import booking_engine.attention
import booking_engine.audit_trail
import booking_engine.booking.block_models
import booking_engine.booking.models
import booking_engine.booking.series_models
import booking_engine.booking.strike_models
import booking_engine.booking.waitlist_models
import booking_engine.catalog.models
import booking_engine.ledger.debts
import booking_engine.ledger.models
import booking_engine.ledger.people_models
import booking_engine.outbox
import calendar_sync.models
import shopify_gateway.models
from booking_engine.orm import EnumText, metadata, one_of

MODULES = (
    booking_engine.attention,
    booking_engine.audit_trail,
    booking_engine.booking.block_models,
    booking_engine.booking.models,
    booking_engine.booking.series_models,
    booking_engine.booking.strike_models,
    booking_engine.booking.waitlist_models,
    booking_engine.catalog.models,
    booking_engine.ledger.debts,
    booking_engine.ledger.models,
    booking_engine.ledger.people_models,
    booking_engine.outbox,
    calendar_sync.models,
    shopify_gateway.models,
)

__all__ = ["MODULES", "IdempotencyRecord", "Role", "StaffKey", "metadata"]


class Role(StrEnum):
    """What a staff key may do."""

    OWNER = "owner"
    MANAGER = "manager"
    COACH = "coach"
    RECEPTIONIST = "receptionist"
    FINANCE = "finance"


class StaffKey(SQLModel, table=True):
    """An API key of the studio's own people; only its SHA-256 is kept."""

    __tablename__ = "staff_key"
    __table_args__: ClassVar[object] = (
        PrimaryKeyConstraint("studio_id", "name"),
        one_of("role", Role),
        Index("uq_staff_key_digest", "digest", unique=True),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    name: str = Field(sa_type=Text)
    role: Role = Field(sa_type=EnumText(Role))
    digest: bytes = Field(sa_type=LargeBinary)
    created_at: datetime
    revoked_at: datetime | None = None


class IdempotencyRecord(SQLModel, table=True):
    """The answer to a mutation that named an `Idempotency-Key`, kept for a day."""

    __tablename__ = "idempotency_record"
    __table_args__: ClassVar[object] = (
        PrimaryKeyConstraint("studio_id", "caller", "key"),
        Index("ix_idempotency_record_created_at", "created_at"),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    caller: str = Field(sa_type=Text)
    key: str = Field(sa_type=Text)
    request_digest: bytes = Field(sa_type=LargeBinary)
    status: int
    body: bytes = Field(sa_type=LargeBinary)
    created_at: datetime
