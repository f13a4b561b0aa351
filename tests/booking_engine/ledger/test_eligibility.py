"""Credits that are meant for some sessions pay for these, before credits that are meant for all."""

from datetime import UTC, datetime, timedelta

import pytest

from booking_engine import eligibility
from booking_engine.booking import pricing, quotes, terms
from booking_engine.booking.pricing import NotForSale
from booking_engine.booking.terms import Terms
from booking_engine.eligibility import UNKNOWN, Facts, Only
from booking_engine.ledger import lots
from booking_engine.ledger.models import CreditKind, Lot
from tests.factories.catalogue import DEMO_PRODUCTS, make_product, make_studio
from tests.factories.ledger import COACHED, MINUTES
from tests.factories.lots import make_lot
from tests.factories.studio import HOUR, NOW, TORONTO, make_request, toronto

WEEK = Only(weekdays=("mon", "tue", "wed", "thu", "fri"))
WEDNESDAY = Facts("wed", "main", "simulator", "ana")


@pytest.mark.parametrize(
    ("only", "about", "allowed"),
    [
        (Only(), WEDNESDAY, True),
        (Only(), UNKNOWN, True),
        (WEEK, WEDNESDAY, True),
        (WEEK, Facts("sat", "main", "simulator"), False),
        (WEEK, UNKNOWN, False),
        (Only(locations=("north",)), WEDNESDAY, False),
        (Only(services=("simulator", "party")), WEDNESDAY, True),
        (Only(coaches=("ben",)), WEDNESDAY, False),
        (Only(coaches=("ana",)), Facts("wed", "main", "simulator"), False),
        (Only(("wed",), ("main",), ("simulator",), ("ana",)), WEDNESDAY, True),
    ],
)
def test_every_limit_has_to_be_kept(only: Only, about: Facts, *, allowed: bool) -> None:
    assert only.allows(about) is allowed
    assert eligibility.thaw(only.frozen()) == only


def test_the_weekday_is_that_of_the_studio() -> None:
    evening = datetime(2026, 11, 29, 2, tzinfo=UTC)  # Saturday, 21:00 in Toronto

    about = eligibility.facts(
        starts_at=evening, zone=TORONTO, location="main", service="simulator", coach=None
    )

    assert about.weekday == "sat"


def test_narrower_credits_are_used_first_among_those_that_end_alike() -> None:
    ends = NOW + timedelta(days=90)
    wide = make_lot(1, expires_at=ends)
    days = make_lot(2, expires_at=ends, only=WEEK)
    day_and_place = make_lot(3, expires_at=ends, only=Only(WEEK.weekdays, ("main",)))
    one_day = make_lot(4, expires_at=ends, only=Only(("wed",)))
    sooner = make_lot(5, expires_at=ends - timedelta(days=1))
    gift = make_lot(6, expires_at=ends, paid_minor=0)

    ordered = lots.in_order_of_use([wide, days, day_and_place, one_day, sooner, gift])

    assert [lot.id.int for lot in ordered] == [5, 6, 3, 4, 2, 1]


def test_only_what_is_meant_for_the_session_counts() -> None:
    owned = [make_lot(1, 60, only=WEEK), make_lot(2, 30)]
    when = {"starts_at": toronto(2026, 11, 28, 12), "now": NOW}

    saturday = Facts("sat", "main", "simulator")

    assert lots.spendable(owned, MINUTES, **when, facts=saturday) == 30
    assert lots.spendable(owned, MINUTES, **when, facts=WEDNESDAY) == 90
    assert lots.spendable(owned, MINUTES, **when) == 90


def session_at(day: int, minutes: int = 60) -> Terms:
    return terms.resolve(make_studio(), make_request(toronto(2026, 11, day, 18), minutes))


def ways(*sessions: Terms, purse: tuple[Lot, ...] = ()) -> list[tuple[dict[int, int], int]]:
    week = make_product(9, 3000, 60, only=WEEK)
    studio = make_studio(products=(*DEMO_PRODUCTS, week))
    found = quotes.options(studio, sessions, purse, now=NOW)
    return [
        ({each.variant_id: count for each, count in way.basket.lines}, way.basket.total_minor)
        for way in found
    ]


def test_a_quote_sells_weekday_credits_for_weekdays_alone() -> None:
    wednesday, saturday = session_at(25), session_at(28)

    assert ways(wednesday)[0] == ({9: 1}, 3000)
    assert ways(saturday)[0] == ({HOUR: 1}, 4500)
    assert ways(wednesday, saturday)[0] == ({9: 1, HOUR: 1}, 7500)
    owned = (make_lot(101, 60, only=WEEK),)
    assert ways(wednesday, purse=owned)[0] == ({}, 0)
    assert ways(saturday, purse=owned)[0] == ({HOUR: 1}, 4500)


def test_a_cart_for_any_session_has_no_limited_products() -> None:
    limited = (make_product(9, 100, 60, only=WEEK),)

    basket = pricing.cheapest((*limited, *DEMO_PRODUCTS), simulator_minutes=60, coaching_sessions=0)

    assert [product.variant_id for product, _ in basket.lines] == [HOUR]
    assert set(pricing.singles((*limited, *DEMO_PRODUCTS))) == {MINUTES, COACHED}
    assert pricing.singles((*limited, *DEMO_PRODUCTS))[MINUTES].variant_id == HOUR
    with pytest.raises(NotForSale):
        pricing.cheapest(limited, simulator_minutes=60, coaching_sessions=0)
    assert CreditKind.SIMULATOR_MINUTES not in pricing.singles(limited)
