"""Two customers become one, whenever that is heard (product rule D11)."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from booking_engine.booking import bookings, holds
from booking_engine.booking.holds import CUSTOMER_CAPS, Holder
from booking_engine.booking.models import Booking, Hold
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import merging, wallets
from booking_engine.ledger.models import Lot, Transfer, Wallet
from booking_engine.ledger.people_models import WalletMerge
from booking_engine.ledger.wallets import WalletMoved
from connector.tables import metadata
from shopify_gateway.deliveries import UnreadableDelivery
from tests.factories.desk import broken_promises
from tests.factories.ledger import grant_lot
from tests.factories.people import hear, lots_of, merge_body, owner, sums_of
from tests.factories.shop_orders import later, make_line, make_order, place_hold, post
from tests.factories.shopify_bodies import order_body
from tests.factories.studio import HOUR, NOW, make_request, make_wallet, toronto

KEPT, REMOVED = 7001, 7002


def test_every_table_that_belongs_to_a_wallet_is_moved() -> None:
    referring = {
        (table.name, constraint.column_keys[1])
        for table in metadata.tables.values()
        for constraint in table.foreign_key_constraints
        if constraint.referred_table.name == "wallet"
    }
    named = {
        (table.name, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if column.name.endswith("wallet_id")
    }

    assert set(merging.OWNED) == referring == named


def test_golden_13_a_merge_while_a_refund_waits_under_the_old_id(
    session: Session, studio: Studio
) -> None:
    grant_lot(session, studio, make_wallet(session, studio, KEPT), "kept", 30)
    order = make_order(make_line(HOUR, 2), customer=REMOVED)
    post(session, studio, order)
    bookings.book(
        session,
        studio=studio,
        request=make_request(minutes=60),
        wallet_id=owner(session, studio, REMOVED) or pytest.fail("no wallet"),
        actor="test",
        now=NOW,
    )
    assert sums_of(session, owner(session, studio, REMOVED)) == {"A": 60, "H": 60}

    hear(session, studio, "customers/merge", merge_body(KEPT, REMOVED))
    post(session, studio, later(order, 1, financial_status="partially_refunded"))

    assert sums_of(session, owner(session, studio, KEPT)) == {"A": 30, "H": 60, "R": 60}
    assert broken_promises(session) == []


def test_everything_goes_over_and_lots_stay_what_they_are(session: Session, studio: Studio) -> None:
    order = make_order(make_line(hold=place_hold(session, studio).id), customer=REMOVED)
    post(session, studio, order)
    before = session.exec(select(Lot)).one().model_dump(exclude={"wallet_id"})
    moved = len(session.exec(select(Transfer)).all())
    former = owner(session, studio, REMOVED)

    outcome = hear(session, studio, "customers/merge", merge_body(KEPT, REMOVED))

    kept = owner(session, studio, KEPT)
    assert outcome == "merged"
    assert owner(session, studio, REMOVED) == kept
    assert session.exec(select(Lot)).one().model_dump(exclude={"wallet_id"}) == before
    assert len(session.exec(select(Transfer)).all()) == moved
    assert session.exec(select(Booking.wallet_id)).one() == kept
    fact = session.exec(select(WalletMerge)).one()
    assert (fact.kept, fact.removed) == (kept, former)
    assert session.exec(select(Wallet.id)).all() == [kept]
    assert broken_promises(session) == []


def test_a_second_delivery_of_a_merge_changes_nothing(session: Session, studio: Studio) -> None:
    for customer in (KEPT, REMOVED):
        grant_lot(session, studio, make_wallet(session, studio, customer), str(customer))

    outcomes = [
        hear(session, studio, "customers/merge", merge_body(KEPT, REMOVED)) for _ in range(2)
    ]

    assert outcomes == ["merged", "agreed"]
    assert lots_of(session, owner(session, studio, KEPT)) == ["7001", "7002"]


@pytest.mark.parametrize("status", ["failed", "in_progress", "requested"])
def test_a_merge_that_is_not_completed_moves_nothing(
    session: Session, studio: Studio, status: str
) -> None:
    grant_lot(session, studio, make_wallet(session, studio, REMOVED), "removed")

    outcome = hear(session, studio, "customers/merge", merge_body(KEPT, REMOVED, status))

    assert outcome == "not_completed"
    assert lots_of(session, owner(session, studio, REMOVED)) == ["removed"]
    assert owner(session, studio, KEPT) is None


def test_a_merge_that_names_nobody_is_unreadable(session: Session, studio: Studio) -> None:
    with pytest.raises(UnreadableDelivery):
        hear(session, studio, "customers/merge", {"status": "completed"})


def test_the_merged_person_has_the_holds_of_both(session: Session, studio: Studio) -> None:
    for number, customer in enumerate((KEPT, REMOVED)):
        wallet = make_wallet(session, studio, customer)
        holds.place(
            session,
            studio=studio,
            request=make_request(toronto(2026, 11, 24, 10 + number)),
            holder=Holder(f"customer:{customer}", CUSTOMER_CAPS, wallet.id),
            now=NOW,
        )

    hear(session, studio, "customers/merge", merge_body(KEPT, REMOVED))

    assert set(session.exec(select(Hold.holder)).all()) == {f"customer:{KEPT}"}
    assert set(session.exec(select(Booking.wallet_id)).all()) == {owner(session, studio, KEPT)}


def test_nothing_can_be_locked_or_written_under_the_wallet_that_went(
    session: Session, studio: Studio
) -> None:
    gone = make_wallet(session, studio, REMOVED).id
    hear(session, studio, "customers/merge", merge_body(KEPT, REMOVED))

    with pytest.raises(WalletMoved):
        wallets.lock(session, studio_id=studio.id, wallet_id=gone)
    with pytest.raises(IntegrityError), session.begin_nested():
        grant_lot(session, studio, Wallet(studio_id=studio.id, id=gone, created_at=NOW))


# Customers 7001 to 7003 become 7003, by two merges; every order is told under its old customer.
MERGES = [(7002, 7001), (7003, 7002)]
PAID = [
    make_order(make_line(HOUR, 2, number=customer), id=customer * 10, customer=customer)
    for customer in (7001, 7002, 7003)
]
REFUNDED = [later(order, 1, minutes=1, financial_status="partially_refunded") for order in PAID[:2]]
# The shop also gives the order to the customer who is kept, and says so before or after.
HANDED_OVER = later(REFUNDED[0], minutes=1, customer_id=7003)
EVENTS = [*MERGES, *PAID, *REFUNDED, PAID[0], HANDED_OVER]


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=st.permutations(EVENTS))
def test_whenever_a_merge_is_heard_it_ends_alike(
    session: Session, studio: Studio, events: list[object]
) -> None:
    attempt = session.begin_nested()
    for event in events:
        if isinstance(event, tuple):
            hear(session, studio, "customers/merge", merge_body(*event))
        else:
            post(session, studio, event, NOW + timedelta(minutes=2))

    last = owner(session, studio, 7003)
    assert {owner(session, studio, customer) for customer in (7001, 7002)} == {last}
    sums = sums_of(session, last)
    assert sums["A"] == 240
    assert sums.get("R", 0) in (0, 60, 120)  # what was never granted needs no revoking
    assert len(lots_of(session, last)) == len(session.exec(select(Lot.id)).all())
    assert broken_promises(session) == []
    attempt.rollback()


def test_an_order_of_the_removed_customer_that_comes_late_lands_right(
    session: Session, studio: Studio
) -> None:
    hear(session, studio, "customers/merge", merge_body(KEPT, REMOVED))

    hear(session, studio, "orders/paid", order_body(customer=REMOVED))

    assert len(lots_of(session, owner(session, studio, KEPT))) == 1


def test_a_merge_is_a_fact_for_ever(session: Session, studio: Studio) -> None:
    make_wallet(session, studio, REMOVED)
    hear(session, studio, "customers/merge", merge_body(KEPT, REMOVED))
    fact = session.exec(select(WalletMerge).where(col(WalletMerge.kept).is_not(None))).one()

    fact.reference = "another"

    with pytest.raises(Exception, match="append-only"), session.begin_nested():
        session.flush()


def test_an_order_that_no_longer_names_its_customer_stays_theirs(
    session: Session, studio: Studio
) -> None:
    order = make_order(make_line(HOUR, 2), customer=KEPT)
    post(session, studio, order)

    post(session, studio, later(order, 3, customer_id=None))

    assert sums_of(session, owner(session, studio, KEPT)) == {"A": 180}
    assert len(session.exec(select(Wallet)).all()) == 1
