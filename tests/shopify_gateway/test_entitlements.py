"""What a line of an order entitles to, against what the ledger already has."""

from datetime import UTC, datetime

import pytest

from booking_engine.ledger.models import CreditKind, Lot
from shopify_gateway.entitlements import difference, paid_share, wanted_units
from tests.factories.catalogue import make_product
from tests.factories.order_shapes import LINE, ORDER, make_line, make_order, play, posted, standing
from tests.factories.studio import PACKAGE, TORONTO

HOUR = make_product()
TEN_PACK = make_product(PACKAGE, 40000, 600, 0, 365)
BUNDLE = make_product(9, 9001, 60, 1)


def bought(quantity: int) -> list[Lot]:
    """Return the lots of so many paid hours."""
    line = make_line(quantity)
    return posted([], difference(make_order(line), line, HOUR, [], TORONTO))


def edited(lots: list[Lot], *currents: int, quantity: int = 3) -> list[Lot]:
    """Return the lots after the line was brought to each of these quantities in turn."""
    for current in currents:
        line = make_line(quantity, current)
        lots = posted(lots, difference(make_order(line), line, HOUR, lots, TORONTO))
    return lots


@pytest.mark.parametrize(
    ("status", "current", "granted", "wanted"),
    [
        ("paid", 3, 0, 3),
        ("paid", 1, 3, 1),
        ("partially_refunded", 2, 3, 2),
        ("refunded", 0, 3, 0),
        ("pending", 3, 0, 0),
        ("authorized", 3, 0, 0),
        ("partially_paid", 5, 3, 3),
        ("partially_paid", 2, 3, 2),
        ("voided", 3, 3, 0),
    ],
)
def test_only_paid_units_stand_and_an_edit_waits_for_its_money(
    status: str, current: int, granted: int, wanted: int
) -> None:
    line = make_line(5, current)

    assert wanted_units(make_order(line, status=status), line, granted) == wanted


def test_a_cancelled_order_entitles_to_nothing_and_a_test_order_to_what_a_real_one_does() -> None:
    line = make_line()

    assert wanted_units(make_order(line, cancelled=True), line, 3) == 0
    assert wanted_units(make_order(line, test=True), line, 0) == 3


def test_each_unit_is_a_lot_with_its_own_key() -> None:
    line = make_line(3, paid_minor=10000)

    step = difference(make_order(line), line, HOUR, [], TORONTO)

    assert [grant.source for grant in step.grants] == [
        f"order:{ORDER}:{LINE}:{index}:simulator_minutes" for index in range(3)
    ]
    assert [grant.paid_minor for grant in step.grants] == [3334, 3333, 3333]
    assert {grant.quantity for grant in step.grants} == {60}
    assert (step.withdraw, step.reinstate) == ([], [])


def test_a_package_ends_with_its_last_valid_day() -> None:
    line = make_line(1, paid_minor=40000)

    (grant,) = difference(make_order(line), line, TEN_PACK, [], TORONTO).grants

    assert (grant.quantity, grant.paid_minor) == (600, 40000)
    assert grant.expires_at is not None
    assert grant.expires_at.astimezone(UTC) == datetime(2027, 11, 21, 5, tzinfo=UTC)


def test_the_valid_days_count_from_the_local_date_of_the_order() -> None:
    line = make_line(1)
    late = make_order(line, ordered_at=datetime(2026, 11, 21, 4, 59, tzinfo=UTC))

    (grant,) = difference(late, line, TEN_PACK, [], TORONTO).grants

    assert grant.expires_at is not None
    assert grant.expires_at.astimezone(UTC) == datetime(2027, 11, 21, 5, tzinfo=UTC)


def test_a_unit_of_both_kinds_makes_two_lots_that_share_its_price() -> None:
    line = make_line(1, paid_minor=9001)

    grants = difference(make_order(line), line, BUNDLE, [], TORONTO).grants

    assert [(grant.kind, grant.quantity, grant.paid_minor) for grant in grants] == [
        (CreditKind.SIMULATOR_MINUTES, 60, 4501),
        (CreditKind.COACHING_SESSIONS, 1, 4500),
    ]


def test_a_second_look_finds_no_difference() -> None:
    lots = bought(3)
    line = make_line(3)

    step = difference(make_order(line), line, HOUR, lots, TORONTO)

    assert (step.grants, step.withdraw, step.reinstate) == ([], [], [])


@pytest.mark.parametrize(("current", "left"), [(2, [0, 1]), (1, [0])])
def test_the_unit_that_was_not_played_is_taken_back_first(current: int, left: list[int]) -> None:
    lots = bought(3)
    play(lots, 0)
    play(lots, 1)

    lots = edited(lots, current)

    assert standing(lots) == left
    assert [lot.revoked for lot in lots] == [0, 0, 60]
    assert sum(lot.available for lot in lots) == 0


def test_a_unit_that_lies_unused_goes_before_one_that_is_held() -> None:
    lots = bought(3)
    lots[0].available, lots[0].held = 0, 60
    play(lots, 2)

    one, two = edited([*lots], 2), standing(lots)
    three = standing(edited(one, 1))

    assert two == [0, 2]
    assert three == [2]


def test_of_units_alike_the_last_is_taken_back() -> None:
    assert standing(edited(bought(3), 1)) == [0]


def test_a_unit_that_is_wanted_again_is_reinstated_and_not_granted_anew() -> None:
    lots = edited(bought(3), 1)
    line = make_line(4, 4)

    step = difference(make_order(line), line, HOUR, lots, TORONTO)

    assert [lot.unit_index for lot in step.reinstate] == [1, 2]
    assert [grant.unit_index for grant in step.grants] == [3]


@pytest.mark.parametrize("path", [(2, 3), (2, 3, 2), (0, 1), (0, 2), (1, 0, 1), (0, 3)])
def test_editing_back_and_forth_ends_as_if_edited_once(path: tuple[int, ...]) -> None:
    direct, wandering = bought(3), bought(3)
    for lots in (direct, wandering):
        play(lots, 1)

    direct, wandering = edited(direct, path[-1]), edited(wandering, *path)

    assert standing(wandering) == standing(direct)
    assert [lot.available for lot in wandering] == [lot.available for lot in direct]


def test_a_partly_paid_edit_keeps_the_old_units_and_gives_no_new_one() -> None:
    lots = bought(2)
    line = make_line(5, 5)

    step = difference(make_order(line, status="partially_paid"), line, HOUR, lots, TORONTO)

    assert (step.grants, step.withdraw, step.reinstate) == ([], [], [])


def test_a_variant_that_nobody_names_any_more_can_still_be_taken_back() -> None:
    lots = bought(2)
    fewer, more = make_line(2, 1), make_line(3, 3)

    taken = difference(make_order(fewer), fewer, None, lots, TORONTO)
    given = difference(make_order(more), more, None, lots, TORONTO)

    assert [lot.unit_index for lot in taken.withdraw] == [1]
    assert given.grants == []


@pytest.mark.parametrize(
    ("quantity", "paid", "shares"),
    [(3, 10000, [3334, 3333, 3333]), (2, 9000, [4500, 4500]), (3, 2, [1, 1, 0]), (0, 500, [0])],
)
def test_cents_that_do_not_divide_go_to_the_first_units(
    quantity: int, paid: int, shares: list[int]
) -> None:
    line = make_line(quantity, paid_minor=paid)

    assert [paid_share(line, index) for index in range(len(shares))] == shares
