"""Whoever is moved to make room may be on the way out: the two wait for each other in one order."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from booking_engine.booking import allocator, bookings
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.catalog import queries
from booking_engine.ledger.transfers import Cause
from connector.runtime import Runtime
from tests.factories.serving import tuesday_at
from tests.factories.shop_orders import seats
from tests.factories.studio import make_lot, make_request, make_wallet

WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")


def book(session: Session, customer: int, simulator: str | None = None) -> Booking:
    studio = queries.load(session, studio_id=queries.only_id(session))
    wallet = make_wallet(session, studio, customer)
    make_lot(session, studio, wallet, source=f"hour of {customer}")
    return bookings.book(
        session,
        studio=studio,
        request=make_request(tuesday_at(18), simulator=simulator),
        wallet_id=wallet.id,
        actor="customer",
        now=datetime.now(UTC),
    )


def is_waiting(house: Runtime) -> bool:
    with house.transaction() as session:
        return bool(session.execute(WAITING).scalar_one())


def test_a_session_is_moved_while_it_is_cancelled(house: Runtime) -> None:
    with house.transaction() as session:
        leaving = book(session, 7001)
        [bay] = seats(session, leaving.id)

    def come() -> UUID:
        with house.transaction() as session:
            return book(session, 7002, simulator=bay).id

    with ThreadPoolExecutor(1) as pool:
        with house.transaction() as session:
            # A cancellation, step by step.
            cause = Cause("cancelled", leaving.code, Actor.STUDIO.value, datetime.now(UTC))
            booking = bookings.lock(session, studio_id=leaving.studio_id, booking_id=leaving.id)
            bookings.give_back(session, booking=booking, actor=Actor.STUDIO, cause=cause)
            bookings.end(
                booking, BookingStatus.CANCELLED, by=cause.actor, reason="closed", now=cause.at
            )
            allocator.release(session, studio_id=leaving.studio_id, booking_id=leaving.id)
            coming = pool.submit(come)
            patience = time.monotonic() + 3
            while not is_waiting(house):
                assert time.monotonic() < patience
                time.sleep(0.02)
            allocator.tell(
                session,
                studio_id=leaving.studio_id,
                booking_id=leaving.id,
                now=cause.at,
            )
        come_at = coming.result()

    with house.transaction() as session:
        assert seats(session, come_at) == [bay]
