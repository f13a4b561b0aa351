"""One date of a series: its slot is taken, paid, given up (product rule D14).

A tentative date is a booking that holds its slot until the release instant, exactly as a hold does:
whoever looks at the book after that instant finds the slot free, with or without any job. Callers
hold the wallet's lock.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.booking import allocator, bookings, drafts, moves, states, terms
from booking_engine.booking.allocator import CoachUnavailable
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.drafts import Owner
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.booking.recurrence import Start
from booking_engine.booking.series_models import (
    Occurrence,
    OccurrenceStatus,
    Series,
    SeriesStatus,
)
from booking_engine.booking.terms import CoachingRequest, SessionRequest
from booking_engine.catalog.studio import Studio
from booking_engine.errors import DomainError, Invalid
from booking_engine.ledger import credits
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.transfers import Cause

FUND_AHEAD = timedelta(days=14)
RELEASE_AHEAD = timedelta(hours=48)
SYSTEM = "system"


class Reason(StrEnum):
    """Why a date was skipped, where it was no rule about time that said no."""

    UNFUNDED = "unfunded"
    PAUSED = "paused"
    SERIES_ENDED = "series_ended"
    BY_CUSTOMER = "by_customer"
    BY_STUDIO = "by_studio"


def release_at(occurrence: Occurrence) -> datetime:
    """Return the instant at which an unpaid date loses its slot."""
    return occurrence.starts_at - RELEASE_AHEAD


def standing(
    occurrence: Occurrence, booking: Booking | None, *, now: datetime
) -> tuple[str, str | None]:
    """Return a date's status and reason as they are now, also where no job has written them yet.

    A paid date reads as its booking once that is anything but confirmed.
    """
    if occurrence.status is OccurrenceStatus.TENTATIVE and release_at(occurrence) <= now:
        return OccurrenceStatus.SKIPPED.value, Reason.UNFUNDED.value
    if occurrence.status is OccurrenceStatus.FUNDED and booking is not None:
        if booking.status is not BookingStatus.CONFIRMED:
            return booking.status.value, booking.ended_reason
        if booking.ends_at <= now:
            return BookingStatus.COMPLETED.value, None
    return occurrence.status.value, occurrence.reason


def request_for(studio: Studio, series: Series, start: datetime) -> SessionRequest:
    """Return what the series asks for on a date that begins then."""
    coaching = None
    if series.coaching_minutes:
        offset = series.coaching_offset
        begins = None if offset is None else start + timedelta(minutes=offset)
        coaching = CoachingRequest(series.coaching_minutes, series.coach, begins)
    return SessionRequest(
        service=series.service,
        start=start,
        minutes=series.minutes,
        simulators=series.simulators,
        simulator=series.simulator,
        coaching=coaching,
        location=studio.location_by_id(series.location_id).handle,
    )


def take(
    session: Session,
    *,
    studio: Studio,
    series: Series,
    occurrence: Occurrence,
    actor: str,
    now: datetime,
) -> None:
    """Take a date's slot, and pay for it where it is near.

    Raises what the rules refuse, `SlotTaken`, and `NotEnoughCredits` where the date can wait for
    its credits no longer; then nothing has changed.
    """
    agreed = terms.agree(studio, request_for(studio, series, occurrence.starts_at), now=now)
    until = release_at(occurrence)
    must_pay = until <= now or series.status is SeriesStatus.PAUSED
    is_paid = False
    with session.begin_nested():
        seats = allocator.seat(
            session, studio=studio, terms=agreed, now=now, wallet_id=series.wallet_id
        )
        held_until = agreed.during.start if must_pay else until
        owner = Owner(series.wallet_id, BookingStatus.HELD, held_until)
        booking = bookings.write(
            session, studio=studio, terms=agreed, seats=seats, owner=owner, now=now
        )
        if must_pay or agreed.during.start <= now + FUND_AHEAD:
            try:
                _pay(session, booking, actor, now)
                is_paid = True
            except NotEnoughCredits:
                if must_pay:
                    raise
    occurrence.status = OccurrenceStatus.FUNDED if is_paid else OccurrenceStatus.TENTATIVE
    occurrence.reason = occurrence.skipped_at = None
    occurrence.booking_id = booking.id
    occurrence.taken_at = now
    occurrence.funded_at = now if is_paid else None
    occurrence.reminded_week_at = occurrence.reminded_last_at = None


def move(
    session: Session,
    *,
    studio: Studio,
    series: Series,
    occurrence: Occurrence,
    booking: Booking,
    start: Start,
    minutes: int,
    now: datetime,
) -> None:
    """Give an unpaid date another slot, and pay for it where it can wait no longer.

    Its booking is locked. Raises as `take` does.
    """
    request = replace(request_for(studio, series, start.at), minutes=minutes)
    agreed = terms.agree(studio, request, now=now)
    until = start.at - RELEASE_AHEAD
    must_pay = until <= now
    held_until = start.at if must_pay else until
    moves.reseat(session, studio=studio, booking=booking, wanted=agreed, until=held_until, now=now)
    occurrence.starts_at, occurrence.is_shifted = start
    occurrence.taken_at = now
    occurrence.reminded_week_at = occurrence.reminded_last_at = None
    if must_pay:
        _pay(session, booking, SYSTEM, now)
        occurrence.status, occurrence.funded_at = OccurrenceStatus.FUNDED, now


def take_or_skip(
    session: Session,
    *,
    studio: Studio,
    series: Series,
    occurrence: Occurrence,
    actor: str,
    now: datetime,
) -> DomainError | None:
    """Take a date's slot, or list the date as skipped with what said no, which is returned."""
    try:
        take(session, studio=studio, series=series, occurrence=occurrence, actor=actor, now=now)
    except NotEnoughCredits as error:
        skip(occurrence, Reason.UNFUNDED, now=now)
        return error
    except (Invalid, SlotTaken, CoachUnavailable) as error:
        skip(occurrence, error.code, now=now)
        return error
    return None


def fund(session: Session, *, occurrence: Occurrence, booking: Booking, now: datetime) -> bool:
    """Pay for a tentative date if the credits are there; returns whether it is paid now."""
    try:
        _pay(session, booking, SYSTEM, now)
    except NotEnoughCredits:
        return False
    occurrence.status = OccurrenceStatus.FUNDED
    occurrence.funded_at = now
    return True


def give_up(
    session: Session, *, occurrence: Occurrence, booking: Booking, reason: str, now: datetime
) -> None:
    """Free a tentative date's slot and list the date as skipped."""
    if booking.status is BookingStatus.HELD:
        words = f"series date given up: {reason}"
        bookings.end(booking, BookingStatus.EXPIRED, by="system", reason=words, now=now)
        allocator.release(session, studio_id=booking.studio_id, booking_id=booking.id)
        attention.withdraw(session, studio_id=booking.studio_id, booking_id=booking.id, now=now)
    skip(occurrence, reason, now=now)


def skip(occurrence: Occurrence, reason: str, *, now: datetime) -> None:
    """List a date that takes nothing as skipped."""
    occurrence.status = OccurrenceStatus.SKIPPED
    occurrence.reason = str(reason)
    occurrence.skipped_at = now


def of_series(session: Session, *, series: Series) -> Sequence[Occurrence]:
    """Return the dates of a series that were looked at so far, by number."""
    return session.exec(
        select(Occurrence)
        .where(
            col(Occurrence.studio_id) == series.studio_id, col(Occurrence.series_id) == series.id
        )
        .order_by(col(Occurrence.number))
        .execution_options(populate_existing=True)
    ).all()


def tentative_of(session: Session, *, studio_id: int, booking_id: UUID) -> Occurrence | None:
    """Return the unpaid date that this booking holds, None where it is no such date."""
    return session.exec(
        select(Occurrence).where(
            col(Occurrence.studio_id) == studio_id,
            col(Occurrence.booking_id) == booking_id,
            col(Occurrence.status) == OccurrenceStatus.TENTATIVE,
        )
    ).first()


def lock_bookings(
    session: Session, *, studio_id: int, dates: Sequence[Occurrence]
) -> dict[UUID, Booking]:
    """Return the bookings of these dates, which nobody else changes until the commit."""
    wanted = [each.booking_id for each in dates if each.booking_id is not None]
    found = session.exec(
        select(Booking)
        .where(col(Booking.studio_id) == studio_id, col(Booking.id).in_(wanted))
        .order_by(col(Booking.id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    return {booking.id: booking for booking in found}


def _pay(session: Session, booking: Booking, actor: str, now: datetime) -> None:
    cause = Cause("booked", booking.code, actor, now)
    credits.hold(session, need=drafts.need(booking), cause=cause)
    states.change(booking, BookingStatus.CONFIRMED, actor=Actor.SYSTEM)
    booking.confirmed_at = now
    session.flush()
    allocator.keep(session, studio_id=booking.studio_id, booking_id=booking.id, until=None)
    allocator.tell(session, studio_id=booking.studio_id, booking_id=booking.id, now=now)
