"""What a person decides about an item of the attention list, done in the same transaction."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from booking_engine import attention
from booking_engine.attention import AttentionItem
from booking_engine.booking import bookings
from booking_engine.booking.policies import Actor


def settle(
    session: Session,
    *,
    studio_id: int,
    item_id: UUID,
    choice: str,
    by: str,
    reason: str,
    now: datetime,
) -> AttentionItem:
    """Settle an item: `cancel` cancels its booking with everything back, `keep` lets it stand.

    Raises `NotFound`, `AlreadyResolved`, `Invalid` for a choice that the item does not give, and
    what the booking refuses.
    """
    seen = attention.get(session, studio_id=studio_id, item_id=item_id)
    booking_id = None
    if choice == attention.CANCEL and choice in attention.choices(seen):
        # Whoever cancels has the booking before its items: the same order here.
        booking_id = UUID(seen.facts["booking"])
        bookings.lock(session, studio_id=studio_id, booking_id=booking_id)
    item = attention.lock(session, studio_id=studio_id, item_id=item_id)
    attention.resolve(session, item=item, choice=choice, by=by, reason=reason, now=now)
    if booking_id is not None:
        bookings.cancel(
            session,
            studio_id=studio_id,
            booking_id=booking_id,
            actor=Actor.STUDIO,
            reason=reason,
            now=now,
        )
    return item
