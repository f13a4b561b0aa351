"""Ways to pay against every basket there is."""

from datetime import datetime, timedelta
from itertools import pairwise
from itertools import product as every

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from booking_engine.booking import quotes, terms
from booking_engine.booking.pricing import NotForSale
from booking_engine.booking.terms import Terms
from booking_engine.catalog.studio import Product
from booking_engine.ledger import lots as rules
from booking_engine.ledger.models import CreditKind, Lot
from tests.factories.catalogue import ALWAYS, make_location, make_product, make_studio
from tests.factories.ledger import COACHED, MINUTES
from tests.factories.lots import make_lot
from tests.factories.studio import NOW, TORONTO, make_request

DAY = timedelta(days=1)
Pot = tuple[CreditKind, int, datetime | None]
# Price, minutes, sessions and valid days of each product.
PRODUCTS = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from([0, 60, 60, 120, 240]),
        st.sampled_from([0, 0, 1, 2]),
        st.sampled_from([None, None, 5, 15]),
    ),
    max_size=3,
)
# How much of which kind, and for how many days; so many may be frozen.
PURSE = st.lists(
    st.tuples(
        st.sampled_from([MINUTES, MINUTES, COACHED]),
        st.sampled_from([1, 30, 60, 120]),
        st.none() | st.integers(-1, 25),
    ),
    max_size=4,
)
# Days ahead, hours, coaching minutes.
SESSIONS = st.lists(
    st.tuples(st.integers(1, 20), st.sampled_from([60, 120]), st.sampled_from([0, 0, 60])),
    min_size=1,
    max_size=3,
)


def make_terms(days: int, minutes: int, coaching: int) -> Terms:
    agreed = terms.resolve(
        make_studio(locations=(make_location(ALWAYS),)),
        make_request(NOW + days * DAY, minutes),
    )
    return terms.replace(agreed, coaching_sessions=coaching // 60)


def needs(each: Terms) -> dict[CreditKind, int]:
    return {MINUTES: each.simulator_minutes, COACHED: each.coaching_sessions}


def can_pay(sessions: list[Terms], pots: list[Pot]) -> bool:
    """Tell whether some way of drawing pays: from each start on there is enough that lives then."""
    return all(
        sum(needs(each)[kind] for each in sessions if each.during.start >= start)
        <= sum(q for of, q, ends in pots if of is kind and (ends is None or start < ends))
        for kind in CreditKind
        for start in [each.during.start for each in sessions]
    )


def worths(
    products: tuple[Product, ...], sessions: list[Terms], there: list[Pot]
) -> list[tuple[int, int]]:
    """Return price and granted credits of every basket that pays, up to six units of each."""
    today, found = NOW.astimezone(TORONTO).date(), []
    for units in every(range(7), repeat=len(products)):
        bought = [
            (kind, count * quantity, rules.expiry(today, each.valid_days, TORONTO))
            for each, count in zip(products, units, strict=True)
            for kind, quantity in (
                (MINUTES, each.simulator_minutes),
                (COACHED, each.coaching_sessions),
            )
        ]
        if can_pay(sessions, there + bought):
            price = sum(n * each.price_minor for n, each in zip(units, products, strict=True))
            found.append((price, sum(quantity for _, quantity, _ in bought)))
    return found


@settings(max_examples=120, deadline=None)
@given(PRODUCTS, PURSE, SESSIONS)
def test_the_first_way_is_the_cheapest_there_is(
    catalogue: list[tuple[int, int, int, int | None]],
    purse: list[tuple[CreditKind, int, int | None]],
    wanted: list[tuple[int, int, int]],
) -> None:
    products = tuple(make_product(n, *each) for n, each in enumerate(catalogue, start=1))
    studio = make_studio(products=products)
    sessions = [make_terms(*each) for each in wanted]
    lots = [
        make_lot(number, quantity, kind=kind, expires_at=None if days is None else NOW + days * DAY)
        for number, (kind, quantity, days) in enumerate(purse, start=100)
    ]
    there = [(lot.kind, lot.available, lot.expires_at) for lot in lots if rules.is_usable(lot, NOW)]
    prices = worths(products, sessions, there)
    if not prices:
        with pytest.raises(NotForSale):
            quotes.options(studio, sessions, lots, now=NOW)
        return

    ways = quotes.options(studio, sessions, lots, now=NOW)

    totals = [way.basket.total_minor for way in ways]
    assert 1 <= len(ways) <= 3
    assert totals[0] == min(prices)[0]
    assert totals == sorted(totals)
    burnt = {kind: sum(needs(each)[kind] for each in sessions) for kind in CreditKind}
    for way in ways:
        lines = {each.variant_id: count for each, count in way.basket.lines}
        assert way.basket.total_minor == sum(
            each.price_minor * lines.get(each.variant_id, 0) for each in products
        )
        for kind, name in ((MINUTES, "simulator_minutes"), (COACHED, "coaching_sessions")):
            owned = sum(quantity for of, quantity, _ in there if of is kind)
            new = sum(getattr(each, name) * count for each, count in way.basket.lines)
            assert way.leaves[kind] == owned + new - burnt[kind]
            assert 0 <= way.uses[kind] <= owned
    for cheaper, dearer in pairwise(ways):
        assert any(dearer.leaves[kind] > cheaper.leaves[kind] for kind in CreditKind)


def test_nothing_is_bought_while_credits_are_there() -> None:
    lots: list[Lot] = [make_lot(1, 60, expires_at=NOW + 3 * DAY), make_lot(2, 600)]

    (way,) = quotes.options(make_studio(), [make_terms(2, 120, 0)], lots, now=NOW)

    assert (way.way, way.basket.lines, way.basket.total_minor) == ("credits", (), 0)
    assert way.uses == {MINUTES: 120, COACHED: 0}
    assert way.leaves == {MINUTES: 540, COACHED: 0}
    assert way.saving_minor == 9000
