"""Bookings whose credits the shop took back: other lots pay, or they wait for money, or end (D5).

A booking that waits keeps its slot and has a `due_at`: from that instant on it is over, whether or
not anybody has written that down. Callers hold the wallet's lock.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import tuple_
from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.booking import allocator, bookings
from booking_engine.booking.models import Booking
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits, lots, takebacks, wallets
from booking_engine.ledger.models import CreditKind, Draw, Lot
from booking_engine.ledger.transfers import Cause

PAY_WITHIN = timedelta(hours=24)
# A session that has begun is delivered, so the time to pay ends before it in any case.
LATEST = timedelta(minutes=1)


def drawing_on(session: Session, *, lot: Lot, now: datetime) -> Sequence[tuple[Draw, Booking]]:
    """Return the bookings still to come for which a lot holds credits, the earliest first."""
    found = session.exec(
        select(Draw, Booking)
        .join(
            Booking,
            (col(Booking.studio_id) == col(Draw.studio_id))
            & (col(Booking.id) == col(Draw.booking_id)),
        )
        .where(
            col(Draw.studio_id) == lot.studio_id,
            col(Draw.lot_id) == lot.id,
            col(Draw.held) > 0,
            col(Booking.status).in_(bookings.LIVE),
            col(Booking.starts_at) > now,
        )
        .order_by(col(Booking.starts_at), col(Booking.id))
        .with_for_update(key_share=True, of=Booking)
        .execution_options(populate_existing=True)
    ).all()
    return [(row[0], row[1]) for row in found]


def wait_for_money(session: Session, *, studio: Studio, booking: Booking, now: datetime) -> bool:
    """Give an unfunded booking a day, or until its lead time, to be paid; False where it has none.

    A booking that waits already keeps its time.
    """
    if booking.due_at is not None:
        return True
    lead = max(timedelta(minutes=studio.policy.lead_minutes), LATEST)
    due_at = min(now + PAY_WITHIN, booking.starts_at - lead)
    if due_at <= now:
        return False
    booking.due_at = due_at
    booking.revision += 1
    attention.raise_item(
        session,
        studio_id=studio.id,
        kind=attention.UNFUNDED,
        key=f"{booking.id}:{int(due_at.timestamp())}",
        detail="what paid for a booking was taken back; it ends unless it is paid in time",
        now=now,
        facts={
            "booking": str(booking.id),
            "code": booking.code,
            "due_at": due_at.isoformat(timespec="seconds"),
            "value_minor": booking.price_minor,
        },
    )
    allocator.tell(session, studio_id=studio.id, booking_id=booking.id, now=now)
    session.flush()
    return True


def stand(session: Session, *, booking: Booking, now: datetime) -> None:
    """Let a booking stand that waited for money: it is paid, or its payment was never wrong."""
    if booking.due_at is None:
        return
    booking.due_at = None
    booking.revision += 1
    kinds = (attention.UNFUNDED,)
    attention.withdraw(
        session, studio_id=booking.studio_id, booking_id=booking.id, now=now, kinds=kinds
    )
    allocator.tell(session, studio_id=booking.studio_id, booking_id=booking.id, now=now)
    session.flush()


def stand_if_paid(session: Session, *, booking: Booking, now: datetime) -> None:
    """Let a booking stand that waited for money, unless some of its lots are still taken back."""
    draws = credits.draws_of(session, studio_id=booking.studio_id, booking_id=booking.id)
    if all(lot.withdrawn_at is None for draw, lot in draws if draw.held):
        stand(session, booking=booking, now=now)


def cancel(session: Session, *, booking: Booking, reason: str, now: datetime) -> None:
    """End a booking that is not paid any more, without a penalty; what it held is taken back."""
    bookings.cancel(
        session,
        studio_id=booking.studio_id,
        booking_id=booking.id,
        actor=Actor.SYSTEM,
        reason=reason,
        now=now,
    )


def fund(session: Session, *, studio_id: int, wallet_id: UUID, now: datetime) -> int:
    """Pay a wallet's waiting bookings with what it has now, the earliest first.

    Returns how many stand again. A booking is paid in full or not at all.
    """
    waiting = session.exec(
        select(Booking)
        .where(
            col(Booking.studio_id) == studio_id,
            col(Booking.wallet_id) == wallet_id,
            col(Booking.due_at) > now,
            col(Booking.status).in_(bookings.LIVE),
        )
        .order_by(col(Booking.starts_at), col(Booking.id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    funded = 0
    for booking in waiting:
        if _fund(session, booking, wallet_id, now):
            stand(session, booking=booking, now=now)
            funded += 1
    return funded


def sweep(session: Session, *, now: datetime, limit: int) -> int:
    """Pay the waiting bookings that can be paid, and end those whose time is up, in every studio.

    Returns how many of either; wallets that somebody works on are left to the next sweep.
    """
    waiting = (
        select(Booking.studio_id, Booking.wallet_id)
        .where(col(Booking.due_at).is_not(None), col(Booking.status).in_(bookings.LIVE))
        .order_by(col(Booking.due_at))
        .limit(limit)
    )
    owners = {(row[0], row[1]) for row in session.exec(waiting).all() if row[1] is not None}
    free = wallets.lock_free(session, wallets=owners)
    done = sum(
        fund(session, studio_id=studio_id, wallet_id=wallet_id, now=now)
        for studio_id, wallet_id in free
    )
    overdue = session.exec(
        select(Booking)
        .where(
            col(Booking.due_at) <= now,
            col(Booking.status).in_(bookings.LIVE),
            tuple_(col(Booking.studio_id), col(Booking.wallet_id)).in_(free),
        )
        .order_by(col(Booking.id))
        .limit(limit)
    ).all()
    for booking in overdue:
        # It ended then, not now: the session itself may have passed in the meantime.
        cancel(session, booking=booking, reason="not paid in time", now=booking.due_at or now)
    return done + len(overdue)


def _fund(session: Session, booking: Booking, wallet_id: UUID, now: datetime) -> bool:
    draws = credits.draws_of(session, studio_id=booking.studio_id, booking_id=booking.id)
    lost = [(draw, lot) for draw, lot in draws if draw.held and lot.withdrawn_at is not None]
    owned = credits.of_wallet(session, studio_id=booking.studio_id, wallet_id=wallet_id)
    for kind in CreditKind:
        missing = sum(draw.held for draw, lot in lost if lot.kind is kind)
        if lots.spendable(owned, kind, starts_at=booking.starts_at, now=now) < missing:
            return False
    cause = Cause("funded_again", booking.code, "system", now)
    return all(
        takebacks.pay_instead(session, draw=draw, lot=lot, starts_at=booking.starts_at, cause=cause)
        for draw, lot in lost
    )
