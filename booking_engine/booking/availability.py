"""What could be booked: the slots of some days, by depth, with coaches and prices."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import NamedTuple

from sqlmodel import Session

from booking_engine.booking import assignment, book, coaching, occupancy, pricing, terms
from booking_engine.booking.assignment import Piece
from booking_engine.booking.book import Taken
from booking_engine.booking.coaching import Roster
from booking_engine.catalog.studio import Location, Service, Studio
from booking_engine.errors import Invalid
from booking_engine.intervals import covers, to_minutes

DAYS_MAX = 62


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


class Slot(NamedTuple):
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
    starts: Sequence[int]

    @property
    def around(self) -> tuple[int, int]:
        """Return the minutes of the book that can matter: the dates of all sessions, and buffers.

        Nothing matters without a start.
        """
        if not self.starts:
            return 0, 0
        midnights = _midnights(self.location, self.search.first, self.search.days)
        margin = self.studio.widest_buffer_minutes
        after = bisect_left(midnights, self.starts[-1] + self.search.minutes)
        return midnights[0] - margin, midnights[after] + margin


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
    starts = _starts(
        location, studio.policy.step_minutes, search.first, search.days, search.minutes
    )
    earliest, horizon = _limits(studio, location, now)
    bookable = starts[bisect_left(starts, earliest) : bisect_left(starts, horizon)]
    return Plan(studio, search, location, service, price, bookable)


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
    frozen_until = to_minutes(now) + policy.bay_freeze_minutes
    freezing = [each.start for each in live if each.start >= frozen_until]
    if freezing:  # a session moves until the minute in which its bay freezes is over
        changes.append((min(freezing) - policy.bay_freeze_minutes + 1) * 60.0)
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


@lru_cache(maxsize=4096)
def _starts(location: Location, step: int, first: date, days: int, minutes: int) -> tuple[int, ...]:
    """Return the starts of some dates from which the location stays open long enough."""
    offered = terms.offered(location, step, first, days)
    return tuple(start for start in offered.starts if covers(offered.open, start, start + minutes))


def _limits(studio: Studio, location: Location, now: datetime) -> tuple[int, int]:
    """Return the first minute that the lead time leaves, and the one that ends the horizon."""
    lead = timedelta(minutes=studio.policy.lead_minutes)
    earliest = -(-int((now + lead).timestamp()) // 60)
    last = terms.last_day(studio.policy, location, now) + timedelta(days=1)
    return earliest, to_minutes(datetime(last.year, last.month, last.day, tzinfo=location.zone))


def _slots(asked: Plan, taken: Sequence[Taken], now: datetime) -> list[Slot]:
    search, policy = asked.search, asked.studio.policy
    rosters = _rosters(asked, taken)
    books = _Books(asked, taken, now)
    length = search.minutes + policy.buffer_minutes
    claims = book.claims(taken, policy.buffer_minutes)
    uses = occupancy.of_windows(claims, books.bays, starts=asked.starts, minutes=length)
    everything, wanted, slots = len(books.bays), search.simulators, []
    for start, (touched, deepest) in zip(asked.starts, uses, strict=True):
        if everything - deepest < wanted:
            continue
        end = start + search.minutes
        count = everything - touched
        if touched != deepest:  # some would have to move: can they?
            if books.all_may_move(start, end):
                count = everything - deepest
            else:
                pieces = books.around(start, end)
                count = assignment.sellable(pieces, books.bays, start, start + length)
            if count < wanted:
                continue
        coaches: tuple[str, ...] = ()
        if search.coaching_minutes:
            coaches = _coaches(rosters, search, start, end, policy.step_minutes)
            if not coaches:
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
    minutes = search.coaching_minutes or 0
    return tuple(
        roster.coach.handle
        for roster in rosters
        if search.coach in (None, terms.ANY_COACH, roster.coach.handle)
        and roster.first_start(start, end, minutes, step) is not None
    )


class _Books:
    """The book by local dates, as a hold would see those on which its session lies."""

    def __init__(self, asked: Plan, taken: Sequence[Taken], now: datetime) -> None:
        self._policy, self._now, self._taken = asked.studio.policy, now, taken
        self.bays = [bay.id for bay in asked.studio.simulators_at(asked.location.handle)]
        self._midnights = _midnights(asked.location, asked.search.first, asked.search.days)
        self._made: dict[tuple[int, int], list[Piece]] = {}

    def all_may_move(self, start: int, end: int) -> bool:
        """Tell that depth alone decides: nothing around stands fast, and no buffer is to be kept.

        As they are, the sessions never need more bays than there are (the constraint sees to it).
        """
        if self._policy.buffer_minutes or len(self.bays) > assignment.EXACT_BAYS:
            return False
        first, after = self._dates(start, end)
        begins, ends = self._midnights[first], self._midnights[after]
        return not any(each.start < ends and begins < each.end for each in self._fixed)

    def around(self, start: int, end: int) -> list[Piece]:
        """Return the pieces of the dates on which `[start, end)` lies."""
        dates = self._dates(start, end)
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

    def _dates(self, start: int, end: int) -> tuple[int, int]:
        return bisect_right(self._midnights, start) - 1, bisect_left(self._midnights, end)

    @cached_property
    def _fixed(self) -> list[Taken]:
        """Return what may not move on its own date; beside the next date some of it might."""
        midnights, bays = self._midnights, set(self.bays)
        frozen_until = to_minutes(self._now) + self._policy.bay_freeze_minutes
        return [
            each
            for each in self._taken
            if each.resource_id in bays
            and (
                each.pinned
                or each.stranded
                or each.start < frozen_until
                or bisect_right(midnights, each.start) != bisect_left(midnights, each.end)
            )
        ]


@lru_cache(maxsize=4096)
def _midnights(location: Location, first: date, days: int) -> list[int]:
    """Return the minutes at which the searched dates begin, and the two after them."""
    each = [first + timedelta(days=number) for number in range(days + 2)]
    return [book.span_of([day], location).start for day in each]
