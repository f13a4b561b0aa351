"""Every week or every other week at one wall-clock time: which instants that means. Pure.

The rule is written in the location's own time (product rules D14 and D20); what comes out is
absolute, and numbered: the first date is number 1, a date that was skipped keeps its number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from booking_engine.catalog import schedules
from booking_engine.intervals import Interval, from_minutes

# Two rules of one or two weeks that meet at all meet within two weeks of the later first date.
MEETING_WEEKS = 5


class Start(NamedTuple):
    """When a date of the series begins; `shifted` where the clocks skip the wall-clock time."""

    at: datetime
    shifted: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A local date and a minute after its midnight, again and again, perhaps not for ever."""

    first_on: date
    minute: int
    every_weeks: int
    count: int | None = None
    until_on: date | None = None

    @classmethod
    def starting(
        cls,
        start: datetime,
        zone: ZoneInfo,
        every_weeks: int,
        *,
        count: int | None = None,
        until_on: date | None = None,
    ) -> "Rule":
        """Return the rule whose first date is the local date and time of an instant."""
        wall = start.astimezone(zone)
        return cls(wall.date(), wall.hour * 60 + wall.minute, every_weeks, count, until_on)

    @property
    def last_number(self) -> int | None:
        """Return the number of the last date, None for a rule without an end."""
        if self.until_on is not None:
            return (self.until_on - self.first_on).days // (7 * self.every_weeks) + 1
        return self.count

    def date_of(self, number: int) -> date:
        """Return the local date with this number."""
        return self.first_on + timedelta(weeks=self.every_weeks * (number - 1))

    def number_from(self, day: date) -> int:
        """Return the number of the first date on or after a day."""
        return max(1, -(-(day - self.first_on).days // (7 * self.every_weeks)) + 1)

    def start_of(self, number: int, zone: ZoneInfo) -> Start:
        """Return when the date with this number begins.

        A time that the clocks skip is shifted by the gap, one that comes twice is the first.
        """
        wall = datetime.combine(self.date_of(number), time()) + timedelta(minutes=self.minute)
        at = from_minutes(schedules.wall_minutes(wall, zone))
        return Start(at, at.astimezone(zone).replace(tzinfo=None) != wall)

    def numbers(self, after: int, *, until: date) -> Iterator[int]:
        """Yield the numbers after one, of dates up to and including a day."""
        number = after + 1
        last = self.last_number
        while (last is None or number <= last) and self.date_of(number) <= until:
            yield number
            number += 1


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a rule takes on each of its dates: so many minutes, so long after the start."""

    rule: Rule
    zone: ZoneInfo
    offset: int
    minutes: int

    def taken(self, first: date) -> Iterator[tuple[date, Interval]]:
        """Yield some weeks of what is taken from a day on, by local date."""
        number = self.rule.number_from(first)
        for each in self.rule.numbers(number - 1, until=first + timedelta(weeks=MEETING_WEEKS)):
            start = self.rule.start_of(each, self.zone).at + timedelta(minutes=self.offset)
            yield self.rule.date_of(each), Interval.lasting(start, self.minutes)


def overlap(one: Pattern, other: Pattern) -> bool:
    """Tell whether two patterns ever want the same time."""
    first = max(one.rule.first_on, other.rule.first_on) - timedelta(days=1)
    others = [during for _, during in other.taken(first)]
    return any(during.overlaps(each) for _, during in one.taken(first) for each in others)


def share_a_date(one: Pattern, other: Pattern) -> bool:
    """Tell whether two patterns ever fall on the same local date."""
    first = max(one.rule.first_on, other.rule.first_on)
    dates = {day for day, _ in other.taken(first)}
    return any(day in dates for day, _ in one.taken(first))
