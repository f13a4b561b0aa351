"""A lot may be made to live longer; every change of its expiry is on record."""

from datetime import timedelta

import pytest
from psycopg import errors as pg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from booking_engine.catalog.studio import Studio
from booking_engine.ledger import extensions
from booking_engine.ledger.models import Wallet
from tests.factories.desk import broken_promises
from tests.factories.ledger import grant_lot, lot_of, make_cause
from tests.factories.studio import NOW

DAY = timedelta(days=1)


def test_an_extension_is_written_down_with_both_dates(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    lot = grant_lot(session, studio, wallet, expires_at=NOW + 10 * DAY)

    assert extensions.extend(session, lot=lot, until=NOW + 30 * DAY, key="a", cause=make_cause())

    assert lot_of(session, "lot").expires_at == NOW + 30 * DAY
    (told,) = extensions.of_lot(session, studio_id=studio.id, lot_id=lot.id)
    assert (told.old_expires_at, told.new_expires_at) == (NOW + 10 * DAY, NOW + 30 * DAY)
    assert (told.reason, told.reference, told.actor, told.at) == ("test", "test", "test", NOW)


@pytest.mark.parametrize("days", [None, 30, 31])
def test_an_extension_never_shortens(
    session: Session, studio: Studio, wallet: Wallet, days: int | None
) -> None:
    expires_at = NOW + days * DAY if days else None
    lot = grant_lot(session, studio, wallet, expires_at=expires_at)

    done = extensions.extend(session, lot=lot, until=NOW + 30 * DAY, key="a", cause=make_cause())

    assert not done
    assert lot_of(session, "lot").expires_at == expires_at
    assert not extensions.of_lot(session, studio_id=studio.id, lot_id=lot.id)


def test_the_same_key_extends_once(session: Session, studio: Studio, wallet: Wallet) -> None:
    lot = grant_lot(session, studio, wallet, expires_at=NOW + DAY)
    call = {"lot": lot, "key": "a", "cause": make_cause()}

    assert extensions.extend(session, until=NOW + 30 * DAY, **call)
    assert not extensions.extend(session, until=NOW + 60 * DAY, **call)

    assert lot.expires_at == NOW + 30 * DAY


def test_what_was_extended_is_never_rewritten(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    lot = grant_lot(session, studio, wallet, expires_at=NOW + DAY)
    extensions.extend(session, lot=lot, until=NOW + 30 * DAY, key="a", cause=make_cause())

    for change in ("UPDATE lot_extension SET actor = 'me'", "DELETE FROM lot_extension"):
        with pytest.raises(DBAPIError) as refused, session.begin_nested():
            session.execute(text(change))
        assert isinstance(refused.value.orig, pg.RestrictViolation)


def test_an_expiry_that_no_extension_explains_is_found(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    lot = grant_lot(session, studio, wallet, expires_at=NOW + DAY)
    for number, days in enumerate((30, 40)):
        until = NOW + days * DAY
        extensions.extend(session, lot=lot, until=until, key=str(number), cause=make_cause())
    assert not broken_promises(session)

    session.execute(text("UPDATE lot SET expires_at = expires_at + interval '1 day'"))

    assert len(broken_promises(session)) == 1
