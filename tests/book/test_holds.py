"""Holds: the slot is the holder's for a while, to the second, and then anybody's."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlmodel import Session, select

from booking_engine.booking import bookings, holds
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.holds import (
    CUSTOMER_CAPS,
    STAFF_CAPS,
    VISITOR_CAPS,
    Caps,
    HoldConverted,
    Holder,
    TooManyHolds,
)
from booking_engine.booking.models import Booking, BookingStatus, Hold, HoldStatus
from booking_engine.booking.terms import SessionRequest
from booking_engine.catalog.studio import Studio
from booking_engine.errors import NotFound
from tests.factories.shop_orders import (
    booking_of,
    make_line,
    make_order,
    place_hold,
    post,
    seats,
)
from tests.factories.studio import HOUR, NOW, make_request, toronto

ALL_BAYS = make_request(simulators=4)
SECOND = timedelta(seconds=1)
HOLD_TIME = timedelta(minutes=15)


def test_a_hold_takes_the_slot_and_names_the_cart_that_pays(
    session: Session, studio: Studio
) -> None:
    hold = place_hold(session, studio, make_request(minutes=120))

    booking = booking_of(session, hold)
    assert (hold.status, hold.expires_at) == (HoldStatus.ACTIVE, NOW + HOLD_TIME)
    assert (booking.status, booking.simulator_minutes) == (BookingStatus.HELD, 120)
    assert seats(session, booking.id) == ["bay-2"]
    assert hold.cart == {
        "lines": [
            {"variant_id": HOUR, "quantity": 2, "properties": {"_hold": str(hold.id)}},
        ],
        "total_minor": 9000,
        "currency": "CAD",
    }


def test_a_held_slot_is_taken_for_others(session: Session, studio: Studio) -> None:
    place_hold(session, studio, ALL_BAYS)

    with pytest.raises(SlotTaken), session.begin_nested():
        place_hold(session, studio, holder="visitor:2", now=NOW + HOLD_TIME - SECOND)

    assert len(session.exec(select(Hold)).all()) == 1
    assert len(session.exec(select(Booking)).all()) == 1


def test_a_lapsed_hold_frees_its_slot_without_any_job(session: Session, studio: Studio) -> None:
    lapsed = place_hold(session, studio, ALL_BAYS)

    taken = place_hold(session, studio, ALL_BAYS, holder="visitor:2", now=NOW + HOLD_TIME)

    session.refresh(lapsed)
    assert lapsed.status is HoldStatus.EXPIRED
    assert booking_of(session, lapsed).status is BookingStatus.EXPIRED
    assert seats(session, lapsed.booking_id) == []
    assert seats(session, taken.booking_id) == ["bay-1", "bay-2", "bay-3", "bay-4"]


def test_a_lapsed_hold_elsewhere_in_the_day_does_not_stand_in_a_moved_bookings_way(
    session: Session, studio: Studio
) -> None:
    ten, noon, one = (toronto(2026, 11, 25, hour) for hour in (10, 12, 13))
    wide = place_hold(session, studio, make_request(noon, 120))
    for bay in ("bay-1", "bay-4"):
        place_hold(session, studio, make_request(ten, 240, simulator=bay), holder=bay)
    lapsing = place_hold(
        session,
        studio,
        make_request(one, 60, simulator="bay-3"),
        holder="lapsing",
        now=NOW - timedelta(minutes=10),
    )
    assert seats(session, wide.booking_id) == ["bay-2"]

    wished = place_hold(
        session,
        studio,
        make_request(ten, 180, simulator="bay-2"),
        holder="wishing",
        now=NOW + timedelta(minutes=6),
    )

    assert seats(session, wished.booking_id) == ["bay-2"]
    assert seats(session, wide.booking_id) == ["bay-3"]
    assert seats(session, lapsing.booking_id) == []


@pytest.mark.parametrize(
    ("after", "status"),
    [
        (HOLD_TIME - timedelta(microseconds=1), HoldStatus.ACTIVE),
        (HOLD_TIME, HoldStatus.EXPIRED),
        (HOLD_TIME + SECOND, HoldStatus.EXPIRED),
    ],
)
def test_a_hold_expires_to_the_instant(
    session: Session, studio: Studio, after: timedelta, status: HoldStatus
) -> None:
    hold = place_hold(session, studio)

    assert holds.status(hold, now=NOW + after) is status
    assert hold.status is HoldStatus.ACTIVE


def test_a_released_hold_frees_its_slot_and_a_second_release_does_nothing(
    session: Session, studio: Studio
) -> None:
    hold = place_hold(session, studio, ALL_BAYS)

    for _ in range(2):
        holds.release(session, studio=studio, hold_id=hold.id, now=NOW)

    assert hold.status is HoldStatus.RELEASED
    assert booking_of(session, hold).revision == 2
    assert len(seats(session, place_hold(session, studio, ALL_BAYS).booking_id)) == 4


def test_a_paid_hold_cannot_be_released(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio)
    post(session, studio, make_order(make_line(hold=hold.id)))

    with pytest.raises(HoldConverted):
        holds.release(session, studio=studio, hold_id=hold.id, now=NOW)

    assert booking_of(session, hold).status is BookingStatus.CONFIRMED
    assert seats(session, hold.booking_id) == ["bay-2"]


def test_an_unknown_hold_is_not_found(session: Session, studio: Studio) -> None:
    with pytest.raises(NotFound):
        holds.release(session, studio=studio, hold_id=uuid4(), now=NOW)


def test_an_extended_hold_keeps_its_slot_longer_and_never_shorter(
    session: Session, studio: Studio
) -> None:
    hold = place_hold(session, studio, ALL_BAYS)
    until = NOW + timedelta(hours=1)

    kept = [
        holds.extend(session, studio=studio, hold=hold, until=each, paying=False, now=NOW)
        for each in (until, NOW + SECOND)
    ]

    assert kept == [True, True]
    assert hold.expires_at == until
    with pytest.raises(SlotTaken), session.begin_nested():
        place_hold(session, studio, holder="visitor:2", now=until - SECOND)
    assert seats(session, place_hold(session, studio, now=until).booking_id) == ["bay-2"]


def test_a_hold_that_lost_its_slot_cannot_be_extended(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio, ALL_BAYS)
    place_hold(session, studio, ALL_BAYS, holder="visitor:2", now=NOW + HOLD_TIME)

    kept = holds.extend(
        session, studio=studio, hold=hold, until=NOW + timedelta(days=1), paying=True, now=NOW
    )

    assert kept is False
    assert booking_of(session, hold).status is BookingStatus.EXPIRED
    assert seats(session, hold.booking_id) == []


def test_the_sweep_writes_down_lapsed_holds_and_leaves_the_others(
    session: Session, studio: Studio
) -> None:
    lapsed = place_hold(session, studio)
    active = place_hold(session, studio, holder="visitor:2", now=NOW + SECOND)

    counts = [holds.expire_due(session, now=NOW + HOLD_TIME, limit=10) for _ in range(2)]

    assert counts == [1, 0]
    assert (lapsed.status, active.status) == (HoldStatus.EXPIRED, HoldStatus.ACTIVE)
    assert booking_of(session, lapsed).ended_reason == "hold expired"
    assert seats(session, lapsed.booking_id) == []
    assert seats(session, active.booking_id) == ["bay-3"]


@pytest.mark.parametrize(
    ("caps", "requests"),
    [
        (VISITOR_CAPS, [make_request()] * 4),
        (CUSTOMER_CAPS, [make_request()] * 2),
        (CUSTOMER_CAPS, [make_request(minutes=240)]),
        (CUSTOMER_CAPS, [make_request(minutes=180)]),
        (Caps(holds=1), [make_request()]),
    ],
)
def test_a_holder_who_holds_enough_is_told_when_to_come_back(
    session: Session, studio: Studio, caps: Caps, requests: list[SessionRequest]
) -> None:
    holder = Holder("customer:1", caps)
    for number, request in enumerate(requests):
        at = NOW + number * SECOND
        holds.place(session, studio=studio, request=request, holder=holder, now=at)
    refused = make_request(toronto(2026, 11, 26, 10), 120)

    with pytest.raises(TooManyHolds) as refusal:
        holds.place(
            session, studio=studio, request=refused, holder=holder, now=NOW + timedelta(minutes=5)
        )

    assert refusal.value.retry_after_seconds == 601
    assert len(session.exec(select(Hold)).all()) == len(requests)
    after = NOW + HOLD_TIME + 10 * SECOND
    assert holds.place(session, studio=studio, request=refused, holder=holder, now=after)


def test_one_long_hold_is_no_excess_and_staff_hold_more(session: Session, studio: Studio) -> None:
    customer = Holder("customer:1", CUSTOMER_CAPS)
    staff = Holder("staff:owner:", STAFF_CAPS)

    holds.place(session, studio=studio, request=make_request(minutes=240), holder=customer, now=NOW)
    for hour in (9, 11, 13):
        request = make_request(toronto(2026, 11, 26, hour), 120)
        holds.place(session, studio=studio, request=request, holder=staff, now=NOW)

    assert len(session.exec(select(Hold)).all()) == 4


def test_a_hold_is_not_yet_anybodys_booking(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio)

    found = bookings.get(session, studio_id=studio.id, booking_id=hold.booking_id)

    assert (found.wallet_id, found.order_id, found.confirmed_at) == (None, None, None)
