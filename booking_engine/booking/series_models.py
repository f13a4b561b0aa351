"""Tables of the series: sessions that repeat, and their dates one by one."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Index,
    PrimaryKeyConstraint,
    Text,
    text,
)
from sqlmodel import Field, SQLModel

from booking_engine.orm import EnumText, belongs_to, new_id, one_of


class SeriesStatus(StrEnum):
    """Whether a series takes its dates, waits for a top-up, or is over."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class OccurrenceStatus(StrEnum):
    """Where one date is: its slot taken but unpaid, paid, or given up for a reason."""

    TENTATIVE = "tentative"
    FUNDED = "funded"
    SKIPPED = "skipped"


class Series(SQLModel, table=True):
    """A session every week or every other week, by the wall clock of its location."""

    __tablename__ = "series"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        belongs_to("wallet", "wallet_id"),
        belongs_to("location", "location_id"),
        one_of("status", SeriesStatus),
        CheckConstraint("every_weeks IN (1, 2)", name="every_weeks"),
        CheckConstraint("count > 0", name="count"),
        CheckConstraint("until_on >= first_on", name="until_on"),
        CheckConstraint("count IS NULL OR until_on IS NULL", name="one_end"),
        CheckConstraint("starts_minute >= 0 AND starts_minute < 1440", name="starts_minute"),
        CheckConstraint("minutes > 0 AND simulators > 0", name="session"),
        CheckConstraint("(status = 'ended') = (ended_at IS NOT NULL)", name="ended_at"),
        Index(
            "ix_series_live_wallet",
            "studio_id",
            "wallet_id",
            postgresql_where=text("status <> 'ended'"),
        ),
        Index(
            "ix_series_live_coach",
            "studio_id",
            "coach",
            postgresql_where=text("status <> 'ended' AND coach IS NOT NULL"),
        ),
        Index("ix_series_live_due_at", "due_at", postgresql_where=text("status <> 'ended'")),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    wallet_id: UUID
    status: SeriesStatus = Field(sa_type=EnumText(SeriesStatus))
    location_id: int = Field(sa_type=BigInteger)
    service: str = Field(sa_type=Text)
    minutes: int
    simulators: int
    simulator: str | None = Field(default=None, sa_type=Text)
    coaching_minutes: int = 0
    coach: str | None = Field(default=None, sa_type=Text)
    coaching_offset: int | None = None  # minutes into the session; None: the first that fits
    every_weeks: int
    first_on: date
    starts_minute: int  # of the wall clock, after midnight
    count: int | None = None
    until_on: date | None = None
    simulator_minutes: int  # what one date burns
    coaching_sessions: int
    unfunded_in_a_row: int = 0
    due_at: datetime | None = None  # when the clock next asks something of it
    created_at: datetime
    paused_at: datetime | None = None
    ended_at: datetime | None = None


class Occurrence(SQLModel, table=True):
    """One date of a series. A skipped one stays listed and can be added back."""

    __tablename__ = "series_occurrence"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "series_id", "number"),
        belongs_to("series", "series_id"),
        belongs_to("booking", "booking_id"),
        one_of("status", OccurrenceStatus),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("(status = 'skipped') = (reason IS NOT NULL)", name="reason"),
        CheckConstraint("status = 'skipped' OR booking_id IS NOT NULL", name="booking"),
        Index("ix_series_occurrence_studio_id_booking_id", "studio_id", "booking_id"),
        Index(
            "ix_series_occurrence_tentative",
            "studio_id",
            "series_id",
            "starts_at",
            postgresql_where=text("status = 'tentative'"),
        ),
    )

    studio_id: int = Field(sa_type=BigInteger)
    series_id: UUID
    number: int
    status: OccurrenceStatus = Field(sa_type=EnumText(OccurrenceStatus))
    reason: str | None = Field(default=None, sa_type=Text)  # the code of the rule that said no
    starts_at: datetime
    is_shifted: bool = False  # the clocks skip its wall-clock time
    booking_id: UUID | None = None  # the last one, also after it was given up
    taken_at: datetime | None = None
    funded_at: datetime | None = None
    skipped_at: datetime | None = None
    reminded_week_at: datetime | None = None
    reminded_last_at: datetime | None = None
