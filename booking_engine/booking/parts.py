"""One part of a booking is cancelled and the rest stays (product rules D3 and D24)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from booking_engine import attention
from booking_engine.booking import allocator, block_time, bookings, pricing
from booking_engine.booking.bookings import NotCancellable
from booking_engine.booking.models import Booking
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Conflict
from booking_engine.ledger import credits
from booking_engine.ledger.models import CreditKind
from booking_engine.ledger.transfers import Cause

COACHING = CreditKind.COACHING_SESSIONS

# In the order in which a block locks whatever stands in its way.
_FREE_COACH = text("""
    WITH mine AS (
        SELECT allocation.id FROM allocation
        JOIN resource ON resource.studio_id = allocation.studio_id
                     AND resource.id = allocation.resource_id AND resource.kind = 'coach'
        WHERE allocation.studio_id = :studio_id AND booking_id = :booking_id
          AND state <> 'released'
        ORDER BY allocation.id FOR UPDATE OF allocation
    )
    UPDATE allocation SET state = 'released', blocks_until = NULL
    FROM mine WHERE allocation.studio_id = :studio_id AND allocation.id = mine.id
""")


class NoCoaching(Conflict):
    """The booking has no coaching that could be cancelled."""

    code = "no_coaching"


def cancel_coaching(
    session: Session, *, studio: Studio, booking_id: UUID, actor: Actor, now: datetime
) -> dict[CreditKind, int]:
    """Cancel only the coaching of a booking: the coach is free, the bays stay.

    Returns what came back per kind, by the tiers of a cancellation. Where it is not the customer
    who cancels they may give the whole session back for free from then on (D24). Raises
    `NoCoaching`, or `NotCancellable` once the session has begun or was never paid.
    """
    booking = bookings.lock(session, studio_id=studio.id, booking_id=booking_id)
    bookings.refuse_begun(booking, bookings.LIVE, now=now)
    if booking.due_at is not None:
        raise NotCancellable(f"booking {booking.code} waits to be paid; pay it or cancel all of it")
    if booking.coaching_starts_at is None:
        raise NoCoaching(f"booking {booking.code} has no coaching")
    cause = Cause("coaching_cancelled", booking.code, actor.value, now)
    back = bookings.give_back(session, booking=booking, actor=actor, cause=cause, kinds=(COACHING,))
    credits.forget_draws(session, studio_id=studio.id, booking_id=booking.id, kind=COACHING)
    _leave_out(studio, booking)
    if actor is not Actor.CUSTOMER:
        booking.free_to_cancel = True
    session.flush()
    session.execute(_FREE_COACH, {"studio_id": studio.id, "booking_id": booking.id})
    block_time.pass_on(session, studio_id=studio.id, booking_ids=[booking.id])
    attention.withdraw_coach(session, studio_id=studio.id, booking_id=booking.id, now=now)
    allocator.tell(session, studio_id=studio.id, booking_id=booking.id, now=now)
    return back


def _leave_out(studio: Studio, booking: Booking) -> None:
    """Write the booking as one that never had coaching."""
    booking.coaching_starts_at = booking.coaching_ends_at = None
    booking.coaching_sessions = 0
    booking.any_coach = False
    booking.facts = {**booking.facts, "coach": None} if booking.facts else booking.facts
    booking.revision += 1
    rest = pricing.cheapest(
        studio.products, simulator_minutes=booking.simulator_minutes, coaching_sessions=0
    )
    booking.price_minor = rest.total_minor
