"""Tables of the book: bookings, the holds that begin them, the allocations that take resources."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID, uuid4

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint, Range
from sqlmodel import Field, SQLModel

from booking_engine.orm import EnumText, belongs_to, new_id, one_of


class BookingStatus(StrEnum):
    """Where a booking is in its life (product rule D0)."""

    HELD = "held"
    AWAITING_PAYMENT = "awaiting_payment"
    AWAITING_APPROVAL = "awaiting_approval"
    CONFIRMED = "confirmed"
    CHECKED_IN = "checked_in"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


class HoldStatus(StrEnum):
    """Where a hold is in its life."""

    ACTIVE = "active"
    CONVERTED = "converted"
    RELEASED = "released"
    EXPIRED = "expired"


class AllocationState(StrEnum):
    """Whether an allocation takes its resource: `held` until an instant, `confirmed`, or not."""

    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"


class Booking(SQLModel, table=True):
    """What the customer has: a session at a time, on one or more simulators, perhaps coached."""

    __tablename__ = "booking"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "code"),
        belongs_to("wallet", "wallet_id"),
        belongs_to("location", "location_id"),
        one_of("status", BookingStatus),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        CheckConstraint("simulators > 0", name="simulators"),
        CheckConstraint(
            "(coaching_starts_at IS NULL AND coaching_ends_at IS NULL) OR"
            " (starts_at <= coaching_starts_at AND coaching_starts_at < coaching_ends_at"
            " AND coaching_ends_at <= ends_at)",
            name="coaching_inside",
        ),
        Index("ix_booking_studio_id_wallet_id_starts_at", "studio_id", "wallet_id", "starts_at"),
        Index("ix_booking_studio_id_order_id", "studio_id", "order_id"),
        Index(
            "ix_booking_no_show_ends_at",
            "ends_at",
            postgresql_where=text("status = 'no_show'"),
        ),
        Index(
            "ix_booking_live_starts_at",
            "starts_at",
            postgresql_where=text("status IN ('confirmed', 'checked_in')"),
        ),
        Index("ix_booking_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    code: str = Field(sa_type=Text)
    status: BookingStatus = Field(sa_type=EnumText(BookingStatus))
    wallet_id: UUID | None = None
    location_id: int = Field(sa_type=BigInteger)
    # What else decides which credits may pay: handles of place and coach, and the time zone.
    facts: dict[str, str | None] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    service: str = Field(sa_type=Text)
    starts_at: datetime
    ends_at: datetime
    simulators: int
    coaching_starts_at: datetime | None = None
    coaching_ends_at: datetime | None = None
    simulator_minutes: int  # the burn, frozen when the slot was taken
    coaching_sessions: int
    price_minor: int = Field(sa_type=BigInteger)
    policy: dict[str, Any] = Field(sa_type=JSONB)  # the cancel rules, frozen likewise
    order_id: int | None = Field(default=None, sa_type=BigInteger)
    funding: int = 1  # how many times it has been funded: at first, and after moves
    moves: int = 0
    return_cap: int = 100  # percent; a move near the start lowers what a later cancel returns
    recovered: bool = False  # paid after its hold had lapsed, slot still free (D7)
    any_coach: bool = False  # whoever was free: another one will do if it has to be seated anew
    complimentary: bool = False  # given by the studio: it burns no credits
    free_to_cancel: bool = False  # the studio took its coach away: the customer may give it back
    created_at: datetime
    confirmed_at: datetime | None = None
    begun_at: datetime | None = None  # its credits are spent since
    due_at: datetime | None = None  # its payment was taken back: over by then, unless paid anew
    forgiven_at: datetime | None = None  # a no-show that was given its credits back
    ended_at: datetime | None = None  # cancelled, rejected or expired at
    ended_by: str | None = Field(default=None, sa_type=Text)
    ended_reason: str | None = Field(default=None, sa_type=Text)
    revision: int = 1


class Hold(SQLModel, table=True):
    """The first minutes of a booking: the slot is taken until `expires_at`, unless paid.

    Its id is the capability that travels through the cart as `_hold`; it is random, not ordered.
    """

    __tablename__ = "hold"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "booking_id"),
        belongs_to("booking", "booking_id"),
        one_of("status", HoldStatus),
        Index(
            "ix_hold_studio_id_holder",
            "studio_id",
            "holder",
            postgresql_where=text("status = 'active'"),
        ),
        Index(
            "ix_hold_active_frees_at",
            "frees_at",
            postgresql_where=text("status = 'active'"),
        ),
    )

    studio_id: int = Field(sa_type=BigInteger)
    id: UUID = Field(default_factory=uuid4)
    booking_id: UUID
    status: HoldStatus = Field(sa_type=EnumText(HoldStatus))
    holder: str = Field(sa_type=Text)  # who counts towards the caps: a customer, or a visitor
    cart: dict[str, Any] = Field(sa_type=JSONB)
    expires_at: datetime
    frees_at: datetime  # others may take the slot from here on: later than `expires_at` in grace
    checkout_opened_at: datetime | None = None
    created_at: datetime
    order_id: int | None = Field(default=None, sa_type=BigInteger)
    short_orders: list[int] = Field(default_factory=list, sa_type=JSONB)  # paid, but too little


class Allocation(SQLModel, table=True):
    """One resource taken for one interval. The exclusion constraint lets no two overlap.

    Deferrable, because a re-packing moves several bookings between bays in one transaction.
    """

    __tablename__ = "allocation"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        belongs_to("booking", "booking_id"),
        belongs_to("block", "block_id"),
        belongs_to("resource", "resource_id"),
        one_of("state", AllocationState),
        CheckConstraint("num_nonnulls(booking_id, block_id) = 1", name="taken_by_one"),
        CheckConstraint("NOT isempty(during)", name="during"),
        CheckConstraint("(state = 'held') = (blocks_until IS NOT NULL)", name="blocks_until"),
        ExcludeConstraint(
            ("studio_id", "="),
            ("resource_id", "="),
            ("during", "&&"),
            where=text("state <> 'released'"),
            using="gist",
            name="allocation_no_overlap",
            deferrable=True,
            initially="IMMEDIATE",
        ),
        Index("ix_allocation_studio_id_booking_id", "studio_id", "booking_id"),
        Index(
            "ix_allocation_studio_id_block_id",
            "studio_id",
            "block_id",
            postgresql_where=text("block_id IS NOT NULL"),
        ),
    )

    studio_id: int = Field(sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    booking_id: UUID | None = None
    block_id: UUID | None = None
    resource_id: int = Field(sa_type=BigInteger)
    during: Range[datetime] = Field(sa_column=Column(TSTZRANGE, nullable=False))
    state: AllocationState = Field(sa_type=EnumText(AllocationState))
    pinned: bool = False  # chosen by name: never moved to another bay
    stranded: bool = False  # in the way of a block: never re-packed, its time passes to the block
    blocks_until: datetime | None = None  # a held one frees its resource at this instant by itself


# Whoever keeps the book in memory hears of every change: the studio, and the first and the last day
# (since the epoch, UTC) that changed.
TELL_BOOK = """
CREATE OR REPLACE FUNCTION tell_book() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('book', concat_ws(' ', NEW.studio_id,
        floor(extract(epoch FROM lower(NEW.during)) / 86400)::bigint,
        floor(extract(epoch FROM upper(NEW.during)) / 86400)::bigint));
    RETURN NULL;
END
$$;
CREATE TRIGGER allocation_tells_book AFTER INSERT OR UPDATE ON allocation
    FOR EACH ROW EXECUTE FUNCTION tell_book();
"""

event.listen(
    Allocation.metadata.tables["allocation"],
    "after_create",
    DDL(TELL_BOOK),  # type: ignore[no-untyped-call]
)
