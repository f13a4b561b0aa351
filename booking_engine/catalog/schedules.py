"""Opening hours and working hours: wall-clock rules in, absolute minutes out. Pure.

Rules are written in wall-clock time; what comes out are minutes since the epoch, so that durations
stay absolute across a change of the clocks (product rule D20).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from booking_engine.eligibility import WEEKDAYS
from booking_engine.intervals import from_minutes, merge, subtract, to_minutes

DAY_MINUTES = 24 * 60

# For each weekday, Monday first: (start, end) in wall-clock minutes from midnight; an end beyond
# 1440 lies in the next day.
WeeklyHours = tuple[tuple[tuple[int, int], ...], ...]
Span = tuple[int, int]

_TIME = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
NEVER: WeeklyHours = ((),) * 7


@dataclass(frozen=True, slots=True)
class LocalRange:
    """A stretch of wall-clock time at one place: a closure, a coach's holiday, an extra shift."""

    start: datetime  # naive
    end: datetime  # naive
    reason: str


@dataclass(frozen=True, slots=True)
class Window:
    """One opening of one local date, in minutes since the epoch."""

    date: date
    start: int
    end: int


def parse_hours(hours: Mapping[str, Sequence[str]]) -> WeeklyHours:
    """Read `{"mon-fri": ["09:00-22:00"]}`; raises `ValueError` that says what is wrong."""
    week: list[list[tuple[int, int]]] = [[] for _ in WEEKDAYS]
    given: set[int] = set()
    for days, windows in hours.items():
        for weekday in parse_days(days):
            if weekday in given:
                raise ValueError(f"{WEEKDAYS[weekday]} is given twice")
            given.add(weekday)
            week[weekday] = [_parse_window(window) for window in windows]
    _refuse_overlaps(week)
    return tuple(tuple(sorted(windows)) for windows in week)


def parse_ranges(ranges: Iterable[Mapping[str, str]]) -> tuple[LocalRange, ...]:
    """Read `[{from, to, reason?}]` with naive local times; raises `ValueError`."""
    return tuple(parse_range(each["from"], each["to"], each.get("reason") or "") for each in ranges)


def parse_range(start: str, end: str, reason: str = "") -> LocalRange:
    """Read one range of naive local times; raises `ValueError`."""
    begins, ends = (_parse_local(value) for value in (start, end))
    if ends <= begins:
        raise ValueError(f'"{start}" to "{end}" ends before it starts')
    return LocalRange(begins, ends, reason)


def windows(hours: WeeklyHours, zone: ZoneInfo, first: date, days: int) -> list[Window]:
    """Return the openings that belong to the local dates `first` and the `days - 1` after it."""
    found = []
    for number in range(days):
        day = first + timedelta(days=number)
        midnight = datetime.combine(day, time())
        for start, end in hours[day.weekday()]:
            begins = wall_minutes(midnight + timedelta(minutes=start), zone)
            ends = _closing_minutes(midnight + timedelta(minutes=end), zone)
            if begins < ends:
                found.append(Window(day, begins, ends))
    return found


def working_time(
    *,
    hours: WeeklyHours,
    extra: Sequence[LocalRange],
    blocked: Sequence[LocalRange],
    zone: ZoneInfo,
    first: date,
    days: int,
) -> list[Span]:
    """Return when somebody works: weekly hours plus extra ranges, less blocked ones."""
    usual = [(window.start, window.end) for window in windows(hours, zone, first, days)]
    return subtract(usual + spans(extra, zone), spans(blocked, zone))


def open_time(
    hours: WeeklyHours, closed: Sequence[LocalRange], zone: ZoneInfo, first: date, days: int
) -> list[Span]:
    """Return when a place is open, windows that touch joined into one."""
    usual = [(window.start, window.end) for window in windows(hours, zone, first, days)]
    return subtract(merge(usual), spans(closed, zone))


def spans(ranges: Iterable[LocalRange], zone: ZoneInfo) -> list[Span]:
    """Return wall-clock ranges as minutes since the epoch."""
    return [(wall_minutes(each.start, zone), wall_minutes(each.end, zone)) for each in ranges]


def wall_minutes(wall: datetime, zone: ZoneInfo) -> int:
    """Return the epoch minutes of a naive wall-clock time.

    A time that the clocks skip is shifted by the gap, one that comes twice is the first.
    """
    return to_minutes(wall.replace(tzinfo=zone).astimezone(UTC))


def _closing_minutes(wall: datetime, zone: ZoneInfo) -> int:
    """Return when a window closes; a closing time that the clocks skip is the jump itself."""
    instant = wall.replace(tzinfo=zone)
    if instant.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall:
        return to_minutes(instant)
    # Across the gap the two readings of the wall time lie one before and one after the jump.
    after = to_minutes(instant.replace(fold=1)), to_minutes(instant.replace(fold=0))
    return next(
        minute
        for minute in range(min(after), max(after) + 1)
        if from_minutes(minute).astimezone(zone).replace(tzinfo=None) >= wall
    )


def local_date(minutes: int, zone: ZoneInfo) -> date:
    """Return the local date on which these epoch minutes fall."""
    return datetime.fromtimestamp(minutes * 60, zone).date()


def parse_days(days: str) -> range | list[int]:
    """Read `mon` or `fri-sun` as numbers from Monday, 0; raises `ValueError`."""
    names = days.lower().split("-")
    if len(names) > 2 or any(name not in WEEKDAYS for name in names):
        raise ValueError(f'"{days}" is no weekday; write one of {", ".join(WEEKDAYS)} or "mon-fri"')
    first, last = WEEKDAYS.index(names[0]), WEEKDAYS.index(names[-1])
    if first <= last:
        return range(first, last + 1)
    return [*range(first, 7), *range(last + 1)]


def _parse_window(window: str) -> tuple[int, int]:
    start, dash, end = window.partition("-")
    if not dash:
        raise ValueError(f'"{window}" is no opening; write "09:00-22:00"')
    begins, ends = _parse_time(start), _parse_time(end)
    if begins == DAY_MINUTES:
        raise ValueError(f'"{window}" starts at 24:00; write it on the next day as 00:00')
    if begins == ends:
        raise ValueError(f'"{window}" is empty; for a whole day write "00:00-24:00"')
    return begins, ends if ends > begins else ends + DAY_MINUTES


def _parse_time(value: str) -> int:
    match = _TIME.fullmatch(value.strip())
    if match is None or (match[1] == "24" and match[2] != "00"):
        raise ValueError(f'"{value}" is no time of day; write it as "09:30"')
    return int(match[1]) * 60 + int(match[2])


def _parse_local(value: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f'"{value}" is no local time; write "2026-12-25T00:00"') from None
    if parsed.tzinfo is not None:
        raise ValueError(f'"{value}" has an offset; write the local time without one')
    return parsed.replace(second=0, microsecond=0)


def _refuse_overlaps(week: list[list[tuple[int, int]]]) -> None:
    placed = sorted(
        (day * DAY_MINUTES + start, day * DAY_MINUTES + end)
        for day, openings in enumerate(week)
        for start, end in openings
    )
    wrapped = [(start + 7 * DAY_MINUTES, end + 7 * DAY_MINUTES) for start, end in placed[:1]]
    for (_, end), (start, _) in zip(placed, [*placed[1:], *wrapped], strict=False):
        if start < end:
            day, minute = divmod(start % (7 * DAY_MINUTES), DAY_MINUTES)
            at = f"{WEEKDAYS[day]} {minute // 60:02}:{minute % 60:02}"
            raise ValueError(f"two openings overlap at {at}")
