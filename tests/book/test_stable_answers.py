"""An answer about free time says until when the clock alone leaves it as it is."""

from datetime import timedelta

from sqlmodel import Session

from booking_engine.booking import availability, bookings
from booking_engine.booking.availability import Search
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.models import Wallet
from tests.factories.ledger import grant_lot
from tests.factories.studio import NOW, make_request, toronto

START = toronto(2026, 11, 25, 18)
MINUTE = timedelta(minutes=1)


def test_a_bay_that_freezes_within_the_minute_ends_the_answer(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "hour", 60)
    bookings.book(
        session,
        studio=studio,
        request=make_request(START),
        wallet_id=wallet.id,
        actor="customer",
        now=NOW,
    )
    freezes = START - timedelta(minutes=studio.policy.bay_freeze_minutes)
    search = Search("simulator", START.date())

    def stable_until(seconds: float) -> float:
        now = freezes + timedelta(seconds=seconds)
        found = availability.find(session, studio=studio, search=search, now=now)
        return found.stable_until

    # The session may still be moved in the minute that begins then, and not after it.
    assert stable_until(-30) <= freezes.timestamp() + 60
    assert stable_until(30) == (freezes + MINUTE).timestamp()
    assert stable_until(60) > (freezes + MINUTE).timestamp()
