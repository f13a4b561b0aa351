"""What a person decides about an item of the attention list, done in the same transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.attention import AttentionItem
from booking_engine.booking import bookings, holds, occurrences, offers, parts, series, waitlist
from booking_engine.booking.models import Booking, Hold
from booking_engine.booking.policies import Actor
from booking_engine.booking.waitlist_models import OfferStatus
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import takebacks, wallets
from booking_engine.ledger.models import CreditKind, Lot
from booking_engine.ledger.transfers import Cause


def settle(
    session: Session,
    *,
    studio: Studio,
    item_id: UUID,
    choice: str,
    by: str,
    reason: str,
    now: datetime,
) -> AttentionItem:
    """Settle an item: `cancel` gives its session up with everything back, `keep` lets it stand.

    `drop_coach` cancels the coaching alone. A session that is not paid yet is given up likewise:
    its hold is released, its date of a series skipped, its offer withdrawn. `revoke` takes the
    credits that a refund without lines paid for, as far as they are unused. Raises `NotFound`,
    `AlreadyResolved`, `Invalid` for a choice that the item does not give, and what the booking
    refuses.
    """
    seen = attention.get(session, studio_id=studio.id, item_id=item_id)
    booking = None
    if choice in (attention.CANCEL, attention.DROP_COACH) and choice in attention.choices(seen):
        booking_id = UUID(seen.facts["booking"])
        if offers.of_booking(session, studio_id=studio.id, booking_id=booking_id) is not None:
            waitlist.queue(session, studio_id=studio.id)
        # Whoever cancels has the booking before its items: the same order here.
        booking = bookings.lock(session, studio_id=studio.id, booking_id=booking_id)
    owned = _lots_of(session, seen) if choice == attention.REVOKE else []
    item = attention.lock(session, studio_id=studio.id, item_id=item_id)
    attention.resolve(session, item=item, choice=choice, by=by, reason=reason, now=now)
    if booking is not None and choice == attention.DROP_COACH:
        parts.cancel_coaching(
            session, studio=studio, booking_id=booking.id, actor=Actor.STUDIO, now=now
        )
    elif booking is not None:
        _give_up(session, studio, booking, reason, now)
    for kind, quantity in item.facts.get("proposed", {}).items() if owned else ():
        takebacks.revoke_share(
            session,
            lots=owned,
            kind=CreditKind(kind),
            quantity=quantity,
            cause=Cause(takebacks.MONEY_REFUNDED, f"refund:{item.key}", by, now),
        )
    return item


def _give_up(
    session: Session, studio: Studio, booking: Booking, reason: str, now: datetime
) -> None:
    """End a session for the studio, whatever it has come to; its row is locked."""
    if booking.status not in bookings.HOLDING:
        bookings.cancel(
            session,
            studio_id=studio.id,
            booking_id=booking.id,
            actor=Actor.STUDIO,
            reason=reason,
            now=now,
        )
        return
    date = occurrences.tentative_of(session, studio_id=studio.id, booking_id=booking.id)
    if date is not None:
        series.skip_date(
            session,
            studio=studio,
            series_id=date.series_id,
            number=date.number,
            actor=Actor.STUDIO,
            now=now,
        )
        return
    offer = offers.of_booking(session, studio_id=studio.id, booking_id=booking.id)
    if offer is not None:
        offers.give_up(session, studio=studio, offer=offer, status=OfferStatus.WITHDRAWN, now=now)
        return
    held = select(Hold.id).where(
        col(Hold.studio_id) == studio.id, col(Hold.booking_id) == booking.id
    )
    holds.release(
        session,
        studio=studio,
        hold_id=session.exec(held).one(),
        now=now,
        actor=Actor.STUDIO,
        reason=reason,
    )


def _lots_of(session: Session, item: AttentionItem) -> Sequence[Lot]:
    """Return the lots of the order that an item is about, their wallets locked."""
    found = select(Lot).where(
        col(Lot.studio_id) == item.studio_id, col(Lot.order_id) == item.facts.get("order_id")
    )
    for wallet_id in sorted({lot.wallet_id for lot in session.exec(found)}):
        wallets.lock(session, studio_id=item.studio_id, wallet_id=wallet_id)
    return session.exec(found.order_by(col(Lot.id)).execution_options(populate_existing=True)).all()
