"""The only writer of a lot's expiry after its grant: a lot may live longer, never shorter (D1).

Callers hold the wallet's lock.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from booking_engine.ledger.models import Lot, LotExtension
from booking_engine.ledger.transfers import Cause

_EXTEND = text("""
    WITH shorter AS (
        SELECT id, expires_at FROM lot
        WHERE studio_id = :studio_id AND id = :lot_id AND expires_at < :until
        FOR NO KEY UPDATE
    ), told AS (
        INSERT INTO lot_extension (studio_id, key, lot_id, old_expires_at, new_expires_at,
                                   reason, reference, actor, at)
        SELECT :studio_id, :key, id, expires_at, CAST(:until AS timestamptz),
               :reason, :reference, :actor, CAST(:at AS timestamptz)
        FROM shorter
        ON CONFLICT (studio_id, key) DO NOTHING
        RETURNING studio_id, lot_id, new_expires_at
    )
    UPDATE lot SET expires_at = told.new_expires_at FROM told
    WHERE lot.studio_id = told.studio_id AND lot.id = told.lot_id
    RETURNING lot.id
""")


def extend(session: Session, *, lot: Lot, until: datetime, key: str, cause: Cause) -> bool:
    """Let a lot live until a later instant, once per `key`, and write down who did it and why.

    Returns False and writes nothing where the lot lives that long already or never expires, and
    where this key has extended before. Whether a lot that has expired may come back is the caller's
    question; what was written as expired stays so.
    """
    extended = session.execute(
        _EXTEND,
        {
            "studio_id": lot.studio_id,
            "lot_id": lot.id,
            "until": until,
            "key": key,
            "reason": cause.reason,
            "reference": cause.reference,
            "actor": cause.actor,
            "at": cause.at,
        },
    ).first()
    session.refresh(lot)
    return extended is not None


def of_lot(session: Session, *, studio_id: int, lot_id: UUID) -> Sequence[LotExtension]:
    """Return every extension of a lot, oldest first."""
    return session.exec(
        select(LotExtension)
        .where(col(LotExtension.studio_id) == studio_id, col(LotExtension.lot_id) == lot_id)
        .order_by(col(LotExtension.sequence))
    ).all()
