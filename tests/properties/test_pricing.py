"""The cheapest basket against every basket there is."""

from itertools import product as every

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from booking_engine.booking import pricing
from booking_engine.booking.pricing import NotForSale
from tests.factories.catalogue import make_product

# Price, minutes, sessions of each product.
CATALOGUES = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from([0, 30, 60, 90, 240]),
        st.sampled_from([0, 0, 1, 2, 5]),
    ),
    max_size=3,
)


@settings(max_examples=250, deadline=None)
@given(CATALOGUES, st.sampled_from([0, 60, 90, 180, 240]), st.integers(0, 3))
def test_no_basket_is_cheaper_or_as_cheap_with_less_left_over(
    catalogue: list[tuple[int, int, int]], minutes: int, sessions: int
) -> None:
    products = tuple(make_product(number, *each) for number, each in enumerate(catalogue))
    baskets = [
        (
            sum(units * each[0] for units, each in zip(basket, catalogue, strict=True)),
            sum(units * (each[1] + each[2]) for units, each in zip(basket, catalogue, strict=True)),
        )
        for basket in every(range(9), repeat=len(catalogue))
        if sum(units * each[1] for units, each in zip(basket, catalogue, strict=True)) >= minutes
        and sum(units * each[2] for units, each in zip(basket, catalogue, strict=True)) >= sessions
    ]
    if not baskets:
        with pytest.raises(NotForSale):
            pricing.cheapest(products, simulator_minutes=minutes, coaching_sessions=sessions)
        return

    found = pricing.cheapest(products, simulator_minutes=minutes, coaching_sessions=sessions)

    granted = [
        sum(units * product.simulator_minutes for product, units in found.lines),
        sum(units * product.coaching_sessions for product, units in found.lines),
    ]
    assert granted[0] >= minutes
    assert granted[1] >= sessions
    assert found.total_minor == sum(units * each.price_minor for each, units in found.lines)
    assert (found.total_minor, sum(granted)) == min(baskets)
