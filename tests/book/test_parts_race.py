"""Coaching and the whole session are cancelled at once: every credit comes back once."""

from collections.abc import Callable

import pytest
from sqlmodel import Session

from booking_engine.booking import blocks, bookings, parts
from booking_engine.booking.blocks import Outage
from booking_engine.booking.bookings import AlreadyCancelled, NotCancellable
from booking_engine.booking.parts import NoCoaching
from booking_engine.booking.policies import Actor
from booking_engine.booking.terms import CoachingRequest
from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from booking_engine.intervals import Interval
from connector.runtime import Runtime
from tests.factories.desk import at
from tests.factories.ledger import COACHED, buckets, grant_lot
from tests.factories.series import all_at_once, broken_promises
from tests.factories.studio import NOW, make_request, make_wallet

Work = Callable[[Session, Studio], object]


@pytest.mark.parametrize("attempt", range(3))
def test_each_credit_returns_once(house: Runtime, attempt: int) -> None:
    with house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        wallet = make_wallet(session, studio, 7001 + attempt)
        grant_lot(session, studio, wallet, "hours", 60)
        grant_lot(session, studio, wallet, "coach", 1, kind=COACHED)
        booking_id = bookings.book(
            session,
            studio=studio,
            request=make_request(at(14), 60, coaching=CoachingRequest(60, "ana")),
            wallet_id=wallet.id,
            actor="test",
            now=NOW,
        ).id

    def drop(session: Session, studio: Studio) -> object:
        return parts.cancel_coaching(
            session, studio=studio, booking_id=booking_id, actor=Actor.CUSTOMER, now=NOW
        )

    def cancel(session: Session, studio: Studio) -> object:
        return bookings.cancel(
            session,
            studio_id=studio.id,
            booking_id=booking_id,
            actor=Actor.CUSTOMER,
            reason="test",
            now=NOW,
        )

    def declare(session: Session, studio: Studio) -> object:
        outage = Outage(studio.coach("ana"), Interval.of(at(13), at(17)), "ill")
        return blocks.declare(session, studio=studio, outage=outage, actor="x", now=NOW)

    works: list[Work] = [drop, cancel, declare, drop, cancel]
    results = all_at_once(house, works)

    refused = [each for each in results if isinstance(each, type)]
    assert set(refused) <= {NoCoaching, AlreadyCancelled, NotCancellable}
    with house.transaction() as session:
        assert buckets(session, "hours") == {"available": 60}
        assert buckets(session, "coach") == {"available": 1}
        assert broken_promises(session) == []
