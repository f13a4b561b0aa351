"""Which sessions no longer lie in opening and working time after the catalogue changed. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from booking_engine.attention import COACH_OFF
from booking_engine.catalog import schedules
from booking_engine.catalog.schedules import Span
from booking_engine.catalog.studio import Coach, Location, Studio
from booking_engine.intervals import covers

CLOSED = "studio_closed"


@dataclass(frozen=True, slots=True)
class Standing:
    """A session still to come, in minutes since the epoch, and the coached part of it."""

    booking_id: UUID
    code: str
    location_id: int
    start: int
    end: int
    coach_id: int | None = None
    coached: Span | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A session, and why it cannot be where it is."""

    session: Standing
    reasons: tuple[str, ...]
    is_new: bool  # the change made it so; what staff had booked against the rules stays theirs

    @property
    def key(self) -> str:
        """Return the fact's name: the same session at the same time for the same reasons."""
        return f"{self.session.booking_id}:{self.session.start}:{'+'.join(self.reasons)}"


def find(before: Studio, after: Studio, sessions: Iterable[Standing]) -> Iterator[Conflict]:
    """Yield the sessions that the changed catalogue has no room for."""
    for session in sessions:
        reasons = _reasons(after, session)
        if reasons:
            yield Conflict(session, reasons, not set(reasons) <= set(_reasons(before, session)))


def _reasons(studio: Studio, session: Standing) -> tuple[str, ...]:
    places = [place for place in studio.locations if place.id == session.location_id]
    if not places:
        return (CLOSED,)
    reasons = []
    if not _is_open(places[0], session):
        reasons.append(CLOSED)
    if session.coached is not None and not _is_working(studio, places[0], session):
        reasons.append(COACH_OFF)
    return tuple(reasons)


def _is_open(location: Location, session: Standing) -> bool:
    first = schedules.local_date(session.start, location.zone) - timedelta(days=1)
    open_time = schedules.open_time(location.hours, location.closed, location.zone, first, 4)
    return covers(open_time, session.start, session.end)


def _is_working(studio: Studio, location: Location, session: Standing) -> bool:
    coach = studio.resources.get(session.coach_id) if session.coach_id is not None else None
    if not isinstance(coach, Coach) or session.coached is None:
        return True
    if location.handle not in coach.locations:
        return False
    first = schedules.local_date(session.coached[0], location.zone) - timedelta(days=1)
    working = schedules.working_time(
        hours=coach.hours,
        extra=coach.extra,
        blocked=coach.blocked,
        zone=location.zone,
        first=first,
        days=4,
    )
    return covers(working, *session.coached)
