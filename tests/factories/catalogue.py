"""A catalogue without a database: what the pure rules read."""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from booking_engine.catalog.schedules import NEVER, LocalRange, WeeklyHours, parse_hours
from booking_engine.catalog.studio import (
    Coach,
    Coaching,
    Location,
    Policy,
    Product,
    Service,
    Simulator,
    Studio,
)
from booking_engine.eligibility import ANYTHING, Only
from tests.factories.studio import COACHING, HOUR, PACKAGE

DEMO_HOURS = {"mon-fri": ["09:00-22:00"], "sat-sun": ["08:00-23:00"]}
ALWAYS = {"mon-sun": ["00:00-24:00"]}


def make_location(
    hours: Mapping[str, Sequence[str]] = DEMO_HOURS,
    *,
    zone: str = "America/Toronto",
    closed: tuple[LocalRange, ...] = (),
    handle: str = "main",
) -> Location:
    """Make a location that is open like the demo studio's."""
    return Location(1, handle, handle.title(), ZoneInfo(zone), parse_hours(hours), closed)


def make_simulator(number: int, location: str = "main") -> Simulator:
    """Make bay number so and so."""
    return Simulator(number, f"bay-{number}", f"Bay {number}", location, None, (), 4)


def make_coach(
    handle: str = "ana",
    locations: tuple[str, ...] = ("main",),
    hours: WeeklyHours = NEVER,
    *,
    number: int = 11,
    buffer_minutes: int = 0,
) -> Coach:
    """Make a coach."""
    return Coach(number, handle, handle.title(), locations, None, hours, (), (), buffer_minutes)


def make_product(
    variant_id: int = HOUR,
    price_minor: int = 4500,
    simulator_minutes: int = 60,
    coaching_sessions: int = 0,
    valid_days: int | None = None,
    only: Only = ANYTHING,
) -> Product:
    """Make a product; by default the simulator hour."""
    return Product(
        variant_id,
        f"Variant {variant_id}",
        price_minor,
        simulator_minutes,
        coaching_sessions,
        valid_days,
        only,
    )


DEMO_PRODUCTS = (
    make_product(),
    make_product(COACHING, 6000, 0, 1),
    make_product(PACKAGE, 40000, 600, 0, 365),
)
SERVICE = Service("simulator", "Simulator", (60, 120, 180, 240), 4, 60, 60)


def make_studio(
    *,
    locations: tuple[Location, ...] | None = None,
    simulators: tuple[Simulator, ...] | None = None,
    coaches: tuple[Coach, ...] | None = None,
    services: tuple[Service, ...] = (SERVICE,),
    products: tuple[Product, ...] = DEMO_PRODUCTS,
    policy: Policy | None = None,
) -> Studio:
    """Make a studio; by default the demo studio's rules, four bays and the coach Ana."""
    return Studio(
        id=1,
        shop="birdie-bay.myshopify.com",
        name="Birdie Bay",
        currency="CAD",
        owner_calendar=None,
        revision=1,
        policy=policy or Policy(),
        coaching=Coaching(((30, 1), (60, 1), (90, 2))),
        locations=locations or (make_location(),),
        simulators=simulators or tuple(make_simulator(number) for number in range(1, 5)),
        coaches=coaches if coaches is not None else (make_coach(),),
        services=services,
        products=products,
        resources={},
    )
