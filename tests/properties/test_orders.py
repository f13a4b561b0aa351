"""Whatever happens to an order, what it entitles to is a matter of its present state."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from shopify_gateway.entitlements import difference, paid_amounts, paid_share, wanted_units
from shopify_gateway.order import UnreadableOrder, from_snapshot, from_webhook, to_snapshot
from tests.factories.catalogue import make_product
from tests.factories.order_shapes import (
    make_line,
    make_order,
    play,
    posted,
    standing,
    webhook_body,
    webhook_line,
)
from tests.factories.studio import TORONTO

BUNDLE = make_product(9, 9000, 60, 1)
STATUSES = ["paid", "paid", "partially_paid", "pending", "partially_refunded", "voided"]
# Status and present quantity of each state, and a unit that is played after it.
LIVES = st.lists(
    st.tuples(st.sampled_from(STATUSES), st.integers(0, 4), st.none() | st.integers(0, 4)),
    min_size=1,
    max_size=7,
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(LIVES)
def test_one_convergence_is_enough_and_leaves_what_is_wanted(
    life: list[tuple[str, int, int | None]],
) -> None:
    lots = []
    for status, current, unit in life:
        line = make_line(4, current, 18000)
        order = make_order(line, status=status)
        wanted = wanted_units(order, line, len(standing(lots)))

        lots = posted(lots, difference(order, line, BUNDLE, lots, TORONTO))
        again = difference(order, line, BUNDLE, lots, TORONTO)

        assert (again.grants, again.withdraw, again.reinstate) == ([], [], [])
        assert len(standing(lots)) == wanted
        assert len({lot.source for lot in lots}) == len(lots) <= 8
        assert all(
            lot.granted == lot.available + lot.held + lot.spent + lot.revoked for lot in lots
        )
        if unit in standing(lots):
            play(lots, unit)


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(0, 3)), st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_the_way_an_order_was_edited_leaves_no_trace(played: set[int], path: list[int]) -> None:
    ends = []
    for currents in (path, path[-1:]):
        line = make_line(4, 4)
        lots = posted([], difference(make_order(line), line, BUNDLE, [], TORONTO))
        for unit in played:
            play(lots, unit)
        for current in currents:
            line = make_line(4, current)
            lots = posted(lots, difference(make_order(line), line, BUNDLE, lots, TORONTO))
        ends.append((standing(lots), [lot.available for lot in lots]))

    assert ends[0] == ends[1]


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 40), st.integers(0, 1_000_000))
def test_what_the_units_were_paid_adds_up_to_the_line(quantity: int, paid: int) -> None:
    line = make_line(quantity, paid_minor=paid)

    shares = [paid_share(line, index) for index in range(quantity)]

    assert sum(shares) == paid
    assert shares == sorted(shares, reverse=True)
    assert shares[0] - shares[-1] <= 1


@settings(max_examples=120, deadline=None)
@given(
    st.integers(1, 8),
    st.integers(0, 100_000),
    st.lists(st.tuples(st.integers(0, 100_000), st.sets(st.integers(0, 7))), max_size=4),
)
def test_units_are_the_line_however_its_discounts_change(
    quantity: int, paid: int, changes: list[tuple[int, set[int]]]
) -> None:
    line = make_line(quantity, paid_minor=paid)
    lots = posted([], difference(make_order(line), line, BUNDLE, [], TORONTO))

    for now_paid, played in changes:
        for unit in played:
            play(lots, unit)
        used = {lot.id: lot.paid_minor for lot in lots if lot.spent}
        line = make_line(quantity, paid_minor=now_paid)
        for _ in range(2):
            for lot_id, amount in paid_amounts(line, lots).items():
                next(lot for lot in lots if lot.id == lot_id).paid_minor = amount

        spent = sum(used.values())
        assert {lot.id: lot.paid_minor for lot in lots if lot.id in used} == used
        assert all(lot.paid_minor >= 0 for lot in lots)
        if len(used) < len(lots):
            assert sum(lot.paid_minor for lot in lots) == max(now_paid, spent)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(webhook_body())), JUNK, max_size=3),
    st.dictionaries(st.sampled_from(sorted(webhook_line())), JUNK, max_size=3),
)
def test_a_body_is_an_order_or_unreadable_and_nothing_else(
    of_order: dict[str, object], of_line: dict[str, object]
) -> None:
    body = webhook_body(webhook_line(**of_line)) | of_order

    try:
        read = from_webhook(body)
    except UnreadableOrder:
        return

    assert from_snapshot(json.loads(json.dumps(to_snapshot(read)))) == read
