"""Refunds and disputes under a crowd: each unit goes once, no session is paid by what is gone."""

from uuid import UUID

import pytest
from sqlmodel import Session

from booking_engine.booking import bookings, funding
from booking_engine.booking.bookings import AlreadyCancelled
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.credits import NotEnoughCredits
from connector.runtime import Runtime
from tests.factories.crowd import race
from tests.factories.ledger import grant_lot
from tests.factories.shop_orders import make_line, make_order, post, wallet_sums
from tests.factories.studio import HOUR, make_wallet
from tests.factories.takebacks import (
    DAY,
    PACKAGE_ORDER,
    SINCE,
    book_hours,
    give_package,
    make_dispute,
    owed,
    play_hours,
    states,
    taken_back,
    tell,
)


def sums(house: Runtime) -> dict[str, int]:
    with house.transaction() as session:
        return wallet_sums(session)


def test_two_refunds_of_one_line_at_once_take_each_unit_once(
    house: Runtime, studio: Studio
) -> None:
    order = make_order(make_line(HOUR, 4))
    with house.transaction() as session:
        post(session, studio, order)
    first = taken_back(order, 3, at=SINCE)
    second = taken_back(order, 1, at=SINCE + DAY)

    crowd = race(
        house,
        lambda session, each: post(session, studio, (first, second)[each % 2], SINCE + DAY),
        count=8,
    )

    assert crowd.unexpected == []
    assert sums(house) == {"sim A": 60, "sim R": 180}


def test_a_refund_and_a_booking_at_once_leave_no_session_unpaid_for_ever(
    house: Runtime, studio: Studio
) -> None:
    seen = set()
    for number in range(6):
        order = make_order(make_line(HOUR), id=5001 + number, customer=7001 + number)
        with house.transaction() as session:
            post(session, studio, order)
            make_wallet(session, studio, 7001 + number)
        start = SINCE + (4 + number) * DAY
        made: list[UUID] = []
        gone = taken_back(order, 0, at=SINCE)

        crowd = race(
            house,
            lambda session, each, number=number, start=start, made=made, gone=gone: (
                made.extend(book_hours(session, studio, start, customer=7001 + number, now=SINCE))
                if each
                else post(session, studio, gone, SINCE)
            ),
            count=2,
            refusals=(NotEnoughCredits,),
        )

        assert crowd.unexpected == []
        with house.transaction() as session:
            seen |= {*states(session, made[:1])} or {"refused"}
    assert seen <= {"confirmed unpaid", "refused"}
    with house.transaction() as session:
        funding.sweep(session, now=SINCE + DAY, limit=100)
    assert sums(house) == {"sim R": 360}


def test_a_payment_and_the_deadline_at_once_end_one_way(house: Runtime, studio: Studio) -> None:
    with house.transaction() as session:
        give_package(session, studio)
        held = book_hours(session, studio, SINCE + 4 * DAY)
        post(session, studio, taken_back(PACKAGE_ORDER, 0, at=SINCE), SINCE)
    again = make_order(make_line(HOUR), id=5002)

    crowd = race(
        house,
        lambda session, each: (
            post(session, studio, again, SINCE)
            if each % 2
            else funding.sweep(session, now=SINCE + DAY, limit=10)
        ),
        count=6,
    )

    assert crowd.unexpected == []
    with house.transaction() as session:
        funding.sweep(session, now=SINCE + DAY, limit=10)
        (state,) = states(session, held)
    paid = {"sim H": 60, "sim R": 600}
    assert sums(house) == (paid if state == "confirmed" else {"sim A": 60, "sim R": 600})


def test_a_dispute_a_refund_and_a_cancellation_at_once_end_alike(
    house: Runtime, studio: Studio
) -> None:
    with house.transaction() as session:
        give_package(session, studio)
        play_hours(session, studio, 2)
        (booking_id,) = book_hours(session, studio, SINCE + 4 * DAY)
    lost = make_dispute("lost", ended=SINCE)

    def act(session: Session, each: int) -> None:
        if each % 3 == 0:
            tell(session, studio, lost, now=SINCE)
        elif each % 3 == 1:
            post(session, studio, taken_back(PACKAGE_ORDER, 0, at=SINCE), SINCE)
        else:
            bookings.cancel(
                session,
                studio_id=studio.id,
                booking_id=booking_id,
                actor=Actor.CUSTOMER,
                reason="test",
                now=SINCE,
            )

    crowd = race(house, act, count=9, refusals=(AlreadyCancelled,))

    assert crowd.unexpected == []
    assert sums(house) == {"sim S": 120, "sim R": 480}
    with house.transaction() as session:
        assert owed(session, studio) == 80_00
        assert states(session, [booking_id]) == ["cancelled"]


@pytest.mark.parametrize("other", [60, 30])
def test_other_credits_pay_for_one_session_though_many_want_them(
    house: Runtime, studio: Studio, other: int
) -> None:
    with house.transaction() as session:
        give_package(session, studio)
        held = book_hours(session, studio, SINCE + 4 * DAY)
        grant_lot(session, studio, make_wallet(session, studio), "other", other)

    crowd = race(
        house,
        lambda session, each: (
            book_hours(session, studio, SINCE + 5 * DAY, now=SINCE)
            if each
            else post(session, studio, taken_back(PACKAGE_ORDER, 0, at=SINCE), SINCE)
        ),
        count=2,
        refusals=(NotEnoughCredits,),
    )

    assert crowd.unexpected == []
    found = sums(house)
    assert found.get("sim H", 0) + found.get("sim A", 0) + found["sim R"] == 600 + other
    with house.transaction() as session:
        assert states(session, held)[0] in ("confirmed", "confirmed unpaid")
