"""Transfers: once per key, never changed, and the lots' own CHECKs behind them."""

from uuid import uuid4

import pytest
from psycopg import errors as pg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session

from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits, transfers
from booking_engine.ledger.models import Bucket, Wallet
from booking_engine.ledger.transfers import Overdrawn
from tests.factories.ledger import (
    BUCKETS,
    buckets,
    grant_lot,
    hold_minutes,
    make_cause,
    transfers_of,
)


def test_the_same_key_moves_once(session: Session, studio: Studio, wallet: Wallet) -> None:
    lot = grant_lot(session, studio, wallet)
    call = {
        "studio_id": studio.id,
        "lot_id": lot.id,
        "buckets": (Bucket.AVAILABLE, Bucket.HELD),
        "quantity": 20,
        "key": "hold:once",
        "cause": make_cause(),
    }

    moved = [transfers.move(session, **call) for _ in range(3)]

    assert moved == [True, False, False]
    assert buckets(session, "lot") == {"available": 40, "held": 20}
    assert transfers_of(session) == 2


def test_an_overdraft_is_refused(session: Session, studio: Studio, wallet: Wallet) -> None:
    lot = grant_lot(session, studio, wallet)

    with pytest.raises(Overdrawn), session.begin_nested():
        credits.revoke(session, lot=lot, quantity=61, key="too-much", cause=make_cause())

    assert buckets(session, "lot") == {"available": 60}
    assert transfers_of(session) == 1


def test_a_refused_movement_leaves_no_transfer_behind(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    lot = grant_lot(session, studio, wallet)

    with pytest.raises(Overdrawn):
        credits.revoke(session, lot=lot, quantity=61, key="too-much", cause=make_cause())

    assert transfers_of(session) == 1


def test_what_was_revoked_can_be_restored(session: Session, studio: Studio, wallet: Wallet) -> None:
    lot = grant_lot(session, studio, wallet)
    credits.revoke(session, lot=lot, quantity=60, key="revoke", cause=make_cause())
    assert buckets(session, "lot") == {"revoked": 60}

    credits.restore(session, lot=lot, quantity=60, key="restore", cause=make_cause())

    assert buckets(session, "lot") == {"available": 60}
    assert transfers_of(session) == 3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transfer SET quantity = 1",
        "UPDATE transfer SET quantity = quantity WHERE false",
        "DELETE FROM transfer",
        "TRUNCATE transfer",
        "TRUNCATE lot CASCADE",
    ],
)
def test_the_database_refuses_to_change_history(
    session: Session, studio: Studio, wallet: Wallet, statement: str
) -> None:
    grant_lot(session, studio, wallet)

    with pytest.raises(IntegrityError) as refusal, session.begin_nested():
        session.execute(text(statement))

    assert isinstance(refusal.value.orig, pg.RestrictViolation)
    assert buckets(session, "lot") == {"available": 60}
    assert transfers_of(session) == 1


@pytest.mark.parametrize(
    "change",
    [
        *(f"available = available + {10**3}, {name} = {name} - {10**3}" for name in ("held",)),
        *(f"{bucket.value} = -1, revoked = granted + 1" for bucket in BUCKETS[:4]),
        "available = available - 1",
        "granted = granted + 1",
        "granted = 0, available = 0",
        "paid_minor = -1",
        "kind = 'golf_balls'",
    ],
)
def test_the_database_refuses_a_lot_that_does_not_add_up(
    session: Session, studio: Studio, wallet: Wallet, change: str
) -> None:
    grant_lot(session, studio, wallet)

    with pytest.raises(IntegrityError) as refusal, session.begin_nested():
        session.execute(text(f"UPDATE lot SET {change}"))

    assert isinstance(refusal.value.orig, pg.CheckViolation)
    assert buckets(session, "lot") == {"available": 60}


@pytest.mark.parametrize(("quantity", "held"), [(60, 61), (60, -1), (0, 0)])
def test_the_database_refuses_a_draw_that_holds_more_than_it_drew(
    session: Session, studio: Studio, wallet: Wallet, quantity: int, held: int
) -> None:
    grant_lot(session, studio, wallet)
    hold_minutes(session, studio, wallet, uuid4(), 60)

    with pytest.raises(IntegrityError) as refusal, session.begin_nested():
        session.execute(text(f"UPDATE draw SET quantity = {quantity}, held = {held}"))

    assert isinstance(refusal.value.orig, pg.CheckViolation)


@pytest.mark.parametrize("quantity", [0, -5])
def test_nothing_and_less_cannot_be_moved(
    session: Session, studio: Studio, wallet: Wallet, quantity: int
) -> None:
    lot = grant_lot(session, studio, wallet)

    with pytest.raises(DBAPIError), session.begin_nested():
        credits.revoke(session, lot=lot, quantity=quantity, key="odd", cause=make_cause())

    assert buckets(session, "lot") == {"available": 60}
    assert transfers_of(session) == 1


def test_a_wallets_transfers_are_read_newest_first_a_page_at_a_time(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    lot = grant_lot(session, studio, wallet)
    for number in range(4):
        credits.revoke(session, lot=lot, quantity=1, key=f"one:{number}", cause=make_cause())

    page = transfers.newest(session, studio_id=studio.id, wallet_id=wallet.id, before=None, limit=3)
    rest = transfers.newest(
        session, studio_id=studio.id, wallet_id=wallet.id, before=page[-1].sequence, limit=3
    )

    assert [each.key for each in page] == ["one:3", "one:2", "one:1"]
    assert [each.key for each in rest] == ["one:0", "grant:lot"]
