"""The book itself: what is taken when, read and written as integers, one day's rivals in a queue.

Whoever takes time first takes the day's lock (`lock_days`): rivals for one slot then wait for each
other instead of dead-locking inside the exclusion constraint, which stays the judge.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.errors import ExclusionViolation
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from booking_engine.booking.assignment import Move, Piece
from booking_engine.booking.models import Allocation, AllocationState
from booking_engine.booking.occupancy import Claim
from booking_engine.catalog import schedules
from booking_engine.catalog.studio import Location, Policy
from booking_engine.errors import Conflict
from booking_engine.intervals import Interval, from_minutes, to_minutes
from booking_engine.orm import new_id


class SlotTaken(Conflict):
    """The book has no room for that session."""

    code = "slot_taken"


class Taken(NamedTuple):
    """A live allocation, its interval in minutes since the epoch.

    Whoever only reads the book needs no ids; whoever writes asks for them.
    """

    resource_id: int
    start: int
    end: int
    pinned: bool
    is_block: bool
    stranded: bool  # where a block wants to be: it is not re-packed
    blocks_until: float | None  # seconds since the epoch; a held one frees its resource then
    id: UUID | None
    booking_id: UUID | None

    @property
    def allocation_id(self) -> UUID:
        """Return the id; raises `ValueError` where the book was read without."""
        if self.id is None:
            raise ValueError("the book was read without ids")
        return self.id


@dataclass(frozen=True, slots=True)
class Span:
    """The minutes that the locked days span: inside them sessions may be moved."""

    start: int
    end: int


# For the driver itself, because whoever keeps the book in memory reads it without a session.
COLUMNS = """
    resource_id,
    (extract(epoch FROM lower(during)) / 60)::int,
    (extract(epoch FROM upper(during)) / 60)::int,
    pinned, booking_id IS NULL, stranded,
    CASE WHEN NOT stranded THEN extract(epoch FROM blocks_until)::float8 END
"""
LIVE = """
    FROM allocation
    WHERE studio_id = %(studio_id)s AND state <> 'released'
      AND during && tstzrange(%(start)s, %(end)s)
      AND (blocks_until IS NULL OR blocks_until > %(now)s OR stranded)
"""
TAKEN = f"SELECT {COLUMNS}, NULL, NULL {LIVE}"
_TAKEN_WITH_IDS = f"SELECT {COLUMNS}, id, booking_id {LIVE}"

# The days come in order, so that rivals queue for them in one order.
LOCK_DAYS = """
    SELECT count(pg_advisory_xact_lock(%(studio_id)s, day)) FROM unnest(%(days)s::int[]) AS day
"""


def days_of(during: Interval, location: Location) -> list[date]:
    """Return the local dates that an interval touches."""
    first = during.start.astimezone(location.zone).date()
    last = (during.end - timedelta(minutes=1)).astimezone(location.zone).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def lock_days(session: Session, *, studio_id: int, days: Iterable[date]) -> None:
    """Queue for these days of the book, in order, until the transaction ends."""
    session.connection().exec_driver_sql(LOCK_DAYS, days_queue(studio_id, days))


def days_queue(studio_id: int, days: Iterable[date]) -> dict[str, Any]:
    """Return the values of `LOCK_DAYS`."""
    return {"studio_id": studio_id, "days": sorted({day.toordinal() for day in days})}


def span_of(days: Sequence[date], location: Location) -> Span:
    """Return the absolute minutes that these local dates span."""
    after = max(days) + timedelta(days=1)
    begins, ends = (datetime(day.year, day.month, day.day) for day in (min(days), after))  # noqa: DTZ001 - wall-clock times
    zone = location.zone
    return Span(schedules.wall_minutes(begins, zone), schedules.wall_minutes(ends, zone))


def taken(session: Session, *, studio_id: int, start: int, end: int, now: datetime) -> list[Taken]:
    """Return what is taken in `[start, end)`; a hold whose time is up takes nothing.

    Unless a block waits for its time: that is not free for others either.
    """
    values = {
        "studio_id": studio_id,
        "start": from_minutes(start),
        "end": from_minutes(end),
        "now": now,
    }
    rows = session.connection().exec_driver_sql(_TAKEN_WITH_IDS, values)
    return [Taken._make(row) for row in rows]


def near(found: Sequence[Taken], span: Span, policy: Policy) -> list[Taken]:
    """Return what touches these days, what still buffers into them included."""
    gap = policy.buffer_minutes
    return [each for each in found if each.start < span.end + gap and span.start < each.end + gap]


def claims(found: Sequence[Taken], gap: int) -> list[Claim]:
    """Return when each resource is in use: a buffer of `gap` minutes follows a session.

    It may run into a block, so a block counts from that much later on; of one no longer than that
    its last minute stays. Of two sessions that stand nearer the earlier lasts until the later.
    """
    if not gap:
        return [each[:3] for each in found]
    followed = close_pairs(found, gap)
    return [
        (each.resource_id, min(each.start + gap, each.end - 1), each.end)
        if each.is_block
        else (
            each.resource_id,
            each.start,
            found[followed[number]].start if number in followed else each.end + gap,
        )
        for number, each in enumerate(found)
    ]


def close_pairs(found: Sequence[Taken], gap: int) -> dict[int, int]:
    """Return the sessions that another follows within the buffer on their resource, and which.

    Those are one customer's, back to back; or staff, or a buffer that grew, have put them there.
    """
    pairs: dict[int, int] = {}
    last: dict[int, int] = {}
    for number in sorted(range(len(found)), key=lambda number: found[number].start):
        each = found[number]
        if each.is_block:
            continue
        before = last.get(each.resource_id)
        if before is not None and each.start < found[before].end + gap:
            pairs[before] = number
        last[each.resource_id] = number
    return pairs


def pieces(
    found: Sequence[Taken], *, bays: Iterable[int], span: Span, policy: Policy, now: datetime
) -> list[Piece]:
    """Return the bays' share of what is taken, as the assignment sees it.

    Sessions that stand nearer to each other than the buffer stay beside each other.
    """
    wanted = set(bays)
    pairs = close_pairs(found, policy.buffer_minutes) if policy.buffer_minutes else {}
    beside = {*pairs, *pairs.values()}
    frozen_until = to_minutes(now) + policy.bay_freeze_minutes
    return [
        Piece(
            key=number,
            start=start,
            end=end,
            bay=bay,
            movable=not (each.pinned or each.stranded or number in beside)
            and each.start >= frozen_until
            and span.start <= each.start
            and each.end <= span.end,
        )
        for number, (each, (bay, start, end)) in enumerate(
            zip(found, claims(found, policy.buffer_minutes), strict=True)
        )
        if bay in wanted and start < end
    ]


def move(
    session: Session, *, studio_id: int, found: Sequence[Taken], moves: Sequence[Move]
) -> set[UUID]:
    """Put allocations on other bays and return whose; swaps are judged when all are written."""
    if not moves:
        return set()
    session.execute(text("SET CONSTRAINTS allocation_no_overlap DEFERRED"))
    for step in moves:
        session.execute(
            text(
                "UPDATE allocation SET resource_id = :bay WHERE studio_id = :studio_id AND id = :id"
            ),
            {"bay": step.bay, "studio_id": studio_id, "id": found[step.key].allocation_id},
        )
    told = (found[step.key].booking_id for step in moves)
    return {booking_id for booking_id in told if booking_id is not None}


def take(
    session: Session,
    *,
    studio_id: int,
    booking_id: UUID,
    resources: Sequence[tuple[int, Interval]],
    pinned: int | None,
    blocks_until: datetime | None,
) -> None:
    """Take the resources, one of them perhaps pinned; raises `SlotTaken` where one is taken."""
    state = AllocationState.CONFIRMED if blocks_until is None else AllocationState.HELD
    session.add_all(
        Allocation(
            studio_id=studio_id,
            id=new_id(),
            booking_id=booking_id,
            resource_id=resource_id,
            during=Range(during.start, during.end),
            state=state,
            pinned=resource_id == pinned,
            blocks_until=blocks_until,
        )
        for resource_id, during in sorted(resources)
    )
    judge(session)


def judge(session: Session) -> None:
    """Let the constraint look at what was written; raises `SlotTaken` where it finds an overlap."""
    try:
        session.flush()
        session.execute(text("SET CONSTRAINTS allocation_no_overlap IMMEDIATE"))
    except IntegrityError as error:
        if isinstance(error.orig, ExclusionViolation):
            raise SlotTaken("somebody else has just taken that time") from error
        raise
