"""What could be booked: the slots of some days, by depth, with coaches and prices."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from sqlmodel import Session

from booking_engine.booking import assignment, book, coaching, pricing, terms
from booking_engine.booking.assignment import Piece
from booking_engine.booking.book import Taken
from booking_engine.booking.coaching import Roster
from booking_engine.catalog.studio import Location, Service, Studio
from booking_engine.errors import Invalid
from booking_engine.intervals import covers, to_minutes

DAYS_MAX = 62
DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for."""

    service: str
    first: date
    days: int = 1
    minutes: int = 60
    simulators: int = 1
    coaching_minutes: int | None = None
    coach: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A start that could be booked now; `simulators` bays are there for all of it."""

    start: int
    end: int
    simulators: int
    coaches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a search means in one studio, before anybody looks into the book."""

    studio: Studio
    search: Search
    location: Location
    service: Service
    price_minor: int | None
    starts: list[int]

    @property
    def around(self) -> tuple[int, int]:
        """Return the minutes of the book that can matter; nothing matters without a start."""
        if not self.starts:
            return 0, 0
        return self.starts[0] - DAY_MINUTES, self.starts[-1] + self.search.minutes + DAY_MINUTES


@dataclass(frozen=True, slots=True)
class Found:
    """The answer: every slot costs the same, so the price stands in the plan once.

    It stays as it is, unless somebody writes into the book, until `stable_until` (epoch seconds).
    """

    plan: Plan
    slots: list[Slot]
    stable_until: float


def find(session: Session, *, studio: Studio, search: Search, now: datetime) -> Found:
    """Return the slots of the searched days; raises `Invalid` for what cannot be meant."""
    asked = plan(studio, search, now=now)
    start, end = asked.around
    taken = book.taken(session, studio_id=studio.id, start=start, end=end, now=now)
    return answer(asked, taken, now=now)


def plan(studio: Studio, search: Search, *, now: datetime) -> Plan:
    """Check a search and lay out its starts; raises `Invalid` for what cannot be meant."""
    location, service = _checked(studio, search)
    coached = search.coaching_minutes or 0
    price = pricing.price_minor(
        studio.products,
        simulator_minutes=service.burn(minutes=search.minutes, simulators=search.simulators),
        coaching_sessions=studio.coaching.burn(coached) if coached else 0,
    )
    offered = terms.offered(location, studio.policy.step_minutes, search.first, search.days)
    starts = _bookable(studio, location, offered, search, now)
    return Plan(studio, search, location, service, price, starts)


def answer(asked: Plan, taken: Sequence[Taken], *, now: datetime) -> Found:
    """Return what the book leaves of a plan. Pure: `taken` is all that is taken around it."""
    seconds = now.timestamp()
    live = [each for each in taken if each.blocks_until is None or each.blocks_until > seconds]
    slots = _slots(asked, live, now) if asked.starts else []
    return Found(asked, slots, _stable_until(asked, live, now))


def _stable_until(asked: Plan, live: Sequence[Taken], now: datetime) -> float:
    """Return when the clock alone changes the answer: a start passes, a hold lapses, a bay freezes.

    At the latest the next local day brings the next day of the horizon.
    """
    policy = asked.studio.policy
    tomorrow = now.astimezone(asked.location.zone).date() + timedelta(days=1)
    midnight = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=asked.location.zone)
    changes = [midnight.timestamp()]
    if asked.starts:
        changes.append((asked.starts[0] - policy.lead_minutes) * 60.0)
    changes += [each.blocks_until for each in live if each.blocks_until is not None]
    soon = now.timestamp()
    freezing = ((each.start - policy.bay_freeze_minutes) * 60.0 for each in live)
    changes += [instant for instant in freezing if instant > soon]
    return min(changes)


def _checked(studio: Studio, search: Search) -> tuple[Location, Service]:
    if not 2000 <= search.first.year < 2200:
        raise Invalid("from is out of range")
    if not 1 <= search.days <= DAYS_MAX:
        raise Invalid(f"days must be 1 to {DAYS_MAX}", maximum=DAYS_MAX)
    if search.coach is not None and search.coaching_minutes is None:
        raise Invalid("name the minutes of coaching beside the coach: coaching=60")
    midnight = datetime(search.first.year, search.first.month, search.first.day)  # noqa: DTZ001 - a wall-clock time
    asked = terms.SessionRequest(
        service=search.service,
        start=midnight.replace(tzinfo=studio.location(search.location).zone),
        minutes=search.minutes,
        simulators=search.simulators,
        coaching=terms.CoachingRequest(search.coaching_minutes, search.coach)
        if search.coaching_minutes
        else None,
        location=search.location,
    )
    agreed = terms.resolve(studio, asked)
    return agreed.location, agreed.service


def _bookable(
    studio: Studio, location: Location, offered: terms.Slots, search: Search, now: datetime
) -> list[int]:
    lead = timedelta(minutes=studio.policy.lead_minutes)
    earliest = -(-int((now + lead).timestamp()) // 60)
    last = terms.last_day(studio.policy, location, now) + timedelta(days=1)
    horizon = to_minutes(datetime(last.year, last.month, last.day, tzinfo=location.zone))
    return [
        start
        for start in offered.starts
        if earliest <= start < horizon and covers(offered.open, start, start + search.minutes)
    ]


def _slots(asked: Plan, taken: Sequence[Taken], now: datetime) -> list[Slot]:
    search, policy = asked.search, asked.studio.policy
    rosters = _rosters(asked, taken)
    books = _Books(asked, taken, now)
    slots = []
    for start in asked.starts:
        end = start + search.minutes
        count = assignment.sellable(
            books.around(start, end), books.bays, start, end + policy.buffer_minutes
        )
        if count < search.simulators:
            continue
        coaches = _coaches(rosters, search, start, end, policy.step_minutes)
        if search.coaching_minutes and not coaches:
            continue
        slots.append(Slot(start, end, count, coaches))
    return slots


def _rosters(asked: Plan, taken: Sequence[Taken]) -> list[Roster]:
    search = asked.search
    if not search.coaching_minutes:
        return []
    first = search.first - timedelta(days=1)
    return coaching.rosters(asked.studio, asked.location, first, search.days + 2, taken)


def _coaches(
    rosters: Sequence[Roster], search: Search, start: int, end: int, step: int
) -> tuple[str, ...]:
    if not search.coaching_minutes:
        return ()
    return tuple(
        roster.coach.handle
        for roster in rosters
        if search.coach in (None, terms.ANY_COACH, roster.coach.handle)
        and roster.first_start(start, end, search.coaching_minutes, step) is not None
    )


class _Books:
    """The pieces of each local date (or of the two that a session touches), made once."""

    def __init__(self, asked: Plan, taken: Sequence[Taken], now: datetime) -> None:
        self._policy, self._now, self._taken = asked.studio.policy, now, taken
        self.bays = [bay.id for bay in asked.studio.simulators_at(asked.location.handle)]
        first, days = asked.search.first, asked.search.days
        self._midnights = _midnights(asked.location, first, days)
        self._made: dict[tuple[int, int], list[Piece]] = {}

    def around(self, start: int, end: int) -> list[Piece]:
        """Return the pieces of the dates on which `[start, end)` lies, as a hold would see them."""
        dates = bisect_right(self._midnights, start) - 1, bisect_left(self._midnights, end)
        if dates not in self._made:
            span = book.Span(self._midnights[dates[0]], self._midnights[dates[1]])
            self._made[dates] = book.pieces(
                book.near(self._taken, span, self._policy),
                bays=self.bays,
                span=span,
                policy=self._policy,
                now=self._now,
            )
        return self._made[dates]


@lru_cache(maxsize=4096)
def _midnights(location: Location, first: date, days: int) -> list[int]:
    """Return the minutes at which the searched dates begin, and the two after them."""
    each = [first + timedelta(days=number) for number in range(days + 2)]
    return [book.span_of([day], location).start for day in each]
