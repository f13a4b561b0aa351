"""What a cancellation gives back: tiers, their exact edges, the grace, and who cancels."""

from datetime import timedelta

import pytest

from booking_engine.booking.policies import Actor, percent_back
from booking_engine.catalog.studio import CancelTier, Policy
from tests.factories.studio import NOW

SECOND = timedelta(seconds=1)
LONG_AGO = NOW - timedelta(days=30)


@pytest.mark.parametrize(
    ("ahead", "percent"),
    [
        (timedelta(days=9), 100),
        (timedelta(hours=48), 100),
        (timedelta(hours=48) - SECOND, 50),
        (timedelta(hours=24), 50),
        (timedelta(hours=24) - SECOND, 0),
        (timedelta(0), 0),
        (-SECOND, 0),
    ],
)
def test_the_exact_edge_of_a_tier_counts_for_the_customer(ahead: timedelta, percent: int) -> None:
    back = percent_back(
        Policy(), starts_at=NOW + ahead, booked_at=LONG_AGO, actor=Actor.CUSTOMER, now=NOW
    )

    assert back == percent


@pytest.mark.parametrize(
    ("since_booking", "ahead", "percent"),
    [
        (timedelta(0), timedelta(hours=3), 100),
        (timedelta(minutes=10), timedelta(hours=3), 100),
        (timedelta(minutes=10) + SECOND, timedelta(hours=3), 0),
        (timedelta(minutes=1), timedelta(hours=2) + SECOND, 100),
        (timedelta(minutes=1), timedelta(hours=2), 0),
        (timedelta(minutes=10) + SECOND, timedelta(hours=30), 50),
    ],
)
def test_whoever_has_just_booked_cancels_for_free_while_the_start_is_far(
    since_booking: timedelta, ahead: timedelta, percent: int
) -> None:
    back = percent_back(
        Policy(),
        starts_at=NOW + ahead,
        booked_at=NOW - since_booking,
        actor=Actor.CUSTOMER,
        now=NOW,
    )

    assert back == percent


@pytest.mark.parametrize("actor", [Actor.COACH, Actor.STUDIO, Actor.SYSTEM])
@pytest.mark.parametrize("ahead", [timedelta(days=3), timedelta(hours=1), -timedelta(hours=1)])
def test_whoever_else_cancels_gives_everything_back(actor: Actor, ahead: timedelta) -> None:
    back = percent_back(Policy(), starts_at=NOW + ahead, booked_at=LONG_AGO, actor=actor, now=NOW)

    assert back == 100


def test_a_studio_has_its_own_tiers_and_may_have_none() -> None:
    strict = Policy(cancel=(CancelTier(72, 80), CancelTier(6, 10)))
    asked = {"booked_at": LONG_AGO, "actor": Actor.CUSTOMER, "now": NOW}

    by_hours = [
        percent_back(strict, starts_at=NOW + timedelta(hours=hours), **asked)
        for hours in (72, 71, 6, 5)
    ]

    assert by_hours == [80, 10, 10, 0]
    assert percent_back(Policy(cancel=()), starts_at=NOW + timedelta(days=99), **asked) == 0
