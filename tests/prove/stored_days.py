"""The same days in a real database: what availability reads there, and what a hold then does."""

from collections.abc import Iterable, Iterator, Sequence
from random import Random
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlmodel import Session

from booking_engine.booking import availability, holds
from booking_engine.booking.allocator import CoachUnavailable
from booking_engine.booking.block_models import Block
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.holds import VISITOR_CAPS, Holder
from booking_engine.booking.models import Allocation, AllocationState, Booking, BookingStatus
from booking_engine.errors import Invalid
from tests.factories.catalogue import make_coach, make_studio
from tests.factories.studio import apply_demo
from tests.prove import days, facts, oracle
from tests.prove.days import Day, Tally, instant
from tests.prove.oracle import Asked, Claim

HOLDS = 3  # tried on each day


def run(session: Session, *, numbers: Iterable[int], seed: int, every: int) -> Iterator[Tally]:
    """Draw and compare days, one in `every` also in the database; yields the counts so far."""
    tally = Tally()
    stored = apply_demo(session)
    drawn = make_studio(coaches=(make_coach(), make_coach("ben", number=12)))
    for number in numbers:
        day = days.draw(seed, number, drawn if number % every else stored)
        days.compare(day, tally)
        if not number % every:
            compare(session, day, tally)
        yield tally


def compare(session: Session, day: Day, tally: Tally) -> None:
    """Write a day, ask for its availability, place holds; what is written is undone."""
    trial = session.begin_nested()
    write(session, day)
    offered = _offered(session, day)
    for asked in day.asked:
        if asked.bay is None:
            verdict = oracle.judge(day.house, day.taken, asked, day.now)
            if (asked.start in offered) != verdict.is_feasible:
                _complain(tally, day, asked, f"offered by the database: {not verdict.is_feasible}")
    random = Random(day.number)
    for asked in random.sample(list(day.asked), HOLDS):
        for each in _hold(session, day, asked):
            _complain(tally, day, asked, each)
        tally.held += 1
    trial.rollback()
    session.expunge_all()


def write(session: Session, day: Day) -> None:
    """Write a day's sessions and blocks as they would stand in the book."""
    owners: dict[UUID, list[Claim]] = {}
    for each in day.taken:
        owners.setdefault(each.booking_id or each.id, []).append(each)
    for owner, claims in owners.items():
        block = claims[0].booking_id is None
        session.add(_block(day, owner, claims[0]) if block else _booking(day, owner, claims))
    session.flush()
    session.add_all(_allocation(day, each) for each in day.taken)
    session.flush()


def _offered(session: Session, day: Day) -> set[int]:
    search = days.search_of(day)
    found = availability.find(session, studio=day.studio, search=search, now=day.instant)
    return {slot.start for slot in found.slots}


def _hold(session: Session, day: Day, asked: Asked) -> list[str]:
    """Place a hold in a savepoint; return how the book differs from what the oracle says."""
    verdict = oracle.judge(day.house, day.taken, asked, day.now)
    trial = session.begin_nested()
    before = oracle.living(facts.taken(session), day.now)
    try:
        hold = holds.place(
            session,
            studio=day.studio,
            request=days.request_of(day, asked),
            holder=Holder("visitor:prove", VISITOR_CAPS),
            now=day.instant,
        )
    except (Invalid, SlotTaken, CoachUnavailable) as error:
        trial.rollback()
        return [f"refused ({error.code}), feasible"] if verdict.is_feasible else []
    after = oracle.living(facts.taken(session), day.now)
    wrong = [] if verdict.is_feasible else ["held, not feasible"]
    moved = oracle.seated(before, after, hold.booking_id)
    if len(moved) != verdict.moves:
        wrong.append(f"{len(moved)} were moved, {verdict.moves} had to be")
    known = {each.id: each for each in before}
    wrong += [
        f"{each} may not be moved"
        for each in moved
        if not oracle.may_move(day.house, known[each.id], asked, day.now)
    ]
    wrong += [f"{pair} collide" for pair in oracle.collisions(day.house, after)]
    wrong += oracle.misfits(
        day.house, asked, [each for each in after if each.booking_id == hold.booking_id]
    )
    trial.rollback()
    return wrong


def _complain(tally: Tally, day: Day, asked: Asked, words: str) -> None:
    tally.mismatches.append(f"day {day.number} stored, {asked}: {words}")


def _booking(day: Day, owner: UUID, claims: Sequence[Claim]) -> Booking:
    bays = [each for each in claims if each.resource_id in day.house.bays]
    coached = [each for each in claims if each.resource_id in day.house.coaches]
    start, end = bays[0].start, bays[0].end
    is_held = claims[0].blocks_until is not None
    return Booking(
        studio_id=day.studio.id,
        id=owner,
        code=owner.hex[:8],
        status=BookingStatus.HELD if is_held else BookingStatus.CONFIRMED,
        location_id=day.studio.locations[0].id,
        service="simulator",
        starts_at=instant(start),
        ends_at=instant(end),
        simulators=len(bays),
        coaching_starts_at=instant(coached[0].start) if coached else None,
        coaching_ends_at=instant(coached[0].end) if coached else None,
        simulator_minutes=(end - start) * len(bays),
        coaching_sessions=len(coached),
        price_minor=0,
        policy={},
        created_at=day.instant,
    )


def _block(day: Day, owner: UUID, claim: Claim) -> Block:
    return Block(
        studio_id=day.studio.id,
        id=owner,
        resource_id=claim.resource_id,
        during=Range(instant(claim.start), instant(claim.end)),
        reason="drawn",
        declared_at=day.instant,
        actor="prove",
    )


def _allocation(day: Day, each: Claim) -> Allocation:
    held = each.blocks_until is not None
    return Allocation(
        studio_id=day.studio.id,
        id=each.id,
        booking_id=each.booking_id,
        block_id=None if each.booking_id else each.id,
        resource_id=each.resource_id,
        during=Range(instant(each.start), instant(each.end)),
        state=AllocationState.HELD if held else AllocationState.CONFIRMED,
        pinned=each.pinned,
        blocks_until=instant(int(each.blocks_until) // 60) if each.blocks_until else None,
    )
