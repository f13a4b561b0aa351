"""Which instants a weekly wall-clock rule means, also where the clocks change."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from booking_engine.booking.recurrence import Pattern, Rule, overlap, share_a_date

TORONTO = ZoneInfo("America/Toronto")


def utc(month: int, day: int, hour: int, minute: int = 0, year: int = 2027) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def test_a_skipped_time_is_shifted_by_the_gap_and_says_so() -> None:
    rule = Rule(date(2027, 3, 7), 2 * 60 + 30, 1)

    before, gap, after = (rule.start_of(number, TORONTO) for number in (1, 2, 3))

    assert (before.at, before.shifted) == (utc(3, 7, 7, 30), False)
    assert (gap.at, gap.shifted) == (utc(3, 14, 7, 30), True)  # 03:30 by the new clock
    assert (after.at, after.shifted) == (utc(3, 21, 6, 30), False)


def test_a_doubled_time_is_the_first_of_the_two() -> None:
    rule = Rule(date(2026, 10, 25), 90, 1)

    starts = [rule.start_of(number, TORONTO) for number in (1, 2, 3)]

    assert [start.at for start in starts] == [
        utc(10, 25, 5, 30, 2026),
        utc(11, 1, 5, 30, 2026),
        utc(11, 8, 6, 30, 2026),
    ]
    assert not any(start.shifted for start in starts)


@pytest.mark.parametrize(
    ("rule", "last"),
    [
        (Rule(date(2026, 11, 24), 600, 1), None),
        (Rule(date(2026, 11, 24), 600, 2, count=5), 5),
        (Rule(date(2026, 11, 24), 600, 1, until_on=date(2026, 12, 8)), 3),
        (Rule(date(2026, 11, 24), 600, 1, until_on=date(2026, 12, 7)), 2),
        (Rule(date(2026, 11, 24), 600, 2, until_on=date(2026, 11, 24)), 1),
    ],
)
def test_the_last_date_follows_from_count_or_until(rule: Rule, last: int | None) -> None:
    assert rule.last_number == last


def test_a_rule_takes_its_wall_clock_time_from_its_first_instant() -> None:
    rule = Rule.starting(utc(12, 1, 1, 30, 2026), TORONTO, 2)

    assert (rule.first_on, rule.minute) == (date(2026, 11, 30), 20 * 60 + 30)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (Rule(date(2026, 11, 24), 600, 1), Rule(date(2026, 12, 1), 630, 1), True),
        (Rule(date(2026, 11, 24), 600, 1), Rule(date(2026, 12, 1), 660, 1), False),
        (Rule(date(2026, 11, 24), 600, 2), Rule(date(2026, 12, 1), 600, 2), False),
        (Rule(date(2026, 11, 24), 600, 2), Rule(date(2026, 12, 1), 600, 1), True),
        (Rule(date(2026, 11, 24), 600, 1, count=3), Rule(date(2026, 12, 15), 600, 1), False),
        (Rule(date(2026, 11, 24), 600, 1, count=4), Rule(date(2026, 12, 15), 600, 1), True),
        # Half past eleven at night runs into the next day.
        (Rule(date(2026, 11, 24), 1410, 1), Rule(date(2026, 11, 25), 0, 1), True),
        (Rule(date(2025, 1, 7), 600, 1), Rule(date(2026, 12, 1), 600, 2), True),
    ],
)
def test_two_rules_meet_or_never_do(one: Rule, other: Rule, *, meet: bool) -> None:
    patterns = Pattern(one, TORONTO, 0, 60), Pattern(other, TORONTO, 0, 60)

    assert overlap(*patterns) is meet
    assert overlap(*reversed(patterns)) is meet


def test_rules_on_other_weeks_share_no_date() -> None:
    even, odd, every = (
        Pattern(Rule(date(2026, 11, 24), 600, 2), TORONTO, 0, 60),
        Pattern(Rule(date(2026, 12, 1), 900, 2), TORONTO, 0, 60),
        Pattern(Rule(date(2026, 12, 1), 900, 1), TORONTO, 0, 60),
    )

    assert not share_a_date(even, odd)
    assert share_a_date(even, every)
