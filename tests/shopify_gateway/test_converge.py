"""Orders converge: the ledger is what the order is now, whatever was delivered, how often, when."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from booking_engine.attention import AttentionItem
from booking_engine.booking import bookings
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.terms import CoachingRequest
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import wallets
from booking_engine.ledger.models import AliasKind, Lot, Transfer, WalletAlias
from connector import verify
from shopify_gateway.models import ShopOrder
from tests.factories.ledger import grant_lot
from tests.factories.shop_orders import (
    attention_kinds,
    booking_of,
    later,
    lot_count,
    make_line,
    make_order,
    place_hold,
    post,
    seats,
    told,
    wallet_sums,
)
from tests.factories.studio import (
    COACHING,
    HOUR,
    NOW,
    PACKAGE,
    apply_demo,
    make_request,
    make_wallet,
    toronto,
)

START = toronto(2026, 11, 25, 18)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def studio(session: Session) -> Studio:
    return apply_demo(session)


def play(session: Session, studio: Studio, hours: int) -> None:
    """Book single hours with the customer's credits, and let them begin."""
    wallet = make_wallet(session, studio)
    for number in range(hours):
        request = make_request(toronto(2026, 11, 24, 10 + number))
        bookings.book(
            session, studio=studio, request=request, wallet_id=wallet.id, actor="test", now=NOW
        )
    bookings.begin_and_complete(session, now=toronto(2026, 11, 24, 10 + hours), limit=10)


def transfers(session: Session) -> int:
    return len(session.exec(select(Transfer)).all())


def test_golden_number_1_a_package_is_one_lot_however_often_it_is_told(
    session: Session, studio: Studio
) -> None:
    order = make_order(make_line(PACKAGE))

    posted = [post(session, studio, order, NOW + number * MINUTE) for number in range(4)]

    lot = session.exec(select(Lot)).one()
    assert [each.granted for each in posted] == [1, 0, 0, 0]
    assert [each.changed for each in posted] == [True, False, False, False]
    assert (lot.granted, lot.available, lot.paid_minor) == (600, 600, 40000)
    assert lot.expires_at == datetime(2027, 11, 21, 5, tzinfo=UTC)
    assert transfers(session) == 1


def test_golden_number_2_a_cart_of_hours_and_coaching(session: Session, studio: Studio) -> None:
    seven = START + timedelta(hours=1)
    wanted = make_request(minutes=180, coaching=CoachingRequest(60, "ana", seven))
    hold = place_hold(session, studio, wanted)
    lines = make_line(HOUR, 3, hold=hold.id), make_line(COACHING, number=2, hold=hold.id)

    post(session, studio, make_order(*lines))

    lots = session.exec(select(Lot).order_by(col(Lot.source))).all()
    assert [(lot.kind.value, lot.granted, lot.paid_minor) for lot in lots] == [
        ("simulator_minutes", 60, 4500),
        ("simulator_minutes", 60, 4500),
        ("simulator_minutes", 60, 4500),
        ("coaching_sessions", 1, 6000),
    ]
    assert wallet_sums(session) == {"sim H": 180, "coa H": 1}
    bookings.begin_and_complete(session, now=START, limit=10)
    assert wallet_sums(session) == {"sim S": 180, "coa S": 1}
    assert seats(session, hold.booking_id) == ["ana", "bay-2"]


@pytest.mark.parametrize(
    ("kept", "sums", "kinds"),
    [
        (2, {"sim S": 120, "sim R": 60}, []),
        (1, {"sim S": 120, "sim R": 60}, ["refund_shortfall"]),
    ],
)
def test_golden_number_4_a_refund_never_takes_more_than_is_unused(
    session: Session, studio: Studio, kept: int, sums: dict[str, int], kinds: list[str]
) -> None:
    order = make_order(make_line(HOUR, 3))
    post(session, studio, order)
    play(session, studio, 2)
    refunded = later(order, kept, minutes=5 * 24 * 60, financial_status="partially_refunded")

    for _ in range(3):
        post(session, studio, refunded)

    assert wallet_sums(session) == sums
    assert attention_kinds(session) == kinds


def test_a_refund_never_touches_another_orders_lots(session: Session, studio: Studio) -> None:
    order = make_order()
    post(session, studio, order)
    play(session, studio, 1)
    post(session, studio, make_order(make_line(PACKAGE), id=5002))

    post(session, studio, later(order, 0, minutes=5 * 24 * 60, financial_status="refunded"))

    other = session.exec(select(Lot).where(col(Lot.order_id) == 5002)).one()
    item = session.exec(select(AttentionItem)).one()
    assert (other.available, other.revoked) == (600, 0)
    assert wallet_sums(session) == {"sim A": 600, "sim S": 60}
    assert item.facts["order_id"] == 5001
    assert item.facts["credits"] == {"simulator_minutes": 60}
    assert item.facts["value_minor"] == 4500


@pytest.mark.parametrize("first", ["create", "paid"])
def test_the_order_of_deliveries_does_not_matter(
    session: Session, studio: Studio, first: str
) -> None:
    created = make_order(status="pending")
    paid = later(created, minutes=1, financial_status="paid")

    for order in (created, paid) if first == "create" else (paid, created):
        post(session, studio, order, NOW + 5 * MINUTE)

    row = session.exec(select(ShopOrder)).one()
    assert wallet_sums(session) == {"sim A": 60}
    assert row.updated_at == NOW + MINUTE


def test_two_states_of_one_second_are_told_apart(session: Session, studio: Studio) -> None:
    created = make_order(status="pending")
    paid = make_order(status="paid")

    for order in (paid, created):
        post(session, studio, order)

    assert wallet_sums(session) == {"sim A": 60}


def test_an_older_state_changes_nothing(session: Session, studio: Studio) -> None:
    paid = make_order(make_line(HOUR, 2))
    post(session, studio, later(paid, 0, is_cancelled=True))
    before = transfers(session)

    posted = post(session, studio, paid, NOW + timedelta(days=1))

    assert posted.changed is False
    assert wallet_sums(session) == {}
    assert transfers(session) == before


@pytest.mark.parametrize("status", ["pending", "authorized", "partially_paid", "voided", "expired"])
def test_only_a_paid_order_grants(session: Session, studio: Studio, status: str) -> None:
    posted = post(session, studio, make_order(status=status))

    assert posted.changed is False
    assert lot_count(session) == 0
    assert attention_kinds(session) == []


def test_three_of_a_line_are_three_lots(session: Session, studio: Studio) -> None:
    post(session, studio, make_order(make_line(HOUR, 3)))

    lots = session.exec(select(Lot).order_by(col(Lot.unit_index))).all()
    assert [(lot.unit_index, lot.granted, lot.source) for lot in lots] == [
        (number, 60, f"order:5001:9001:{number}:simulator_minutes") for number in range(3)
    ]


def test_an_unknown_variant_is_listed_once_and_grants_nothing(
    session: Session, studio: Studio
) -> None:
    for number in (5001, 5002):
        lines = make_line(123), make_line(None, number=2), make_line(HOUR, number=3)
        post(session, studio, make_order(*lines, id=number))

    item = session.exec(select(AttentionItem)).one()
    assert (item.kind, item.key) == ("unknown_variant", "123")
    assert wallet_sums(session) == {"sim A": 120}


def test_an_order_without_a_customer_has_a_wallet_of_its_own(
    session: Session, studio: Studio
) -> None:
    post(session, studio, make_order(customer=None))

    alias = session.exec(select(WalletAlias)).one()
    assert (alias.kind, alias.value) == (AliasKind.ORDER, "5001")
    assert session.exec(select(Lot)).one().wallet_id == alias.wallet_id


def test_an_order_that_learns_its_customer_is_that_customers(
    session: Session, studio: Studio
) -> None:
    hold = place_hold(session, studio)
    order = make_order(make_line(hold=hold.id), customer=None)
    post(session, studio, order)

    post(session, studio, later(order, minutes=1, customer_id=7001))

    wallet = wallets.find_customer(session, studio_id=studio.id, customer_id=7001)
    assert wallet is not None
    assert session.exec(select(Lot)).one().wallet_id == wallet.id
    assert booking_of(session, hold).wallet_id == wallet.id


def test_a_cancelled_order_is_revoked_and_its_booking_with_it(
    session: Session, studio: Studio
) -> None:
    hold = place_hold(session, studio, make_request(minutes=120))
    order = make_order(make_line(HOUR, 3, hold=hold.id))
    post(session, studio, order)

    for _ in range(2):
        post(session, studio, later(order, 0, is_cancelled=True))

    booking = booking_of(session, hold)
    assert (booking.status, booking.ended_by) == (BookingStatus.CANCELLED, "system")
    assert seats(session, booking.id) == []
    assert wallet_sums(session) == {"sim R": 180}
    assert told(session) == {str(booking.id)}
    assert attention_kinds(session) == []


@pytest.mark.parametrize(
    ("before", "status", "sums", "kinds"),
    [
        (timedelta(seconds=1), BookingStatus.CANCELLED, {"sim R": 60}, []),
        (timedelta(0), BookingStatus.CONFIRMED, {"sim H": 60}, ["cancelled_after_delivery"]),
    ],
    ids=["a second before", "at the start"],
)
def test_a_session_that_has_begun_counts_as_delivered(
    session: Session,
    studio: Studio,
    before: timedelta,
    status: BookingStatus,
    sums: dict[str, int],
    kinds: list[str],
) -> None:
    hold = place_hold(session, studio)
    order = make_order(make_line(hold=hold.id))
    post(session, studio, order)

    post(session, studio, later(order, 0, is_cancelled=True), START - before)

    assert booking_of(session, hold).status is status
    assert wallet_sums(session) == sums
    assert attention_kinds(session) == kinds


def test_edit_and_unedit_leave_the_ledger_as_before(session: Session, studio: Studio) -> None:
    order = make_order(make_line(HOUR, 2))
    post(session, studio, order)
    sums = []

    for number, quantity in enumerate((1, 2, 0, 2), start=1):
        post(session, studio, later(order, quantity, minutes=number))
        sums.append(wallet_sums(session))

    assert sums == [
        {"sim A": 60, "sim R": 60},
        {"sim A": 120},
        {"sim R": 120},
        {"sim A": 120},
    ]
    assert lot_count(session) == 2


def test_more_units_wait_until_they_are_paid(session: Session, studio: Studio) -> None:
    order = make_order(make_line(HOUR, 1))
    post(session, studio, order)
    more = make_order(make_line(HOUR, 3), at=NOW + MINUTE, status="partially_paid")

    post(session, studio, more)
    assert wallet_sums(session) == {"sim A": 60}
    post(session, studio, later(more, minutes=1, financial_status="paid"))

    assert wallet_sums(session) == {"sim A": 180}


def test_a_line_that_is_gone_is_taken_back(session: Session, studio: Studio) -> None:
    post(session, studio, make_order(make_line(HOUR), make_line(PACKAGE, number=2)))

    post(session, studio, make_order(make_line(HOUR), at=NOW + MINUTE))

    assert wallet_sums(session) == {"sim A": 60, "sim R": 600}


def test_the_least_used_units_are_taken_back_first(session: Session, studio: Studio) -> None:
    order = make_order(make_line(HOUR, 3))
    post(session, studio, order)
    wallet = make_wallet(session, studio)
    booking = bookings.book(
        session,
        studio=studio,
        request=make_request(minutes=60),
        wallet_id=wallet.id,
        actor="test",
        now=NOW,
    )

    post(session, studio, later(order, 1, minutes=1))

    assert booking.status is BookingStatus.CONFIRMED
    assert wallet_sums(session) == {"sim H": 60, "sim R": 120}


def test_what_returns_to_a_unit_that_was_taken_back_is_revoked(
    session: Session, studio: Studio
) -> None:
    wallet = make_wallet(session, studio)
    grant_lot(session, studio, wallet, "gift", 60)
    hold = place_hold(session, studio)
    order = make_order(make_line(hold=hold.id))
    post(session, studio, order)

    post(session, studio, later(order, 0, minutes=1, financial_status="refunded"))

    gift = session.exec(select(Lot).where(col(Lot.source) == "gift")).one()
    assert wallet_sums(session) == {"sim A": 60, "sim R": 60}
    assert (gift.available, gift.revoked) == (60, 0)
    assert [each.status for each in session.exec(select(Booking))] == [BookingStatus.CANCELLED]
    for check in verify.CHECKS:
        assert verify.violations(session, check) == []


def test_a_test_order_grants_nothing_to_the_customer(session: Session, studio: Studio) -> None:
    post(session, studio, later(make_order(), is_test=True))

    lot = session.exec(select(Lot)).one()
    alias = session.exec(select(WalletAlias).where(WalletAlias.wallet_id == lot.wallet_id)).one()
    assert (lot.available, alias.kind, alias.value) == (60, AliasKind.TEST, "customer:7001")
    assert wallets.find_customer(session, studio_id=studio.id, customer_id=7001) is None
