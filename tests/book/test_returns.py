"""What comes back when the studio ends a session: everything, with time to use it (rule D3)."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, col, select, update

from booking_engine.booking import bookings
from booking_engine.booking.models import Booking
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import extensions
from booking_engine.ledger.models import CreditKind, Lot, Wallet
from tests.factories.ledger import COACHED, MINUTES, buckets, grant_lot, lot_of
from tests.factories.series import broken_promises
from tests.factories.studio import NOW, make_request, toronto

START = toronto(2026, 11, 25, 18)
DAY = timedelta(days=1)
THIRTY_DAYS = toronto(2026, 12, 21, 0)  # the midnight that ends the thirtieth day after NOW


@pytest.fixture
def booking(session: Session, studio: Studio, wallet: Wallet) -> Booking:
    """An hour that was paid with a lot of two, expiring a day after it."""
    grant_lot(session, studio, wallet, "hours", 120, expires_at=START + DAY)
    return bookings.book(
        session,
        studio=studio,
        request=make_request(),
        wallet_id=wallet.id,
        actor="customer:7001",
        now=NOW,
    )


def cancel(
    session: Session, booking: Booking, actor: Actor, now: datetime = NOW
) -> dict[CreditKind, int]:
    return bookings.cancel(
        session,
        studio_id=booking.studio_id,
        booking_id=booking.id,
        actor=actor,
        reason="test",
        now=now,
    )


@pytest.mark.parametrize("actor", [Actor.COACH, Actor.STUDIO, Actor.SYSTEM])
def test_what_the_studio_gives_back_lives_for_thirty_days(
    session: Session, booking: Booking, actor: Actor
) -> None:
    late = START - timedelta(minutes=1)

    back = cancel(session, booking, actor, late)

    assert back[MINUTES] == 60
    assert buckets(session, "hours") == {"available": 120}
    lot = lot_of(session, "hours")
    assert lot.expires_at == toronto(2026, 12, 26, 0)
    (told,) = extensions.of_lot(session, studio_id=lot.studio_id, lot_id=lot.id)
    assert (told.old_expires_at, told.new_expires_at) == (START + DAY, lot.expires_at)
    assert (told.reason, told.reference, told.actor) == ("cancelled", booking.code, actor.value)
    assert broken_promises(session) == []


def test_what_the_customer_gives_back_expires_as_before(session: Session, booking: Booking) -> None:
    cancel(session, booking, Actor.CUSTOMER)

    assert lot_of(session, "hours").expires_at == START + DAY


@pytest.mark.parametrize(
    ("expires_at", "lives_until"),
    [
        (NOW + 14 * DAY, THIRTY_DAYS),
        (NOW + 14 * DAY + timedelta(seconds=1), NOW + 14 * DAY + timedelta(seconds=1)),
        (THIRTY_DAYS + DAY, THIRTY_DAYS + DAY),
        (None, None),
    ],
)
def test_only_a_lot_that_is_nearly_over_is_extended(
    session: Session,
    studio: Studio,
    wallet: Wallet,
    expires_at: datetime | None,
    lives_until: datetime | None,
) -> None:
    grant_lot(session, studio, wallet, "hours", 60, expires_at=expires_at)
    made = bookings.book(
        session,
        studio=studio,
        request=make_request(),
        wallet_id=wallet.id,
        actor="customer:7001",
        now=NOW,
    )

    cancel(session, made, Actor.STUDIO)

    assert lot_of(session, "hours").expires_at == lives_until


def expire(session: Session) -> None:
    session.exec(update(Lot).values(expires_at=NOW - DAY))


def test_what_comes_back_to_a_dead_lot_is_made_good(session: Session, booking: Booking) -> None:
    expire(session)

    back = cancel(session, booking, Actor.STUDIO)

    assert back[MINUTES] == 60
    assert buckets(session, "hours") == {"available": 60, "expired": 60}
    (made,) = session.exec(select(Lot).where(col(Lot.source).startswith("make_good:"))).all()
    assert (made.available, made.kind, made.expires_at) == (60, MINUTES, THIRTY_DAYS)
    assert broken_promises(session) == []


@pytest.mark.parametrize("mark", ["withdrawn_at", "frozen_at"])
@pytest.mark.parametrize("dead", ["dead", "alive"])
def test_a_unit_that_the_shop_took_back_is_neither_extended_nor_made_good(
    session: Session, booking: Booking, mark: str, dead: str
) -> None:
    session.exec(update(Lot).values({mark: NOW}))
    if dead == "dead":
        expire(session)
    before = lot_of(session, "hours").expires_at

    cancel(session, booking, Actor.SYSTEM)

    assert [(lot.source, lot.expires_at) for lot in session.exec(select(Lot))] == [
        ("hours", before)
    ]


@pytest.mark.parametrize("actor", list(Actor))
@pytest.mark.parametrize("hours", [49, 48, 47, 24, 23, 3])
@pytest.mark.parametrize("lots", [[180], [45, 75, 60]])
def test_what_returns_and_what_is_kept_is_what_was_held(
    session: Session, studio: Studio, wallet: Wallet, actor: Actor, hours: int, lots: list[int]
) -> None:
    for number, quantity in enumerate(lots):
        grant_lot(session, studio, wallet, f"hours {number}", quantity, expires_at=START + DAY)
    grant_lot(session, studio, wallet, "coach", 1, kind=COACHED)
    made = bookings.book(
        session,
        studio=studio,
        request=make_request(minutes=180),
        wallet_id=wallet.id,
        actor="customer:7001",
        now=NOW,
    )

    back = cancel(session, made, actor, START - timedelta(hours=hours))

    kept = sum(lot_of(session, f"hours {number}").spent for number in range(len(lots)))
    percent = 100 if actor is not Actor.CUSTOMER or hours >= 48 else 50 if hours >= 24 else 0
    assert back[MINUTES] + kept == 180
    assert 180 * percent <= back[MINUTES] * 100 < 180 * percent + 100 * len(lots)
    assert broken_promises(session) == []
