"""What an order's `_hold` becomes: the booking if the slot can still be had, else the credits.

A payer always ends with exactly one outcome (product rules D7 and D9). The credits themselves are
already granted when this runs; a hold that cannot be honoured therefore leaves them in the wallet.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.booking import allocator, book, bookings, drafts, holds, states
from booking_engine.booking.allocator import CoachUnavailable
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.models import Booking, BookingStatus, Hold, HoldStatus
from booking_engine.booking.policies import Actor
from booking_engine.booking.terms import Terms
from booking_engine.catalog.studio import Studio
from booking_engine.intervals import Interval
from booking_engine.ledger import credits
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.transfers import Cause

UNPAID_HOLD_MAX = timedelta(hours=24)
TOP_UP = timedelta(minutes=30)


class Outcome(StrEnum):
    """What a paid order's hold came to."""

    CONFIRMED = "confirmed"
    RECOVERED = "recovered"
    CREDITED = "credited"
    SHORT = "short"


def find(session: Session, *, studio_id: int, hold_id: UUID) -> Hold | None:
    """Return the hold that an order's line names, if we ever gave it out."""
    return session.exec(
        select(Hold).where(col(Hold.studio_id) == studio_id, col(Hold.id) == hold_id)
    ).first()


def lock_days(session: Session, *, studio: Studio, order_id: int, hold_ids: Sequence[UUID]) -> None:
    """Queue, in one order, for every day on which an order has sessions to gain or to lose."""
    rows = session.execute(
        text("""
            SELECT starts_at, ends_at, location_id FROM booking
            WHERE studio_id = :studio_id AND id IN (
                SELECT booking_id FROM hold WHERE studio_id = :studio_id AND id = ANY(:hold_ids)
                UNION
                SELECT booking_id FROM draw JOIN lot
                    ON lot.studio_id = draw.studio_id AND lot.id = draw.lot_id
                WHERE lot.studio_id = :studio_id AND lot.order_id = :order_id AND draw.held > 0)
        """),
        {"studio_id": studio.id, "order_id": order_id, "hold_ids": list(hold_ids)},
    ).all()
    days = {
        day
        for starts_at, ends_at, location_id in rows
        for day in allocator.days_touched(
            studio, studio.location_by_id(location_id), Interval(starts_at, ends_at)
        )
    }
    book.lock_days(session, studio_id=studio.id, days=days)


def redeem(
    session: Session,
    *,
    studio: Studio,
    hold: Hold,
    order_id: int,
    wallet_id: UUID,
    now: datetime,
) -> Outcome:
    """Turn a paid order's hold into its booking, funded by that order's credits.

    Runs again without effect. The caller holds the locks of the order and of `wallet_id`.
    """
    booking = bookings.get(session, studio_id=studio.id, booking_id=hold.booking_id)
    agreed = bookings.agreed_terms(session, studio=studio, booking=booking)
    days = book.days_of(agreed.during, agreed.location)
    book.lock_days(session, studio_id=studio.id, days=days)
    session.refresh(booking, with_for_update={"key_share": True})
    session.refresh(hold)
    if hold.order_id is not None and hold.order_id != order_id:
        return _credited(session, studio, booking, order_id, "used_hold", now)
    if hold.status is HoldStatus.CONVERTED:
        return Outcome.CONFIRMED
    cause = Cause("booked", booking.code, f"order:{order_id}", now)
    holds.lapse(session, hold=hold, booking=booking, now=now)
    owned = hold.status is HoldStatus.ACTIVE and booking.status in bookings.HOLDING
    if booking.starts_at <= now and not owned:
        return _credited(session, studio, booking, order_id, "started", now)
    try:
        with session.begin_nested():
            if not owned:
                _seat_again(session, studio, booking, agreed, now)
            booking.wallet_id = wallet_id
            paid_by = (*hold.short_orders, order_id)
            need = drafts.need(booking, order_ids=paid_by)
            credits.hold(session, need=need, cause=cause)
    except (SlotTaken, CoachUnavailable):
        return _credited(session, studio, booking, order_id, "slot_lost", now)
    except NotEnoughCredits as error:
        return _short(session, studio, hold, order_id, error, now)
    _confirm(session, booking, wallet_id=wallet_id, order_id=order_id, recovered=not owned, now=now)
    hold.status, hold.order_id = HoldStatus.CONVERTED, order_id
    session.flush()
    return Outcome.CONFIRMED if owned else Outcome.RECOVERED


def await_payment(
    session: Session, *, studio: Studio, hold: Hold, ordered_at: datetime, now: datetime
) -> None:
    """Keep the slot of an order that is placed but not paid (D9): a day, or until the lead time."""
    booking = bookings.get(session, studio_id=studio.id, booking_id=hold.booking_id)
    until = min(
        ordered_at + UNPAID_HOLD_MAX,
        booking.starts_at - timedelta(minutes=studio.policy.lead_minutes),
    )
    if until > now:
        holds.extend(session, studio=studio, hold=hold, until=until, paying=True, now=now)


def _seat_again(
    session: Session, studio: Studio, booking: Booking, agreed: Terms, now: datetime
) -> None:
    """Take the lapsed session's time anew, if it can still be had."""
    allocator.release(session, studio_id=studio.id, booking_id=booking.id)
    seats = allocator.seat(
        session, studio=studio, terms=agreed, now=now, wallet_id=booking.wallet_id
    )
    bookings.take(session, booking=booking, seats=seats, terms=agreed, until=None)


def _confirm(
    session: Session,
    booking: Booking,
    *,
    wallet_id: UUID,
    order_id: int,
    recovered: bool,
    now: datetime,
) -> None:
    allocator.keep(session, studio_id=booking.studio_id, booking_id=booking.id, until=None)
    states.change(booking, BookingStatus.CONFIRMED, actor=Actor.SYSTEM)
    booking.wallet_id = wallet_id
    booking.order_id = order_id
    booking.recovered = recovered
    booking.confirmed_at = now
    booking.ended_at = booking.ended_by = booking.ended_reason = None
    allocator.tell(session, studio_id=booking.studio_id, booking_id=booking.id, now=now)


def _credited(
    session: Session, studio: Studio, booking: Booking, order_id: int, why: str, now: datetime
) -> Outcome:
    attention.raise_item(
        session,
        studio_id=studio.id,
        kind="paid_without_slot",
        key=f"{order_id}:{booking.id}",
        detail="a paid session could not be booked; its credits are in the customer's wallet",
        now=now,
        facts={"order_id": order_id, "booking": str(booking.id), "why": why},
    )
    return Outcome.CREDITED


def _short(
    session: Session,
    studio: Studio,
    hold: Hold,
    order_id: int,
    error: NotEnoughCredits,
    now: datetime,
) -> Outcome:
    """Paid less than the session burns: the slot stays for a top-up, the credits stay credits.

    A second order for the same hold pays the rest. Hearing of one order again keeps nothing longer.
    """
    if order_id in hold.short_orders:
        return Outcome.SHORT
    hold.short_orders = [*hold.short_orders, order_id]
    holds.extend(session, studio=studio, hold=hold, until=now + TOP_UP, paying=True, now=now)
    attention.raise_item(
        session,
        studio_id=studio.id,
        kind="paid_too_little",
        key=str(hold.booking_id),
        detail=f"an order paid for less than its session burns: {error.detail}",
        now=now,
        facts={"booking": str(hold.booking_id)},
    )
    return Outcome.SHORT
