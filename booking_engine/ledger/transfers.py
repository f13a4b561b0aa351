"""The only writer of a lot's buckets: a transfer and its change of the lot, together or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlmodel import Session, col, select

from booking_engine.errors import Conflict
from booking_engine.ledger.models import Bucket, Lot, Transfer

_INSIDE = [bucket for bucket in Bucket if bucket is not Bucket.ISSUED]


class Overdrawn(Conflict):
    """The bucket does not hold that much."""

    code = "overdrawn"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a quantity moves: the reason, what it is about, who did it, and when."""

    reason: str
    reference: str
    actor: str
    at: datetime


def _move_statement(source: Bucket, target: Bucket) -> str:
    """Return the one statement that writes a transfer once and moves its quantity with it."""
    changes = []
    if source is not Bucket.ISSUED:
        changes.append(f"{source.value} = lot.{source.value} - posted.quantity")
    changes.append(f"{target.value} = lot.{target.value} + posted.quantity")
    enough = "" if source is Bucket.ISSUED else f" AND {source.value} >= :quantity"
    return f"""
        WITH enough AS (
            SELECT id FROM lot
            WHERE studio_id = :studio_id AND id = :lot_id{enough}
            FOR NO KEY UPDATE
        ), posted AS (
            INSERT INTO transfer (studio_id, key, lot_id, from_bucket, to_bucket, quantity,
                                  reason, reference, actor, at)
            SELECT :studio_id, :key, id, '{source.value}', '{target.value}', :quantity,
                   :reason, :reference, :actor, CAST(:at AS timestamptz)
            FROM enough
            ON CONFLICT (studio_id, key) DO NOTHING
            RETURNING studio_id, lot_id, quantity
        )
        UPDATE lot SET {", ".join(changes)} FROM posted
        WHERE lot.studio_id = posted.studio_id AND lot.id = posted.lot_id
        RETURNING lot.id
    """  # noqa: S608 - bucket names come from the enumeration above


_MOVES: dict[tuple[Bucket, Bucket], TextClause] = {
    (source, target): text(_move_statement(source, target))
    for source in Bucket
    for target in _INSIDE
    if source is not target
}


def move(
    session: Session,
    *,
    studio_id: int,
    lot_id: UUID,
    buckets: tuple[Bucket, Bucket],
    quantity: int,
    key: str,
    cause: Cause,
) -> bool:
    """Move a quantity between two buckets of a lot, once per `key`.

    Returns False where this key has already moved; raises `Overdrawn` where the bucket holds less.
    """
    moved = session.execute(
        _MOVES[buckets],
        {
            "studio_id": studio_id,
            "key": key,
            "lot_id": lot_id,
            "quantity": quantity,
            "reason": cause.reason,
            "reference": cause.reference,
            "actor": cause.actor,
            "at": cause.at,
        },
    ).first()
    if moved is not None:
        return True
    # Whether it happened before is asked before whether there is enough.
    before = select(Transfer.sequence).where(
        col(Transfer.studio_id) == studio_id, col(Transfer.key) == key
    )
    if session.exec(before).first() is not None:
        return False
    raise Overdrawn(f"lot {lot_id} has less than {quantity} {buckets[0].value}")


def newest(
    session: Session, *, studio_id: int, wallet_id: UUID, before: int | None, limit: int
) -> Sequence[Transfer]:
    """Return a wallet's transfers, newest first, those before a sequence number."""
    wanted = (
        select(Transfer)
        .join(
            Lot,
            (col(Lot.studio_id) == col(Transfer.studio_id)) & (col(Lot.id) == col(Transfer.lot_id)),
        )
        .where(col(Transfer.studio_id) == studio_id, col(Lot.wallet_id) == wallet_id)
    )
    if before is not None:
        wanted = wanted.where(col(Transfer.sequence) < before)
    return session.exec(wanted.order_by(col(Transfer.sequence).desc()).limit(limit)).all()
