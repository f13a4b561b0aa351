"""Whether it is known who came: only where staff check people in (product rule D18).

The mode must be on at the studio now and have been on when the session was booked, so that turning
it on or off makes nobody a no-show behind their back.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists
from sqlmodel import col

from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.catalog import models
from booking_engine.catalog.studio import Studio

BY_STAFF = "staff"
LATE = timedelta(minutes=15)
FINAL_AFTER = timedelta(hours=24)


def is_tracked(booking: Booking, studio: Studio) -> bool:
    """Tell whether somebody who was not checked in has missed this session."""
    return studio.policy.attendance == booking.policy.get("attendance") == BY_STAFF


def tracked() -> ColumnElement[bool]:
    """Return the same question for SQL, about a row of bookings."""
    mode = col(models.Studio.policy)["attendance"].as_string()
    is_on = exists().where(col(models.Studio.id) == col(Booking.studio_id), mode == BY_STAFF)
    was_on = col(Booking.policy)["attendance"].as_string().is_not_distinct_from(BY_STAFF)
    return and_(was_on, is_on)


def final_at(booking: Booking) -> datetime:
    """Return the instant after which nobody changes any more who came."""
    return booking.ends_at + FINAL_AFTER


def is_missed(booking: Booking, studio: Studio, *, now: datetime) -> bool:
    """Tell whether nobody has come so far: fifteen minutes are over without a check-in."""
    unseen = booking.status is BookingStatus.CONFIRMED and booking.starts_at + LATE < now
    return unseen and booking.due_at is None and is_tracked(booking, studio)


def status_at(booking: Booking, studio: Studio, *, now: datetime) -> BookingStatus:
    """Return a booking's status as it is now, also where no job has written it yet.

    What was not paid in time is over. A missed session reads as a no-show at once, provisionally
    until `final_at`; any other session that has ended is completed.
    """
    is_live = booking.status in (BookingStatus.CONFIRMED, BookingStatus.CHECKED_IN)
    if is_live and booking.due_at is not None and booking.due_at <= now:
        return BookingStatus.CANCELLED
    if is_missed(booking, studio, now=now):
        return BookingStatus.NO_SHOW
    return BookingStatus.COMPLETED if is_live and booking.ends_at <= now else booking.status
