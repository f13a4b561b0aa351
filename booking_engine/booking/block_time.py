"""What blocks take: all of their time in which no session stands.

One computation serves the declaration, a session that goes, a hold that lapses and another block
that is lifted: the time that a block wants, less what is taken, is written as its allocations.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from booking_engine.intervals import Interval
from booking_engine.orm import new_id

_FREED = text("""
    UPDATE allocation SET stranded = false
    WHERE studio_id = :studio_id AND booking_id = ANY(:booking_ids)
      AND stranded AND state = 'released'
    RETURNING resource_id, lower(during), upper(during)
""")

_FREE = text("""
    SELECT lower(span), upper(span)
    FROM (
        SELECT tstzmultirange(block.during) - coalesce((
            SELECT range_agg(allocation.during) FROM allocation
            WHERE allocation.studio_id = block.studio_id
              AND allocation.resource_id = block.resource_id
              AND allocation.state <> 'released' AND allocation.during && block.during
        ), '{}'::tstzmultirange) AS rest
        FROM block WHERE studio_id = :studio_id AND id = :block_id
    ) AS wanted, unnest(rest) AS span
    ORDER BY 1
""")

_WANTING = text("""
    SELECT id FROM block
    WHERE studio_id = :studio_id AND resource_id = :resource_id AND lifted_at IS NULL
      AND during && tstzrange(:start, :end)
    ORDER BY declared_at, id
""")

_TAKE = text("""
    INSERT INTO allocation (studio_id, id, block_id, resource_id, during, state, pinned, stranded)
    VALUES (:studio_id, :id, :block_id, :resource_id, tstzrange(:start, :end), 'confirmed',
            true, false)
""")

_MARK = text("""
    UPDATE allocation SET stranded = NOT stranded
    WHERE studio_id = :studio_id AND resource_id = :resource_id AND booking_id IS NOT NULL
      AND state <> 'released' AND during && tstzrange(:start, :end)
      AND stranded <> EXISTS (
          SELECT FROM block
          WHERE block.studio_id = allocation.studio_id
            AND block.resource_id = allocation.resource_id
            AND block.lifted_at IS NULL AND block.during && allocation.during)
""")


def pass_on(session: Session, *, studio_id: int, booking_ids: Iterable[UUID]) -> None:
    """Give the time that these bookings freed to the blocks that were waiting for it."""
    values = {"studio_id": studio_id, "booking_ids": list(booking_ids)}
    for resource_id, start, end in session.execute(_FREED, values).all():
        take_rest(
            session, studio_id=studio_id, resource_id=resource_id, during=Interval(start, end)
        )


def take_rest(session: Session, *, studio_id: int, resource_id: int, during: Interval) -> None:
    """Take for every block on a resource what is free of its time; the older block comes first.

    Only blocks that reach into `during` are asked.
    """
    where = {"studio_id": studio_id, "resource_id": resource_id}
    values = {**where, "start": during.start, "end": during.end}
    for row in session.execute(_WANTING, values).all():
        block = {"studio_id": studio_id, "block_id": row[0]}
        for start, end in session.execute(_FREE, block).all():
            taken = {**where, **block, "id": new_id(), "start": start, "end": end}
            session.execute(_TAKE, taken)


def mark_stranded(session: Session, *, studio_id: int, resource_id: int, during: Interval) -> None:
    """Mark exactly the sessions in this time that stand where a block wants to be."""
    session.execute(
        _MARK,
        {
            "studio_id": studio_id,
            "resource_id": resource_id,
            "start": during.start,
            "end": during.end,
        },
    )
