"""Which coach can coach when. Pure (product rules D22 and D24)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from booking_engine.booking.book import Taken
from booking_engine.catalog import schedules
from booking_engine.catalog.schedules import Span
from booking_engine.catalog.studio import Coach, Location, Studio
from booking_engine.intervals import covers, subtract


@dataclass(frozen=True)
class Roster:
    """One coach around some days: when they work, and what they are already doing."""

    coach: Coach
    working: list[Span]
    sessions: list[Span]

    @cached_property
    def free(self) -> list[Span]:
        """Return when the coach works and is with nobody, buffers kept on both sides."""
        gap = self.coach.buffer_minutes
        return subtract(self.working, [(start - gap, end + gap) for start, end in self.sessions])

    def first_start(self, start: int, end: int, minutes: int, step: int) -> int | None:
        """Return the first start of a coached part inside `[start, end)`, None if there is none."""
        for at in range(start, end - minutes + 1, step):
            if self.is_free(at, at + minutes):
                return at
        return None

    def is_free(self, start: int, end: int) -> bool:
        """Tell whether the coach works then and is not with somebody else, buffers included."""
        return covers(self.free, start, end)


@dataclass(frozen=True, slots=True)
class Choice:
    """A coach and the minute at which the coached part starts."""

    coach: Coach
    start: int


def rosters(
    studio: Studio, location: Location, first: date, days: int, taken: Sequence[Taken]
) -> list[Roster]:
    """Return every coach of a location over these local dates."""
    return [
        Roster(
            coach,
            subtract(
                schedules.working_time(
                    hours=coach.hours,
                    extra=coach.extra,
                    blocked=coach.blocked,
                    zone=location.zone,
                    first=first,
                    days=days,
                ),
                _spans(taken, coach, is_away=True),
            ),
            _spans(taken, coach, is_away=False),
        )
        for coach in studio.coaches_at(location.handle)
    ]


def choose(
    found: Iterable[Roster], *, start: int, end: int, minutes: int, step: int
) -> Choice | None:
    """Choose among the coaches who can: fewest sessions, then longest idle, then id (D24)."""
    able = [
        (len(roster.sessions), _idle_since(roster, start), roster.coach.id, at, roster.coach)
        for roster in found
        if (at := roster.first_start(start, end, minutes, step)) is not None
    ]
    if not able:
        return None
    *_, at, coach = min(able, key=lambda each: each[:3])
    return Choice(coach, at)


def _spans(taken: Sequence[Taken], coach: Coach, *, is_away: bool) -> list[Span]:
    """Return when a coach is blocked, or else when they are with somebody."""
    return sorted(
        (each.start, each.end)
        for each in taken
        if each.resource_id == coach.id and each.is_block is is_away
    )


def _idle_since(roster: Roster, start: int) -> int:
    return max((until for _, until in roster.sessions if until <= start), default=0)
