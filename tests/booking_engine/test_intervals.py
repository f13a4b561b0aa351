"""Half-open intervals and the set operations on them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from booking_engine.intervals import (
    Interval,
    covers,
    from_minutes,
    merge,
    subtract,
    to_minutes,
)
from tests.factories.studio import TORONTO

NINE = datetime(2026, 11, 25, 9, tzinfo=UTC)
TEN, ELEVEN, NOON = (NINE + timedelta(hours=hours) for hours in (1, 2, 3))


def test_touching_is_not_overlapping() -> None:
    morning, next_one = Interval(NINE, TEN), Interval(TEN, ELEVEN)

    touching = morning.overlaps(next_one), next_one.overlaps(morning)
    crossing = morning.overlaps(Interval(TEN - timedelta(minutes=1), ELEVEN))

    assert touching == (False, False)
    assert crossing


def test_an_interval_contains_itself_and_nothing_that_sticks_out() -> None:
    whole = Interval(NINE, NOON)

    inside = [
        whole.contains(part)
        for part in (whole, Interval(TEN, ELEVEN), Interval(NINE, NOON + timedelta(seconds=1)))
    ]

    assert inside == [True, True, False]


def test_an_interval_is_kept_in_utc() -> None:
    noon_in_toronto = datetime(2026, 11, 25, 12, tzinfo=timezone(timedelta(hours=-5)))

    made = Interval.lasting(noon_in_toronto, 90)

    assert made == (
        datetime(2026, 11, 25, 17, tzinfo=UTC),
        datetime(2026, 11, 25, 18, 30, tzinfo=UTC),
    )
    assert made.start.tzinfo is UTC
    assert made.minutes == 90


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (NINE.replace(tzinfo=None), TEN, "aware"),
        (NINE, TEN.replace(tzinfo=None), "aware"),
        (NINE, NINE, "ends after its start"),
        (TEN, NINE, "ends after its start"),
    ],
)
def test_what_is_naive_or_empty_is_refused(start: datetime, end: datetime, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Interval.of(start, end)


def test_an_interval_may_end_earlier_on_the_wall_in_the_repeated_hour() -> None:
    first = datetime(2026, 11, 1, 1, 30, tzinfo=TORONTO)
    second = datetime(2026, 11, 1, 1, 15, tzinfo=TORONTO, fold=1)

    made = Interval.of(first, second)

    assert made.minutes == 45


def test_a_wall_clock_hour_before_the_gap_is_an_absolute_hour() -> None:
    start = datetime(2027, 3, 14, 1, 30, tzinfo=TORONTO)

    made = Interval.lasting(start, 60)

    assert made.end.astimezone(TORONTO).strftime("%H:%M") == "03:30"
    assert made.minutes == 60


def test_minutes_since_the_epoch_round_trip() -> None:
    assert to_minutes(datetime(1970, 1, 2, tzinfo=UTC)) == 1440
    assert from_minutes(to_minutes(NOON)) == NOON
    assert to_minutes(NOON + timedelta(seconds=59)) == to_minutes(NOON)


@pytest.mark.parametrize(
    ("spans", "merged"),
    [
        ([], []),
        ([(3, 4), (1, 2)], [(1, 2), (3, 4)]),
        ([(1, 3), (3, 5)], [(1, 5)]),
        ([(1, 9), (2, 3)], [(1, 9)]),
        ([(2, 2), (5, 4)], []),
    ],
)
def test_merging_joins_what_touches_and_drops_what_is_empty(
    spans: list[tuple[int, int]], merged: list[tuple[int, int]]
) -> None:
    assert merge(spans) == merged


@pytest.mark.parametrize(
    ("busy", "left"),
    [
        ([], [(0, 10), (20, 30)]),
        ([(3, 5)], [(0, 3), (5, 10), (20, 30)]),
        ([(10, 20)], [(0, 10), (20, 30)]),
        ([(8, 22)], [(0, 8), (22, 30)]),
        ([(0, 10), (25, 99)], [(20, 25)]),
        ([(-5, 99)], []),
    ],
)
def test_what_is_busy_is_cut_out(busy: list[tuple[int, int]], left: list[tuple[int, int]]) -> None:
    assert subtract([(0, 10), (20, 30)], busy) == left


def test_covering_needs_one_span_that_holds_it_all() -> None:
    spans = [(0, 10), (12, 20)]

    assert covers(spans, 0, 10)
    assert not covers(spans, 8, 13)
    assert not covers(spans, 0, 11)


def test_the_set_operations_work_on_instants_too() -> None:
    assert subtract([(NINE, NOON)], [(TEN, ELEVEN)]) == [(NINE, TEN), (ELEVEN, NOON)]
