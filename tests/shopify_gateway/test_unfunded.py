"""Sessions whose credits were refunded: others pay, or they wait for money, or they end."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session

from booking_engine import attention
from booking_engine.booking import attendance, bookings, moves
from booking_engine.booking.attendance import OutsideWindow
from booking_engine.booking.bookings import NotCancellable
from booking_engine.booking.moves import Target
from booking_engine.booking.policies import Actor
from booking_engine.booking.terms import CoachingRequest
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits
from connector.api.views import booking_view
from tests.factories.desk import broken_promises
from tests.factories.ledger import buckets, grant_lot
from tests.factories.shop_orders import (
    make_line,
    make_order,
    place_hold,
    post,
    seats,
    wallet_sums,
)
from tests.factories.studio import (
    COACHING,
    HOUR,
    NOW,
    apply_demo,
    make_request,
    make_wallet,
)
from tests.factories.takebacks import (
    DAY,
    PACKAGE_ORDER,
    SINCE,
    begin,
    book_hours,
    booking_with,
    give_package,
    open_items,
    states,
    sweep,
    taken_back,
)

HOURS = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def studio(session: Session) -> Studio:
    return apply_demo(session)


def refund_all(session: Session, studio: Studio, at: datetime = SINCE) -> None:
    post(session, studio, taken_back(PACKAGE_ORDER, 0, at=at), at)


def test_another_lot_pays_for_a_session_whose_package_was_refunded(
    session: Session, studio: Studio
) -> None:
    give_package(session, studio)
    (booking_id,) = book_hours(session, studio, SINCE + 4 * DAY)
    grant_lot(session, studio, make_wallet(session, studio), "other", 90)

    refund_all(session, studio)

    draw = credits.draws_of(session, studio_id=studio.id, booking_id=booking_id)
    assert states(session, [booking_id]) == ["confirmed"]
    assert buckets(session, "other") == {"available": 30, "held": 60}
    assert buckets(session, f"order:5001:9001:0:{draw[0][1].kind.value}") == {"revoked": 600}
    assert open_items(session) == {}
    assert broken_promises(session) == []
    bookings.cancel(
        session,
        studio_id=studio.id,
        booking_id=booking_id,
        actor=Actor.CUSTOMER,
        reason="test",
        now=SINCE,
    )
    assert buckets(session, "other") == {"available": 90}


@pytest.mark.parametrize("why", ["too little", "expires before", "frozen", "meant for others"])
def test_a_lot_that_could_not_pay_the_session_does_not(
    session: Session, studio: Studio, why: str
) -> None:
    give_package(session, studio)
    (booking_id,) = book_hours(session, studio, SINCE + 4 * DAY)
    expires_at = SINCE + 4 * DAY if why == "expires before" else None
    quantity = 59 if why == "too little" else 60
    wallet = make_wallet(session, studio)
    lot = grant_lot(session, studio, wallet, "other", quantity, expires_at=expires_at)
    lot.frozen_at = NOW if why == "frozen" else None
    lot.only_for = {"weekdays": ["mon"]} if why == "meant for others" else None

    refund_all(session, studio)

    assert states(session, [booking_id]) == ["confirmed unpaid"]
    assert buckets(session, "other") == {"available": quantity}


@pytest.mark.parametrize(
    ("ahead", "due"),
    [(72 * HOURS, 24 * HOURS), (26 * HOURS, 24 * HOURS), (9 * HOURS, 7 * HOURS)],
)
def test_the_time_to_pay_is_a_day_or_until_the_lead_time(
    session: Session, studio: Studio, ahead: timedelta, due: timedelta
) -> None:
    give_package(session, studio)
    (booking_id,) = book_hours(session, studio, SINCE + ahead)

    refund_all(session, studio)

    booking = booking_with(session, booking_id)
    item = open_items(session)["booking_unfunded"]
    assert booking.due_at == SINCE + due
    assert seats(session, booking_id) != []
    assert (item.facts["booking"], attention.choices(item)) == (
        str(booking_id),
        ("cancel", "dismiss"),
    )


@pytest.mark.parametrize("ahead", [2 * HOURS, 1 * HOURS])
def test_inside_the_lead_time_there_is_no_time_to_pay(
    session: Session, studio: Studio, ahead: timedelta
) -> None:
    give_package(session, studio)
    (booking_id,) = book_hours(session, studio, SINCE + ahead)

    refund_all(session, studio)

    assert states(session, [booking_id]) == ["cancelled"]
    assert seats(session, booking_id) == []
    assert wallet_sums(session) == {"sim R": 600}


def test_any_new_lot_that_suffices_pays_the_session_again(session: Session, studio: Studio) -> None:
    give_package(session, studio)
    (booking_id,) = book_hours(session, studio, SINCE + 4 * DAY)
    refund_all(session, studio)
    paid_at = SINCE + 23 * HOURS

    post(session, studio, make_order(make_line(HOUR), id=5002), paid_at)

    assert states(session, [booking_id]) == ["confirmed"]
    assert wallet_sums(session) == {"sim H": 60, "sim R": 600}
    assert open_items(session) == {}
    begin(session, SINCE + 4 * DAY)
    assert wallet_sums(session) == {"sim S": 60, "sim R": 600}
    assert broken_promises(session) == []


def test_the_sweep_pays_with_what_came_by_another_way(session: Session, studio: Studio) -> None:
    give_package(session, studio)
    first, second = book_hours(session, studio, SINCE + 4 * DAY, SINCE + 5 * DAY)
    refund_all(session, studio)
    grant_lot(session, studio, make_wallet(session, studio), "gift", 90)

    assert [sweep(session, SINCE + HOURS) for _ in range(2)] == [1, 0]

    assert states(session, [first, second]) == ["confirmed", "confirmed unpaid"]
    assert buckets(session, "gift") == {"available": 30, "held": 60}


def test_money_that_comes_at_the_deadline_is_late(session: Session, studio: Studio) -> None:
    give_package(session, studio)
    (booking_id,) = book_hours(session, studio, SINCE + 4 * DAY)
    refund_all(session, studio)

    post(session, studio, make_order(make_line(HOUR), id=5002), SINCE + DAY)
    sweep(session, SINCE + DAY)

    assert states(session, [booking_id]) == ["cancelled"]
    assert booking_with(session, booking_id).ended_at == SINCE + DAY
    assert wallet_sums(session) == {"sim A": 60, "sim R": 600}


def test_from_the_deadline_on_the_booking_is_over_before_anybody_writes_it(
    session: Session, studio: Studio
) -> None:
    give_package(session, studio)
    start = SINCE + 26 * HOURS
    (booking_id,) = book_hours(session, studio, start)
    refund_all(session, studio)
    booking = booking_with(session, booking_id)

    seen = [
        booking_view(session, studio, booking, at)["status"]
        for at in (SINCE + DAY - SECOND, SINCE + DAY)
    ]
    bookings.begin_and_complete(session, now=start, limit=10)

    assert seen == ["confirmed", "cancelled"]
    assert wallet_sums(session) == {"sim H": 60, "sim R": 540}
    with pytest.raises(NotCancellable):
        moves.move(
            session,
            studio=studio,
            booking_id=booking_id,
            target=Target(start + DAY),
            actor=Actor.CUSTOMER,
            now=SINCE + DAY,
        )
    begin(session, start + 3 * HOURS)
    assert states(session, [booking_id]) == ["cancelled"]
    assert wallet_sums(session) == {"sim R": 600}


def test_a_customer_who_cancels_a_session_that_waits_loses_nothing_more(
    session: Session, studio: Studio
) -> None:
    give_package(session, studio)
    (booking_id,) = book_hours(session, studio, SINCE + 9 * HOURS)
    refund_all(session, studio)

    back = bookings.cancel(
        session,
        studio_id=studio.id,
        booking_id=booking_id,
        actor=Actor.CUSTOMER,
        reason="test",
        now=SINCE + HOURS,
    )

    assert sum(back.values()) == 0
    assert wallet_sums(session) == {"sim R": 600}
    assert open_items(session) == {}
    assert broken_promises(session) == []


def test_a_session_that_waits_may_move_to_where_other_credits_pay(
    session: Session, studio: Studio
) -> None:
    give_package(session, studio)
    (booking_id,) = book_hours(session, studio, SINCE + 4 * DAY)
    refund_all(session, studio)
    grant_lot(session, studio, make_wallet(session, studio), "gift", 60)

    moves.move(
        session,
        studio=studio,
        booking_id=booking_id,
        target=Target(SINCE + 6 * DAY),
        actor=Actor.CUSTOMER,
        now=SINCE + HOURS,
    )

    assert states(session, [booking_id]) == ["confirmed"]
    assert wallet_sums(session) == {"sim H": 60, "sim R": 600}
    assert open_items(session) == {}
    assert broken_promises(session) == []


def test_of_a_coached_session_the_time_is_what_ends_it(session: Session, studio: Studio) -> None:
    wanted = make_request(SINCE + 6 * DAY + 4 * HOURS, coaching=CoachingRequest(60))
    hold = place_hold(session, studio, wanted)
    lines = make_line(HOUR, hold=hold.id), make_line(COACHING, number=2, hold=hold.id)
    order = make_order(*lines)
    post(session, studio, order)

    post(session, studio, taken_back(order, 1, 0, at=SINCE), SINCE)
    assert states(session, [hold.booking_id]) == ["confirmed unpaid"]
    post(session, studio, taken_back(order, 0, 1, at=SINCE + HOURS), SINCE + HOURS)

    assert states(session, [hold.booking_id]) == ["cancelled"]
    assert wallet_sums(session) == {"sim R": 60, "coa A": 1}
    assert broken_promises(session) == []


def test_the_line_that_bought_the_session_ends_it_and_others_do_not(
    session: Session, studio: Studio
) -> None:
    hold = place_hold(session, studio, make_request(SINCE + 4 * DAY, 180))
    order = make_order(make_line(HOUR, 3, hold=hold.id))
    post(session, studio, order)
    grant_lot(session, studio, make_wallet(session, studio), "gift", 180)

    post(session, studio, taken_back(order, 2, at=SINCE), SINCE)

    assert states(session, [hold.booking_id]) == ["confirmed"]
    assert buckets(session, "gift") == {"available": 120, "held": 60}
    post(session, studio, taken_back(order, 0, at=SINCE + HOURS), SINCE + HOURS)
    assert states(session, [hold.booking_id]) == ["cancelled"]
    assert buckets(session, "gift") == {"available": 180}
    assert wallet_sums(session) == {"sim A": 180, "sim R": 180}
    assert broken_promises(session) == []


@pytest.mark.parametrize("mark", [attendance.complete, attendance.mark_no_show])
def test_what_was_not_paid_in_time_has_neither_been_played_nor_missed(
    session: Session, studio: Studio, mark: Callable[..., object]
) -> None:
    give_package(session, studio)
    (booking_id,) = book_hours(session, studio, SINCE + 4 * DAY)
    refund_all(session, studio)
    about = {"studio": studio, "booking_id": booking_id, "actor": Actor.STUDIO, "by": "staff:owner"}

    with pytest.raises(OutsideWindow):
        mark(session, **about, now=SINCE + 4 * DAY + HOURS / 2)

    assert sweep(session, SINCE + 5 * DAY) == 1
    assert states(session, [booking_id]) == ["cancelled"]
    assert broken_promises(session) == []
