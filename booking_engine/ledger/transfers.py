"""The only writer of a lot's buckets: a transfer and its change of the lot, together or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from booking_engine.errors import Conflict
from booking_engine.ledger.models import Bucket, Lot, Transfer

# Why the credits of a unit go that the shop took back; its return undoes just these.
WITHDRAWN = "withdrawn"

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


def posting(source: Bucket, target: Bucket) -> str:
    """Return the CTEs that write transfers, each once, and move their quantities with them.

    `moved` has the lots, by id, and how much moved; `%(lot_ids)s`, `%(quantities)s` and `%(keys)s`
    stand beside each other. What its bucket does not hold does not move.
    """
    changes = []
    if source is not Bucket.ISSUED:
        changes.append(f"{source.value} = lot.{source.value} - posted.quantity")
    changes.append(f"{target.value} = lot.{target.value} + posted.quantity")
    enough = "" if source is Bucket.ISSUED else f" AND lot.{source.value} >= step.quantity"
    return f"""
        enough AS (
            SELECT lot.id, step.quantity, step.key
            FROM unnest(%(lot_ids)s::uuid[], %(quantities)s::bigint[], %(keys)s::text[])
                AS step (lot_id, quantity, key)
            JOIN lot ON lot.studio_id = %(studio_id)s AND lot.id = step.lot_id{enough}
            ORDER BY lot.id
            FOR NO KEY UPDATE OF lot
        ), posted AS (
            INSERT INTO transfer (studio_id, key, lot_id, from_bucket, to_bucket, quantity,
                                  reason, reference, actor, at)
            SELECT %(studio_id)s, key, id, '{source.value}', '{target.value}', quantity,
                   %(reason)s, %(reference)s, %(actor)s, %(at)s::timestamptz
            FROM enough
            ON CONFLICT (studio_id, key) DO NOTHING
            RETURNING lot_id, quantity
        ), moved AS (
            UPDATE lot SET {", ".join(changes)} FROM posted
            WHERE lot.studio_id = %(studio_id)s AND lot.id = posted.lot_id
            RETURNING lot.id, posted.quantity
        )
    """  # noqa: S608 - bucket names come from the enumeration above


def values(
    cause: Cause, *, studio_id: int, lot_ids: Sequence[UUID], quantities: Sequence[int], key: str
) -> dict[str, Any]:
    """Return what a posting is about; each lot's transfer has `key` and the lot's id as its key."""
    return {
        "studio_id": studio_id,
        "lot_ids": list(lot_ids),
        "quantities": list(quantities),
        "keys": [f"{key}:{lot_id}" for lot_id in lot_ids],
        "reason": cause.reason,
        "reference": cause.reference,
        "actor": cause.actor,
        "at": cause.at,
    }


_MOVES: dict[tuple[Bucket, Bucket], str] = {
    (source, target): f"WITH {posting(source, target)} SELECT id FROM moved"  # noqa: S608 - as above
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
    about = values(cause, studio_id=studio_id, lot_ids=[lot_id], quantities=[quantity], key="")
    session.flush()
    done = session.connection().exec_driver_sql(_MOVES[buckets], {**about, "keys": [key]})
    if done.first() is not None:
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
