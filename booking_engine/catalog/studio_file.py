"""studio.toml: the whole catalogue in one reviewable file, read strictly.

`read` returns the file's meaning or raises `StudioFileError`, one line per problem, each with the
position in the file and what to write instead.
"""

import re
import tomllib
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation, Overflow
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_precision, list_currencies
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from booking_engine.catalog.schedules import parse_days, parse_hours, parse_range
from booking_engine.eligibility import WEEKDAYS, Only

Path = tuple[str | int, ...]
_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_-]+)\s*\]\]?")
_KEY = re.compile(r'\s*"?([A-Za-z0-9_-]+)"?\s*=')
_SHOP = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_HANDLE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


AMOUNT_MAX = 10**12


class StudioFileError(Exception):
    """The file cannot be meant; `problems` are lines like `studio.toml:12: ...`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _handle(value: str) -> str:
    if not _HANDLE.fullmatch(value):
        raise ValueError(f'"{value}" is no handle; use a-z, 0-9 and "-"')
    if value == "any":
        raise ValueError('"any" is taken: it means "any coach"')
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(f'"{value}" is no IANA time zone; write "America/Toronto"') from None
    return value


def _shop(value: str) -> str:
    if not _SHOP.fullmatch(value):
        raise ValueError(f'"{value}" is no shop; write "name.myshopify.com"')
    return value


def _currency(value: str) -> str:
    if value not in list_currencies():
        raise ValueError(f'"{value}" is no ISO 4217 currency; write "CAD"')
    return value


def _hours(value: dict[str, list[str]]) -> dict[str, list[str]]:
    parse_hours(value)
    return value


Handle = Annotated[str, AfterValidator(_handle)]
Name = Annotated[str, Field(min_length=1, max_length=80)]
Hours = Annotated[dict[str, list[str]], AfterValidator(_hours)]
Minutes = Annotated[int, Field(ge=5, le=24 * 60, multiple_of=5)]
Buffer = Annotated[int, Field(ge=0, le=240, multiple_of=5)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class StudioPart(_Part):
    """`[studio]`"""

    shop: Annotated[str, AfterValidator(_shop)]
    name: Name
    currency: Annotated[str, AfterValidator(_currency)]
    owner_calendar: str | None = None


class CancelPart(_Part):
    """One tier of `policy.cancel`."""

    hours: Annotated[int, Field(ge=0, le=24 * 365)]
    percent: Annotated[int, Field(ge=0, le=100)]


class PolicyPart(_Part):
    """`[policy]`"""

    step_minutes: Minutes = 30
    lead_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 30)] = 120
    horizon_days: Annotated[int, Field(ge=1, le=730)] = 90
    hold_minutes: Annotated[int, Field(ge=1, le=60)] = 15
    buffer_minutes: Buffer = 0
    cancel: list[CancelPart] = [
        CancelPart(hours=48, percent=100),
        CancelPart(hours=24, percent=50),
    ]
    free_moves: Annotated[int, Field(ge=0, le=10)] = 1
    bay_freeze_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 30)] = 120
    attendance: Literal["none", "staff"] = "none"
    gift_expiry_from: Literal["claim", "purchase"] = "claim"
    # What becomes of credits that were used before their order was refunded: let go, or owed.
    shortfall: Literal["forgive", "debt"] = "forgive"


class RangePart(_Part):
    """A stretch of local time: `{ from = "2026-12-25T00:00", to = ..., reason = ... }`."""

    start: str = Field(alias="from")
    end: str = Field(alias="to")
    reason: str = ""

    def model_post_init(self, context: object, /) -> None:
        """Refuse a range that is no range."""
        parse_range(self.start, self.end)


class LocationPart(_Part):
    """`[[location]]`"""

    handle: Handle
    name: Name
    timezone: Annotated[str, AfterValidator(_zone)]
    hours: Hours
    closed: list[RangePart] = []


class SimulatorPart(_Part):
    """`[[simulator]]`"""

    handle: Handle
    location: str
    name: Name
    calendar: str | None = None
    tags: list[str] = []
    players: Annotated[int, Field(ge=1, le=100)] | None = None


class CoachPart(_Part):
    """`[[coach]]`"""

    handle: Handle
    name: Name
    calendar: str | None = None
    locations: Annotated[list[str], Field(min_length=1)]
    hours: Hours = {}
    extra: list[RangePart] = []
    blocked: list[RangePart] = []
    buffer_minutes: Buffer = 0


class BurnPart(_Part):
    """What a service burns: so many simulator minutes for each begun `per_minutes`."""

    simulator_minutes: Annotated[int, Field(ge=0, le=10_000)]
    per_minutes: Minutes = 60


class ServicePart(_Part):
    """`[[service]]`"""

    handle: Handle
    title: Name
    minutes: Annotated[list[Minutes], Field(min_length=1)]
    max_simulators: Annotated[int, Field(ge=1, le=100)] = 1
    burn: BurnPart


class CoachingPart(_Part):
    """`[coaching]`"""

    minutes: list[Minutes] = []
    sessions: dict[str, Annotated[int, Field(ge=0, le=100)]] = {}


class GrantsPart(_Part):
    """What one paid unit grants."""

    simulator_minutes: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    coaching_sessions: Annotated[int, Field(ge=0, le=100_000)] = 0


class OnlyPart(_Part):
    """`product.only`: the sessions that its credits pay for; what is left out is not limited."""

    weekdays: list[str] = []
    locations: list[str] = []
    services: list[str] = []
    coaches: list[str] = []

    def model_post_init(self, context: object, /) -> None:
        """Refuse days that are none, and a limit that limits nothing."""
        if not any((self.weekdays, self.locations, self.services, self.coaches)):
            raise ValueError('name what it is limited to, as in { weekdays = ["mon-fri"] }')
        parse_hours({days: [] for days in self.weekdays})

    def eligibility(self) -> Only:
        """Return what it says, the days one by one."""
        days = [day for day in range(7) for named in self.weekdays if day in parse_days(named)]
        return Only(
            tuple(WEEKDAYS[day] for day in days),
            tuple(self.locations),
            tuple(self.services),
            tuple(self.coaches),
        )


class ProductPart(_Part):
    """`[[product]]`"""

    variant: Annotated[int, Field(gt=0, lt=2**63)]
    title: Name
    price: str
    grants: GrantsPart
    valid_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    only: OnlyPart | None = None


class StudioFile(_Part):
    """The meaning of one studio.toml."""

    studio: StudioPart
    policy: PolicyPart = PolicyPart()
    location: Annotated[list[LocationPart], Field(min_length=1)]
    simulator: Annotated[list[SimulatorPart], Field(min_length=1)]
    coach: list[CoachPart] = []
    service: Annotated[list[ServicePart], Field(min_length=1)]
    coaching: CoachingPart = CoachingPart()
    product: list[ProductPart] = []

    def price_minor(self, product: ProductPart) -> int:
        """Return a product's price in minor units; raises `ValueError`."""
        return minor_units(product.price, self.studio.currency)


def minor_units(amount: str, currency: str) -> int:
    """Return a decimal amount in the currency's minor units; raises `ValueError`."""
    digits = get_currency_precision(currency)
    try:
        scaled = Decimal(amount).scaleb(digits)
    except (InvalidOperation, Overflow):
        raise ValueError(f'"{amount}" is no amount; write "45.00"') from None
    if not scaled.is_finite() or scaled < 0 or scaled != scaled.to_integral_value():
        raise ValueError(f'"{amount}" is no amount in {currency}, which has {digits} decimals')
    if scaled > AMOUNT_MAX:
        raise ValueError(f'"{amount}" is more than anybody pays')
    return int(scaled)


def read(text: str, *, name: str) -> StudioFile:
    """Return the meaning of the file's text; raises `StudioFileError` naming `name:line`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        at = f"{name}:{line[1]}" if line else name
        raise StudioFileError([f"{at}: not TOML: {error}"]) from None
    try:
        studio = StudioFile.model_validate(document)
    except ValidationError as error:
        found: list[tuple[Path, str]] = [
            (each["loc"], _sentence(each["type"], each["msg"])) for each in error.errors()
        ]
    else:
        found = list(_contradictions(studio))
        if not found:
            return studio
    problems = sorted((locate(text, path), _dotted(path), message) for path, message in found)
    raise StudioFileError([f"{name}:{line}: {path}: {what}" for line, path, what in problems])


def locate(text: str, path: Path) -> int:
    """Return the line (from 1) on which the value at `path` stands, as near as lines tell."""
    table, index = path[0] if path else "", path[1] if len(path) > 1 else None
    key = next((part for part in path[1:] if isinstance(part, str)), None)
    best, seen, inside = 1, -1, False
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            seen += header[2] == table
            inside = header[2] == table and (header[1] == "[" or index in (None, seen))
            best = number if inside else best
        elif inside and key and (found := _KEY.match(line)) and found[1] == key:
            return number
    return best


def _dotted(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).strip(".")


def _sentence(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown key; remove it or mend its spelling"
    if kind == "missing":
        return "missing; every entry needs it"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "write a table, as in { key = value }"
    return message.removeprefix("Value error, ")


def _contradictions(studio: StudioFile) -> Iterator[tuple[Path, str]]:
    """Yield what each part alone cannot see."""
    for table in ("location", "simulator", "coach", "service"):
        yield from _repeats(table, "handle", getattr(studio, table))
    yield from _repeats("product", "variant", studio.product)
    yield from _place_contradictions(studio)
    yield from _product_contradictions(studio)
    yield from _coaching_contradictions(studio.coaching)
    hours = [tier.hours for tier in studio.policy.cancel]
    if hours != sorted(set(hours), reverse=True):
        yield ("policy", "cancel"), "tiers go from the most hours to the least, each once"


def _place_contradictions(studio: StudioFile) -> Iterator[tuple[Path, str]]:
    places = {location.handle for location in studio.location}
    for number, bay in enumerate(studio.simulator):
        if bay.location not in places:
            yield ("simulator", number, "location"), f'no location is called "{bay.location}"'
    for number, coach in enumerate(studio.coach):
        for place in coach.locations:
            if place not in places:
                yield ("coach", number, "locations"), f'no location is called "{place}"'


def _product_contradictions(studio: StudioFile) -> Iterator[tuple[Path, str]]:
    named = {
        "locations": {location.handle for location in studio.location},
        "services": {service.handle for service in studio.service},
        "coaches": {coach.handle for coach in studio.coach},
    }
    for number, product in enumerate(studio.product):
        try:
            studio.price_minor(product)
        except ValueError as error:
            yield ("product", number, "price"), str(error)
        if not (product.grants.simulator_minutes or product.grants.coaching_sessions):
            yield ("product", number, "grants"), "a product grants something"
        for name, known in named.items():
            for each in getattr(product.only, name, ()):
                if each not in known:
                    what = {"locations": "location", "services": "service", "coaches": "coach"}
                    yield ("product", number, "only"), f'no {what[name]} is called "{each}"'


def _coaching_contradictions(coaching: CoachingPart) -> Iterator[tuple[Path, str]]:
    lengths = {str(minutes) for minutes in coaching.minutes}
    for length in sorted(lengths ^ set(coaching.sessions)):
        yield ("coaching", "sessions"), f"minutes and sessions must name the same lengths: {length}"


def _repeats(table: str, key: str, parts: list[Any]) -> Iterator[tuple[Path, str]]:
    seen: set[object] = set()
    for number, part in enumerate(parts):
        value = getattr(part, key)
        if value in seen:
            yield (table, number, key), f"{value} is named twice"
        seen.add(value)
