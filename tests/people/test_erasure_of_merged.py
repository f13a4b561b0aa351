"""Who was merged is forgotten under every id, and what comes later stays so (rule D13)."""

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from booking_engine.booking import bookings
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits, lapses
from booking_engine.ledger.models import Lot
from tests.factories.desk import broken_promises
from tests.factories.ledger import grant_lot, make_cause
from tests.factories.people import (
    hear,
    merge_body,
    owner,
    redact_body,
)
from tests.factories.shopify_bodies import order_body
from tests.factories.studio import NOW, make_request, make_wallet
from tests.factories.traces import (
    CUSTOMER,
    LATER,
    buy,
    forget,
)


def test_an_erased_customer_of_a_merge_is_erased_under_both_ids(
    session: Session, studio: Studio
) -> None:
    buy(session, studio)
    hear(session, studio, "customers/merge", merge_body(7001, CUSTOMER))

    hear(session, studio, "customers/redact", redact_body(7001))

    assert (owner(session, studio, 7001), owner(session, studio, CUSTOMER)) == (None, None)
    assert broken_promises(session) == []


@pytest.mark.parametrize("asked", [7001, CUSTOMER])
def test_what_comes_late_under_any_id_of_a_merge_lands_with_the_erased_wallet(
    session: Session, studio: Studio, asked: int
) -> None:
    body = buy(session, studio, quantity=2)
    hear(session, studio, "customers/merge", merge_body(7001, CUSTOMER))
    wallet_id = owner(session, studio, 7001)
    hear(session, studio, "customers/redact", redact_body(asked))

    hear(session, studio, "orders/updated", body | LATER)
    for number, customer in enumerate((7001, CUSTOMER)):
        hear(session, studio, "orders/paid", order_body(5008 + number, customer=customer))

    assert (owner(session, studio, 7001), owner(session, studio, CUSTOMER)) == (None, None)
    assert set(session.exec(select(Lot.wallet_id)).all()) == {wallet_id}
    assert None not in session.exec(select(Lot.frozen_at)).all()
    assert broken_promises(session) == []


@pytest.mark.parametrize("is_known", [True, False])
def test_whoever_was_merged_into_somebody_erased_before_is_erased_too(
    session: Session, studio: Studio, *, is_known: bool
) -> None:
    hear(session, studio, "orders/paid", order_body(5002, customer=7001))
    wallet_id = owner(session, studio, 7001)
    if is_known:
        buy(session, studio)
        bookings.book(
            session,
            studio=studio,
            request=make_request(),
            wallet_id=make_wallet(session, studio, CUSTOMER).id,
            actor="customer",
            now=NOW,
        )
    hear(session, studio, "customers/redact", redact_body(7001))

    for _ in range(2):
        hear(session, studio, "customers/merge", merge_body(7001, CUSTOMER))
    buy(session, studio, 5003)

    assert (owner(session, studio, 7001), owner(session, studio, CUSTOMER)) == (None, None)
    assert set(session.exec(select(Lot.wallet_id)).all()) == {wallet_id}
    assert None not in session.exec(select(Lot.frozen_at)).all()
    assert BookingStatus.CONFIRMED not in session.exec(select(Booking.status)).all()
    assert broken_promises(session) == []


def test_more_time_for_an_erased_lot_is_of_use_to_nobody(session: Session, studio: Studio) -> None:
    wallet = make_wallet(session, studio, CUSTOMER)
    lot = grant_lot(session, studio, wallet, expires_at=NOW + timedelta(days=1))
    later = NOW + timedelta(days=2)
    lapses.expire_due(session, now=later, limit=10)
    forget(session, studio)

    until, cause = later + timedelta(days=9), make_cause(later)
    assert lapses.prolong(session, lot=lot, until=until, key="more", cause=cause) == 60

    lots = credits.of_wallet(session, studio_id=studio.id, wallet_id=wallet.id)
    assert credits.balance(lots, now=later)[lot.kind]["available"] == 0
    assert broken_promises(session) == []
