"""Random days: what the engine offers and how it seats, against trying everything.

A day is drawn (hours, buffers, freeze, sessions, holds, blocks, coaches), the oracle is asked about
every start of it, and so is the engine: availability, the choice of bays and coach, and for some
days also a real database with its holds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID

from booking_engine.booking import allocator, availability, book, terms
from booking_engine.booking.allocator import CoachUnavailable
from booking_engine.booking.assignment import Placement
from booking_engine.booking.book import SlotTaken, Taken
from booking_engine.booking.terms import CoachingRequest, SessionRequest
from booking_engine.catalog.schedules import parse_hours
from booking_engine.catalog.studio import Studio
from tests.factories.studio import TORONTO
from tests.prove import oracle
from tests.prove.oracle import Asked, Claim, House, Shift

DATE = date(2026, 11, 25)  # a Wednesday
WEEK = "mon-sun"
LENGTHS = (60, 60, 120, 120, 180, 240)
HOUR = 60


@dataclass
class Tally:
    """What was asked and how it compared."""

    days: int = 0
    requests: int = 0
    feasible: int = 0
    infeasible: int = 0
    with_moves: int = 0
    with_coach: int = 0
    several_bays: int = 0
    held: int = 0
    mismatches: list[str] = field(default_factory=list)

    def count(self, asked: Asked, verdict: oracle.Verdict) -> None:
        """Count a request by what the oracle says of it."""
        self.requests += 1
        self.feasible += verdict.is_feasible
        self.infeasible += not verdict.is_feasible
        self.with_moves += bool(verdict.moves)
        self.with_coach += bool(asked.coaching)
        self.several_bays += asked.bays > 1


@dataclass
class Day:
    """One drawn day: the studio for the engine, the same in plain facts for the oracle."""

    number: int
    studio: Studio
    house: House
    now: int
    taken: list[Claim]
    wish: Asked  # its start is not meant: it is asked for at every one
    named: list[Asked]

    @property
    def asked(self) -> Iterator[Asked]:
        """Yield every request: the wish at each step of the date's hours, and those by name."""
        midnight = minute_of(DATE, 0)
        for start in range(midnight, minute_of(DATE + timedelta(days=1), 0), self.house.step):
            if any(opens <= start < closes for opens, closes in self.house.openings):
                yield replace(self.wish, start=start)
        yield from self.named

    @property
    def instant(self) -> datetime:
        """Return the time at which it is asked."""
        return instant(self.now)


def draw(seed: int, number: int, studio: Studio) -> Day:
    """Draw a day of a studio that has four bays and two coaches; the same for the same numbers."""
    random = Random(f"{seed}:{number}")
    opens, closes = random.choice([(10, 18), (10, 18), (9, 17), (18, 26)])
    policy = replace(
        studio.policy,
        buffer_minutes=random.choice([0, 0, 15, 30]),
        bay_freeze_minutes=random.choice([0, 120, 240]),
        lead_minutes=random.choice([0, 60, 120]),
        step_minutes=random.choice([30, 30, 60]),
    )
    shifts = [_shift(random, opens, closes) for _ in studio.coaches]
    gaps = [random.choice([0, 0, 15, 30]) for _ in studio.coaches]
    drawn = replace(
        studio,
        policy=policy,
        locations=(replace(studio.locations[0], hours=_hours(opens, closes), closed=()),),
        coaches=tuple(
            replace(coach, hours=_hours(*shift), extra=(), blocked=(), buffer_minutes=gap)
            for coach, shift, gap in zip(studio.coaches, shifts, gaps, strict=True)
        ),
    )
    house = House(
        TORONTO,
        tuple(bay.id for bay in studio.simulators),
        tuple(_spans(opens, closes)),
        {
            coach.id: Shift(_minutes(shift), gap)
            for coach, shift, gap in zip(studio.coaches, shifts, gaps, strict=True)
        },
        policy.buffer_minutes,
        policy.bay_freeze_minutes,
        policy.lead_minutes,
        policy.step_minutes,
    )
    now = minute_of(DATE, opens) + 30 * random.randint(-12, 8)
    day = Day(number, drawn, house, now, [], _wish(random, house), [])
    for _ in range(random.randint(5, 14)):
        _add(random, day)
    random.shuffle(day.taken)
    starts = [each.start for each in day.asked]
    day.named = [_named(random, house, random.choice(starts)) for _ in range(3)]
    return day


def compare(day: Day, tally: Tally) -> None:
    """Ask oracle and engine about everything on a day; no database is needed for that."""
    tally.days += 1
    offered = {slot.start: slot for slot in _search(day).slots}
    for asked in day.asked:
        verdict = oracle.judge(day.house, day.taken, asked, day.now)
        tally.count(asked, verdict)
        wrong = [*_seating(day, asked)]
        if asked.bay is None:
            wrong += _offer(day, asked, verdict, offered.get(asked.start))
        tally.mismatches += [f"day {day.number}, {asked}: {each}" for each in wrong]


def search_of(day: Day) -> availability.Search:
    """Return the search that asks for a day's wish."""
    wish = day.wish
    return availability.Search(
        "simulator",
        DATE,
        minutes=wish.minutes,
        simulators=wish.bays,
        coaching_minutes=wish.coaching or None,
        coach=_handle(day.studio, wish.coach) if wish.coaching else None,
    )


def request_of(day: Day, asked: Asked) -> SessionRequest:
    """Return what the engine is asked."""
    coach = _handle(day.studio, asked.coach)
    begins = None if asked.coached_at is None else instant(asked.coached_at)
    return SessionRequest(
        "simulator",
        instant(asked.start),
        asked.minutes,
        asked.bays,
        _handle(day.studio, asked.bay),
        CoachingRequest(asked.coaching, coach, begins) if asked.coaching else None,
    )


def as_engine(taken: Sequence[Claim]) -> list[Taken]:
    """Return the same as the engine reads it."""
    return [
        Taken(
            resource_id=each.resource_id,
            start=each.start,
            end=each.end,
            pinned=each.pinned,
            is_block=each.booking_id is None,
            stranded=each.stranded,
            blocks_until=each.blocks_until,
            id=each.id,
            booking_id=each.booking_id,
        )
        for each in taken
    ]


def minute_of(day: date, hour: int) -> int:
    """Return the epoch minutes of a full hour on the studio's wall; 26 is two in the morning."""
    wall = datetime(day.year, day.month, day.day, tzinfo=TORONTO)
    return int(wall.timestamp()) // 60 + hour * HOUR  # no clock changes in that week


def instant(minute: int) -> datetime:
    """Return the instant of epoch minutes."""
    return datetime.fromtimestamp(minute * 60, UTC)


def _search(day: Day) -> availability.Found:
    plan = availability.plan(day.studio, search_of(day), now=day.instant)
    return availability.answer(plan, as_engine(day.taken), now=day.instant)


def _offer(
    day: Day, asked: Asked, verdict: oracle.Verdict, slot: availability.Slot | None
) -> Iterator[str]:
    """Yield how the offer of a start differs from what the oracle found."""
    if (slot is not None) != verdict.is_feasible:
        yield f"offered: {slot is not None}, feasible: {verdict.is_feasible}"
    if slot is None or not verdict.is_feasible:
        return
    most = oracle.most_bays(day.house, day.taken, asked, day.now)
    if slot.simulators != most:
        yield f"{slot.simulators} bays offered, {most} are to be had"
    coaches = tuple(day.studio.coach(handle).id for handle in slot.coaches)
    if coaches != verdict.coaches:
        yield f"coaches {coaches} offered, {verdict.coaches} can"


def _seating(day: Day, asked: Asked) -> Iterator[str]:
    """Yield how the chosen bays, moves and coach differ from what the oracle found."""
    live = oracle.living(day.taken, day.now)
    fewest = oracle.fewest_moves(day.house, live, asked, day.now)
    agreed = terms.resolve(day.studio, request_of(day, asked))
    span = book.span_of(book.days_of(agreed.during, agreed.location), agreed.location)
    try:
        placement = allocator.place_bays(day.studio, agreed, as_engine(live), span, day.instant)
    except SlotTaken:
        placement = None
    moves = None if placement is None else len(placement.moves)
    if moves != fewest:
        yield f"{moves} moves, {fewest} are needed"
    if placement is not None:
        yield from _faults(day, asked, live, placement)
    yield from _coaching(day, asked, agreed, live)


def _faults(day: Day, asked: Asked, live: list[Claim], placement: Placement) -> Iterator[str]:
    moved = {move.key: move.bay for move in placement.moves}
    for key in moved:
        if not oracle.may_move(day.house, live[key], asked, day.now):
            yield f"{live[key]} may not be moved"
    placed = [
        each._replace(resource_id=moved.get(key, each.resource_id)) for key, each in enumerate(live)
    ]
    nobody = UUID(int=0)
    placed += [
        Claim(nobody, nobody, bay, asked.start, asked.end, pinned=True, blocks_until=None)
        for bay in placement.bays
    ]
    yield from (f"{pair} collide" for pair in oracle.collisions(day.house, placed))
    if len(set(placement.bays)) != asked.bays or asked.bay not in (None, *placement.bays):
        yield f"bays {placement.bays}"


def _coaching(day: Day, asked: Asked, agreed: terms.Terms, live: Sequence[Claim]) -> Iterator[str]:
    able = [each for each in day.house.coaches if _starts(day, live, asked, each)]
    try:
        choice = allocator.find_coach(day.studio, agreed, as_engine(live))
    except (SlotTaken, CoachUnavailable):
        choice = None
    if asked.coaching and (choice is not None) != bool(able):
        yield f"coach {choice}, {able} can"
    if choice is None:
        return
    if choice.start not in _starts(day, live, asked, choice.coach.id):
        yield f"{choice} is not free"
    is_one_date = max(closes for _, closes in day.house.openings) <= minute_of(DATE, 24)
    if is_one_date and choice.coach.id != oracle.favourite(day.house, live, asked):
        yield f"{choice} is not who comes first"


def _starts(day: Day, live: Sequence[Claim], asked: Asked, coach: int) -> tuple[int, ...]:
    return oracle.coached_from(day.house, live, asked, coach)


def _add(random: Random, day: Day) -> None:
    """Add a session, a hold or a block, unless it would collide with what is there."""
    opens, closes = random.choice(day.house.openings)
    minutes = random.choice(LENGTHS)
    if closes - opens < minutes:
        return
    start = opens + 15 * random.randint(0, (closes - opens - minutes) // 15)
    start -= start % random.choice([15, 30, 60])
    end, owner = start + minutes, UUID(int=random.getrandbits(128))
    if random.random() < 0.08:
        resource = random.choice([*day.house.bays, *day.house.coaches])
        new = [_taken(random, None, resource, start, end, pinned=True)]
    else:
        count = random.choice([1, 1, 1, 1, 2, 3])
        bays = random.sample(day.house.bays, count)
        named = random.choice(bays) if random.random() < 0.2 else None
        until = _until(random, day.now)
        new = [
            _taken(random, owner, bay, start, end, pinned=bay == named, until=until) for bay in bays
        ]
        if random.random() < 0.35:
            coach, part = random.choice(list(day.house.coaches)), random.choice([30, 60])
            begins = start + 30 * random.randint(0, (minutes - part) // 30)
            new.append(_taken(random, owner, coach, begins, begins + part, until=until))
    if not oracle.collisions(day.house, [*day.taken, *new]):
        day.taken += new


def _taken(
    random: Random,
    owner: UUID | None,
    resource: int,
    start: int,
    end: int,
    *,
    pinned: bool = False,
    until: float | None = None,
) -> Claim:
    each = UUID(int=random.getrandbits(128))
    return Claim(each, owner, resource, start, end, pinned=pinned, blocks_until=until)


def _until(random: Random, now: int) -> float | None:
    """Return until when a session is held: mostly for good, some for a while, some no longer."""
    return random.choice([None] * 7 + [(now + 10) * 60.0, (now + 15) * 60.0, now * 60.0])


def _wish(random: Random, house: House) -> Asked:
    minutes, coach = random.choice(LENGTHS), random.choice([None, *house.coaches])
    coaching = random.choice([0, 0, 30, 60, 60, 90])
    count = random.choice([1, 1, 1, 1, 2, 2, 3, 4])
    return Asked(0, minutes, count, None, coaching if coaching <= minutes else 0, coach)


def _named(random: Random, house: House, start: int) -> Asked:
    """Return a request that names a bay, and perhaps when its coaching starts."""
    asked = replace(_wish(random, house), start=start, bay=random.choice(house.bays))
    if asked.coaching and random.random() < 0.5:
        steps = (asked.minutes - asked.coaching) // house.step
        return replace(asked, coached_at=start + house.step * random.randint(0, steps))
    return asked


def _shift(random: Random, opens: int, closes: int) -> tuple[int, int]:
    begins = random.randint(opens, opens + 3)
    return begins, random.randint(begins + 3, closes)


def _hours(opens: int, closes: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    return parse_hours({WEEK: [f"{opens:02}:00-{closes % 24 if closes > 24 else closes:02}:00"]})


def _spans(opens: int, closes: int) -> Iterator[oracle.Span]:
    """Yield the openings that reach into the date; of an evening also the one before it."""
    for shift in (-1, 0, 1) if closes > 24 else (0,):
        day = DATE + timedelta(days=shift)
        yield minute_of(day, opens), minute_of(day, closes)


def _minutes(shift: tuple[int, int]) -> frozenset[int]:
    days = (DATE + timedelta(days=number) for number in (-1, 0, 1))
    return frozenset(
        minute
        for day in days
        for minute in range(minute_of(day, shift[0]), minute_of(day, shift[1]))
    )


def _handle(studio: Studio, resource: int | None) -> str | None:
    known = {each.id: each.handle for each in (*studio.simulators, *studio.coaches)}
    return None if resource is None else known[resource]
