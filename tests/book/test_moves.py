"""Moving a booking: the new slot first, then the old one freed, paid by the rules of a move."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlmodel import Session

from booking_engine.booking import bookings, moves
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.models import Booking
from booking_engine.booking.moves import SameTime, Target
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.models import CreditKind, Wallet
from connector import verify
from tests.factories.studio import NOW, apply_demo, make_lot, make_request, make_wallet, toronto

START = toronto(2026, 11, 25, 18)
EARLY = NOW + timedelta(hours=1)


@pytest.fixture
def studio(session: Session) -> Studio:
    return apply_demo(session)


@pytest.fixture
def wallet(session: Session, studio: Studio) -> Wallet:
    return make_wallet(session, studio)


@pytest.fixture
def booking(session: Session, studio: Studio, wallet: Wallet) -> Booking:
    make_lot(session, studio, wallet, 120)
    return bookings.book(
        session,
        studio=studio,
        request=make_request(START, 120),
        wallet_id=wallet.id,
        actor="test",
        now=NOW,
    )


def move(
    session: Session,
    studio: Studio,
    booking: Booking,
    start: datetime,
    minutes: int | None = None,
    now: datetime = EARLY,
) -> Booking:
    """Move a booking as its customer."""
    return moves.move(
        session,
        studio=studio,
        booking_id=booking.id,
        target=Target(start, minutes),
        actor=Actor.CUSTOMER,
        now=now,
    )


def credit(session: Session, studio: Studio, wallet_id: UUID) -> tuple[int, int, int]:
    """Return available, held and spent simulator minutes."""
    lots = credits.of_wallet(session, studio_id=studio.id, wallet_id=wallet_id)
    return tuple(sum(getattr(lot, name) for lot in lots) for name in ("available", "held", "spent"))  # type: ignore[return-value]


def is_sound(session: Session) -> bool:
    """Tell whether every promise holds."""
    return not [each for check in verify.CHECKS for each in verify.violations(session, check)]


def test_the_first_move_is_free_and_keeps_id_and_code(
    session: Session, studio: Studio, wallet: Wallet, booking: Booking
) -> None:
    known = booking.id, booking.code

    moved = move(session, studio, booking, toronto(2026, 11, 27, 10))

    assert (moved.id, moved.code) == known
    assert moved.starts_at == toronto(2026, 11, 27, 10)
    assert moved.ends_at == toronto(2026, 11, 27, 12)
    assert credit(session, studio, wallet.id) == (0, 120, 0)
    assert is_sound(session)


def test_a_booking_may_move_onto_its_own_time_where_no_other_is_left(
    session: Session, studio: Studio, booking: Booking
) -> None:
    other = make_wallet(session, studio, 7002)
    make_lot(session, studio, other, 540, source="test:other")
    bookings.book(
        session,
        studio=studio,
        request=make_request(START, 180, simulators=3),
        wallet_id=other.id,
        actor="test",
        now=NOW,
    )

    moved = move(session, studio, booking, START + timedelta(minutes=30))

    assert moved.starts_at == START + timedelta(minutes=30)
    assert is_sound(session)


def test_the_same_time_is_no_move(session: Session, studio: Studio, booking: Booking) -> None:
    with pytest.raises(SameTime):
        move(session, studio, booking, START)

    assert booking.moves == 0


def test_a_later_move_costs_what_a_cancellation_would_keep(
    session: Session, studio: Studio, wallet: Wallet, booking: Booking
) -> None:
    make_lot(session, studio, wallet, 60, source="test:more")
    move(session, studio, booking, toronto(2026, 11, 26, 18))
    late = toronto(2026, 11, 26, 18) - timedelta(hours=30)

    move(session, studio, booking, toronto(2026, 11, 30, 18), now=late)

    assert credit(session, studio, wallet.id) == (0, 120, 60)
    assert booking.return_cap == 50
    assert is_sound(session)


def test_moving_far_does_not_make_a_late_cancellation_free(
    session: Session, studio: Studio, wallet: Wallet, booking: Booking
) -> None:
    late = START - timedelta(hours=30)
    move(session, studio, booking, toronto(2026, 12, 7, 18), now=late)

    back = bookings.cancel(
        session,
        studio_id=studio.id,
        booking_id=booking.id,
        actor=Actor.CUSTOMER,
        reason="rain",
        now=late + timedelta(hours=1),
    )

    assert back[CreditKind.SIMULATOR_MINUTES] == 60
    assert credit(session, studio, wallet.id) == (60, 0, 60)
    assert is_sound(session)


def test_a_longer_session_takes_the_difference_or_does_not_move(
    session: Session, studio: Studio, wallet: Wallet, booking: Booking
) -> None:
    with pytest.raises(NotEnoughCredits) as refused, session.begin_nested():
        move(session, studio, booking, START, 180)

    assert refused.value.missing == {CreditKind.SIMULATOR_MINUTES: 60}
    session.refresh(booking)
    assert booking.ends_at == START + timedelta(hours=2)
    make_lot(session, studio, wallet, 60, source="test:more")
    move(session, studio, booking, START, 180)
    assert credit(session, studio, wallet.id) == (0, 180, 0)
    assert is_sound(session)


def test_a_shorter_session_returns_the_difference_by_its_tier(
    session: Session, studio: Studio, wallet: Wallet, booking: Booking
) -> None:
    move(session, studio, booking, START, 60, now=START - timedelta(hours=30))

    assert credit(session, studio, wallet.id) == (30, 60, 30)
    assert is_sound(session)


def test_a_taken_time_leaves_the_booking_where_it_was(
    session: Session, studio: Studio, wallet: Wallet, booking: Booking
) -> None:
    other = make_wallet(session, studio, 7002)
    make_lot(session, studio, other, 240, source="test:other")
    bookings.book(
        session,
        studio=studio,
        request=make_request(toronto(2026, 11, 26, 18), simulators=4),
        wallet_id=other.id,
        actor="test",
        now=NOW,
    )

    with pytest.raises(SlotTaken), session.begin_nested():
        move(session, studio, booking, toronto(2026, 11, 26, 17))

    session.refresh(booking)
    assert booking.starts_at == START
    assert credit(session, studio, wallet.id) == (0, 120, 0)
    assert is_sound(session)
