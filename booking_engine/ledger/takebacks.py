"""Units that the shop takes back: what lies unused is revoked, other lots pay in their place (D5).

Never is more taken than is unused or held, never from another lot. Callers hold the wallet's lock.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlmodel import Session, case, col, func, select

from booking_engine.ledger import credits, transfers
from booking_engine.ledger import lots as rules
from booking_engine.ledger.credits import Need
from booking_engine.ledger.lots import Funds
from booking_engine.ledger.models import Bucket, CreditKind, Draw, Lot, Transfer
from booking_engine.ledger.transfers import WITHDRAWN, Cause
from booking_engine.orm import new_id

# Why credits go that somebody revokes for a refund that named no line.
MONEY_REFUNDED = "money_refunded"
REINSTATED = "reinstated"
FUNDED_AGAIN = "funded_again"


def withdraw(session: Session, *, lot: Lot, cause: Cause) -> None:
    """Take a lot's unit back: what is available is revoked; what is held stays for the caller."""
    if lot.withdrawn_at is None:
        lot.withdrawn_at = cause.at
        session.flush()
    if lot.available:
        key = f"withdraw:{lot.source}:{new_id()}"
        because = replace(cause, reason=WITHDRAWN)
        credits.revoke(session, lot=lot, quantity=lot.available, key=key, cause=because)


def reinstate(session: Session, *, lot: Lot, cause: Cause) -> None:
    """Give a unit back that is wanted again; what people revoked of it meanwhile stays revoked."""
    lot.withdrawn_at = None
    session.flush()
    signed = case(
        (col(Transfer.to_bucket) == Bucket.REVOKED, col(Transfer.quantity)),
        else_=-col(Transfer.quantity),
    )
    taken = session.exec(
        select(func.coalesce(func.sum(signed), 0)).where(
            col(Transfer.studio_id) == lot.studio_id,
            col(Transfer.lot_id) == lot.id,
            col(Transfer.reason).in_([WITHDRAWN, REINSTATED]),
        )
    ).one()
    if taken > 0:
        key = f"reinstate:{lot.source}:{new_id()}"
        because = replace(cause, reason=REINSTATED)
        credits.restore(session, lot=lot, quantity=int(taken), key=key, cause=because)


def pay_instead(session: Session, *, draw: Draw, lot: Lot, need: Need, cause: Cause) -> bool:
    """Let other lots of the wallet hold what a withdrawn lot holds for a booking; that is revoked.

    `need` says when the session is and which credits may pay for it. All of the draw or nothing:
    returns False where the eligible lots have less.
    """
    session.flush()
    wallet = {"studio_id": lot.studio_id, "wallet_id": lot.wallet_id}
    rows = session.connection().exec_driver_sql(rules.SPENDABLE, wallet)
    owned = [Funds.read(row) for row in rows]
    # What a dispute of the same order has frozen waits for the same end as the session does, so
    # that it does not matter which of refund and dispute is told first.
    others = [
        each._replace(frozen_at=None) if each.order_id == lot.order_id else each
        for each in owned
        if each.id != lot.id
    ]
    wanted = draw.held
    shares = rules.share_out(
        others, lot.kind, wanted, starts_at=need.starts_at, now=cause.at, facts=need.facts
    )
    if sum(share.quantity for share in shares) < wanted:
        return False
    turn = new_id()
    for share in sorted(shares, key=lambda share: share.lot_id):
        transfers.move(
            session,
            studio_id=lot.studio_id,
            lot_id=share.lot_id,
            buckets=(Bucket.AVAILABLE, Bucket.HELD),
            quantity=share.quantity,
            key=f"instead:{draw.booking_id}:{turn}:{share.lot_id}",
            cause=replace(cause, reason=FUNDED_AGAIN),
        )
        _draw(session, draw, share)
    transfers.move(
        session,
        studio_id=lot.studio_id,
        lot_id=lot.id,
        buckets=(Bucket.HELD, Bucket.REVOKED),
        quantity=wanted,
        key=f"withdraw:{draw.booking_id}:{turn}:{lot.id}",
        cause=replace(cause, reason=WITHDRAWN),
    )
    # The booking is paid by others now; the transfers remember the rest.
    session.delete(draw)
    session.flush()
    session.refresh(lot)
    return True


def revoke_share(
    session: Session, *, lots: Sequence[Lot], kind: CreditKind, quantity: int, cause: Cause
) -> int:
    """Revoke available credits of a kind from an order's lots, and return how many there were.

    The unit with the most left goes first; what bookings hold stays theirs.
    """
    left = quantity
    standing = [lot for lot in lots if lot.kind is kind and lot.withdrawn_at is None]
    for lot in sorted(standing, key=lambda lot: (-lot.available, lot.id)):
        taken = min(lot.available, left)
        if taken > 0:
            key = f"{cause.reason}:{cause.reference}:{lot.id}"
            credits.revoke(session, lot=lot, quantity=taken, key=key, cause=cause)
            left -= taken
    return quantity - left


def _draw(session: Session, replaced: Draw, share: rules.Share) -> None:
    found = session.exec(
        select(Draw).where(
            col(Draw.studio_id) == replaced.studio_id,
            col(Draw.booking_id) == replaced.booking_id,
            col(Draw.lot_id) == share.lot_id,
        )
    ).first()
    if found is None:
        found = Draw(
            studio_id=replaced.studio_id,
            booking_id=replaced.booking_id,
            lot_id=share.lot_id,
            quantity=0,
            held=0,
        )
    found.quantity += share.quantity
    found.held += share.quantity
    session.add(found)
    session.flush()


def value(lot: Lot, quantity: int) -> int:
    """Return what so much of a lot was paid with, in minor units, rounded down."""
    return lot.paid_minor * quantity // lot.granted
