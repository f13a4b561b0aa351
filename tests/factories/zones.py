"""Every time zone whose clocks change in 2026 or 2027, and when they do."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

QUARTER = timedelta(minutes=15)
FIRST, LAST = datetime(2026, 1, 2, tzinfo=UTC), datetime(2027, 12, 30, tzinfo=UTC)


def changing_days() -> list[tuple[str, date]]:
    """Return each zone with each local date that holds a change of its offset."""
    return [(name, day) for name in sorted(available_timezones()) for day in _changes(name)]


def length_of(day: date, zone: ZoneInfo) -> int:
    """Return how many minutes a local date lasts, by looking at every quarter of an hour."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=30)
    quarters = [at + number * QUARTER for number in range(84 * 4)]
    return 15 * sum(quarter.astimezone(zone).date() == day for quarter in quarters)


def _changes(name: str) -> Iterator[date]:
    zone, at = ZoneInfo(name), FIRST
    offset = at.astimezone(zone).utcoffset()
    while at < LAST:
        at += timedelta(days=1)
        now = at.astimezone(zone).utcoffset()
        if now != offset:
            yield from _moment(at - timedelta(days=1), zone)
        offset = now


def _moment(at: datetime, zone: ZoneInfo) -> Iterator[date]:
    """Yield the local dates on either side of the change within a day of `at`."""
    offset = at.astimezone(zone).utcoffset()
    while at.astimezone(zone).utcoffset() == offset:
        at += QUARTER
    yield from sorted({at.astimezone(zone).date(), (at - QUARTER).astimezone(zone).date()})
