"""Sharing a need out over lots, whatever the lots are."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from booking_engine.ledger import lots
from booking_engine.ledger.models import CreditKind
from tests.factories.lots import make_lot
from tests.factories.studio import NOW

MINUTES = CreditKind.SIMULATOR_MINUTES
# What is available, and after how many days it expires, if it does.
OWNED = st.lists(st.tuples(st.integers(0, 90), st.none() | st.integers(-2, 5)), max_size=6)


@settings(max_examples=300, deadline=None)
@given(OWNED, st.integers(0, 300), st.integers(0, 4))
def test_shares_add_up_and_never_overdraw(
    owned: list[tuple[int, int | None]], quantity: int, ahead: int
) -> None:
    wallet = [
        make_lot(
            number,
            available,
            expires_at=None if days is None else NOW + timedelta(days=days),
        )
        for number, (available, days) in enumerate(owned)
    ]
    starts_at = NOW + timedelta(days=ahead)

    shares = lots.share_out(wallet, MINUTES, quantity, starts_at=starts_at, now=NOW)

    spendable = lots.spendable(wallet, MINUTES, starts_at=starts_at, now=NOW)
    by_id = {lot.id: lot for lot in wallet}
    used = [by_id[share.lot_id] for share in shares]
    assert sum(share.quantity for share in shares) == min(quantity, spendable)
    assert all(0 < share.quantity <= by_id[share.lot_id].available for share in shares)
    assert all(lots.is_live(lot, starts_at) for lot in used)
    assert used == lots.in_order_of_use(used)
    assert all(share.quantity == by_id[share.lot_id].available for share in shares[:-1])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CreditKind), st.integers(0, 700), st.integers(0, 100))
def test_what_returns_lies_between_the_fair_part_and_the_whole(
    kind: CreditKind, share: int, percent: int
) -> None:
    back = lots.returned(share, percent, kind)

    assert 0 <= back <= share
    assert back >= lots.returned(share, max(0, percent - 1), kind)
    if kind is MINUTES:
        assert share * percent <= back * 100 < share * percent + 100
