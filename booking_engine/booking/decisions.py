"""What a person decides about an item of the attention list, done in the same transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.attention import AttentionItem
from booking_engine.booking import bookings
from booking_engine.booking.policies import Actor
from booking_engine.ledger import takebacks, wallets
from booking_engine.ledger.models import CreditKind, Lot
from booking_engine.ledger.transfers import Cause


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
    """Settle an item; `cancel` cancels its booking with everything back, `keep` lets it stand.

    `revoke` takes the credits that a refund without lines paid for, as far as they are unused.
    Raises `NotFound`, `AlreadyResolved`, `Invalid` for a choice that the item does not give, and
    what the booking refuses.
    """
    seen = attention.get(session, studio_id=studio_id, item_id=item_id)
    booking_id = None
    if choice == attention.CANCEL and choice in attention.choices(seen):
        # Whoever cancels has the booking before its items: the same order here.
        booking_id = UUID(seen.facts["booking"])
        bookings.lock(session, studio_id=studio_id, booking_id=booking_id)
    owned = _lots_of(session, seen) if choice == attention.REVOKE else []
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
    for kind, quantity in item.facts.get("proposed", {}).items() if owned else ():
        takebacks.revoke_share(
            session,
            lots=owned,
            kind=CreditKind(kind),
            quantity=quantity,
            cause=Cause(takebacks.MONEY_REFUNDED, f"refund:{item.key}", by, now),
        )
    return item


def _lots_of(session: Session, item: AttentionItem) -> Sequence[Lot]:
    """Return the lots of the order that an item is about, their wallets locked."""
    found = select(Lot).where(
        col(Lot.studio_id) == item.studio_id, col(Lot.order_id) == item.facts.get("order_id")
    )
    for wallet_id in sorted({lot.wallet_id for lot in session.exec(found)}):
        wallets.lock(session, studio_id=item.studio_id, wallet_id=wallet_id)
    return session.exec(found.order_by(col(Lot.id)).execution_options(populate_existing=True)).all()
