"""Money and credits under a crowd: each fact once, nothing twice, nobody below zero."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import Session, col, func, select

from booking_engine.booking import bookings
from booking_engine.booking.bookings import AlreadyCancelled
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import lapses, wallets
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.models import Transfer, Wallet
from connector.runtime import Runtime
from tests.factories.crowd import race
from tests.factories.ledger import buckets, grant_lot, make_cause
from tests.factories.shop_orders import (
    later,
    lot_count,
    make_line,
    make_order,
    place_hold,
    post,
    wallet_sums,
)
from tests.factories.studio import HOUR, NOW, make_request, make_wallet, toronto

DAY = timedelta(days=1)


def book(session: Session, studio: Studio, wallet_id: UUID, number: int, minutes: int = 60) -> UUID:
    start = toronto(2026, 11, 24, 9 + number % 12) + (number // 12) * DAY
    return bookings.book(
        session,
        studio=studio,
        request=make_request(start, minutes),
        wallet_id=wallet_id,
        actor="test",
        now=NOW,
    ).id


def cancel(session: Session, studio: Studio, booking_id: UUID) -> None:
    bookings.cancel(
        session,
        studio_id=studio.id,
        booking_id=booking_id,
        actor=Actor.CUSTOMER,
        reason="test",
        now=NOW,
    )


def sums(house: Runtime) -> dict[str, int]:
    with house.transaction() as session:
        return wallet_sums(session)


@pytest.fixture
def wallet_id(house: Runtime, studio: Studio) -> UUID:
    with house.transaction() as session:
        return make_wallet(session, studio).id


def give(house: Runtime, studio: Studio, *quantities: int) -> None:
    with house.transaction() as session:
        wallet = make_wallet(session, studio)
        for quantity in quantities:
            grant_lot(session, studio, wallet, str(uuid4()), quantity)


def test_credits_for_ten_pay_for_ten(house: Runtime, studio: Studio, wallet_id: UUID) -> None:
    give(house, studio, *[90] * 6, 60)

    crowd = race(
        house,
        lambda session, each: book(session, studio, wallet_id, each),
        count=16,
        refusals=(NotEnoughCredits,),
    )

    assert crowd.unexpected == []
    assert crowd.outcomes == {"done": 10, "NotEnoughCredits": 6}
    assert sums(house) == {"sim H": 600}


def test_a_booking_is_cancelled_once(house: Runtime, studio: Studio, wallet_id: UUID) -> None:
    give(house, studio, 60)
    with house.transaction() as session:
        booking_id = book(session, studio, wallet_id, 30)

    crowd = race(
        house,
        lambda session, _: cancel(session, studio, booking_id),
        count=8,
        refusals=(AlreadyCancelled,),
    )

    assert crowd.unexpected == []
    assert crowd.outcomes == {"done": 1, "AlreadyCancelled": 7}
    assert sums(house) == {"sim A": 60}


def test_a_refund_and_a_cancellation_at_once_end_alike(house: Runtime, studio: Studio) -> None:
    for number in range(8):
        with house.transaction() as session:
            hold = place_hold(session, studio, holder=f"v:{number}")
            order = make_order(make_line(hold=hold.id), id=5001 + number)
            post(session, studio, order)
            booking_id = hold.booking_id
        refunded = later(order, 0, minutes=1, financial_status="refunded")

        crowd = race(
            house,
            lambda session, each, refunded=refunded, booking_id=booking_id: (
                post(session, studio, refunded) if each else cancel(session, studio, booking_id)
            ),
            count=2,
            refusals=(AlreadyCancelled,),
        )

        with house.transaction() as session:
            booking = session.exec(select(Booking).where(col(Booking.id) == booking_id)).one()
        assert crowd.unexpected == []
        assert booking.status is BookingStatus.CANCELLED
        assert sums(house) == {"sim R": 60 * (number + 1)}


def test_one_order_told_by_many_at_once_makes_one_set_of_lots(
    house: Runtime, studio: Studio
) -> None:
    with house.transaction() as session:
        hold = place_hold(session, studio, make_request(minutes=180))
    order = make_order(make_line(HOUR, 3, hold=hold.id))

    crowd = race(house, lambda session, _: post(session, studio, order), count=8)

    assert crowd.unexpected == []
    assert crowd.outcomes == {"done": 8}
    assert sums(house) == {"sim H": 180}
    with house.transaction() as session:
        assert lot_count(session) == 3
        assert session.exec(select(func.count()).select_from(Transfer)).one() == 6


def test_states_of_one_order_in_any_order_end_as_the_newest(house: Runtime, studio: Studio) -> None:
    created = make_order(make_line(HOUR, 3), status="pending")
    paid = later(created, minutes=1, financial_status="paid")
    refunded = later(paid, 1, minutes=1, financial_status="partially_refunded")
    states = [created, paid, refunded]

    crowd = race(
        house, lambda session, each: post(session, studio, states[each % 3], NOW + DAY), count=9
    )

    assert crowd.unexpected == []
    assert sums(house)["sim A"] == 60
    assert sums(house).get("sim R", 0) in (0, 120)


def test_orders_that_name_two_sessions_crosswise_do_not_wait_for_each_other(
    house: Runtime, studio: Studio
) -> None:
    """Each order has a session on both days, one the earlier first and one the later."""
    for number in range(6):
        days = [toronto(2026, 11, 24, 9 + number), toronto(2026, 11, 25, 9 + number)]
        made = []
        with house.transaction() as session:
            for customer, starts in enumerate((days, days[::-1])):
                lines = [
                    make_line(
                        number=place,
                        hold=place_hold(
                            session,
                            studio,
                            make_request(start),
                            holder=f"v:{number}:{customer}",
                        ).id,
                    )
                    for place, start in enumerate(starts)
                ]
                order_id = 5000 + 2 * number + customer
                made.append(make_order(*lines, id=order_id, customer=7000 + customer))

        crowd = race(
            house,
            lambda session, each, made=made: post(session, studio, made[each]),
            count=2,
        )

        assert crowd.unexpected == []
        assert sums(house) == {"sim H": 240 * (number + 1)}


def test_sessions_that_begin_while_others_are_booked_do_not_wait_for_each_other(
    house: Runtime, studio: Studio
) -> None:
    """What begins drew on the later lot first; what is booked draws on the earlier one first."""
    for number in range(8):
        with house.transaction() as session:
            wallet = make_wallet(session, studio, 7100 + number)
            for lot in ("first", "second"):
                grant_lot(session, studio, wallet, f"{lot}:{number}", 120)
            mine = wallet.id
            parked = book(session, studio, mine, 30, 120)
            later_lot = book(session, studio, mine, number)
            cancel(session, studio, parked)
            earlier_lot = book(session, studio, mine, number)
        start = toronto(2026, 11, 24, 9 + number)

        crowd = race(
            house,
            lambda session, each, start=start, mine=mine, number=number: (
                bookings.begin_and_complete(session, now=start, limit=10)
                if each
                else book(session, studio, mine, 36 + number, 120)
            ),
            count=2,
        )

        assert later_lot < earlier_lot
        assert crowd.unexpected == []
    # Whose wallet was being worked on was left to the next sweep.
    with house.transaction() as session:
        bookings.begin_and_complete(session, now=start, limit=100)
    assert sums(house) == {"sim S": 960, "sim H": 960}


def test_a_customer_seen_by_many_at_once_has_one_wallet(house: Runtime, studio: Studio) -> None:
    for number in range(5):
        crowd = race(
            house,
            lambda session, _, number=number: wallets.of_customer(
                session, studio_id=studio.id, customer_id=8000 + number, now=NOW
            ),
            count=12,
        )
        assert crowd.unexpected == []

    with house.transaction() as session:
        assert session.exec(select(func.count()).select_from(Wallet)).one() == 5


def test_an_expiry_takes_nothing_that_a_booking_took(house: Runtime, studio: Studio) -> None:
    """A booking whose clock is behind and a sweep are at one lot: whoever is first has it."""
    ended = toronto(2026, 12, 31, 0)
    for number in range(12):
        with house.transaction() as session:
            wallet = make_wallet(session, studio, 7200 + number)
            for name, at in (("old", ended), ("new", None)):
                grant_lot(session, studio, wallet, f"{name}:{number}", 60, expires_at=at)
            mine = wallet.id

        crowd = race(
            house,
            lambda session, each, mine=mine, number=number: (
                lapses.expire_due(session, now=ended, limit=100)
                if each
                else book(session, studio, mine, number)
            ),
            count=4,
        )

        assert crowd.unexpected == []
        with house.transaction() as session:
            lapses.expire_due(session, now=ended, limit=100)
            ends = buckets(session, f"old:{number}"), buckets(session, f"new:{number}")
            assert ends in (
                ({"held": 60}, {"available": 60}),
                ({"expired": 60}, {"held": 60}),
            )


def test_sweeps_at_once_write_each_expiry_once(house: Runtime, studio: Studio) -> None:
    for number in range(6):
        with house.transaction() as session:
            wallet = make_wallet(session, studio, 7300 + number)
            for lot in range(5):
                source = f"{number}:{lot}"
                grant_lot(session, studio, wallet, source, 60, expires_at=NOW)

    crowd = race(house, lambda session, _: lapses.expire_due(session, now=NOW, limit=7), count=8)
    with house.transaction() as session:
        while lapses.expire_due(session, now=NOW, limit=7):
            pass

    assert crowd.unexpected == []
    assert sums(house) == {"sim E": 1800}
    with house.transaction() as session:
        assert session.exec(select(func.count()).select_from(Transfer)).one() == 60


def test_a_lot_is_extended_while_it_is_swept_and_drawn(house: Runtime, studio: Studio) -> None:
    for number in range(12):
        with house.transaction() as session:
            wallet = make_wallet(session, studio, 7400 + number)
            lot_id = grant_lot(session, studio, wallet, f"lot:{number}", 120, expires_at=NOW).id
            mine = wallet.id

        def act(
            session: Session, each: int, lot_id: UUID = lot_id, mine: UUID = mine, n: int = number
        ) -> None:
            if each == 0:
                lot = lapses.find(session, studio_id=studio.id, lot_id=lot_id)
                lapses.prolong(
                    session, lot=lot, until=NOW + 30 * DAY, key=f"k:{n}", cause=make_cause()
                )
            elif each == 1:
                lapses.expire_due(session, now=NOW, limit=100)
            else:
                book(session, studio, mine, 40 + n)

        crowd = race(house, act, count=3, refusals=(NotEnoughCredits,))

        assert crowd.unexpected == []
        with house.transaction() as session:
            held = 60 if crowd.outcomes["NotEnoughCredits"] == 0 else 0
            left = {"available": 120 - held, "held": held}
            assert buckets(session, f"lot:{number}") == {k: v for k, v in left.items() if v}
