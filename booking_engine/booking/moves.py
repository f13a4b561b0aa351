"""Moving a booking: the new slot is taken, then the old one freed, in one transaction (rule D4)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session

from booking_engine import attention
from booking_engine.booking import allocator, bookings, drafts, terms
from booking_engine.booking.bookings import NotCancellable
from booking_engine.booking.models import Booking
from booking_engine.booking.policies import Actor
from booking_engine.booking.terms import CoachingRequest, SessionRequest, Terms
from booking_engine.catalog.queries import read_policy
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Conflict
from booking_engine.ledger import credits
from booking_engine.ledger.models import CreditKind
from booking_engine.ledger.transfers import Cause

FREE_MOVE_AHEAD = timedelta(hours=24)


class SameTime(Conflict):
    """The booking is at that time already."""

    code = "same_time"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a booking is to go; without minutes it keeps its length."""

    start: datetime
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class _Price:
    """What a move costs: the percentage that returns, and whether it is free all the same."""

    percent: int
    is_free: bool


def move(
    session: Session,
    *,
    studio: Studio,
    booking_id: UUID,
    target: Target,
    actor: Actor,
    now: datetime,
) -> Booking:
    """Move a booking to another time, and perhaps length; its id and code stay.

    A free move keeps the credits; a later one costs what a cancellation now would keep, and the
    new time is funded in full. Raises what the rules refuse, `SlotTaken`, `NotEnoughCredits`,
    `SameTime`, `NotCancellable`; then nothing has changed.
    """
    booking = bookings.lock(session, studio_id=studio.id, booking_id=booking_id)
    over = bookings.is_overdue(booking, now=now)
    if booking.status not in bookings.LIVE or booking.starts_at <= now or over:
        raise NotCancellable(
            f"booking {booking.code} can no longer be moved", status=booking.status.value
        )
    wanted = _new_terms(session, studio, booking, target, now)
    if (wanted.during.start, wanted.during.end) == (booking.starts_at, booking.ends_at):
        raise SameTime(f"booking {booking.code} is at that time already")
    price = _price(booking, actor, now)
    given_up = max(0, booking.simulator_minutes - wanted.simulator_minutes)
    reseat(session, studio=studio, booking=booking, wanted=wanted, until=None, now=now)
    booking.moves += 1
    if actor is Actor.CUSTOMER:
        booking.return_cap = min(booking.return_cap, price.percent)
        booking.free_to_cancel = False
    _fund_again(session, booking, price, given_up, Cause("moved", booking.code, actor.value, now))
    allocator.tell(session, studio_id=studio.id, booking_id=booking.id, now=now)
    return booking


def reseat(
    session: Session,
    *,
    studio: Studio,
    booking: Booking,
    wanted: Terms,
    until: datetime | None,
    now: datetime,
) -> None:
    """Take new terms for a booking, until an instant or for good, and free what it had.

    Its row is locked. Raises `SlotTaken` or `CoachUnavailable`.
    """
    seats = allocator.seat(
        session,
        studio=studio,
        terms=wanted,
        now=now,
        instead_of=booking.id,
        wallet_id=booking.wallet_id,
    )
    allocator.release(session, studio_id=studio.id, booking_id=booking.id)
    attention.withdraw(session, studio_id=studio.id, booking_id=booking.id, now=now)
    booking.starts_at, booking.ends_at = wanted.during.start, wanted.during.end
    booking.coaching_starts_at = seats.coached.start if seats.coached else None
    booking.coaching_ends_at = seats.coached.end if seats.coached else None
    booking.facts = drafts.facts(studio, wanted, seats)
    booking.simulator_minutes = wanted.simulator_minutes
    booking.price_minor = wanted.basket.total_minor
    booking.revision += 1
    session.flush()
    bookings.take(session, booking=booking, seats=seats, terms=wanted, until=until)


def _new_terms(
    session: Session, studio: Studio, booking: Booking, target: Target, now: datetime
) -> Terms:
    """Return the booking's terms at the new time: the same named bay, the same coach."""
    old = bookings.agreed_terms(session, studio=studio, booking=booking)
    coaching = None
    if old.coaching_minutes:
        coaching = CoachingRequest(old.coaching_minutes, old.coach.handle if old.coach else None)
    request = SessionRequest(
        service=booking.service,
        start=target.start,
        minutes=target.minutes or old.during.minutes,
        simulators=booking.simulators,
        simulator=old.simulator.handle if old.simulator else None,
        coaching=coaching,
        location=old.location.handle,
    )
    agreed = terms.agree(studio, request, now=now)
    if old.coaching_start is None:
        return agreed
    shifted = agreed.during.start + (old.coaching_start - old.during.start)
    if shifted + timedelta(minutes=old.coaching_minutes) <= agreed.during.end:
        return replace(agreed, coaching_start=shifted)
    return agreed


def _price(booking: Booking, actor: Actor, now: datetime) -> _Price:
    """Return what a move costs now: so many are free if they come a day ahead (D4)."""
    free = (
        booking.moves < read_policy(booking.policy).free_moves
        and booking.starts_at - now >= FREE_MOVE_AHEAD
    )
    percent = bookings.percent_back(booking, actor=actor, now=now)
    return _Price(percent, free or actor is not Actor.CUSTOMER)


def _fund_again(
    session: Session, booking: Booking, price: _Price, given_up: int, cause: Cause
) -> None:
    """Return the credits by the price of the move, and hold what the new time burns.

    Of a free move that makes the session shorter, the time given up still returns by its tier.
    """
    credits.unfund(
        session,
        studio_id=booking.studio_id,
        booking_id=booking.id,
        percent=100 if price.is_free else price.percent,
        cause=cause,
        attempt=booking.funding,
    )
    booking.funding += 1
    booking.due_at = None
    need = drafts.need(booking)
    credits.hold(session, need=need, cause=cause)
    kept = given_up * (100 - price.percent) // 100
    if price.is_free and kept and not booking.complimentary:
        credits.forfeit(
            session,
            studio_id=booking.studio_id,
            wallet_id=need.wallet_id,
            quantities={CreditKind.SIMULATOR_MINUTES: kept},
            key=f"shortened:{booking.id}:{booking.funding}",
            cause=cause,
        )
    session.flush()
