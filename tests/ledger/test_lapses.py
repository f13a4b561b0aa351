"""Expiry is written down once, only for what is there, and undone for who gets more time."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlmodel import Session, col, select

from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits, lapses
from booking_engine.ledger.lapses import NotLonger
from booking_engine.ledger.models import Transfer, Wallet
from tests.factories.ledger import (
    MINUTES,
    buckets,
    grant_lot,
    hold_minutes,
    lot_of,
    make_cause,
    transfers_of,
)
from tests.factories.studio import NOW

DAY = timedelta(days=1)
END = NOW + 10 * DAY


def test_only_what_is_available_in_the_lot_expires(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    lot = grant_lot(session, studio, wallet, "old", 600, expires_at=END)
    grant_lot(session, studio, wallet, "other", 600)
    hold_minutes(session, studio, wallet, uuid4(), 60, starts_at=END - DAY)

    written = lapses.expire_due(session, now=END, limit=10)

    assert written == 1
    assert buckets(session, "old") == {"held": 60, "expired": 540}
    assert buckets(session, "other") == {"available": 600}
    keys = select(Transfer.key).where(col(Transfer.reason) == "expired")
    assert session.exec(keys).all() == [f"expire:{lot.id}"]
    assert lapses.expire_due(session, now=END + DAY, limit=10) == 0


def test_nothing_expires_before_its_instant(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "old", 600, expires_at=END)
    instant = timedelta(microseconds=1)
    balances = [
        credits.balance(
            credits.of_wallet(session, studio_id=studio.id, wallet_id=wallet.id), now=at
        )[MINUTES]["available"]
        for at in (END - instant, END, END + instant)
    ]

    assert lapses.expire_due(session, now=END - instant, limit=10) == 0
    assert balances == [600, 0, 0]


def test_a_disputed_lot_is_left_until_the_dispute_is_settled(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    lot = grant_lot(session, studio, wallet, "old", 600, expires_at=END)
    lot.frozen_at = NOW
    session.flush()
    assert lapses.expire_due(session, now=END, limit=10) == 0

    lot.frozen_at = None
    session.flush()

    assert lapses.expire_due(session, now=END, limit=10) == 1
    assert buckets(session, "old") == {"expired": 600}


def test_more_time_brings_back_what_the_sweep_took_and_no_late_return(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "old", 600, expires_at=END)
    booking = uuid4()
    hold_minutes(session, studio, wallet, booking, 60, starts_at=END - DAY)
    lapses.expire_due(session, now=END, limit=10)
    credits.give_back(
        session, studio_id=studio.id, booking_id=booking, percent=100, cause=make_cause(END)
    )
    assert buckets(session, "old") == {"expired": 600}

    revived = lapses.prolong(
        session, lot=lot_of(session, "old"), until=END + DAY, key="k", cause=make_cause(END)
    )

    assert revived == 540
    assert buckets(session, "old") == {"available": 540, "expired": 60}
    assert lapses.expire_due(session, now=END + DAY, limit=10) == 1
    assert buckets(session, "old") == {"expired": 600}
    again = lapses.prolong(
        session, lot=lot_of(session, "old"), until=END + 2 * DAY, key="l", cause=make_cause(END)
    )
    assert again == 540


@pytest.mark.parametrize("days", [-1, 0])
def test_no_lot_is_given_less_time(
    session: Session, studio: Studio, wallet: Wallet, days: int
) -> None:
    lot = grant_lot(session, studio, wallet, "old", 600, expires_at=END)
    before = transfers_of(session)

    with pytest.raises(NotLonger):
        lapses.prolong(session, lot=lot, until=END + days * DAY, key="k", cause=make_cause())

    assert lot_of(session, "old").expires_at == END
    assert transfers_of(session) == before
