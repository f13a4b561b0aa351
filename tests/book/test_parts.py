"""Only the coaching of a session is cancelled: the coach is free, the bay stays (D3, D24)."""

from datetime import timedelta

import pytest
from sqlmodel import Session, col, select

from booking_engine.booking import attendance, bookings, drafts, moves, parts
from booking_engine.booking.bookings import NotCancellable
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.moves import Target
from booking_engine.booking.parts import NoCoaching
from booking_engine.booking.policies import Actor
from booking_engine.booking.terms import CoachingRequest
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.models import CreditKind, Draw, Wallet
from tests.factories.desk import at, book
from tests.factories.ledger import COACHED, MINUTES, buckets, grant_lot
from tests.factories.series import broken_promises
from tests.factories.shop_orders import seats, told
from tests.factories.studio import NOW, make_request

START = at(14)


@pytest.fixture
def coached(session: Session, studio: Studio, wallet: Wallet) -> Booking:
    """Two hours, the first of them with Ana."""
    grant_lot(session, studio, wallet, "hours", 120)
    grant_lot(session, studio, wallet, "coach", 2, kind=COACHED)
    return bookings.book(
        session,
        studio=studio,
        request=make_request(START, 120, coaching=CoachingRequest(60, "ana", START)),
        wallet_id=wallet.id,
        actor="customer:7001",
        now=NOW,
    )


def drop(
    session: Session, studio: Studio, booking: Booking, actor: Actor, hours: float = 100
) -> dict[CreditKind, int]:
    now = START - timedelta(hours=hours)
    return parts.cancel_coaching(
        session, studio=studio, booking_id=booking.id, actor=actor, now=now
    )


@pytest.mark.parametrize(
    ("actor", "hours", "returned"),
    [
        (Actor.CUSTOMER, 48, 1),
        (Actor.CUSTOMER, 24, 1),
        (Actor.CUSTOMER, 23, 0),
        (Actor.COACH, 1, 1),
        (Actor.STUDIO, 1, 1),
        (Actor.SYSTEM, 1, 1),
    ],
)
def test_only_the_coaching_returns_and_the_bay_stays(
    session: Session, studio: Studio, coached: Booking, actor: Actor, hours: int, returned: int
) -> None:
    session.flush()
    bays = [each for each in seats(session, coached.id) if each != "ana"]

    back = drop(session, studio, coached, actor, hours)

    assert back == {MINUTES: 0, COACHED: returned}
    kept = {"spent": 1 - returned} if not returned else {}
    assert buckets(session, "coach") == {"available": 1 + returned, **kept}
    assert buckets(session, "hours") == {"held": 120}
    assert seats(session, coached.id) == bays
    assert (coached.status, coached.simulators) == (BookingStatus.CONFIRMED, 1)
    assert (coached.coaching_starts_at, coached.coaching_sessions) == (None, 0)
    assert coached.price_minor == 9000
    assert drafts.facts_of(coached).coach is None
    assert told(session) == {str(coached.id)}
    assert broken_promises(session) == []


def test_the_coach_can_be_taken_by_others(
    session: Session, studio: Studio, coached: Booking
) -> None:
    drop(session, studio, coached, Actor.CUSTOMER)

    other = book(
        session, studio, make_request(START, 60, coaching=CoachingRequest(60, "ana")), customer=7002
    )

    assert "ana" in seats(session, other.id)


def test_a_session_without_coaching_has_none_to_cancel(
    session: Session, studio: Studio, coached: Booking
) -> None:
    drop(session, studio, coached, Actor.CUSTOMER)

    with pytest.raises(NoCoaching), session.begin_nested():
        drop(session, studio, coached, Actor.CUSTOMER)

    assert buckets(session, "coach") == {"available": 2}


def test_once_it_has_begun_no_part_is_cancelled(
    session: Session, studio: Studio, coached: Booking
) -> None:
    with pytest.raises(NotCancellable), session.begin_nested():
        drop(session, studio, coached, Actor.STUDIO, 0)

    assert "ana" in seats(session, coached.id)
    assert buckets(session, "coach") == {"available": 1, "held": 1}


@pytest.mark.parametrize(("actor", "returned"), [(Actor.CUSTOMER, 0), (Actor.STUDIO, 120)])
def test_who_loses_their_coach_may_give_the_whole_session_back(
    session: Session, studio: Studio, coached: Booking, actor: Actor, returned: int
) -> None:
    drop(session, studio, coached, actor, 3)

    back = bookings.cancel(
        session,
        studio_id=studio.id,
        booking_id=coached.id,
        actor=Actor.CUSTOMER,
        reason="without Ana there is no point",
        now=START - timedelta(hours=2),
    )

    assert back[MINUTES] == returned
    assert broken_promises(session) == []


def test_whoever_moves_instead_keeps_the_rules_of_the_new_time(
    session: Session, studio: Studio, coached: Booking
) -> None:
    drop(session, studio, coached, Actor.STUDIO, 3)
    now = START - timedelta(hours=3)

    moved = moves.move(
        session,
        studio=studio,
        booking_id=coached.id,
        target=Target(at(18)),
        actor=Actor.CUSTOMER,
        now=now,
    )

    assert buckets(session, "hours") == {"held": 120}
    assert bookings.percent_back(moved, actor=Actor.CUSTOMER, now=now) == 0
    assert broken_promises(session) == []


def test_a_no_show_is_not_given_back_what_was_no_part_of_it(
    session: Session, studio: Studio, coached: Booking
) -> None:
    drop(session, studio, coached, Actor.CUSTOMER, 3)
    session.flush()
    missed = START + timedelta(minutes=16)
    attendance.mark_no_show(
        session,
        studio=studio,
        booking_id=coached.id,
        actor=Actor.STUDIO,
        by="staff:owner",
        now=missed,
    )

    _, back = attendance.forgive(
        session, studio=studio, booking_id=coached.id, by="staff:owner", now=missed
    )

    assert back == {MINUTES: 120, COACHED: 0}
    assert buckets(session, "coach") == {"available": 1, "spent": 1}
    drawn = session.exec(select(Draw).where(col(Draw.booking_id) == coached.id)).all()
    assert [each.quantity for each in drawn] == [120]
