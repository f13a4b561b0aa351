"""Which starts of a window the book has room for: one reading, asked for many windows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session

from booking_engine.booking import assignment, book, coaching, terms
from booking_engine.booking.assignment import Piece
from booking_engine.booking.book import Taken
from booking_engine.booking.coaching import Roster
from booking_engine.booking.terms import Terms
from booking_engine.catalog import schedules
from booking_engine.catalog.studio import Location, Studio
from booking_engine.intervals import covers

# Whatever lies on a session's local dates lies within this of its start; the longest has 25 hours.
DAY_MINUTES_MAX = 26 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """A session with these terms may start in any of these minutes, both ends included."""

    terms: Terms
    first: int
    last: int

    @property
    def minutes(self) -> int:
        """Return the length of the session."""
        return self.terms.during.minutes


class Openings:
    """What is open and what is taken, as it was when it was read; nothing is locked."""

    def __init__(self, studio: Studio, taken: Sequence[Taken], *, now: datetime) -> None:
        self._studio, self._policy = studio, studio.policy
        self._taken, self._now = taken, now
        self._pieces: dict[tuple[int, date, date], list[Piece]] = {}
        self._rosters: dict[tuple[int, date], list[Roster]] = {}
        self._rooms: dict[tuple[int, int, int, int, int | None], bool] = {}

    def starts(self, window: Window) -> Iterator[int]:
        """Yield the starts that could be had, soonest first."""
        for start in self.offered(window):
            if self._has_room(window, start) and self._has_coach(window, start):
                yield start

    def offered(self, window: Window) -> Iterator[int]:
        """Yield the starts that opening hours, grid and horizon allow, soonest first."""
        location = window.terms.location
        day = schedules.local_date(window.first, location.zone)
        last = min(
            schedules.local_date(window.last, location.zone),
            terms.last_day(self._policy, location, self._now),
        )
        while day <= last:
            slots = terms.offered(location, self._policy.step_minutes, day, 1)
            for start in slots.starts:
                within = window.first <= start <= window.last
                if within and covers(slots.open, start, start + window.minutes):
                    yield start
            day += timedelta(days=1)

    def _has_room(self, window: Window, start: int) -> bool:
        wanted = window.terms
        pinned = wanted.simulator.id if wanted.simulator else None
        key = wanted.location.id, start, window.minutes, wanted.simulators, pinned
        if key not in self._rooms:
            end = start + window.minutes
            bays = [bay.id for bay in self._studio.simulators_at(wanted.location.handle)]
            pieces = self._around(wanted.location, bays, start, end)
            until = end + self._policy.buffer_minutes
            wish = assignment.Wish(start, until, wanted.simulators, pinned)
            self._rooms[key] = assignment.place(pieces, bays, wish) is not None
        return self._rooms[key]

    def _around(self, location: Location, bays: Sequence[int], start: int, end: int) -> list[Piece]:
        """Return the pieces of the dates that a session touches, as a hold would see them."""
        days = tuple(schedules.local_date(edge, location.zone) for edge in (start, end - 1))
        key = location.id, days[0], days[1]
        if key not in self._pieces:
            span = book.span_of(days, location)
            near = book.near(self._taken, span, self._policy)
            self._pieces[key] = book.pieces(
                near, bays=bays, span=span, policy=self._policy, now=self._now
            )
        return self._pieces[key]

    def _has_coach(self, window: Window, start: int) -> bool:
        wanted = window.terms
        if not wanted.coaching_minutes:
            return True
        day = schedules.local_date(start, wanted.location.zone)
        key = wanted.location.id, day
        if key not in self._rosters:
            self._rosters[key] = coaching.rosters(
                self._studio, wanted.location, day - timedelta(days=1), 3, self._taken
            )
        step, end = self._policy.step_minutes, start + window.minutes
        return any(
            roster.first_start(start, end, wanted.coaching_minutes, step) is not None
            for roster in self._rosters[key]
            if wanted.coach is None or roster.coach.id == wanted.coach.id
        )


def read(session: Session, *, studio: Studio, windows: Sequence[Window], now: datetime) -> Openings:
    """Read the book around these windows, once."""
    margin = DAY_MINUTES_MAX + studio.policy.buffer_minutes
    taken = book.taken(
        session,
        studio_id=studio.id,
        start=min(window.first for window in windows) - margin,
        end=max(window.last + window.minutes for window in windows) + margin,
        now=now,
    )
    return Openings(studio, taken, now=now)
