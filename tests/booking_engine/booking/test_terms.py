"""The rules of the studio: which sessions they allow, and which one says no."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from booking_engine.booking import terms
from booking_engine.booking.terms import CoachingRequest, OffGrid, SessionRequest
from booking_engine.catalog.schedules import parse_range
from booking_engine.catalog.studio import Policy
from booking_engine.errors import Invalid
from tests.factories.catalogue import (
    ALWAYS,
    make_coach,
    make_location,
    make_simulator,
    make_studio,
)
from tests.factories.studio import COACHING, HOUR, NOW, make_request, toronto

SIX = toronto(2026, 11, 25, 18)
LATE = {"mon-sun": ["18:00-02:00"]}


def test_a_session_that_the_rules_allow_has_its_burn_and_its_price() -> None:
    asked = make_request(minutes=180, coaching=CoachingRequest(60, "ana", SIX.replace(hour=19)))

    agreed = terms.agree(make_studio(), asked, now=NOW)

    assert agreed.during == (SIX.astimezone(UTC), (SIX + timedelta(hours=3)).astimezone(UTC))
    assert (agreed.simulator_minutes, agreed.coaching_sessions) == (180, 1)
    assert agreed.coach is not None
    assert agreed.coach.handle == "ana"
    assert agreed.coaching_start == datetime(2026, 11, 26, 0, tzinfo=UTC)
    assert {each.variant_id: units for each, units in agreed.basket.lines} == {HOUR: 3, COACHING: 1}
    assert agreed.basket.total_minor == 19500


@pytest.mark.parametrize(
    ("now", "codes"),
    [
        (SIX - timedelta(hours=2), []),
        (SIX - timedelta(hours=2) + timedelta(microseconds=1), ["too_soon"]),
        (SIX + timedelta(hours=1), ["too_soon"]),
    ],
)
def test_exactly_the_lead_time_ahead_is_allowed(now: datetime, codes: list[str]) -> None:
    studio = make_studio()
    asked = terms.resolve(studio, make_request(SIX))

    found = list(terms.refusals(studio, asked, now=now.astimezone(UTC)))

    assert [refusal.code for refusal in found] == codes
    assert [refusal.facts for refusal in found] == [
        {"earliest": (now + timedelta(hours=2)).isoformat(timespec="seconds")} for _ in codes
    ]


@pytest.mark.parametrize(
    ("start", "codes"),
    [
        (toronto(2027, 2, 18, 21), []),
        (toronto(2027, 2, 19, 9), ["outside_horizon"]),
    ],
)
def test_the_horizon_ends_with_its_local_day(start: datetime, codes: list[str]) -> None:
    studio = make_studio()
    asked = terms.resolve(studio, make_request(start))

    found = list(terms.refusals(studio, asked, now=NOW))

    assert [refusal.code for refusal in found] == codes
    assert [refusal.facts for refusal in found] == [{"last_day": "2027-02-18"} for _ in codes]


def test_the_horizon_counts_from_the_local_date_of_now() -> None:
    studio = make_studio()
    asked = terms.resolve(studio, make_request(toronto(2027, 2, 18, 21)))
    evening_before = datetime(2026, 11, 20, 4, 59, tzinfo=UTC)

    found = terms.refusals(studio, asked, now=evening_before)

    assert [refusal.code for refusal in found] == ["outside_horizon"]


@pytest.mark.parametrize(
    ("start", "minutes", "codes"),
    [
        (toronto(2026, 11, 25, 9), 60, []),
        (toronto(2026, 11, 25, 8, 30), 60, ["outside_hours"]),
        (toronto(2026, 11, 25, 21), 60, []),
        (toronto(2026, 11, 25, 21, 30), 60, ["outside_hours"]),
        (toronto(2026, 11, 25, 9, 15), 60, ["off_grid"]),
        (toronto(2026, 11, 25, 9, 0) + timedelta(seconds=1), 60, ["off_grid"]),
        (toronto(2026, 12, 25, 12), 60, ["outside_hours"]),
        (toronto(2026, 12, 24, 18), 240, []),
    ],
)
def test_a_session_starts_on_the_grid_and_lies_in_the_opening_hours(
    start: datetime, minutes: int, codes: list[str]
) -> None:
    christmas = parse_range("2026-12-25T00:00", "2026-12-26T00:00", "Christmas")
    studio = make_studio(locations=(make_location(closed=(christmas,)),))
    asked = terms.resolve(studio, make_request(start, minutes))

    found = terms.refusals(studio, asked, now=NOW)

    assert [refusal.code for refusal in found] == codes


@pytest.mark.parametrize(
    ("closed", "start", "codes"),
    [
        ((), toronto(2026, 11, 25, 23, 30), []),
        ((), toronto(2026, 11, 26, 0), []),
        ((), toronto(2026, 11, 26, 0, 30), ["outside_hours"]),
        (
            ("2026-11-26T00:00", "2026-11-26T12:00"),
            toronto(2026, 11, 25, 23, 30),
            ["outside_hours"],
        ),
        (("2026-11-26T00:00", "2026-11-26T12:00"), toronto(2026, 11, 25, 22), []),
    ],
)
def test_a_session_may_cross_midnight_while_both_days_are_open(
    closed: tuple[str, str], start: datetime, codes: list[str]
) -> None:
    ranges = (parse_range(*closed),) if closed else ()
    studio = make_studio(locations=(make_location(LATE, closed=ranges),))
    asked = terms.resolve(studio, make_request(start, 120))

    found = terms.refusals(studio, asked, now=NOW)

    assert [refusal.code for refusal in found] == codes


def test_a_studio_that_never_closes_takes_sessions_across_midnight() -> None:
    studio = make_studio(locations=(make_location(ALWAYS),))
    asked = make_request(toronto(2026, 11, 25, 23, 30), 240)

    agreed = terms.agree(studio, asked, now=NOW)

    assert agreed.during.minutes == 240


def test_the_first_rule_that_says_no_is_raised() -> None:
    asked = make_request(toronto(2026, 11, 20, 8, 15))

    with pytest.raises(terms.TooSoon) as refusal:
        terms.agree(make_studio(), asked, now=NOW)

    assert refusal.value.detail == "sessions are booked at least 120 minutes ahead"


def test_the_grid_counts_from_the_opening_of_the_day_also_in_the_afternoon() -> None:
    split = make_location({"wed": ["09:15-12:00", "13:00-15:00"]})

    starts = terms.offered(split, 60, SIX.date(), 1).starts

    wall = [datetime.fromtimestamp(start * 60, split.zone).strftime("%H:%M") for start in starts]
    assert wall == ["09:15", "10:15", "11:15", "13:15", "14:15"]


def test_a_start_that_comes_twice_is_offered_twice_and_a_skipped_one_never() -> None:
    always = make_location(ALWAYS)

    back = terms.offered(always, 30, toronto(2026, 11, 1, 0).date(), 1).starts
    ahead = terms.offered(always, 30, toronto(2027, 3, 14, 0).date(), 1).starts

    labels = [
        [datetime.fromtimestamp(start * 60, always.zone).strftime("%H:%M") for start in starts]
        for starts in (back, ahead)
    ]
    assert (len(back), labels[0].count("01:00"), labels[0].count("01:30")) == (50, 2, 2)
    assert (len(ahead), labels[1][3:5]) == (46, ["01:30", "03:00"])


NORTH = make_location(handle="north")
TWO_PLACES = make_studio(
    locations=(make_location(), NORTH),
    simulators=(make_simulator(1), make_simulator(2), make_simulator(3, "north")),
    coaches=(make_coach("ana", ("main",)), make_coach("ben", ("north",), number=12)),
)
AT_MAIN = SessionRequest("simulator", SIX, 60, location="main")


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"service": "golf"}, "service must be one of ['simulator']"),
        ({"location": "south"}, "location must be one of ['main', 'north']"),
        ({"location": None}, "location must be one of ['main', 'north']"),
        ({"simulator": "bay-9"}, "simulator must be one of ['bay-1', 'bay-2', 'bay-3']"),
        ({"simulator": "bay-3"}, "bay-3 does not stand at main"),
        ({"minutes": 90}, "simulator lasts one of [60, 120, 180, 240] minutes, not 90"),
        ({"simulators": 0}, "simulators must be 1 to 2"),
        ({"simulators": 3}, "simulators must be 1 to 2"),
        ({"start": SIX.replace(tzinfo=None)}, "start needs an offset"),
        ({"coaching": CoachingRequest(45)}, "coaching lasts one of [30, 60, 90] minutes, not 45"),
        ({"coaching": CoachingRequest(90)}, "coaching cannot last longer than the session"),
        (
            {"coaching": CoachingRequest(60, "zoe")},
            "coach must be \"any\" or one of ['ana', 'ben']",
        ),
        ({"coaching": CoachingRequest(60, "ben")}, "Ben does not coach at Main"),
        (
            {"coaching": CoachingRequest(60, "ana", SIX.replace(tzinfo=None))},
            "coaching.start needs an offset",
        ),
        (
            {"coaching": CoachingRequest(60, None, SIX + timedelta(minutes=30))},
            "coaching lies inside the session",
        ),
        (
            {"coaching": CoachingRequest(30, None, SIX - timedelta(minutes=30))},
            "coaching lies inside the session",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(changes: dict[str, object], detail: str) -> None:
    with pytest.raises(Invalid) as refusal:
        terms.resolve(TWO_PLACES, replace(AT_MAIN, **changes))

    assert refusal.value.detail.startswith(detail)
    assert refusal.value.code == "invalid"


def test_a_bay_asked_for_by_name_tells_the_location() -> None:
    agreed = terms.resolve(TWO_PLACES, replace(AT_MAIN, location=None, simulator="bay-3"))

    assert agreed.location == NORTH
    assert agreed.simulator == make_simulator(3, "north")


@pytest.mark.parametrize(("step", "into"), [(30, 15), (20, 30)])
def test_coaching_starts_on_the_grid_of_the_session(step: int, into: int) -> None:
    studio = make_studio(policy=Policy(step_minutes=step))
    coaching = CoachingRequest(30, None, SIX + timedelta(minutes=into))

    with pytest.raises(OffGrid) as refusal:
        terms.resolve(studio, make_request(SIX, coaching=coaching))

    assert (refusal.value.code, refusal.value.facts) == ("off_grid", {"step_minutes": step})


def test_any_coach_is_no_coach_in_particular() -> None:
    agreed = terms.resolve(make_studio(), make_request(SIX, coaching=CoachingRequest(60, "any")))

    assert (agreed.coach, agreed.coaching_start, agreed.coaching_sessions) == (None, None, 1)
