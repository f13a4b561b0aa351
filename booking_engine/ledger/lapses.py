"""Credits whose time is up, and those that are given more of it (product rule D1).

That a lot has expired is a fact of the clock: no read counts it from that instant on. Here it is
written down, and undone where the studio lets the lot live longer after all.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, tuple_
from sqlmodel import Session, col, select

from booking_engine.errors import Conflict, NotFound
from booking_engine.ledger import extensions, transfers, wallets
from booking_engine.ledger.models import Bucket, Lot, Transfer
from booking_engine.ledger.transfers import Cause

EXPIRED, EXTENDED = "expired", "extended"


class NotLonger(Conflict):
    """The lot lives that long already."""

    code = "not_longer"


def expire_due(session: Session, *, now: datetime, limit: int) -> int:
    """Write as expired what lies available in lots whose time is up; returns how many lots.

    Only what is available in that lot then: what is held stays held. Wallets that somebody works
    on are left to the next sweep, as are lots whose payment is disputed until that is settled.
    """
    is_due = (
        col(Lot.expires_at) <= now,
        col(Lot.available) > 0,
        col(Lot.frozen_at).is_(None),
    )
    found = select(Lot.studio_id, Lot.wallet_id).where(*is_due).distinct().limit(limit)
    free = wallets.lock_free(session, wallets={(row[0], row[1]) for row in session.exec(found)})
    due = session.exec(
        select(Lot)
        .where(*is_due, tuple_(col(Lot.studio_id), col(Lot.wallet_id)).in_(free))
        .order_by(col(Lot.studio_id), col(Lot.id))
        .limit(limit)
        .execution_options(populate_existing=True)
    ).all()
    before = _times_expired(session, due)
    for lot in due:
        times = before.get((lot.studio_id, lot.id), 0)
        transfers.move(
            session,
            studio_id=lot.studio_id,
            lot_id=lot.id,
            buckets=(Bucket.AVAILABLE, Bucket.EXPIRED),
            quantity=lot.available,
            key=f"expire:{lot.id}" + (f":{times + 1}" if times else ""),
            cause=Cause(EXPIRED, f"lot:{lot.id}", "system", now),
        )
    return len(due)


def prolong(session: Session, *, lot: Lot, until: datetime, key: str, cause: Cause) -> int:
    """Let a lot live until a later instant; returns how much of it came back from expired.

    What the sweep had written as expired is available again; what a late return had, is not: for
    that the studio has given another lot where it was the cause. The caller holds the wallet's
    lock. Raises `NotLonger` where the lot lives that long already, or for ever.
    """
    if not extensions.extend(session, lot=lot, until=until, key=key, cause=cause):
        raise NotLonger(
            "that lot never expires"
            if lot.expires_at is None
            else "a lot can only be given a later end than it has",
            expires_at=lot.expires_at.isoformat() if lot.expires_at else None,
        )
    swept = _swept(session, lot) if lot.withdrawn_at is None and cause.at < until else 0
    if swept:
        transfers.move(
            session,
            studio_id=lot.studio_id,
            lot_id=lot.id,
            buckets=(Bucket.EXPIRED, Bucket.AVAILABLE),
            quantity=swept,
            key=f"revive:{key}",
            cause=Cause(EXTENDED, cause.reference, cause.actor, cause.at),
        )
        session.refresh(lot)
    return swept


def find(session: Session, *, studio_id: int, lot_id: UUID) -> Lot:
    """Return a lot, its wallet locked; raises `NotFound`."""
    wanted = select(Lot).where(col(Lot.studio_id) == studio_id, col(Lot.id) == lot_id)
    lot = session.exec(wanted).first()
    if lot is None:
        raise NotFound("there is no such lot")
    locked = None
    while locked != lot.wallet_id:  # it may have gone to another wallet meanwhile
        locked = lot.wallet_id
        wallets.lock(session, studio_id=studio_id, wallet_id=locked)
        session.refresh(lot)
    return lot


def _swept(session: Session, lot: Lot) -> int:
    """Return how much of the lot's expired credits the sweep has written and nobody revived."""
    rows = session.exec(
        select(Transfer.reason, func.coalesce(func.sum(Transfer.quantity), 0))
        .where(
            col(Transfer.studio_id) == lot.studio_id,
            col(Transfer.lot_id) == lot.id,
            col(Transfer.reason).in_([EXPIRED, EXTENDED]),
        )
        .group_by(col(Transfer.reason))
    ).all()
    moved = {row[0]: int(row[1]) for row in rows}
    return moved.get(EXPIRED, 0) - moved.get(EXTENDED, 0)


def _times_expired(session: Session, lots: Iterable[Lot]) -> dict[tuple[int, UUID], int]:
    rows = session.exec(
        select(Transfer.studio_id, Transfer.lot_id, func.count())
        .where(
            tuple_(col(Transfer.studio_id), col(Transfer.lot_id)).in_(
                [(lot.studio_id, lot.id) for lot in lots]
            ),
            col(Transfer.reason) == EXPIRED,
        )
        .group_by(col(Transfer.studio_id), col(Transfer.lot_id))
    ).all()
    return {(row[0], row[1]): row[2] for row in rows}
