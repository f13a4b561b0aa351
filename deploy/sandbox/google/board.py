"""The board people look at: events laid out in lanes, one lane per calendar and day."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sandbox.google import times
from sandbox.google.calendars import BY_ITSELF, Calendar
from sandbox.google.events import Resource

DAY_MINUTES = 24 * 60
DASH = "\N{EN DASH}"
USUAL_HOURS = (8, 23)
HUES = {"owner": (222,), "person": (22, 330, 265, 45), "bay": (199, 162, 95, 240, 180, 130)}


@dataclass(frozen=True)
class Lane:
    """A calendar as the board shows it."""

    calendar: str
    title: str
    kind: str
    hue: int


@dataclass(frozen=True)
class Bar:
    """One event, or the part of it that falls on one day."""

    lane: Lane
    event: str
    etag: str
    title: str
    link: str
    all_day: bool
    begins: datetime
    ends: datetime
    first: int
    last: int
    level: int = 0
    levels: int = 1
    above: int = 0

    @property
    def hours(self) -> str:
        """Return the times to print on the bar."""
        return "all day" if self.all_day else f"{self.begins:%H:%M}{DASH}{self.ends:%H:%M}"

    @property
    def row(self) -> int:
        """Return the row in a lane; the all-day bars take the first ones."""
        return self.above + self.level


@dataclass(frozen=True)
class Day:
    """One day with a lane of bars for every calendar."""

    on: date
    lanes: list[tuple[Lane, list[Bar]]]

    @property
    def count(self) -> int:
        """Return how many bars stand on the day."""
        return sum(len(bars) for _, bars in self.lanes)


@dataclass(frozen=True)
class Board:
    """Some days, and the hours they show."""

    days: list[Day]
    from_hour: int
    to_hour: int

    @property
    def hours(self) -> list[int]:
        """Return the full hours on the axis."""
        return list(range(self.from_hour, self.to_hour))

    def place(self, minute: int) -> float:
        """Return where a minute of the day stands on the axis, in percent."""
        span = (self.to_hour - self.from_hour) * 60
        inside = min(max(minute - self.from_hour * 60, 0), span)
        return round(inside * 100 / span, 3)

    def length(self, bar: Bar) -> float:
        """Return how much of the axis a bar takes, in percent."""
        return round(self.place(bar.last) - self.place(bar.first), 3)


def lanes(calendars: Iterable[Calendar]) -> list[Lane]:
    """Return the lanes in their order: the owner, the people, the bays."""
    found: list[Lane] = []
    taken = dict.fromkeys(HUES, 0)
    for calendar in sorted(calendars, key=_rank):
        kind = _kind(calendar.id)
        hue = HUES[kind][taken[kind] % len(HUES[kind])]
        taken[kind] += 1
        found.append(Lane(calendar.id, calendar.summary, kind, hue))
    return found


def lay_out(
    days: list[date], found: list[Lane], events: dict[str, list[Resource]], zone: str
) -> Board:
    """Return the board of these days; the hours widen to hold what is on it."""
    made = [
        Day(on, [(lane, _bars(lane, events[lane.calendar], on, zone)) for lane in found])
        for on in days
    ]
    timed = [bar for day in made for _, bars in day.lanes for bar in bars if not bar.all_day]
    low = min([USUAL_HOURS[0], *(bar.first // 60 for bar in timed)])
    high = max([USUAL_HOURS[1], *(-(-bar.last // 60) for bar in timed)])
    return Board(made, low, high)


def _bars(lane: Lane, events: list[Resource], on: date, zone: str) -> list[Bar]:
    bars = [bar for bar in (_bar(lane, event, on, zone) for event in events) if bar]
    bars.sort(key=lambda bar: (bar.first, -bar.last, bar.event))
    whole = _stacked([bar for bar in bars if bar.all_day])
    timed = _stacked([bar for bar in bars if not bar.all_day])
    return whole + [replace(bar, above=len(whole)) for bar in timed]


def _bar(lane: Lane, event: Resource, on: date, zone: str) -> Bar | None:
    here = ZoneInfo(zone)
    begins, ends = (datetime.fromtimestamp(edge, here) for edge in times.span(event, zone))
    first, last = _minute(begins, on), _minute(ends, on)
    if last <= first:
        return None
    private = event.get("extendedProperties", {}).get("private", {})
    link = private.get("booking") or f"{event.get('summary', '')}|{begins.isoformat()}"
    return Bar(
        lane=lane,
        event=event["id"],
        etag=event["etag"],
        title=event.get("summary") or "(No title)",
        link=link,
        all_day="date" in event["start"],
        begins=begins,
        ends=ends,
        first=first,
        last=last,
    )


def _minute(moment: datetime, on: date) -> int:
    if moment.date() != on:
        return 0 if moment.date() < on else DAY_MINUTES
    return moment.hour * 60 + moment.minute


def _stacked(bars: list[Bar]) -> list[Bar]:
    """Give each bar a level of its own among those it overlaps with, however indirectly."""
    done: list[Bar] = []
    group: list[Bar] = []
    free_from: list[int] = []
    for bar in bars:
        if free_from and max(free_from) <= bar.first:
            done += [replace(each, levels=len(free_from)) for each in group]
            group, free_from = [], []
        level = next((n for n, free in enumerate(free_from) if free <= bar.first), len(free_from))
        free_from[level : level + 1] = [bar.last]
        group.append(replace(bar, level=level))
    return done + [replace(each, levels=len(free_from)) for each in group]


def _kind(calendar_id: str) -> str:
    name = calendar_id.removesuffix(BY_ITSELF)
    if name == "owner":
        return "owner"
    return "bay" if name.startswith("bay") else "person"


def _rank(calendar: Calendar) -> tuple[int, list[tuple[int, str]]]:
    words = re.findall(r"\d+|\D+", calendar.id)
    natural = [(int(word), "") if word.isdigit() else (0, word) for word in words]
    return list(HUES).index(_kind(calendar.id)), natural
