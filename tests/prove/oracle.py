"""What a day has room for, found out by trying everything. Plain, slow, and on purpose so.

Written from the product rules (C4, D20 to D24) and not from the engine, of which it knows nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

Span = tuple[int, int]
_NOBODY = UUID(int=0)


class Claim(NamedTuple):
    """One bay or coach taken from one minute to another; a block belongs to no booking."""

    id: UUID
    booking_id: UUID | None
    resource_id: int
    start: int
    end: int
    pinned: bool
    blocks_until: float | None  # of what is only held: taken until then, in seconds
    stranded: bool = False  # where a block waits for its time


@dataclass(frozen=True)
class Shift:
    """A coach: every minute of theirs at work, and the gap between two of their sessions."""

    minutes: frozenset[int]
    buffer: int


@dataclass(frozen=True)
class House:
    """What is known of a place: all times in minutes, openings as they are, one by one."""

    zone: ZoneInfo
    bays: tuple[int, ...]
    openings: tuple[Span, ...]
    coaches: dict[int, Shift]
    buffer: int = 0
    freeze: int = 120
    lead: int = 120
    step: int = 30


@dataclass(frozen=True)
class Asked:
    """A session that somebody wants."""

    start: int
    minutes: int
    bays: int = 1
    bay: int | None = None
    coaching: int = 0
    coach: int | None = None
    coached_at: int | None = None  # the coached part starts then and at no other time

    @property
    def end(self) -> int:
        """Return when it would be over."""
        return self.start + self.minutes


@dataclass(frozen=True)
class Verdict:
    """Whether it can be had: the fewest moves, or None; and the coaches who could coach it."""

    moves: int | None
    coaches: tuple[int, ...]

    @property
    def is_feasible(self) -> bool:
        """Tell whether it can be had."""
        return self.moves is not None


def judge(house: House, taken: Sequence[Claim], asked: Asked, now: int) -> Verdict:
    """Say whether a session can be had, and how."""
    verdict = room(house, taken, asked, now)
    return verdict if may_start(house, asked, now) else Verdict(None, verdict.coaches)


def room(house: House, taken: Sequence[Claim], asked: Asked, now: int) -> Verdict:
    """Say whether the book has room for a session, whatever hours and lead time say."""
    live = living(taken, now)
    coaches = tuple(each for each in house.coaches if coached_from(house, live, asked, each))
    if asked.coaching and not coaches:
        return Verdict(None, coaches)
    return Verdict(fewest_moves(house, live, asked, now), coaches)


def most_bays(house: House, taken: Sequence[Claim], asked: Asked, now: int) -> int:
    """Return how many bays could be sold for the whole of a session."""
    live = living(taken, now)
    for count in range(len(house.bays), 0, -1):
        group = Asked(asked.start, asked.minutes, count)
        if fewest_moves(house, live, group, now) is not None:
            return count
    return 0


def living(taken: Sequence[Claim], now: int) -> list[Claim]:
    """Leave out the holds whose time is up, unless a block waits for their time."""
    return [
        each
        for each in taken
        if each.blocks_until is None or each.blocks_until > now * 60 or each.stranded
    ]


def may_start(house: House, asked: Asked, now: int) -> bool:
    """Tell whether opening hours, the grid and the lead time allow a session (D21, D23)."""
    if asked.start < now + house.lead:
        return False
    for opens, closes in house.openings:
        if opens <= asked.start < closes:
            on_grid = (asked.start - opens) % house.step == 0
            return on_grid and _is_open(house, asked.start, asked.end)
    return False


def fewest_moves(house: House, live: Sequence[Claim], asked: Asked, now: int) -> int | None:
    """Try every way to seat the session and everybody who may move; None where there is none."""
    here = [each for each in live if each.resource_id in house.bays]
    loose = [each for each in here if may_move(house, each, asked, now)]
    fixed = [each for each in here if each not in loose]
    best: int | None = None
    for chosen in combinations(house.bays, asked.bays):
        if asked.bay is not None and asked.bay not in chosen:
            continue
        wanted = [_session(bay, asked.start, asked.end) for bay in chosen]
        if any(collide(house, one, other) for one in wanted for other in fixed):
            continue
        limit = len(loose) if best is None else best - 1
        found = _settle(house, loose, [*fixed, *wanted], limit)
        best = best if found is None else found
    return best


def may_move(house: House, each: Claim, asked: Asked, now: int) -> bool:
    """Tell whether a session may be put on another bay to make room for one that is asked for.

    Not who chose the bay, not within the freeze, no block; and it lies on the dates asked for.
    """
    if each.pinned or each.stranded or each.booking_id is None:
        return False
    dates = set(_dates(house, asked.start, asked.end))
    return each.start >= now + house.freeze and set(_dates(house, each.start, each.end)) <= dates


def collide(house: House, one: Claim, other: Claim) -> bool:
    """Tell whether two cannot both be where they are: a buffer follows sessions, not blocks."""
    if one.resource_id != other.resource_id:
        return False
    gap = 0
    if one.booking_id and other.booking_id:
        shift = house.coaches.get(one.resource_id)
        gap = shift.buffer if shift else house.buffer
    return one.start < other.end + gap and other.start < one.end + gap


def collisions(house: House, taken: Sequence[Claim]) -> list[tuple[Claim, Claim]]:
    """Return every two that cannot both be where they are, coaches included."""
    return [pair for pair in combinations(taken, 2) if collide(house, *pair)]


def coached_from(house: House, live: Sequence[Claim], asked: Asked, coach: int) -> tuple[int, ...]:
    """Return every start of a coached part that this coach could take (D24)."""
    if not asked.coaching or asked.coach not in (None, coach):
        return ()
    shift = house.coaches[coach]
    theirs = [each for each in live if each.resource_id == coach]
    return tuple(
        at
        for at in range(asked.start, asked.end - asked.coaching + 1, house.step)
        if asked.coached_at in (None, at)
        and all(minute in shift.minutes for minute in range(at, at + asked.coaching))
        and not any(_meets(shift, each, at, at + asked.coaching) for each in theirs)
    )


def favourite(house: House, live: Sequence[Claim], asked: Asked) -> int:
    """Return whom "any coach" means: fewest sessions that day, longest idle, smallest id (D24)."""
    begins = asked.start if asked.coached_at is None else asked.coached_at
    (day,) = _dates(house, asked.start, asked.start + 1)
    ranks = []
    for coach in house.coaches:
        theirs = [each for each in live if each.resource_id == coach and each.booking_id]
        today = [each for each in theirs if day in _dates(house, each.start, each.end)]
        idle_since = max([each.end for each in today if each.end <= begins], default=0)
        if coached_from(house, live, asked, coach):
            ranks.append((len(today), idle_since, coach))
    return min(ranks)[2]


def seated(before: Sequence[Claim], after: Sequence[Claim], booking_id: UUID | None) -> list[Claim]:
    """Return those who were moved to another bay while a booking took its seats."""
    was = {each.id: each.resource_id for each in before}
    return [
        each
        for each in after
        if each.booking_id != booking_id and each.resource_id != was.get(each.id)
    ]


def misfits(house: House, asked: Asked, mine: Sequence[Claim]) -> list[str]:
    """Return how what a session took differs from what was asked for."""
    bays = [each for each in mine if each.resource_id in house.bays]
    wrong = [
        f"{each} is not the session's time"
        for each in bays
        if (each.start, each.end) != (asked.start, asked.end)
    ]
    if len(bays) != asked.bays or asked.bay not in (None, *(each.resource_id for each in bays)):
        wrong.append(f"{bays} for {asked}")
    coached = [each for each in mine if each.resource_id in house.coaches]
    if len(coached) != bool(asked.coaching):
        wrong.append(f"{len(coached)} coaches")
    for each in coached:
        inside = asked.start <= each.start and each.end <= asked.end
        if not inside or each.end - each.start != asked.coaching:
            wrong.append(f"{each} is not the coached part")
        if asked.coach not in (None, each.resource_id):
            wrong.append(f"{each} is another coach")
    return wrong


def _settle(
    house: House, loose: Sequence[Claim], placed: Sequence[Claim], limit: int
) -> int | None:
    """Give every loose session a bay beside those placed; return the fewest moves, within limit."""
    if limit < 0:
        return None
    if not loose:
        return 0
    first, rest = loose[0], loose[1:]
    best: int | None = None
    for bay in sorted(house.bays, key=lambda each: each != first.resource_id):
        cost = int(bay != first.resource_id)
        put = first._replace(resource_id=bay)
        if any(collide(house, put, other) for other in placed):
            continue
        found = _settle(house, rest, [*placed, put], limit - cost)
        if found is not None:
            best = found + cost
            limit = best - 1
    return best


def _session(bay: int, start: int, end: int) -> Claim:
    return Claim(_NOBODY, _NOBODY, bay, start, end, pinned=True, blocks_until=None)


def _meets(shift: Shift, each: Claim, start: int, end: int) -> bool:
    gap = shift.buffer if each.booking_id else 0
    return each.start < end + gap and start < each.end + gap


def _is_open(house: House, start: int, end: int) -> bool:
    """Tell whether every minute lies in some opening; two that touch are as good as one."""
    return all(
        any(opens <= minute < closes for opens, closes in house.openings)
        for minute in range(start, end)
    )


def _dates(house: House, start: int, end: int) -> Iterator[date]:
    """Yield the local dates on which something lies."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    first, last = (
        (epoch + timedelta(minutes=edge)).astimezone(house.zone).date() for edge in (start, end - 1)
    )
    yield first
    while first < last:
        first += timedelta(days=1)
        yield first
