"""The projection of bookings onto calendars: one row per booking and calendar."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Index, PrimaryKeyConstraint, Text
from sqlmodel import Field, SQLModel

from booking_engine.orm import belongs_to


class CalendarEvent(SQLModel, table=True):
    """What we last wrote about a booking into one calendar.

    A deleted event keeps its id at Google for ever, so a revived one gets the next `generation`.
    """

    __tablename__ = "calendar_event"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "booking_id", "calendar"),
        belongs_to("booking", "booking_id"),
        Index("ix_calendar_event_studio_id_calendar_event_id", "studio_id", "calendar", "event_id"),
    )

    studio_id: int = Field(sa_type=BigInteger)
    booking_id: UUID
    calendar: str = Field(sa_type=Text)
    generation: int = 0
    event_id: str = Field(sa_type=Text)
    etag: str | None = Field(default=None, sa_type=Text)
    pushed_hash: str | None = Field(default=None, sa_type=Text)  # None: the event is deleted
    pushed_at: datetime
