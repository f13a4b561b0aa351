"""What could be booked: the slots of some days, by depth, with coaches and prices."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session

from booking_engine.booking import assignment, book, coaching, pricing, terms
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


@dataclass(frozen=True, slots=True)
class Slot:
    """A start that could be booked now; `simulators` bays are there for all of it."""

    start: int
    end: int
    simulators: int
    coaches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The answer: every slot costs the same, so the price stands once."""

    location: Location
    service: Service
    minutes: int
    price_minor: int | None
    slots: list[Slot]


def find(session: Session, *, studio: Studio, search: Search, now: datetime) -> Found:
    """Return the slots of the searched days; raises `Invalid` for what cannot be meant."""
    location, service = _checked(studio, search)
    coached = search.coaching_minutes or 0
    price = pricing.price_minor(
        studio.products,
        simulator_minutes=service.burn(minutes=search.minutes, simulators=search.simulators),
        coaching_sessions=studio.coaching.burn(coached) if coached else 0,
    )
    offered = terms.offered(location, studio.policy.step_minutes, search.first, search.days)
    starts = _bookable(studio, location, offered, search, now)
    if not starts:
        return Found(location, service, search.minutes, price, [])
    taken = book.taken(
        session,
        studio_id=studio.id,
        start=starts[0] - 24 * 60,
        end=starts[-1] + search.minutes + 24 * 60,
        now=now,
    )
    slots = _slots(studio, location, search, starts, taken, now)
    return Found(location, service, search.minutes, price, slots)


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


def _slots(
    studio: Studio,
    location: Location,
    search: Search,
    starts: Sequence[int],
    taken: Sequence[Taken],
    now: datetime,
) -> list[Slot]:
    first = search.first - timedelta(days=1)
    rosters = coaching.rosters(studio, location, first, search.days + 2, taken)
    books = _Books(studio, location, search, taken, now)
    slots = []
    for start in starts:
        end = start + search.minutes
        pieces = books.around(start, end)
        count = assignment.sellable(pieces, books.bays, start, end + studio.policy.buffer_minutes)
        if count < search.simulators:
            continue
        coaches = _coaches(rosters, search, start, end, studio.policy.step_minutes)
        if search.coaching_minutes and not coaches:
            continue
        slots.append(Slot(start, end, count, coaches))
    return slots


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

    def __init__(
        self,
        studio: Studio,
        location: Location,
        search: Search,
        taken: Sequence[Taken],
        now: datetime,
    ) -> None:
        self._policy, self._now, self._taken = studio.policy, now, taken
        self.bays = [bay.id for bay in studio.simulators_at(location.handle)]
        days = [search.first + timedelta(days=number) for number in range(search.days + 2)]
        self._midnights = [book.span_of([day], location).start for day in days]
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
