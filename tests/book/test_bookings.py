"""Bookings paid with credits: made, cancelled, begun, completed."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, select

from booking_engine.booking import bookings
from booking_engine.booking.bookings import AlreadyCancelled, NotCancellable
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.booking.terms import (
    CoachingRequest,
    OffGrid,
    OutsideHorizon,
    OutsideHours,
    SessionRequest,
    TooSoon,
)
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Invalid, NotFound
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.models import Wallet
from tests.factories.ledger import COACHED, MINUTES, buckets, grant_lot
from tests.factories.shop_orders import place_hold, seats, told
from tests.factories.studio import NOW, make_request, make_wallet, toronto

START = toronto(2026, 11, 25, 18)
ANA = CoachingRequest(60, "ana")


def book(
    session: Session,
    studio: Studio,
    wallet: Wallet,
    request: SessionRequest | None = None,
    now: datetime = NOW,
) -> Booking:
    return bookings.book(
        session,
        studio=studio,
        request=request or make_request(),
        wallet_id=wallet.id,
        actor="customer:7001",
        now=now,
    )


def cancel(
    session: Session, studio: Studio, booking: Booking, now: datetime, actor: Actor = Actor.CUSTOMER
) -> dict[object, int]:
    return dict(
        bookings.cancel(
            session,
            studio_id=studio.id,
            booking_id=booking.id,
            actor=actor,
            reason="test",
            now=now,
        )
    )


def test_a_booking_is_paid_seated_and_told(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "hours", 180)
    grant_lot(session, studio, wallet, "coach", 2, kind=COACHED)

    booking = book(session, studio, wallet, make_request(minutes=120, coaching=ANA))

    assert booking.status is BookingStatus.CONFIRMED
    assert (booking.starts_at, booking.ends_at) == (START, START + timedelta(hours=2))
    assert (booking.coaching_starts_at, booking.coaching_ends_at) == (
        START,
        START + timedelta(hours=1),
    )
    assert seats(session, booking.id) == ["ana", "bay-2"]
    assert buckets(session, "hours") == {"available": 60, "held": 120}
    assert buckets(session, "coach") == {"available": 1, "held": 1}
    assert told(session) == {str(booking.id)}


def test_a_booking_that_cannot_be_paid_leaves_no_trace(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "hours", 59)

    with pytest.raises(NotEnoughCredits) as refusal, session.begin_nested():
        book(session, studio, wallet)

    assert refusal.value.missing == {MINUTES: 1}
    assert session.exec(select(Booking)).all() == []
    assert buckets(session, "hours") == {"available": 59}
    assert told(session) == set()


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (make_request(NOW + timedelta(minutes=90)), TooSoon),
        (make_request(toronto(2027, 2, 19, 18)), OutsideHorizon),
        (make_request(toronto(2026, 11, 25, 21, 30)), OutsideHours),
        (make_request(toronto(2026, 11, 25, 8)), OutsideHours),
        (make_request(toronto(2026, 12, 25, 12)), OutsideHours),
        (make_request(toronto(2026, 11, 25, 18, 10)), OffGrid),
        (make_request(minutes=90), Invalid),
        (make_request(simulators=5), Invalid),
        (make_request(simulators=0), Invalid),
        (make_request(simulator="bay-9"), Invalid),
        (make_request(coaching=CoachingRequest(90)), Invalid),
        (make_request(coaching=CoachingRequest(60, start=START + timedelta(minutes=30))), Invalid),
    ],
)
def test_what_the_rules_refuse_leaves_no_trace(
    session: Session,
    studio: Studio,
    wallet: Wallet,
    request_: SessionRequest,
    refusal: type[Exception],
) -> None:
    grant_lot(session, studio, wallet, "hours", 600)

    with pytest.raises(refusal), session.begin_nested():
        book(session, studio, wallet, request_)

    assert session.exec(select(Booking)).all() == []
    assert buckets(session, "hours") == {"available": 600}


def test_a_start_exactly_one_lead_time_away_is_allowed(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "hours", 600)

    booking = book(session, studio, wallet, make_request(NOW + timedelta(minutes=120)))

    assert booking.starts_at == NOW + timedelta(minutes=120)


@pytest.mark.parametrize(
    ("ahead", "actor", "back"),
    [
        (timedelta(hours=48), Actor.CUSTOMER, 120),
        (timedelta(hours=48, microseconds=-1), Actor.CUSTOMER, 60),
        (timedelta(hours=24), Actor.CUSTOMER, 60),
        (timedelta(hours=24, microseconds=-1), Actor.CUSTOMER, 0),
        (timedelta(seconds=1), Actor.CUSTOMER, 0),
        (timedelta(seconds=1), Actor.STUDIO, 120),
        (timedelta(seconds=1), Actor.COACH, 120),
        (timedelta(seconds=1), Actor.SYSTEM, 120),
    ],
)
def test_a_cancellation_returns_by_tier_and_actor(
    session: Session,
    studio: Studio,
    wallet: Wallet,
    ahead: timedelta,
    actor: Actor,
    back: int,
) -> None:
    grant_lot(session, studio, wallet, "hours", 120)
    booking = book(session, studio, wallet, make_request(minutes=120))

    returned = cancel(session, studio, booking, START - ahead, actor)

    rest = {"available": back, "spent": 120 - back}
    assert returned == {MINUTES: back, COACHED: 0}
    assert buckets(session, "hours") == {name: each for name, each in rest.items() if each}
    assert (booking.status, booking.ended_by) == (BookingStatus.CANCELLED, actor.value)
    assert seats(session, booking.id) == []


@pytest.mark.parametrize(("after", "back"), [(10, 60), (11, 0)])
def test_who_has_just_booked_cancels_for_free(
    session: Session, studio: Studio, wallet: Wallet, after: int, back: int
) -> None:
    grant_lot(session, studio, wallet, "hours", 60)
    booked_at = START - timedelta(hours=5)
    booking = book(session, studio, wallet, now=booked_at)

    returned = cancel(session, studio, booking, booked_at + timedelta(minutes=after))

    assert returned[MINUTES] == back


def test_a_cancelled_slot_is_free_again(session: Session, studio: Studio, wallet: Wallet) -> None:
    grant_lot(session, studio, wallet, "hours", 240)
    whole = make_request(simulators=4)

    cancel(session, studio, book(session, studio, wallet, whole), NOW)

    assert len(seats(session, book(session, studio, wallet, whole).id)) == 4


def test_a_booking_is_cancelled_once(session: Session, studio: Studio, wallet: Wallet) -> None:
    grant_lot(session, studio, wallet, "hours", 60)
    booking = book(session, studio, wallet)
    cancel(session, studio, booking, START - timedelta(hours=30))

    with pytest.raises(AlreadyCancelled):
        cancel(session, studio, booking, START - timedelta(hours=30), Actor.STUDIO)

    assert buckets(session, "hours") == {"available": 30, "spent": 30}
    assert booking.ended_by == "customer"


def test_a_begun_session_cannot_be_cancelled(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "hours", 60)
    booking = book(session, studio, wallet)

    with pytest.raises(NotCancellable):
        cancel(session, studio, booking, START, Actor.STUDIO)

    assert booking.status is BookingStatus.CONFIRMED
    assert buckets(session, "hours") == {"held": 60}
    assert seats(session, booking.id) == ["bay-2"]


def test_an_unpaid_hold_cannot_be_cancelled(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio)

    with pytest.raises(NotCancellable):
        bookings.cancel(
            session,
            studio_id=studio.id,
            booking_id=hold.booking_id,
            actor=Actor.CUSTOMER,
            reason="test",
            now=NOW,
        )

    assert seats(session, hold.booking_id) == ["bay-2"]


def test_somebody_elses_booking_is_not_found(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "hours", 60)
    booking = book(session, studio, wallet)
    stranger = make_wallet(session, studio, 7002)

    with pytest.raises(NotFound):
        bookings.get(session, studio_id=studio.id, booking_id=booking.id, wallet_id=stranger.id)


def test_a_session_is_spent_at_its_start_and_completed_at_its_end(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "hours", 60)
    booking = book(session, studio, wallet)
    seen = []

    for now in (
        START - timedelta(seconds=1),
        START,
        START + timedelta(minutes=30),
        START + timedelta(hours=1),
        START + timedelta(hours=2),
    ):
        count = bookings.begin_and_complete(session, now=now, limit=10)
        seen.append((count, booking.status.value, buckets(session, "hours")))

    assert seen == [
        (0, "confirmed", {"held": 60}),
        (1, "confirmed", {"spent": 60}),
        (0, "confirmed", {"spent": 60}),
        (1, "completed", {"spent": 60}),
        (0, "completed", {"spent": 60}),
    ]
    assert booking.begun_at == START
