"""Tables of the waitlist: who waits for which time, and what was offered to whom."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Index,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlmodel import Field, SQLModel

from booking_engine.orm import EnumText, belongs_to, new_id, one_of


class EntryStatus(StrEnum):
    """Where a place in the line is; with an offer open it still waits."""

    WAITING = "waiting"
    BOOKED = "booked"
    LEFT = "left"
    EXPIRED = "expired"


class OfferStatus(StrEnum):
    """Where an offer is in its life (product rule D0)."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class WaitlistEntry(SQLModel, table=True):
    """A place in the line: a session that starts between two instants, both included.

    Whoever entered first is served first (`created_at`, then `id`).
    """

    __tablename__ = "waitlist_entry"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        belongs_to("wallet", "wallet_id"),
        belongs_to("location", "location_id"),
        belongs_to("resource", "simulator_id"),
        belongs_to("resource", "coach_id"),
        belongs_to("booking", "booking_id"),
        one_of("status", EntryStatus),
        CheckConstraint("latest_at >= earliest_at", name="window"),
        CheckConstraint("minutes > 0", name="minutes"),
        CheckConstraint("simulators > 0", name="simulators"),
        CheckConstraint("coaching_minutes BETWEEN 1 AND minutes", name="coaching_minutes"),
        CheckConstraint("coach_id IS NULL OR coaching_minutes IS NOT NULL", name="coach_id"),
        CheckConstraint("auto_book_hours >= 0", name="auto_book_hours"),
        CheckConstraint("(status = 'booked') = (booking_id IS NOT NULL)", name="booking_id"),
        CheckConstraint("(status = 'waiting') = (closed_at IS NULL)", name="closed_at"),
        Index(
            "ix_waitlist_entry_line",
            "studio_id",
            "created_at",
            "id",
            postgresql_where=text("status = 'waiting'"),
        ),
        Index("ix_waitlist_entry_studio_id_wallet_id", "studio_id", "wallet_id", "created_at"),
    )

    studio_id: int = Field(sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    wallet_id: UUID
    status: EntryStatus = Field(default=EntryStatus.WAITING, sa_type=EnumText(EntryStatus))
    location_id: int = Field(sa_type=BigInteger)
    service: str = Field(sa_type=Text)
    earliest_at: datetime
    latest_at: datetime
    minutes: int
    simulators: int
    simulator_id: int | None = Field(default=None, sa_type=BigInteger)
    coaching_minutes: int | None = None
    coach_id: int | None = Field(default=None, sa_type=BigInteger)  # none: whoever is free
    auto_book_hours: int | None = None  # so far ahead of the start it is booked unasked
    # Bookings that would do, but were there already when the line was joined: they close nothing.
    besides: list[UUID] = Field(default_factory=list, sa_type=ARRAY(Uuid))
    booking_id: UUID | None = None
    created_at: datetime
    closed_at: datetime | None = None


class WaitlistOffer(SQLModel, table=True):
    """A session held for one who waits. Until it is settled, the hold knows how it stands."""

    __tablename__ = "waitlist_offer"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "hold_id"),
        belongs_to("waitlist_entry", "entry_id"),
        belongs_to("hold", "hold_id"),
        one_of("status", OfferStatus),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        CheckConstraint("(status = 'open') = (settled_at IS NULL)", name="settled_at"),
        Index(
            "uq_waitlist_offer_open",
            "studio_id",
            "entry_id",
            unique=True,
            postgresql_where=text("status = 'open'"),
        ),
        Index("ix_waitlist_offer_studio_id_entry_id", "studio_id", "entry_id"),
    )

    studio_id: int = Field(sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    entry_id: UUID
    hold_id: UUID
    status: OfferStatus = Field(default=OfferStatus.OPEN, sa_type=EnumText(OfferStatus))
    starts_at: datetime  # of the session
    ends_at: datetime
    created_at: datetime
    checkout_at: datetime | None = None  # the customer pays by cart since then
    settled_at: datetime | None = None
