"""The catalogue as the rules read it: one frozen picture of a studio."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from booking_engine.catalog.schedules import LocalRange, WeeklyHours
from booking_engine.eligibility import ANYTHING, Only
from booking_engine.errors import Invalid


@dataclass(frozen=True, slots=True)
class CancelTier:
    """Cancelled at least `hours` before the start, `percent` of the credits come back."""

    hours: int
    percent: int


@dataclass(frozen=True, slots=True)
class Policy:
    """The studio's rules; the defaults are those of studio.toml."""

    step_minutes: int = 30
    lead_minutes: int = 120
    horizon_days: int = 90
    hold_minutes: int = 15
    buffer_minutes: int = 0
    cancel: tuple[CancelTier, ...] = (CancelTier(48, 100), CancelTier(24, 50))
    free_moves: int = 1
    bay_freeze_minutes: int = 120
    attendance: str = "none"  # or "staff": whom they do not check in has missed the session
    gift_expiry_from: str = "claim"  # or "purchase": when the days of a gift begin to count
    shortfall: str = "forgive"


@dataclass(frozen=True, slots=True)
class Location:
    """An address, its zone and its opening hours."""

    id: int
    handle: str
    name: str
    zone: ZoneInfo
    hours: WeeklyHours
    closed: tuple[LocalRange, ...]


@dataclass(frozen=True, slots=True)
class Simulator:
    """One bay or rig."""

    id: int
    handle: str
    name: str
    location: str
    calendar: str | None
    tags: tuple[str, ...]
    players: int | None


@dataclass(frozen=True, slots=True)
class Coach:
    """One coach, and when they work."""

    id: int
    handle: str
    name: str
    locations: tuple[str, ...]
    calendar: str | None
    hours: WeeklyHours
    extra: tuple[LocalRange, ...]
    blocked: tuple[LocalRange, ...]
    buffer_minutes: int


@dataclass(frozen=True, slots=True)
class Service:
    """What is sold by time; `burn` says what a session of one simulator costs in credits."""

    handle: str
    title: str
    minutes: tuple[int, ...]
    max_simulators: int
    burn_minutes: int
    burn_per_minutes: int

    def burn(self, *, minutes: int, simulators: int) -> int:
        """Return the simulator minutes that a session burns; begun periods count whole."""
        periods = -(-minutes // self.burn_per_minutes)
        return periods * self.burn_minutes * simulators


@dataclass(frozen=True, slots=True)
class Coaching:
    """The add-on: which lengths there are, and how many coaching sessions each burns."""

    sessions: tuple[tuple[int, int], ...] = ()

    @property
    def minutes(self) -> tuple[int, ...]:
        """Return the lengths on offer, in minutes."""
        return tuple(minutes for minutes, _ in self.sessions)

    def burn(self, minutes: int) -> int:
        """Return the coaching sessions that this length burns; raises `Invalid`."""
        for length, sessions in self.sessions:
            if length == minutes:
                return sessions
        raise Invalid(
            f"coaching lasts one of {list(self.minutes)} minutes, not {minutes}",
            allowed=list(self.minutes),
        )


@dataclass(frozen=True, slots=True)
class Product:
    """A Shopify variant: the price of one unit in minor units, and what it grants."""

    variant_id: int
    title: str
    price_minor: int
    simulator_minutes: int
    coaching_sessions: int
    valid_days: int | None
    only: Only = ANYTHING  # the sessions that its credits pay for


@dataclass(frozen=True, slots=True)
class Studio:
    """Everything that can be booked and bought in one studio, at one revision."""

    id: int
    shop: str
    name: str
    currency: str
    owner_calendar: str | None
    revision: int
    policy: Policy
    coaching: Coaching
    locations: tuple[Location, ...]
    simulators: tuple[Simulator, ...]
    coaches: tuple[Coach, ...]
    services: tuple[Service, ...]
    products: tuple[Product, ...]
    # Also the retired ones, which old bookings still name.
    resources: dict[int, Simulator | Coach] = field(hash=False, compare=False)
    former_services: tuple[Service, ...] = ()
    former_locations: tuple[Location, ...] = ()

    @property
    def widest_buffer_minutes(self) -> int:
        """Return how far from a session another one can still matter to it."""
        return max([self.policy.buffer_minutes, *(each.buffer_minutes for each in self.coaches)])

    def location(self, handle: str | None) -> Location:
        """Return the named location, or the only one; raises `Invalid`."""
        if handle is None and len(self.locations) == 1:
            return self.locations[0]
        for location in self.locations:
            if location.handle == handle:
                return location
        known = [location.handle for location in self.locations]
        raise Invalid(f"location must be one of {known}", allowed=known)

    def location_by_id(self, location_id: int) -> Location:
        """Return a location of this studio by its id, also one that was given up."""
        known = (*self.locations, *self.former_locations)
        return next(location for location in known if location.id == location_id)

    def service_of(self, handle: str) -> Service:
        """Return the service that a booking names, also one that is sold no more."""
        known = (*self.services, *self.former_services)
        return next(service for service in known if service.handle == handle)

    def service(self, handle: str) -> Service:
        """Return the named service; raises `Invalid`."""
        for service in self.services:
            if service.handle == handle:
                return service
        known = [service.handle for service in self.services]
        raise Invalid(f"service must be one of {known}", allowed=known)

    def simulator(self, handle: str) -> Simulator:
        """Return the named simulator; raises `Invalid`."""
        for simulator in self.simulators:
            if simulator.handle == handle:
                return simulator
        known = [simulator.handle for simulator in self.simulators]
        raise Invalid(f"simulator must be one of {known}", allowed=known)

    def coach(self, handle: str) -> Coach:
        """Return the named coach; raises `Invalid`."""
        for coach in self.coaches:
            if coach.handle == handle:
                return coach
        known = [coach.handle for coach in self.coaches]
        raise Invalid(f'coach must be "any" or one of {known}', allowed=[*known, "any"])

    def simulators_at(self, location: str) -> tuple[Simulator, ...]:
        """Return the simulators that stand at a location, in the owner's order."""
        return tuple(bay for bay in self.simulators if bay.location == location)

    def coaches_at(self, location: str) -> tuple[Coach, ...]:
        """Return the coaches who work at a location, in the owner's order."""
        return tuple(coach for coach in self.coaches if location in coach.locations)
