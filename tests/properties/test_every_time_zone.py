"""Whatever zone a studio is in, the days when its clocks change hold together."""

from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from booking_engine.booking import terms
from booking_engine.catalog import schedules
from booking_engine.catalog.schedules import local_date, parse_hours
from tests.factories.catalogue import ALWAYS, make_location
from tests.factories.zones import changing_days, length_of

CHANGES = changing_days()
DAY = timedelta(days=1)
SPLIT = {"mon-sun": ["00:00-00:30", "00:30-01:15", "01:15-02:30", "03:00-23:30", "23:30-24:00"]}


def test_there_are_changes_to_look_at() -> None:
    assert len({name for name, _ in CHANGES}) > 150
    assert ("America/Toronto", "2026-11-01") in {(name, str(day)) for name, day in CHANGES}


def test_a_day_that_never_closes_is_open_for_exactly_its_length() -> None:
    always = parse_hours(ALWAYS)

    wrong = [
        (name, str(day))
        for name, day in CHANGES
        if [
            window.end - window.start
            for window in schedules.windows(always, ZoneInfo(name), day, 1)
        ]
        != [length_of(day, ZoneInfo(name))]
    ]

    assert wrong == []


@pytest.mark.parametrize("hours", [ALWAYS, SPLIT, {"mon-sun": ["20:00-02:30", "03:00-19:00"]}])
def test_windows_never_overlap(hours: dict[str, list[str]]) -> None:
    week = parse_hours(hours)

    overlapping = [
        (name, str(day))
        for name, day in CHANGES
        for one, other in pairwise(schedules.windows(week, ZoneInfo(name), day - DAY, 3))
        if other.start < one.end
    ]

    assert overlapping == []


@pytest.mark.parametrize("step", [15, 30, 60])
def test_starts_are_unique_and_on_the_dates_asked_for(step: int) -> None:
    wrong = []
    for name, day in CHANGES:
        location = make_location(ALWAYS, zone=name)
        starts = terms.offered(location, step, day, 2).starts
        dates = {local_date(start, location.zone) for start in starts}
        if len(starts) != len(set(starts)) or not dates <= {day, day + DAY}:
            wrong.append((name, str(day)))

    assert wrong == []


def test_days_asked_for_one_by_one_offer_what_they_offer_together() -> None:
    wrong = []
    for name, day in CHANGES:
        location = make_location({"mon-sun": ["20:00-02:30"]}, zone=name)
        together = terms.offered(location, 30, day - DAY, 3).starts
        alone = [
            start
            for number in (-1, 0, 1)
            for start in terms.offered(location, 30, day + number * DAY, 1).starts
        ]
        if together != alone:
            wrong.append((name, str(day)))

    assert wrong == []
