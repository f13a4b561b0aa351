"""What a refund would be worth, re-rated and pro rata."""

from typing import Any

import pytest

from booking_engine.ledger import refunds
from booking_engine.ledger.models import Lot
from booking_engine.ledger.refunds import Single, UnitQuote
from tests.factories.ledger import COACHED, MINUTES
from tests.factories.lots import make_lot
from tests.factories.studio import NOW

FIFTY = {MINUTES: Single(5000, 60)}
PACK: dict[str, Any] = {"paid_minor": 40000}


def sums(*lots: Lot) -> list[tuple[int, int]]:
    quoted: list[UnitQuote] = refunds.quote(lots, FIFTY, now=NOW)
    return [(each.re_rated_minor, each.pro_rata_minor) for each in quoted]


@pytest.mark.parametrize(
    ("lot", "re_rated", "pro_rata"),
    [
        (make_lot(1, 600, **PACK), 40000, 40000),
        (make_lot(1, 360, spent=240, **PACK), 20000, 24000),
        (make_lot(1, 60, spent=540, **PACK), 0, 4000),
        (make_lot(1, 0, spent=600, **PACK), 0, 0),
        # Golden number 27.5: what future bookings hold is unused.
        (make_lot(1, 240, held=120, spent=240, **PACK), 20000, 24000),
        # What was cancelled too late or missed is spent; what has expired is used as well.
        (make_lot(1, 300, spent=180, expired=120, **PACK), 15000, 20000),
        (make_lot(1, 360, spent=240, expires_at=NOW, **PACK), 0, 0),
        # Half an hour is half an hour's price.
        (make_lot(1, 570, spent=30, **PACK), 37500, 38000),
        # Half of it was revoked for a refund of money before: the other half is asked about.
        (make_lot(1, 240, spent=60, revoked=300, **PACK), 15000, 16000),
        (make_lot(1, 600, paid_minor=0), 0, 0),
    ],
)
def test_both_sums_of_a_unit(lot: Lot, re_rated: int, pro_rata: int) -> None:
    assert sums(lot) == [(re_rated, pro_rata)]


def test_a_unit_that_was_taken_back_is_worth_nothing_more() -> None:
    standing = make_lot(1, 60, unit_index=0, paid_minor=4500)
    gone = make_lot(2, 0, revoked=60, unit_index=1, paid_minor=4500, withdrawn_at=NOW)

    assert [each.unit_index for each in refunds.quote([gone, standing], FIFTY, now=NOW)] == [0]


def test_a_unit_of_both_kinds_is_quoted_as_one() -> None:
    minutes = make_lot(1, 30, spent=30, paid_minor=4500)
    coaching = make_lot(2, 1, kind=COACHED, paid_minor=4500)

    (unit,) = refunds.quote([minutes, coaching], FIFTY, now=NOW)

    assert (unit.paid_minor, unit.re_rated_minor, unit.pro_rata_minor) == (9000, 6500, 6750)
    assert unit.used == {MINUTES: 30, COACHED: 0}
    assert unit.unused == {MINUTES: 30, COACHED: 1}


def test_what_is_not_sold_by_the_piece_is_re_rated_at_what_was_paid() -> None:
    coaching = make_lot(1, 2, kind=COACHED, spent=1, paid_minor=10000)

    assert sums(coaching) == [(6667, 6666)]
