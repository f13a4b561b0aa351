"""A paid order's hold comes to one outcome, whatever its time and whatever came between."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, select

from booking_engine.attention import AttentionItem
from booking_engine.booking import holds
from booking_engine.booking.models import BookingStatus, HoldStatus
from booking_engine.booking.terms import CoachingRequest
from booking_engine.catalog.studio import Studio
from tests.factories.shop_orders import (
    attention_kinds,
    booking_of,
    later,
    make_line,
    make_order,
    place_hold,
    post,
    seats,
    told,
    wallet_sums,
)
from tests.factories.studio import COACHING, HOUR, NOW, apply_demo, demo_text, make_request, toronto

START = toronto(2026, 11, 25, 18)
LATE = NOW + timedelta(minutes=20)
swept_or_not = pytest.mark.parametrize("swept", [0, 10], ids=["unswept", "swept"])


def test_paid_in_time_the_hold_is_the_booking(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio)

    posted = post(session, studio, make_order(make_line(hold=hold.id)))

    booking = booking_of(session, hold)
    assert posted.outcomes == {str(hold.id): "confirmed"}
    assert (hold.status, hold.order_id) == (HoldStatus.CONVERTED, 5001)
    assert (booking.status, booking.recovered) == (BookingStatus.CONFIRMED, False)
    assert (booking.order_id, booking.confirmed_at) == (5001, NOW)
    assert seats(session, booking.id) == ["bay-2"]
    assert wallet_sums(session) == {"sim H": 60}
    assert told(session) == {str(booking.id)}


@swept_or_not
def test_paid_late_and_still_free_it_is_recovered(
    session: Session, studio: Studio, swept: int
) -> None:
    hold = place_hold(session, studio)
    holds.expire_due(session, now=LATE, limit=swept)

    posted = post(session, studio, make_order(make_line(hold=hold.id)), LATE)

    booking = booking_of(session, hold)
    assert posted.outcomes == {str(hold.id): "recovered"}
    assert (booking.status, booking.recovered) == (BookingStatus.CONFIRMED, True)
    assert (booking.ended_at, booking.ended_reason) == (None, None)
    assert len(seats(session, booking.id)) == 1
    assert wallet_sums(session) == {"sim H": 60}


def test_paid_late_and_taken_it_is_credits_and_an_item(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio)
    place_hold(session, studio, make_request(simulators=4), holder="rival", now=LATE)

    posted = post(session, studio, make_order(make_line(hold=hold.id)), LATE)

    assert posted.outcomes == {str(hold.id): "credited"}
    assert booking_of(session, hold).status is BookingStatus.EXPIRED
    assert seats(session, hold.booking_id) == []
    assert wallet_sums(session) == {"sim A": 60}
    assert attention_kinds(session) == ["paid_without_slot"]


def test_paid_late_the_booking_takes_another_bay_if_its_own_is_gone(
    session: Session, studio: Studio
) -> None:
    hold = place_hold(session, studio)
    rival = make_request(simulator="bay-2")
    place_hold(session, studio, rival, holder="rival", now=LATE)

    posted = post(session, studio, make_order(make_line(hold=hold.id)), LATE)

    assert posted.outcomes == {str(hold.id): "recovered"}
    assert seats(session, hold.booking_id) == ["bay-3"]


def test_paid_late_a_group_that_named_a_bay_gets_the_one_it_named(
    session: Session, studio: Studio
) -> None:
    hold = place_hold(session, studio, make_request(simulators=2, simulator="bay-4"))
    assert seats(session, hold.booking_id) == ["bay-2", "bay-4"]
    place_hold(session, studio, make_request(simulator="bay-2"), holder="rival", now=LATE)

    posted = post(session, studio, make_order(make_line(HOUR, 2, hold=hold.id)), LATE)

    assert posted.outcomes == {str(hold.id): "recovered"}
    assert seats(session, hold.booking_id) == ["bay-3", "bay-4"]


def test_paid_late_and_coach_taken_it_is_credits(session: Session, studio: Studio) -> None:
    coached = make_request(coaching=CoachingRequest(60, "ana"))
    hold = place_hold(session, studio, coached)
    place_hold(session, studio, coached, holder="rival", now=LATE)
    lines = make_line(hold=hold.id), make_line(COACHING, number=2, hold=hold.id)

    posted = post(session, studio, make_order(*lines), LATE)

    assert posted.outcomes == {str(hold.id): "credited"}
    assert seats(session, hold.booking_id) == []
    assert wallet_sums(session) == {"sim A": 60, "coa A": 1}


@swept_or_not
def test_paid_after_the_start_it_is_credits(session: Session, studio: Studio, swept: int) -> None:
    hold = place_hold(session, studio)
    after = START + timedelta(minutes=1)
    holds.expire_due(session, now=after, limit=swept)

    posted = post(session, studio, make_order(make_line(hold=hold.id)), after)

    item = session.exec(select(AttentionItem)).one()
    assert posted.outcomes == {str(hold.id): "credited"}
    assert item.facts["why"] == "started"
    assert seats(session, hold.booking_id) == []
    assert wallet_sums(session) == {"sim A": 60}


def test_a_second_order_on_a_used_hold_is_credits(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio)
    post(session, studio, make_order(make_line(hold=hold.id)))

    posted = post(session, studio, make_order(make_line(hold=hold.id), id=5002, customer=7002))

    assert posted.outcomes == {str(hold.id): "credited"}
    assert booking_of(session, hold).order_id == 5001
    assert wallet_sums(session) == {"sim H": 60, "sim A": 60}
    assert attention_kinds(session) == ["paid_without_slot"]


def test_more_than_the_hold_needs_stays_credits(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio)

    post(session, studio, make_order(make_line(HOUR, 3, hold=hold.id)))

    assert wallet_sums(session) == {"sim H": 60, "sim A": 120}
    assert len(seats(session, hold.booking_id)) == 1


def test_paid_too_little_the_slot_stays_for_a_top_up(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio, make_request(minutes=120))

    posted = post(session, studio, make_order(make_line(hold=hold.id)))

    assert posted.outcomes == {}
    assert hold.expires_at == NOW + timedelta(minutes=30)
    assert booking_of(session, hold).status is BookingStatus.AWAITING_PAYMENT
    assert wallet_sums(session) == {"sim A": 60}
    assert attention_kinds(session) == ["paid_too_little"]


def test_hearing_again_of_too_little_does_not_keep_the_slot_longer(
    session: Session, studio: Studio
) -> None:
    hold = place_hold(session, studio, make_request(minutes=120))
    order = make_order(make_line(hold=hold.id))

    for minutes in (0, 10, 20):
        post(session, studio, order, NOW + timedelta(minutes=minutes))

    assert hold.expires_at == NOW + timedelta(minutes=30)
    assert attention_kinds(session) == ["paid_too_little"]


def test_the_rest_added_to_the_order_confirms_the_booking(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio, make_request(minutes=120))
    post(session, studio, make_order(make_line(hold=hold.id)))
    topped_up = make_order(
        make_line(hold=hold.id),
        make_line(number=2, hold=hold.id),
        at=NOW + timedelta(minutes=10),
    )

    posted = post(session, studio, topped_up)

    assert posted.outcomes == {str(hold.id): "confirmed"}
    assert wallet_sums(session) == {"sim H": 120}


@pytest.mark.parametrize(
    ("start", "until"),
    [
        (START, NOW + timedelta(hours=24)),
        (toronto(2026, 11, 20, 18), toronto(2026, 11, 20, 16)),
    ],
    ids=["a day", "the lead time"],
)
@pytest.mark.parametrize("status", ["pending", "authorized", "partially_paid"])
def test_an_unpaid_order_keeps_its_slot_for_a_while(
    session: Session, studio: Studio, status: str, start: datetime, until: datetime
) -> None:
    hold = place_hold(session, studio, make_request(start))
    order = make_order(make_line(hold=hold.id), status=status)

    for minutes in (0, 5):
        post(session, studio, order, NOW + timedelta(minutes=minutes))

    assert hold.expires_at == until
    assert booking_of(session, hold).status is BookingStatus.AWAITING_PAYMENT
    assert wallet_sums(session) == {}


def test_an_unpaid_order_that_is_paid_next_day_is_a_booking(
    session: Session, studio: Studio
) -> None:
    hold = place_hold(session, studio)
    order = make_order(make_line(hold=hold.id), status="pending")
    post(session, studio, order)

    posted = post(session, studio, later(order, minutes=23 * 60, financial_status="paid"))

    assert posted.outcomes == {str(hold.id): "confirmed"}
    assert wallet_sums(session) == {"sim H": 60}


@pytest.mark.parametrize("change", [{"is_cancelled": True}, {"financial_status": "voided"}])
def test_an_order_that_dies_unpaid_gives_the_slot_back(
    session: Session, studio: Studio, change: dict[str, object]
) -> None:
    hold = place_hold(session, studio, make_request(simulators=4))
    order = make_order(make_line(HOUR, 4, hold=hold.id), status="pending")
    post(session, studio, order)

    post(session, studio, later(order, minutes=5, **change))

    assert hold.status is HoldStatus.RELEASED
    assert seats(session, hold.booking_id) == []
    assert len(seats(session, place_hold(session, studio, holder="next").booking_id)) == 1


def test_a_paid_order_for_a_service_that_is_sold_no_more_still_has_one_outcome(
    session: Session, studio: Studio
) -> None:
    hold = place_hold(session, studio)
    renamed = apply_demo(session, demo_text(**{'handle = "simulator"': 'handle = "bay-time"'}))

    posted = post(session, renamed, make_order(make_line(hold=hold.id)))

    assert posted.outcomes == {str(hold.id): "confirmed"}
    assert wallet_sums(session) == {"sim H": 60}


@pytest.mark.parametrize("token", ["", "no-uuid", "00000000-0000-4000-8000-000000000000"])
def test_a_token_that_is_none_of_ours_buys_credits(
    session: Session, studio: Studio, token: str
) -> None:
    order = make_order(replace(make_line(), hold=token))

    posted = post(session, studio, order)

    assert posted.outcomes == {}
    assert wallet_sums(session) == {"sim A": 60}
    assert attention_kinds(session) == []
