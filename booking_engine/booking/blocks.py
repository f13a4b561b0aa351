"""Blocks: a bay is out of order or a coach is away, and what that means for the sessions there.

An outage re-packs what fits onto other bays; it may move sessions whose bay is frozen, which
nothing else may. What does not fit stays, is listed for a person to decide, and the block takes
the time around it. Lifting a block early returns what it moved, where that can still be (D27 14).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import Range
from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.booking import allocator, assignment, block_time, book, returning
from booking_engine.booking.assignment import Move
from booking_engine.booking.block_models import Block, BlockMove
from booking_engine.booking.book import Span, Taken
from booking_engine.booking.models import Allocation, AllocationState, Booking
from booking_engine.catalog.studio import Coach, Location, Simulator, Studio
from booking_engine.errors import Conflict, Invalid, NotFound
from booking_engine.intervals import MINUTE, Interval, from_minutes, to_minutes
from booking_engine.orm import new_id

LENGTH_MAX = timedelta(days=366)
BAY_OUTAGE, COACH_AWAY = "bay_outage", "coach_away"


class AlreadyLifted(Conflict):
    """The block was lifted before."""

    code = "already_lifted"


class BlockOver(Conflict):
    """The block's time has passed; there is nothing left to lift."""

    code = "block_over"


@dataclass(frozen=True, slots=True)
class Outage:
    """Which bay or coach cannot be taken, when and why; `move_pinned` moves chosen bays too."""

    resource: Simulator | Coach
    during: Interval
    reason: str
    move_pinned: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """A booking that changed its bay."""

    booking: Booking
    from_id: int
    to_id: int


@dataclass(frozen=True, slots=True)
class Declared:
    """A block, whom it moved, and who stands in its way and must be told."""

    block: Block
    moved: list[Moved]
    stranded: list[Booking]


@dataclass(frozen=True, slots=True)
class Lifted:
    """A lifted block, and who went back to their former bay."""

    block: Block
    returned: list[Moved]


def declare(
    session: Session, *, studio: Studio, outage: Outage, actor: str, now: datetime
) -> Declared:
    """Block a bay or a coach: re-pack what fits, list what does not, take the rest of the time.

    Raises `Invalid` for a time that is over or too long.
    """
    outage = replace(outage, during=_checked(outage.during, now))
    during, resource = outage.during, outage.resource
    span = _lock(session, studio, resource, during, now)
    found = book.taken(session, studio_id=studio.id, start=span.start, end=span.end, now=now)
    moves = _rehome(studio, outage, found, span, now) if isinstance(resource, Simulator) else ()
    block = Block(
        studio_id=studio.id,
        id=new_id(),
        resource_id=resource.id,
        during=Range(during.start, during.end),
        reason=outage.reason,
        declared_at=now,
        actor=actor,
    )
    session.add(block)
    session.flush()
    moved = _move(session, block, found, moves, now)
    session.add_all(
        BlockMove(
            studio_id=studio.id,
            block_id=block.id,
            allocation_id=found[step.key].allocation_id,
            from_resource_id=found[step.key].resource_id,
            to_resource_id=step.bay,
            moved_at=now,
        )
        for step in moves
    )
    _settle(session, studio.id, resource.id, during)
    stranded = _stranded(session, block, during)
    for booking in stranded:
        _list(session, studio, block, resource, booking, now)
    return Declared(block, moved, stranded)


def lift(session: Session, *, studio: Studio, block_id: UUID, actor: str, now: datetime) -> Lifted:
    """End a block now; what it moved goes back where that is still possible and not yet frozen.

    Raises `NotFound`, `AlreadyLifted`, `BlockOver`.
    """
    block = get(session, studio_id=studio.id, block_id=block_id)
    during = _during(block)
    resource = studio.resources[block.resource_id]
    span = _lock(session, studio, resource, during, now)
    session.refresh(block, with_for_update=True)
    if block.lifted_at is not None:
        raise AlreadyLifted("that block is lifted already")
    if during.end <= now:
        raise BlockOver("that block is over")
    block.lifted_at, block.lifted_by = now, actor
    _free(session, block, from_minutes(to_minutes(now)))
    _settle(session, studio.id, block.resource_id, during)
    attention.withdraw_about(session, studio_id=studio.id, about={"block": str(block.id)}, now=now)
    if not isinstance(resource, Simulator):
        return Lifted(block, [])
    found = book.taken(session, studio_id=studio.id, start=span.start, end=span.end, now=now)
    records = _records(session, block)
    moves = returning.moves(
        found,
        {record.allocation_id: record.from_resource_id for record in records},
        bays={bay.id for bay in studio.simulators_at(resource.location)},
        frozen_until=to_minutes(now) + studio.policy.bay_freeze_minutes,
        gap=studio.policy.buffer_minutes,
    )
    back = {found[step.key].allocation_id for step in moves}
    for record in records:
        if record.allocation_id in back:
            record.returned_at = now
    return Lifted(block, _move(session, block, found, moves, now))


def get(session: Session, *, studio_id: int, block_id: UUID) -> Block:
    """Return a block; raises `NotFound`."""
    found = session.exec(
        select(Block).where(col(Block.studio_id) == studio_id, col(Block.id) == block_id)
    ).first()
    if found is None:
        raise NotFound("there is no such block")
    return found


def still_to_come(session: Session, *, studio_id: int, now: datetime) -> Sequence[Block]:
    """Return the blocks that stand and are not over, by start."""
    upper = text("upper(during) > :now").bindparams(now=now)
    return session.exec(
        select(Block)
        .where(col(Block.studio_id) == studio_id, col(Block.lifted_at).is_(None), upper)
        .order_by(text("lower(during), id"))
    ).all()


def newest(session: Session, *, studio_id: int, before: UUID | None, limit: int) -> Sequence[Block]:
    """Return blocks of any age, those declared last first, those before an id."""
    wanted = select(Block).where(col(Block.studio_id) == studio_id)
    if before is not None:
        wanted = wanted.where(col(Block.id) < before)
    return session.exec(wanted.order_by(col(Block.id).desc()).limit(limit)).all()


def _checked(during: Interval, now: datetime) -> Interval:
    """Return the block's time in whole minutes, from now at the earliest."""
    start = max(to_minutes(during.start), to_minutes(now))
    end = -(-(during.end - from_minutes(0)) // MINUTE)
    if during.end <= now or end <= start:
        raise Invalid("that time is over")
    if during.end - during.start > LENGTH_MAX:
        raise Invalid(f"a block lasts at most {LENGTH_MAX.days} days", maximum=LENGTH_MAX.days)
    return Interval(from_minutes(start), from_minutes(end))


def _during(block: Block) -> Interval:
    if block.during.lower is None or block.during.upper is None:
        raise ValueError(f"block {block.id} has no end")
    return Interval.of(block.during.lower, block.during.upper)


def _home(studio: Studio, resource: Simulator | Coach) -> Location:
    at = resource.location if isinstance(resource, Simulator) else resource.locations[0]
    return studio.location(at)


def _lock(
    session: Session, studio: Studio, resource: Simulator | Coach, during: Interval, now: datetime
) -> Span:
    """Queue for the block's days and their neighbours, and keep whatever is taken there as it is.

    Whoever cancels does not queue for days: the rows themselves are locked, in order.
    """
    location = _home(studio, resource)
    days = book.days_of(during, location)
    day = timedelta(days=1)
    days = [days[0] - day, *days, days[-1] + day]
    book.lock_days(session, studio_id=studio.id, days=days)
    span = book.span_of(days, location)
    whole = Interval(from_minutes(span.start), from_minutes(span.end))
    allocator.lapse(session, studio_id=studio.id, during=whole, now=now)
    session.execute(
        text(
            "SELECT id FROM allocation WHERE studio_id = :studio_id AND state <> 'released'"
            " AND during && tstzrange(:start, :end) ORDER BY id FOR UPDATE"
        ),
        {"studio_id": studio.id, "start": whole.start, "end": whole.end},
    ).all()
    return span


def _rehome(
    studio: Studio, outage: Outage, found: Sequence[Taken], span: Span, now: datetime
) -> tuple[Move, ...]:
    """Return the fewest moves that take as many sessions as possible off the bay."""
    start, end = (to_minutes(edge) for edge in outage.during)
    hit = {number for number, each in enumerate(found) if each.start < end and start < each.end}
    bays = studio.simulators_at(_home(studio, outage.resource).handle)
    ids = [bay.id for bay in bays]
    # Sessions may stand nearer to each other than today's buffer says; then it cannot be kept.
    for gap in (studio.policy.buffer_minutes, 0):
        policy = replace(studio.policy, buffer_minutes=gap)
        pieces = [
            piece._replace(movable=_may_move(found[piece.key], piece.key in hit, outage, span, now))
            for piece in book.pieces(found, bays=ids, span=span, policy=policy, now=now)
        ]
        plan = assignment.evacuate(
            pieces, ids, bay=outage.resource.id, hit=hit, costs=allocator.bay_costs(bays)
        )
        if plan is not None:
            return plan.moves
    raise RuntimeError("sessions that stand in the book must fit where they stand")


def _may_move(each: Taken, is_hit: bool, outage: Outage, span: Span, now: datetime) -> bool:  # noqa: FBT001 - one fact of many
    if each.booking_id is None:
        return False
    if is_hit and each.resource_id == outage.resource.id:
        return outage.move_pinned or not each.pinned
    inside = span.start <= each.start and each.end <= span.end
    return inside and not (each.pinned or each.stranded) and each.start > to_minutes(now)


def _move(
    session: Session, block: Block, found: Sequence[Taken], moves: Sequence[Move], now: datetime
) -> list[Moved]:
    """Put sessions on other bays, and tell of each."""
    told = book.move(session, studio_id=block.studio_id, found=found, moves=moves)
    book.judge(session)
    for booking_id in sorted(told):
        allocator.tell(session, studio_id=block.studio_id, booking_id=booking_id, now=now)
    rows = session.exec(
        select(Booking).where(col(Booking.studio_id) == block.studio_id, col(Booking.id).in_(told))
    ).all()
    known: dict[UUID | None, Booking] = {booking.id: booking for booking in rows}
    moved = [
        Moved(known[found[step.key].booking_id], found[step.key].resource_id, step.bay)
        for step in moves
    ]
    return sorted(moved, key=lambda each: (each.booking.starts_at, each.booking.id))


def _settle(session: Session, studio_id: int, resource_id: int, during: Interval) -> None:
    where = {"studio_id": studio_id, "resource_id": resource_id}
    block_time.take_rest(session, **where, during=during)
    block_time.mark_stranded(session, **where, during=during)
    book.judge(session)


def _stranded(session: Session, block: Block, during: Interval) -> list[Booking]:
    found = session.exec(
        select(Booking)
        .join(
            Allocation,
            (col(Allocation.studio_id) == col(Booking.studio_id))
            & (col(Allocation.booking_id) == col(Booking.id)),
        )
        .where(
            col(Allocation.studio_id) == block.studio_id,
            col(Allocation.resource_id) == block.resource_id,
            col(Allocation.state) != AllocationState.RELEASED,
            col(Allocation.stranded),
            text("during && tstzrange(:start, :end)").bindparams(
                start=during.start, end=during.end
            ),
        )
        .order_by(col(Booking.starts_at), col(Booking.id))
    ).all()
    return list(found)


def _list(
    session: Session,
    studio: Studio,
    block: Block,
    resource: Simulator | Coach,
    booking: Booking,
    now: datetime,
) -> None:
    is_bay = isinstance(resource, Simulator)
    zone = studio.location_by_id(booking.location_id).zone
    attention.raise_item(
        session,
        studio_id=studio.id,
        kind=BAY_OUTAGE if is_bay else COACH_AWAY,
        key=f"{block.id}:{booking.id}",
        detail=f"{resource.name} is blocked ({block.reason}) and booking {booking.code} has "
        + ("no other bay to go to" if is_bay else "its coaching then"),
        now=now,
        facts={
            "booking": str(booking.id),
            "code": booking.code,
            "start": booking.starts_at.astimezone(zone).isoformat(timespec="seconds"),
            "end": booking.ends_at.astimezone(zone).isoformat(timespec="seconds"),
            "simulator" if is_bay else "coach": resource.handle,
            "block": str(block.id),
        },
    )


def _free(session: Session, block: Block, since: datetime) -> None:
    """Free what a block takes from an instant on; what it took before stays on record."""
    taken = session.exec(
        select(Allocation).where(
            col(Allocation.studio_id) == block.studio_id,
            col(Allocation.block_id) == block.id,
            col(Allocation.state) != AllocationState.RELEASED,
        )
    ).all()
    for each in taken:
        if each.during.upper is None or each.during.upper <= since:
            continue
        each.state = AllocationState.RELEASED
        session.flush()
        if each.during.lower is not None and each.during.lower < since:
            session.add(
                Allocation(
                    studio_id=block.studio_id,
                    block_id=block.id,
                    resource_id=block.resource_id,
                    during=Range(each.during.lower, since),
                    state=AllocationState.CONFIRMED,
                    pinned=True,
                )
            )
    session.flush()


def _records(session: Session, block: Block) -> Sequence[BlockMove]:
    """Return what this block moved and no later block has moved on since."""
    records = session.exec(
        select(BlockMove).where(
            col(BlockMove.studio_id) == block.studio_id,
            col(BlockMove.allocation_id).in_(
                select(BlockMove.allocation_id).where(
                    col(BlockMove.studio_id) == block.studio_id,
                    col(BlockMove.block_id) == block.id,
                )
            ),
            col(BlockMove.returned_at).is_(None),
        )
    ).all()
    last = {
        record.allocation_id: record for record in sorted(records, key=lambda each: each.moved_at)
    }
    return [record for record in last.values() if record.block_id == block.id]
