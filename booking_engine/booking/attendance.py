"""Who came and who did not (product rule D18): check-in, no-show, forgiveness, completion."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session

from booking_engine.booking import allocator, bookings, states
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Conflict
from booking_engine.ledger import credits, goodwill
from booking_engine.ledger.models import CreditKind
from booking_engine.ledger.transfers import Cause

EARLY = timedelta(minutes=30)
LATE = timedelta(minutes=15)
FINAL_AFTER = timedelta(hours=24)


class OutsideWindow(Conflict):
    """It is too early or too late for that mark."""

    code = "outside_window"


class AlreadyForgiven(Conflict):
    """The no-show was forgiven before."""

    code = "already_forgiven"


def check_in(
    session: Session, *, studio: Studio, booking_id: UUID, actor: Actor, now: datetime
) -> Booking:
    """Mark that the customer came, from 30 minutes before the start to 15 after it."""
    booking = bookings.lock(session, studio_id=studio.id, booking_id=booking_id)
    states.check(booking.status, BookingStatus.CHECKED_IN, actor=actor)
    if bookings.is_overdue(booking, now=now):
        raise OutsideWindow(f"booking {booking.code} was not paid in time; it is over")
    opens, closes = booking.starts_at - EARLY, booking.starts_at + LATE
    _within(studio, booking, opens, closes, now)
    return _mark(session, booking, BookingStatus.CHECKED_IN, actor, now)


def mark_no_show(
    session: Session, *, studio: Studio, booking_id: UUID, actor: Actor, by: str, now: datetime
) -> Booking:
    """Mark that nobody came, once 15 minutes are over; what is held is spent in full.

    The mark can be set until a day after the end, also on a session that completed by itself.
    """
    booking = bookings.lock(session, studio_id=studio.id, booking_id=booking_id)
    states.check(booking.status, BookingStatus.NO_SHOW, actor=actor)
    after = booking.starts_at + LATE + timedelta(microseconds=1)
    _within(studio, booking, after, booking.ends_at + FINAL_AFTER, now)
    _begin(session, booking, Cause("no_show", booking.code, by, now))
    return _mark(session, booking, BookingStatus.NO_SHOW, actor, now)


def complete(
    session: Session, *, studio: Studio, booking_id: UUID, actor: Actor, by: str, now: datetime
) -> Booking:
    """Mark a session that has begun as played; also a no-show who came after all."""
    booking = bookings.lock(session, studio_id=studio.id, booking_id=booking_id)
    states.check(booking.status, BookingStatus.COMPLETED, actor=actor)
    if booking.forgiven_at is not None:
        raise AlreadyForgiven("that no-show was forgiven and its credits returned")
    _within(studio, booking, booking.starts_at, booking.ends_at + FINAL_AFTER, now)
    _begin(session, booking, Cause("played", booking.code, by, now))
    return _mark(session, booking, BookingStatus.COMPLETED, actor, now)


def forgive(
    session: Session, *, studio: Studio, booking_id: UUID, by: str, now: datetime
) -> tuple[Booking, dict[CreditKind, int]]:
    """Give a no-show their credits back, once; returns what came back per kind."""
    booking = bookings.lock(session, studio_id=studio.id, booking_id=booking_id)
    if booking.status is not BookingStatus.NO_SHOW:
        raise states.WrongState(
            "only a no-show can be forgiven", status=booking.status.value, to="forgiven"
        )
    if booking.forgiven_at is not None:
        raise AlreadyForgiven("that no-show was forgiven before")
    zone = studio.location_by_id(booking.location_id).zone
    back = goodwill.forgive(
        session,
        studio_id=studio.id,
        booking_id=booking.id,
        wallet_id=booking.wallet_id,
        expires_at=goodwill.expiry(now.astimezone(zone).date(), zone),
        cause=Cause("forgiven", booking.code, by, now),
    )
    booking.forgiven_at = now
    booking.revision += 1
    session.flush()
    return booking, back


def _within(
    studio: Studio, booking: Booking, opens: datetime, closes: datetime, now: datetime
) -> None:
    if opens <= now <= closes:
        return
    zone = studio.location_by_id(booking.location_id).zone
    edges = {
        name: edge.astimezone(zone).isoformat(timespec="seconds")
        for name, edge in (("opens", opens), ("closes", closes))
    }
    raise OutsideWindow(f"booking {booking.code} cannot be marked so now", **edges)


def _begin(session: Session, booking: Booking, cause: Cause) -> None:
    """Spend what the session holds, unless that happened when it began."""
    if booking.begun_at is not None:
        return
    credits.spend(
        session,
        studio_id=booking.studio_id,
        booking_id=booking.id,
        cause=cause,
        attempt=booking.funding,
    )
    booking.begun_at = booking.starts_at


def _mark(
    session: Session, booking: Booking, status: BookingStatus, actor: Actor, now: datetime
) -> Booking:
    states.change(booking, status, actor=actor)
    allocator.tell(session, studio_id=booking.studio_id, booking_id=booking.id, now=now)
    session.flush()
    return booking
