"""A customer's statement: what a wallet had, every movement since, and what it has after them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from booking_engine.errors import Invalid
from booking_engine.ledger.models import Bucket, CreditKind, Lot, Transfer

LINES_MAX = 2000
_OF_LOT = (col(Lot.studio_id) == col(Transfer.studio_id)) & (col(Lot.id) == col(Transfer.lot_id))


@dataclass(frozen=True, slots=True)
class Has:
    """What a wallet has of one kind: free to use, and reserved for sessions to come."""

    available: int = 0
    held: int = 0

    def after(self, change: "Has") -> "Has":
        """Return what there is after a change."""
        return Has(self.available + change.available, self.held + change.held)


@dataclass(frozen=True, slots=True)
class Line:
    """One transfer, and what it changed."""

    transfer: Transfer
    lot: Lot
    change: Has


@dataclass(frozen=True, slots=True)
class Statement:
    """Opening, lines in the order of the ledger, closing; opening + changes = closing."""

    opening: dict[CreditKind, Has]
    lines: Sequence[Line]
    closing: dict[CreditKind, Has]


def make(
    session: Session, *, studio_id: int, wallet_id: UUID, start: datetime, end: datetime
) -> Statement:
    """Return the statement of the time from `start` on and before `end`.

    Raises `Invalid` where more happened than anybody reads on one page.
    """
    opening = _before(session, studio_id, wallet_id, start)
    found = session.exec(
        select(Transfer, Lot)
        .join(Lot, _OF_LOT)
        .where(
            col(Transfer.studio_id) == studio_id,
            col(Lot.wallet_id) == wallet_id,
            col(Transfer.at) >= start,
            col(Transfer.at) < end,
        )
        .order_by(col(Transfer.sequence))
        .limit(LINES_MAX + 1)
    ).all()
    if len(found) > LINES_MAX:
        raise Invalid(f"more than {LINES_MAX} movements; ask for a shorter time")
    lines = [
        Line(transfer, lot, _change(transfer.from_bucket, transfer.to_bucket, transfer.quantity))
        for transfer, lot in found
    ]
    closing = dict(opening)
    for line in lines:
        closing[line.lot.kind] = closing[line.lot.kind].after(line.change)
    return Statement(opening, lines, closing)


def _before(
    session: Session, studio_id: int, wallet_id: UUID, start: datetime
) -> dict[CreditKind, Has]:
    rows = session.exec(
        select(Lot.kind, Transfer.from_bucket, Transfer.to_bucket, func.sum(Transfer.quantity))
        .join(Lot, _OF_LOT)
        .where(
            col(Transfer.studio_id) == studio_id,
            col(Lot.wallet_id) == wallet_id,
            col(Transfer.at) < start,
        )
        .group_by(col(Lot.kind), col(Transfer.from_bucket), col(Transfer.to_bucket))
    ).all()
    opening = dict.fromkeys(CreditKind, Has())
    for kind, source, target, quantity in rows:
        change = _change(Bucket(source), Bucket(target), int(quantity))
        opening[CreditKind(kind)] = opening[CreditKind(kind)].after(change)
    return opening


def _change(source: Bucket, target: Bucket, quantity: int) -> Has:
    def of(bucket: Bucket) -> int:
        return quantity * ((target is bucket) - (source is bucket))

    return Has(of(Bucket.AVAILABLE), of(Bucket.HELD))
