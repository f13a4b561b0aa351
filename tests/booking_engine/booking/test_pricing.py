"""The cheapest basket for a session."""

import pytest

from booking_engine.booking import pricing
from booking_engine.booking.pricing import NotForSale
from tests.factories.catalogue import DEMO_PRODUCTS, make_product
from tests.factories.studio import COACHING, HOUR, PACKAGE


@pytest.mark.parametrize(
    ("minutes", "sessions", "lines", "total"),
    [
        (60, 0, {HOUR: 1}, 4500),
        (61, 0, {HOUR: 2}, 9000),
        (180, 1, {HOUR: 3, COACHING: 1}, 19500),
        (480, 0, {HOUR: 8}, 36000),
        (540, 0, {PACKAGE: 1}, 40000),
        (660, 0, {HOUR: 1, PACKAGE: 1}, 44500),
        (0, 2, {COACHING: 2}, 12000),
        (0, 0, {}, 0),
    ],
)
def test_the_demo_studio_sells_the_cheapest_basket(
    minutes: int, sessions: int, lines: dict[int, int], total: int
) -> None:
    basket = pricing.cheapest(DEMO_PRODUCTS, simulator_minutes=minutes, coaching_sessions=sessions)

    assert {product.variant_id: units for product, units in basket.lines} == lines
    assert basket.total_minor == total


def test_of_equally_cheap_baskets_the_one_that_leaves_the_least_over_wins() -> None:
    products = (make_product(1, 4500, 600), make_product(2, 4500, 60))

    basket = pricing.cheapest(products, simulator_minutes=60, coaching_sessions=0)

    assert basket.lines == ((products[1], 1),)


def test_a_product_of_both_kinds_serves_both_needs() -> None:
    bundle = make_product(9, 9000, 60, 1)

    basket = pricing.cheapest((*DEMO_PRODUCTS, bundle), simulator_minutes=60, coaching_sessions=1)

    assert (basket.lines, basket.total_minor) == (((bundle, 1),), 9000)


def test_what_no_product_grants_is_not_for_sale() -> None:
    only_hours = (make_product(), make_product(5, 100, 0, 0))

    with pytest.raises(NotForSale) as refusal:
        pricing.cheapest(only_hours, simulator_minutes=60, coaching_sessions=1)

    assert refusal.value.code == "not_for_sale"
    assert refusal.value.facts == {"simulator_minutes": 60, "coaching_sessions": 1}
    assert pricing.price_minor(only_hours, simulator_minutes=60, coaching_sessions=1) is None
    assert pricing.price_minor(only_hours, simulator_minutes=60, coaching_sessions=0) == 4500
