"""Opening hours: what the rules mean, on ordinary days and on those when the clocks change."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from booking_engine.catalog import schedules
from booking_engine.catalog.schedules import parse_hours, parse_range
from booking_engine.intervals import from_minutes
from tests.factories.catalogue import ALWAYS, make_location
from tests.factories.studio import TORONTO

WEDNESDAY = date(2026, 11, 25)


def labels(spans: list[tuple[int, int]], zone: ZoneInfo = TORONTO) -> list[str]:
    return [
        "-".join(from_minutes(edge).astimezone(zone).strftime("%a %H:%M") for edge in span)
        for span in spans
    ]


def test_a_range_of_weekdays_may_run_across_the_weekend() -> None:
    week = parse_hours({"sat-mon": ["08:00-23:00"], "WED": ["10:00-12:00"]})

    assert week == (((480, 1380),), (), ((600, 720),), (), (), ((480, 1380),), ((480, 1380),))


@pytest.mark.parametrize(
    ("window", "span"),
    [
        ("09:00-22:00", (540, 1320)),
        ("22:00-02:00", (1320, 1560)),
        ("18:00-00:00", (1080, 1440)),
        ("18:00-24:00", (1080, 1440)),
        ("00:00-24:00", (0, 1440)),
    ],
)
def test_a_window_that_ends_at_or_before_its_start_runs_into_the_next_day(
    window: str, span: tuple[int, int]
) -> None:
    assert parse_hours({"wed": [window]})[2] == (span,)


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ({"tomorrow": ["09:00-22:00"]}, '"tomorrow" is no weekday'),
        ({"mon-fri-sun": ["09:00-22:00"]}, '"mon-fri-sun" is no weekday'),
        ({"mon": ["09:00"]}, '"09:00" is no opening; write "09:00-22:00"'),
        ({"mon": ["9:00-22:00"]}, '"9:00" is no time of day; write it as "09:30"'),
        ({"mon": ["09:00-24:30"]}, '"24:30" is no time of day'),
        ({"mon": ["09:00-25:00"]}, '"25:00" is no time of day'),
        ({"mon": ["09:60-10:00"]}, '"09:60" is no time of day'),
        ({"mon": ["24:00-02:00"]}, "write it on the next day as 00:00"),
        ({"mon": ["10:00-10:00"]}, 'is empty; for a whole day write "00:00-24:00"'),
        ({"mon-wed": ["09:00-10:00"], "tue": ["11:00-12:00"]}, "tue is given twice"),
        ({"mon": [], "mon-fri": ["11:00-12:00"]}, "mon is given twice"),
        ({"mon": ["09:00-12:00", "11:00-13:00"]}, "two openings overlap at mon 11:00"),
        ({"mon": ["22:00-02:00"], "tue": ["01:30-09:00"]}, "two openings overlap at tue 01:30"),
        ({"sun": ["22:00-02:00"], "mon": ["01:00-09:00"]}, "two openings overlap at mon 01:00"),
    ],
)
def test_bad_hours_are_refused_in_words(hours: dict[str, list[str]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_hours(hours)


def test_windows_that_only_touch_are_no_overlap() -> None:
    week = parse_hours({"sun": ["22:00-02:00"], "mon": ["02:00-09:00", "09:00-10:00"]})

    assert week[6] == ((1320, 1560),)
    assert week[0] == ((120, 540), (540, 600))


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2026-12-26T00:00", "2026-12-25T00:00", "ends before it starts"),
        ("2026-12-25T00:00", "2026-12-25T00:00", "ends before it starts"),
        ("Christmas", "2026-12-25T00:00", '"Christmas" is no local time; write "2026-12-25T00:00"'),
        ("2026-12-25T00:00Z", "2026-12-26T00:00", "has an offset; write the local time without"),
    ],
)
def test_bad_ranges_are_refused_in_words(start: str, end: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_range(start, end)


def test_a_window_past_midnight_belongs_to_the_date_on_which_it_begins() -> None:
    hours = parse_hours({"wed": ["22:00-02:00"]})

    found = schedules.windows(hours, TORONTO, WEDNESDAY, 2)

    assert [window.date for window in found] == [WEDNESDAY]
    assert labels([(found[0].start, found[0].end)]) == ["Wed 22:00-Thu 02:00"]


def test_a_studio_that_never_closes_has_one_endless_window() -> None:
    always = parse_hours(ALWAYS)

    opened = schedules.open_time(always, (), TORONTO, WEDNESDAY, 3)

    assert labels(opened) == ["Wed 00:00-Sat 00:00"]


def test_a_split_day_stays_two_windows() -> None:
    hours = parse_hours({"wed": ["13:00-22:00", "09:00-12:00"]})

    opened = schedules.open_time(hours, (), TORONTO, WEDNESDAY, 1)

    assert labels(opened) == ["Wed 09:00-Wed 12:00", "Wed 13:00-Wed 22:00"]


def test_a_closure_is_cut_out_of_what_is_open() -> None:
    hours = parse_hours({"mon-sun": ["20:00-02:00"]})
    closed = (
        parse_range("2026-11-26T00:00", "2026-11-26T23:00", "stocktaking"),
        parse_range("2026-11-27T00:00", "2026-11-27T01:00", "cleaning"),
    )

    opened = schedules.open_time(hours, closed, TORONTO, WEDNESDAY, 2)

    assert labels(opened) == ["Wed 20:00-Thu 00:00", "Thu 23:00-Fri 00:00", "Fri 01:00-Fri 02:00"]


def test_a_coach_works_the_week_and_the_extra_less_what_is_blocked() -> None:
    extra = parse_range("2026-11-25T19:00", "2026-11-25T22:00")
    blocked = parse_range("2026-11-25T14:00", "2026-11-25T20:00")

    working = schedules.working_time(
        hours=parse_hours({"wed": ["12:00-20:00"]}),
        extra=[extra],
        blocked=[blocked],
        zone=TORONTO,
        first=WEDNESDAY,
        days=1,
    )

    assert labels(working) == ["Wed 12:00-Wed 14:00", "Wed 20:00-Wed 22:00"]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/Toronto", date(2026, 10, 31), 24),
        ("America/Toronto", date(2026, 11, 1), 25),
        ("America/Toronto", date(2027, 3, 14), 23),
        ("Europe/London", date(2026, 10, 25), 25),
        ("Europe/London", date(2027, 3, 28), 23),
    ],
)
def test_a_day_on_which_the_clocks_change_has_its_own_length(
    zone: str, day: date, hours: int
) -> None:
    always = make_location(ALWAYS, zone=zone)

    (window,) = schedules.windows(always.hours, always.zone, day, 1)

    assert window.end - window.start == hours * 60


@pytest.mark.parametrize(
    ("zone", "day", "window", "utc"),
    [
        # The hour from 01:00 comes twice.
        ("America/Toronto", date(2026, 11, 1), "00:30-02:30", ("04:30", "07:30")),
        ("America/Toronto", date(2026, 11, 1), "01:30-02:00", ("05:30", "07:00")),
        # 02:00 to 03:00 is skipped.
        ("America/Toronto", date(2027, 3, 14), "01:30-03:30", ("06:30", "07:30")),
        ("America/Toronto", date(2027, 3, 14), "02:30-05:00", ("07:30", "09:00")),
        ("Europe/London", date(2026, 10, 25), "00:30-02:30", ("23:30", "02:30")),
        ("Europe/London", date(2027, 3, 28), "00:30-02:30", ("00:30", "01:30")),
    ],
)
def test_wall_clock_hours_land_on_hand_checked_instants(
    zone: str, day: date, window: str, utc: tuple[str, str]
) -> None:
    hours = parse_hours({"sun": [window]})

    (found,) = schedules.windows(hours, ZoneInfo(zone), day, 1)

    assert tuple(from_minutes(edge).strftime("%H:%M") for edge in (found.start, found.end)) == utc


def test_a_window_that_the_clocks_skip_does_not_open() -> None:
    skipped = parse_hours({"sun": ["02:00-03:00"]})

    assert schedules.windows(skipped, TORONTO, date(2027, 3, 14), 1) == []
    assert len(schedules.windows(skipped, TORONTO, date(2027, 3, 21), 1)) == 1


def test_a_local_date_is_that_of_the_zone() -> None:
    minutes = schedules.wall_minutes(datetime.fromisoformat("2026-11-25T22:00"), TORONTO)

    assert schedules.local_date(minutes, TORONTO) == WEDNESDAY
    assert schedules.local_date(minutes, ZoneInfo("Europe/London")) == date(2026, 11, 26)
