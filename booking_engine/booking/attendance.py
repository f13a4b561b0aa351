"""Who came and who did not (product rule D18): check-in, no-show, forgiveness, completion.

What a missed session has cost is spent when it begins; the strike comes when the mark is final.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import tuple_
from sqlmodel import Session, col, select

from booking_engine.booking import allocator, bookings, erasure, states, strikes, tracking
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Conflict
from booking_engine.ledger import credits, goodwill, wallets
from booking_engine.ledger.models import CreditKind
from booking_engine.ledger.transfers import Cause

EARLY = timedelta(minutes=30)


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
    opens, closes = booking.starts_at - EARLY, booking.starts_at + tracking.LATE
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
    after = booking.starts_at + tracking.LATE + timedelta(microseconds=1)
    _within(studio, booking, after, tracking.final_at(booking), now)
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
    _within(studio, booking, booking.starts_at, tracking.final_at(booking), now)
    _begin(session, booking, Cause("played", booking.code, by, now))
    return _mark(session, booking, BookingStatus.COMPLETED, actor, now)


def close_missed(session: Session, *, now: datetime, limit: int) -> int:
    """Make final what nobody can change any more: who missed a session gets a strike for it.

    Returns how many were closed, in every studio where attendance is tracked. Sessions that were
    forgiven bring no strike.
    """
    is_due = strikes.due(now)
    found = select(Booking.studio_id, Booking.wallet_id).where(*is_due).distinct().limit(limit)
    owners = {(row[0], row[1]) for row in session.exec(found).all() if row[1] is not None}
    free = wallets.lock_free(session, wallets=owners)
    missed = session.exec(
        select(Booking)
        .where(*is_due, tuple_(col(Booking.studio_id), col(Booking.wallet_id)).in_(free))
        .order_by(col(Booking.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for booking in missed:
        if booking.status is BookingStatus.CONFIRMED:
            _begin(session, booking, Cause("no_show", booking.code, Actor.SYSTEM.value, now))
            _mark(session, booking, BookingStatus.NO_SHOW, Actor.SYSTEM, now)
        studio = queries.load(session, studio_id=booking.studio_id)
        strikes.add(session, studio=studio, booking=booking, now=now)
    session.flush()
    return len(missed)


def forgive(
    session: Session, *, studio: Studio, booking_id: UUID, by: str, now: datetime
) -> tuple[Booking, dict[CreditKind, int]]:
    """Give a no-show their credits back, once, and lift the strike; returns what came back."""
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
    if booking.wallet_id is not None:
        erasure.freeze_if_erased(session, studio=studio, wallet_id=booking.wallet_id, now=now)
    strikes.forgive(session, studio_id=studio.id, booking_id=booking.id, by=by, now=now)
    booking.forgiven_at = now
    booking.revision += 1
    session.flush()
    return booking, back


def _within(
    studio: Studio, booking: Booking, opens: datetime, closes: datetime, now: datetime
) -> None:
    if bookings.is_overdue(booking, now=now):
        raise OutsideWindow(f"booking {booking.code} was not paid in time; it is over")
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
