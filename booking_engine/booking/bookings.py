"""Bookings: made with credits or from a paid hold, read, cancelled, begun and completed."""

from collections.abc import Collection, Container, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import tuple_
from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.booking import allocator, drafts, express, policies, states, terms, tracking
from booking_engine.booking import book as days
from booking_engine.booking.drafts import Owner, Seats
from booking_engine.booking.express import Asked
from booking_engine.booking.models import Allocation, AllocationState, Booking, BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.booking.pricing import Basket
from booking_engine.booking.terms import SessionRequest, Terms
from booking_engine.catalog import queries
from booking_engine.catalog.studio import Coach, Simulator, Studio
from booking_engine.errors import Conflict, NotFound
from booking_engine.intervals import Interval
from booking_engine.ledger import credits, goodwill, wallets
from booking_engine.ledger.models import CreditKind
from booking_engine.ledger.transfers import Cause

LIVE = (BookingStatus.CONFIRMED, BookingStatus.CHECKED_IN)
HOLDING = (BookingStatus.HELD, BookingStatus.AWAITING_PAYMENT)


class NotCancellable(Conflict):
    """The booking is over, or its session has begun."""

    code = "not_cancellable"


class AlreadyCancelled(Conflict):
    """The booking was cancelled before."""

    code = "already_cancelled"


def book(
    session: Session,
    *,
    studio: Studio,
    request: SessionRequest,
    wallet_id: UUID,
    actor: str,
    now: datetime,
) -> Booking:
    """Book a session and pay for it with credits, at once or not at all.

    Raises what the rules refuse, `SlotTaken`, and `NotEnoughCredits`.
    """
    agreed = terms.agree(studio, request, now=now)
    asked = Asked(studio, agreed, wallet_id, None, actor, now)
    written = express.carry(session, asked, express.book_now)
    return get(session, studio_id=studio.id, booking_id=written.booking.id)


def write(
    session: Session, *, studio: Studio, terms: Terms, seats: Seats, owner: Owner, now: datetime
) -> Booking:
    """Write a booking and take its seats; raises `SlotTaken` if the constraint objects."""
    booking = Booking(**drafts.booking_row(studio, terms, seats, owner, now))
    session.add(booking)
    session.flush()
    take(session, booking=booking, seats=seats, terms=terms, until=owner.until)
    return booking


def take(
    session: Session, *, booking: Booking, seats: Seats, terms: Terms, until: datetime | None
) -> None:
    """Take the seats for a booking until an instant, or for good."""
    days.take(
        session,
        studio_id=booking.studio_id,
        booking_id=booking.id,
        resources=seats.resources(terms.during),
        pinned=terms.simulator.id if terms.simulator else None,
        blocks_until=until,
    )


def get(
    session: Session, *, studio_id: int, booking_id: UUID, wallet_id: UUID | None = None
) -> Booking:
    """Return a booking, of this wallet if one is named; raises `NotFound`."""
    found = session.exec(
        select(Booking).where(col(Booking.studio_id) == studio_id, col(Booking.id) == booking_id)
    ).first()
    if found is None or (wallet_id is not None and found.wallet_id != wallet_id):
        raise NotFound("there is no such booking")
    return found


def lock(session: Session, *, studio_id: int, booking_id: UUID) -> Booking:
    """Return a booking that nobody else changes until the commit; its wallet is locked first."""
    booking = get(session, studio_id=studio_id, booking_id=booking_id)
    if booking.wallet_id is not None:
        wallets.lock(session, studio_id=studio_id, wallet_id=booking.wallet_id)
    session.refresh(booking, with_for_update={"key_share": True})
    return booking


def cancel(
    session: Session, *, studio_id: int, booking_id: UUID, actor: Actor, reason: str, now: datetime
) -> dict[CreditKind, int]:
    """Cancel a booking and return the credits that came back, per kind.

    Raises `AlreadyCancelled`, or `NotCancellable` once the session has begun or was never paid.
    """
    booking = lock(session, studio_id=studio_id, booking_id=booking_id)
    if booking.status is BookingStatus.CANCELLED:
        raise AlreadyCancelled(f"booking {booking.code} is cancelled already")
    refuse_begun(booking, (*LIVE, BookingStatus.AWAITING_APPROVAL), now=now)
    cause = Cause("cancelled", booking.code, actor.value, now)
    back = give_back(session, booking=booking, actor=actor, cause=cause)
    end(booking, BookingStatus.CANCELLED, by=actor.value, reason=reason, now=now)
    allocator.release(session, studio_id=studio_id, booking_id=booking.id)
    attention.withdraw(session, studio_id=studio_id, booking_id=booking.id, now=now)
    allocator.tell(session, studio_id=studio_id, booking_id=booking.id, now=now)
    session.flush()
    return back


def is_overdue(booking: Booking, *, now: datetime) -> bool:
    """Tell whether a booking that waited for money is over, written down or not (D5)."""
    return booking.due_at is not None and booking.due_at <= now


def refuse_begun(booking: Booking, statuses: Container[BookingStatus], *, now: datetime) -> None:
    """Raise `NotCancellable` unless a booking has one of these statuses and is still to come."""
    if booking.status not in statuses or booking.starts_at <= now:
        raise NotCancellable(
            f"booking {booking.code} can no longer be cancelled", status=booking.status.value
        )


def give_back(
    session: Session,
    *,
    booking: Booking,
    actor: Actor,
    cause: Cause,
    kinds: Collection[CreditKind] = tuple(CreditKind),
) -> dict[CreditKind, int]:
    """End what a booking holds as its cancellation says (D3); returns what came back per kind."""
    if actor is Actor.CUSTOMER or booking.due_at is not None:
        percent = percent_back(booking, actor=actor, now=cause.at)
        return credits.give_back(
            session,
            studio_id=booking.studio_id,
            booking_id=booking.id,
            percent=percent,
            cause=cause,
            attempt=booking.funding,
            kinds=kinds,
        )
    studio = queries.load(session, studio_id=booking.studio_id)
    zone = studio.location_by_id(booking.location_id).zone
    return goodwill.give_back(
        session,
        studio_id=booking.studio_id,
        booking_id=booking.id,
        zone=zone,
        cause=cause,
        attempt=booking.funding,
        kinds=kinds,
    )


def percent_back(booking: Booking, *, actor: Actor, now: datetime) -> int:
    """Return what a cancellation at `now` would give back, by the policy frozen on the booking."""
    if booking.free_to_cancel or booking.status is BookingStatus.AWAITING_APPROVAL:
        return 100
    if booking.due_at is not None:
        return 100  # it ends without a penalty if nobody does anything (D5)
    percent = policies.percent_back(
        queries.read_policy(booking.policy),
        starts_at=booking.starts_at,
        booked_at=booking.confirmed_at or booking.created_at,
        actor=actor,
        now=now,
    )
    return min(percent, booking.return_cap) if actor is Actor.CUSTOMER else percent


def end(booking: Booking, status: BookingStatus, *, by: str, reason: str, now: datetime) -> None:
    """Write how a booking came to its end."""
    states.change(booking, status, actor=Actor(by))
    booking.due_at = None
    booking.ended_at = now
    booking.ended_by = by
    booking.ended_reason = reason


def begin_and_complete(session: Session, *, now: datetime, limit: int) -> int:
    """Spend what begun sessions hold and complete those that are over; returns how many.

    Where attendance is tracked, only who was checked in has played.
    """
    was_there = (col(Booking.status) == BookingStatus.CHECKED_IN) | ~tracking.tracked()
    is_over = (col(Booking.ends_at) <= now) & was_there
    is_due = (
        col(Booking.status).in_(LIVE),
        col(Booking.starts_at) <= now,
        col(Booking.begun_at).is_(None) | is_over,
        col(Booking.due_at).is_(None),  # over before it begins, unless it is paid
    )
    found = select(Booking.studio_id, Booking.wallet_id).where(*is_due).distinct().limit(limit)
    owners = {(row[0], row[1]) for row in session.exec(found).all() if row[1] is not None}
    free = wallets.lock_free(session, wallets=owners)
    due = session.exec(
        select(Booking)
        .where(*is_due, tuple_(col(Booking.studio_id), col(Booking.wallet_id)).in_(free))
        .order_by(col(Booking.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    ids = {booking.studio_id for booking in due}
    studios = {studio_id: queries.load(session, studio_id=studio_id) for studio_id in ids}
    for booking in due:
        if booking.begun_at is None:
            cause = Cause("played", booking.code, "system", now)
            credits.spend(
                session,
                studio_id=booking.studio_id,
                booking_id=booking.id,
                cause=cause,
                attempt=booking.funding,
            )
            booking.begun_at = booking.starts_at
        stands = tracking.status_at(booking, studios[booking.studio_id], now=now)
        if stands is BookingStatus.COMPLETED:
            states.change(booking, BookingStatus.COMPLETED, actor=Actor.SYSTEM)
    session.flush()
    return len(due)


def allocations(session: Session, *, booking: Booking) -> Sequence[Allocation]:
    """Return what a booking takes, or took last before it ended."""
    found = session.exec(
        select(Allocation)
        .where(
            col(Allocation.studio_id) == booking.studio_id,
            col(Allocation.booking_id) == booking.id,
        )
        .order_by(col(Allocation.id))
        .execution_options(populate_existing=True)
    ).all()
    live = [each for each in found if each.state is not AllocationState.RELEASED]
    return live or found


def agreed_terms(session: Session, *, studio: Studio, booking: Booking) -> Terms:
    """Return what was agreed when the slot was taken; the rules are not asked again."""
    coached = None
    if booking.coaching_starts_at and booking.coaching_ends_at:
        coached = Interval.of(booking.coaching_starts_at, booking.coaching_ends_at)
    taken = [
        (studio.resources[allocation.resource_id], allocation.pinned)
        for allocation in allocations(session, booking=booking)
    ]
    named = [each for each, pinned in taken if pinned and isinstance(each, Simulator)]
    coach = next((each for each, _ in taken if isinstance(each, Coach)), None)
    return Terms(
        location=studio.location_by_id(booking.location_id),
        service=studio.service_of(booking.service),
        during=Interval.of(booking.starts_at, booking.ends_at),
        simulators=booking.simulators,
        simulator=named[0] if named else None,
        coaching_minutes=coached.minutes if coached else 0,
        coach=None if booking.any_coach else coach,
        coaching_start=coached.start if coached else None,
        simulator_minutes=booking.simulator_minutes,
        coaching_sessions=booking.coaching_sessions,
        basket=Basket((), booking.price_minor),
    )


def seats_of(
    session: Session, *, studio_id: int, bookings: Iterable[Booking]
) -> dict[UUID, list[int]]:
    """Return the resource ids that each booking takes, or took before it ended."""
    ids = [booking.id for booking in bookings]
    rows = session.exec(
        select(Allocation.booking_id, Allocation.resource_id, Allocation.state)
        .where(col(Allocation.studio_id) == studio_id, col(Allocation.booking_id).in_(ids))
        .order_by(col(Allocation.id))
    ).all()
    live = {row[0] for row in rows if row[2] is not AllocationState.RELEASED}
    seats: dict[UUID, list[int]] = {booking_id: [] for booking_id in ids}
    for booking_id, resource_id, state in rows:
        kept = booking_id not in live or state is not AllocationState.RELEASED
        if kept and booking_id and resource_id not in seats[booking_id]:
            seats[booking_id].append(resource_id)
    return seats


def of_wallet(
    session: Session, *, studio_id: int, wallet_id: UUID, filters: Sequence[Any], limit: int
) -> Sequence[Booking]:
    """Return a wallet's bookings that pass the filters, by start; held ones are not shown."""
    return session.exec(
        select(Booking)
        .where(
            col(Booking.studio_id) == studio_id,
            col(Booking.wallet_id) == wallet_id,
            col(Booking.status).not_in(
                [BookingStatus.HELD, BookingStatus.EXPIRED],
            ),
            *filters,
        )
        .order_by(col(Booking.starts_at), col(Booking.id))
        .limit(limit)
    ).all()
