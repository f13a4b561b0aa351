"""From what a caller asks to the terms of one session, checked against the rules of the studio.

The checks here need no look at the book: they are about the catalogue and the clock. Pure.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from booking_engine import eligibility
from booking_engine.booking import pricing
from booking_engine.booking.pricing import Basket
from booking_engine.catalog import schedules
from booking_engine.catalog.studio import Coach, Location, Policy, Service, Simulator, Studio
from booking_engine.eligibility import Facts
from booking_engine.errors import Invalid
from booking_engine.intervals import Interval, covers, from_minutes, to_minutes

ANY_COACH = "any"


@dataclass(frozen=True, slots=True)
class CoachingRequest:
    """Coaching inside the session: no coach named means any, no start means the first that fits."""

    minutes: int
    coach: str | None = None
    start: datetime | None = None


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What a caller asks for."""

    service: str
    start: datetime
    minutes: int
    simulators: int = 1
    simulator: str | None = None
    coaching: CoachingRequest | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """A session that the rules allow, with what it burns and costs."""

    location: Location
    service: Service
    during: Interval
    simulators: int
    simulator: Simulator | None
    coaching_minutes: int
    coach: Coach | None
    coaching_start: datetime | None
    simulator_minutes: int
    coaching_sessions: int
    basket: Basket

    def facts(self, coach: str | None = None) -> Facts:
        """Return what decides which credits may pay for it; the coach is whoever serves."""
        return eligibility.facts(
            starts_at=self.during.start,
            zone=self.location.zone,
            location=self.location.handle,
            service=self.service.handle,
            coach=coach or (self.coach.handle if self.coach else None),
        )


@dataclass(frozen=True, slots=True)
class Slots:
    """The starts that a location offers: opening hours and grid, nothing about the book."""

    open: list[schedules.Span]
    starts: list[int]


class OutsideHours(Invalid):
    """The studio is not open for the whole of the session."""

    code = "outside_hours"


class OffGrid(Invalid):
    """Sessions start on a grid, counted from the day's opening."""

    code = "off_grid"


class TooSoon(Invalid):
    """The session starts before the lead time is over."""

    code = "too_soon"


class OutsideHorizon(Invalid):
    """The session starts after the last day that can be booked."""

    code = "outside_horizon"


def agree(
    studio: Studio, request: SessionRequest, *, now: datetime, waived: Collection[str] = ()
) -> Terms:
    """Return the terms of what is asked; raises the first rule that says no and is not waived."""
    terms = resolve(studio, request)
    for refusal in refusals(studio, terms, now=now):
        if refusal.code not in waived:
            raise refusal
    return terms


def resolve(studio: Studio, request: SessionRequest) -> Terms:
    """Look up every name and length in the request; raises `Invalid`."""
    bay = studio.simulator(request.simulator) if request.simulator else None
    location = studio.location(request.location or (bay.location if bay else None))
    service = studio.service(request.service)
    if bay is not None and bay.location != location.handle:
        raise Invalid(f"{bay.handle} does not stand at {location.handle}")
    if request.minutes not in service.minutes:
        raise Invalid(
            f"{service.handle} lasts one of {list(service.minutes)} minutes, not {request.minutes}",
            allowed=list(service.minutes),
        )
    standing = len(studio.simulators_at(location.handle))
    most = min(service.max_simulators, standing)
    if not 1 <= request.simulators <= most:
        raise Invalid(f"simulators must be 1 to {most}", maximum=most)
    if request.start.tzinfo is None:
        raise Invalid("start needs an offset, as in 2026-11-21T18:00:00-05:00")
    during = Interval.lasting(request.start, request.minutes)
    burn = service.burn(minutes=request.minutes, simulators=request.simulators)
    terms = Terms(
        location=location,
        service=service,
        during=during,
        simulators=request.simulators,
        simulator=bay,
        coaching_minutes=0,
        coach=None,
        coaching_start=None,
        simulator_minutes=burn,
        coaching_sessions=0,
        basket=Basket((), 0),
    )
    if request.coaching is not None:
        terms = _with_coaching(studio, terms, request.coaching)
    basket = pricing.cheapest(
        studio.products,
        simulator_minutes=terms.simulator_minutes,
        coaching_sessions=terms.coaching_sessions,
    )
    return replace(terms, basket=basket)


def refusals(studio: Studio, terms: Terms, *, now: datetime) -> Iterator[Invalid]:
    """Yield every rule about hours, grid, lead and horizon that the session breaks."""
    policy, location = studio.policy, terms.location
    start, end = to_minutes(terms.during.start), to_minutes(terms.during.end)
    earliest = now + timedelta(minutes=policy.lead_minutes)
    if terms.during.start < earliest:
        yield TooSoon(
            f"sessions are booked at least {policy.lead_minutes} minutes ahead",
            earliest=earliest.astimezone(location.zone).isoformat(timespec="seconds"),
        )
    last = last_day(policy, location, now)
    if schedules.local_date(start, location.zone) > last:
        yield OutsideHorizon(
            f"sessions are booked at most {policy.horizon_days} days ahead", last_day=str(last)
        )
    day = schedules.local_date(start, location.zone)
    slots = offered(location, policy.step_minutes, day, 1)
    if not covers(slots.open, start, end):
        yield OutsideHours(
            f"{location.name} is not open for the whole of that time",
            open=[_local(span, location) for span in slots.open],
        )
    elif not _on_grid(terms, slots, start):
        yield OffGrid(
            f"sessions start every {policy.step_minutes} minutes from the day's opening",
            step_minutes=policy.step_minutes,
        )


@lru_cache(maxsize=4096)
def offered(location: Location, step: int, first: date, days: int) -> Slots:
    """Return the open time around these local dates, and the starts that fall on them.

    A window that began the evening before still offers its starts after midnight.
    """
    before = first - timedelta(days=1)
    opened = schedules.windows(location.hours, location.zone, before, days + 2)
    open_time = schedules.open_time(
        location.hours, location.closed, location.zone, before, days + 2
    )
    anchors: dict[date, int] = {}
    starts: set[int] = set()
    midnight = schedules.wall_minutes(datetime(first.year, first.month, first.day), location.zone)  # noqa: DTZ001 - a wall-clock time
    after = first + timedelta(days=days)
    until = schedules.wall_minutes(datetime(after.year, after.month, after.day), location.zone)  # noqa: DTZ001 - a wall-clock time
    for window in opened:
        anchor = anchors.setdefault(window.date, window.start)
        begins = anchor + -(-(max(window.start, midnight) - anchor) // step) * step
        starts.update(range(begins, min(window.end, until), step))
    return Slots(open_time, sorted(starts))


def last_day(policy: Policy, location: Location, now: datetime) -> date:
    """Return the last local date on which a session may start."""
    return now.astimezone(location.zone).date() + timedelta(days=policy.horizon_days)


def _with_coaching(studio: Studio, terms: Terms, coaching: CoachingRequest) -> Terms:
    sessions = studio.coaching.burn(coaching.minutes)
    if coaching.minutes > terms.during.minutes:
        raise Invalid("coaching cannot last longer than the session")
    coach = None
    if coaching.coach not in (None, ANY_COACH):
        coach = studio.coach(coaching.coach)
        if terms.location.handle not in coach.locations:
            raise Invalid(f"{coach.name} does not coach at {terms.location.name}")
    start = coaching.start
    if start is not None:
        if start.tzinfo is None:
            raise Invalid("coaching.start needs an offset")
        start = start.astimezone(UTC)
        part = Interval.lasting(start, coaching.minutes)
        if not terms.during.contains(part):
            raise Invalid("coaching lies inside the session")
        if (part.start - terms.during.start) % timedelta(minutes=studio.policy.step_minutes):
            raise OffGrid(
                f"coaching starts a multiple of {studio.policy.step_minutes} minutes into the"
                " session",
                step_minutes=studio.policy.step_minutes,
            )
    return replace(
        terms,
        coaching_minutes=coaching.minutes,
        coach=coach,
        coaching_start=start,
        coaching_sessions=sessions,
    )


def _on_grid(terms: Terms, slots: Slots, start: int) -> bool:
    return start in slots.starts and terms.during.start == from_minutes(start)


def _local(span: schedules.Span, location: Location) -> dict[str, str]:
    start, end = (from_minutes(edge).astimezone(location.zone).isoformat() for edge in span)
    return {"start": start, "end": end}
