"""Credits: granted once, held over lots in order, returned where they came from, spent."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import Session, col, select

from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits, wallets
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.models import Draw, Lot, Wallet
from tests.factories.ledger import (
    COACHED,
    MINUTES,
    buckets,
    grant_lot,
    hold_minutes,
    make_cause,
    transfers_of,
)
from tests.factories.studio import NOW, make_wallet, toronto

DAY = timedelta(days=1)


def test_a_source_grants_once(session: Session, studio: Studio, wallet: Wallet) -> None:
    first = grant_lot(session, studio, wallet, "order:1", 600)

    again = credits.grant(
        session,
        studio_id=studio.id,
        wallet_id=wallet.id,
        wanted=credits.Grant("order:1", MINUTES, 900),
        cause=make_cause(),
    )

    lots = session.exec(select(Lot).where(col(Lot.wallet_id) == wallet.id)).all()
    assert again is False
    assert [(lot.id, lot.granted, lot.available) for lot in lots] == [(first.id, 600, 600)]
    assert transfers_of(session) == 1


def test_a_hold_takes_lots_in_order_of_use(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "never", 60)
    grant_lot(session, studio, wallet, "late", 60, expires_at=NOW + 90 * DAY)
    grant_lot(session, studio, wallet, "soon", 60, expires_at=NOW + 30 * DAY)

    hold_minutes(session, studio, wallet, uuid4(), 150)

    assert buckets(session, "soon") == {"held": 60}
    assert buckets(session, "late") == {"held": 60}
    assert buckets(session, "never") == {"available": 30, "held": 30}


def test_what_was_given_is_used_before_what_was_paid(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "paid", 60, paid_minor=4500)
    grant_lot(session, studio, wallet, "gift", 60, granted_at=NOW + timedelta(seconds=1))

    hold_minutes(session, studio, wallet, uuid4(), 60, at=NOW + timedelta(minutes=1))

    assert buckets(session, "gift") == {"held": 60}
    assert buckets(session, "paid") == {"available": 60}


def test_too_few_credits_hold_nothing(session: Session, studio: Studio, wallet: Wallet) -> None:
    grant_lot(session, studio, wallet, "hours", 90)
    grant_lot(session, studio, wallet, "coach", 1, kind=COACHED)
    before = transfers_of(session)

    with pytest.raises(NotEnoughCredits) as refusal:
        hold_minutes(session, studio, wallet, uuid4(), 60, sessions=2)

    assert refusal.value.needed == {MINUTES: 60, COACHED: 2}
    assert refusal.value.available == {MINUTES: 90, COACHED: 1}
    assert refusal.value.missing == {MINUTES: 0, COACHED: 1}
    assert buckets(session, "hours") == {"available": 90}
    assert buckets(session, "coach") == {"available": 1}
    assert transfers_of(session) == before
    assert session.exec(select(Draw)).all() == []


def test_one_kind_does_not_pay_for_the_other(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "coach", 600, kind=COACHED)

    with pytest.raises(NotEnoughCredits):
        hold_minutes(session, studio, wallet, uuid4(), 60)

    assert buckets(session, "coach") == {"available": 600}


def test_an_order_pays_only_with_its_own_lots(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "mine", 600)
    grant_lot(session, studio, wallet, "theirs", 60, order_id=5001)

    with pytest.raises(NotEnoughCredits):
        hold_minutes(session, studio, wallet, uuid4(), 120, starts_at=NOW + DAY, order_id=5001)

    assert buckets(session, "mine") == {"available": 600}
    assert buckets(session, "theirs") == {"available": 60}


@pytest.mark.parametrize(
    ("percent", "x", "y", "back"),
    [
        (100, {"available": 60}, {"available": 120}, 90),
        (50, {"available": 30, "spent": 30}, {"available": 105, "spent": 15}, 45),
        (0, {"spent": 60}, {"available": 90, "spent": 30}, 0),
    ],
)
def test_golden_number_3_returns_each_tier_to_the_unit(
    session: Session,
    studio: Studio,
    wallet: Wallet,
    percent: int,
    x: dict[str, int],
    y: dict[str, int],
    back: int,
) -> None:
    grant_lot(session, studio, wallet, "X", 60, expires_at=datetime(2026, 12, 1, 5, tzinfo=UTC))
    grant_lot(session, studio, wallet, "Y", 120)
    booking = uuid4()
    start = toronto(2026, 11, 28, 12)
    hold_minutes(session, studio, wallet, booking, 90, starts_at=start)
    assert (buckets(session, "X"), buckets(session, "Y")) == (
        {"held": 60},
        {"available": 90, "held": 30},
    )

    returned = credits.give_back(
        session,
        studio_id=studio.id,
        booking_id=booking,
        percent=percent,
        cause=make_cause(start - timedelta(hours=30)),
    )

    assert returned == {MINUTES: back, COACHED: 0}
    assert buckets(session, "X") == x
    assert buckets(session, "Y") == y


def test_golden_number_3_passes_over_a_lot_that_ends_before_the_session(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "X", 60, expires_at=datetime(2026, 12, 1, 5, tzinfo=UTC))
    grant_lot(session, studio, wallet, "Y", 120)

    hold_minutes(session, studio, wallet, uuid4(), 90, starts_at=toronto(2026, 12, 2, 12))

    assert buckets(session, "X") == {"available": 60}
    assert buckets(session, "Y") == {"available": 30, "held": 90}


@pytest.mark.parametrize(
    ("seconds", "pays"), [(-1, {"held": 60}), (0, {"available": 60}), (1, {"available": 60})]
)
def test_a_lot_pays_for_what_starts_before_its_last_instant(
    session: Session, studio: Studio, wallet: Wallet, seconds: int, pays: dict[str, int]
) -> None:
    ends = NOW + 10 * DAY
    grant_lot(session, studio, wallet, "first", 60, expires_at=ends)
    grant_lot(session, studio, wallet, "rest", 60)

    hold_minutes(session, studio, wallet, uuid4(), 60, starts_at=ends + timedelta(seconds=seconds))

    assert buckets(session, "first") == pays


@pytest.mark.parametrize(
    ("percent", "sessions", "after"),
    [(50, 3, {"available": 3}), (49, 0, {"spent": 3}), (100, 3, {"available": 3})],
)
def test_coaching_returns_whole_or_not_at_all(
    session: Session,
    studio: Studio,
    wallet: Wallet,
    percent: int,
    sessions: int,
    after: dict[str, int],
) -> None:
    grant_lot(session, studio, wallet, "coach", 3, kind=COACHED)
    booking = uuid4()
    hold_minutes(session, studio, wallet, booking, 0, sessions=3)

    returned = credits.give_back(
        session, studio_id=studio.id, booking_id=booking, percent=percent, cause=make_cause()
    )

    assert returned == {MINUTES: 0, COACHED: sessions}
    assert buckets(session, "coach") == after


def test_odd_minutes_round_up_for_the_customer(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "odd", 45)
    booking = uuid4()
    hold_minutes(session, studio, wallet, booking, 45)

    credits.give_back(
        session, studio_id=studio.id, booking_id=booking, percent=50, cause=make_cause()
    )

    assert buckets(session, "odd") == {"available": 23, "spent": 22}


def test_what_returns_to_an_expired_lot_is_expired(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    ends = NOW + 10 * DAY
    grant_lot(session, studio, wallet, "old", 90, expires_at=ends)
    booking = uuid4()
    hold_minutes(session, studio, wallet, booking, 60, starts_at=ends - DAY)

    credits.give_back(
        session, studio_id=studio.id, booking_id=booking, percent=100, cause=make_cause(ends)
    )

    assert buckets(session, "old") == {"available": 30, "expired": 60}


def test_a_begun_session_is_spent_and_returns_nothing_more(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "hour", 60)
    booking = uuid4()
    hold_minutes(session, studio, wallet, booking, 60)

    credits.spend(session, studio_id=studio.id, booking_id=booking, cause=make_cause())
    returned = credits.give_back(
        session, studio_id=studio.id, booking_id=booking, percent=100, cause=make_cause()
    )

    assert returned == {MINUTES: 0, COACHED: 0}
    assert buckets(session, "hour") == {"spent": 60}


def test_a_balance_is_lower_the_instant_a_lot_expires(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    ends = NOW + 10 * DAY
    grant_lot(session, studio, wallet, "old", 90, expires_at=ends)
    grant_lot(session, studio, wallet, "new", 60)
    hold_minutes(session, studio, wallet, uuid4(), 30, starts_at=NOW + DAY)
    lots = credits.of_wallet(session, studio_id=studio.id, wallet_id=wallet.id)

    before = credits.balance(lots, now=ends - timedelta(seconds=1))
    after = credits.balance(lots, now=ends)

    assert before[MINUTES] == {"available": 120, "held": 30}
    assert after[MINUTES] == {"available": 60, "held": 30}


def test_a_customer_has_one_wallet_and_a_stranger_none(session: Session, studio: Studio) -> None:
    first = make_wallet(session, studio, 7001)

    assert make_wallet(session, studio, 7001).id == first.id
    assert make_wallet(session, studio, 7002).id != first.id
    assert wallets.find_customer(session, studio_id=studio.id, customer_id=7003) is None
