"""Whom a changed catalogue would leave without their place or hours; cancels nobody (X13)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.booking import conflicts
from booking_engine.booking.conflicts import CLOSED, Conflict, Standing
from booking_engine.booking.models import Allocation, AllocationState, Booking
from booking_engine.catalog.studio import Studio
from booking_engine.intervals import from_minutes, to_minutes

KIND = "schedule_conflict"

_STANDING = text("""
    SELECT booking.id, code, location_id, starts_at, ends_at, coach.resource_id,
           coaching_starts_at, coaching_ends_at
    FROM booking LEFT JOIN LATERAL (
        SELECT resource_id FROM allocation
        JOIN resource ON resource.studio_id = allocation.studio_id
                     AND resource.id = allocation.resource_id AND resource.kind = 'coach'
        WHERE allocation.studio_id = booking.studio_id AND allocation.booking_id = booking.id
          AND allocation.state <> 'released'
        LIMIT 1
    ) coach ON true
    WHERE booking.studio_id = :studio_id AND starts_at > :now
      AND EXISTS (SELECT FROM allocation
                  WHERE allocation.studio_id = booking.studio_id
                    AND allocation.booking_id = booking.id AND allocation.state <> 'released'
                    AND (blocks_until IS NULL OR blocks_until > :now))
    ORDER BY starts_at, booking.id
""")


def flag(session: Session, *, before: Studio, after: Studio, now: datetime) -> list[Conflict]:
    """Put the sessions that the change leaves without their hours on the list; return the new ones.

    What a person settled stays settled, and what is in order again goes off the list.
    """
    found = list(conflicts.find(before, after, _standing(session, after.id, now)))
    keys = {conflict.key for conflict in found}
    attention.withdraw_others(session, studio_id=after.id, kind=KIND, keys=keys, now=now)
    return [each for each in found if each.is_new and _raise(session, after, each, now)]


def needing(
    session: Session, *, studio_id: int, resource_id: int, now: datetime
) -> Sequence[tuple[str, datetime]]:
    """Return code and start of the bookings still to come that take a resource."""
    found = session.exec(
        select(Booking.code, Booking.starts_at)
        .join(
            Allocation,
            (col(Allocation.studio_id) == col(Booking.studio_id))
            & (col(Allocation.booking_id) == col(Booking.id)),
        )
        .where(
            col(Allocation.studio_id) == studio_id,
            col(Allocation.resource_id) == resource_id,
            col(Allocation.state) != AllocationState.RELEASED,
            col(Booking.ends_at) > now,
        )
        .order_by(col(Booking.starts_at))
    ).all()
    return [(row[0], row[1]) for row in found]


def words(studio: Studio, conflict: Conflict) -> str:
    """Return in words why a session cannot be where it is."""
    if CLOSED in conflict.reasons:
        return "the studio is closed then"
    coach_id = conflict.session.coach_id
    name = studio.resources[coach_id].name if coach_id is not None else "the coach"
    return f"{name} does not work then"


def _standing(session: Session, studio_id: int, now: datetime) -> Sequence[Standing]:
    rows = session.execute(_STANDING, {"studio_id": studio_id, "now": now}).all()
    return [
        Standing(
            booking_id=booking_id,
            code=code,
            location_id=location_id,
            start=to_minutes(starts_at),
            end=to_minutes(ends_at),
            coach_id=coach_id,
            coached=(to_minutes(from_at), to_minutes(to_at)) if from_at and to_at else None,
        )
        for booking_id, code, location_id, starts_at, ends_at, coach_id, from_at, to_at in rows
    ]


def _raise(session: Session, studio: Studio, conflict: Conflict, now: datetime) -> bool:
    standing = conflict.session
    places = [place for place in studio.locations if place.id == standing.location_id]
    zone = (places or studio.locations)[0].zone
    coach = studio.resources[standing.coach_id].handle if standing.coach_id is not None else None
    start, end = (
        from_minutes(edge).astimezone(zone).isoformat() for edge in (standing.start, standing.end)
    )
    return attention.raise_item(
        session,
        studio_id=studio.id,
        kind=KIND,
        key=conflict.key,
        detail=f"the hours changed under booking {standing.code}: {words(studio, conflict)}",
        now=now,
        facts={
            "booking": str(standing.booking_id),
            "code": standing.code,
            "start": start,
            "end": end,
            "coach": coach,
            "reasons": list(conflict.reasons),
        },
    )
