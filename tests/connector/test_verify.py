"""`verify` finds each broken promise, and nothing where none is broken."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select, update

from booking_engine.booking import bookings
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.catalog import queries
from booking_engine.outbox import OutboxMessage
from calendar_sync.models import CalendarEvent
from connector import verify
from connector.runtime import Runtime
from tests.factories.serving import tuesday_at
from tests.factories.shop_orders import place_hold
from tests.factories.studio import make_lot, make_request, make_wallet

AWAKE = "SET LOCAL session_replication_role = origin;"
ASLEEP = "SET LOCAL session_replication_role = replica;"
LOOSE = """
    ALTER TABLE lot DROP CONSTRAINT ck_lot_buckets_add_up;
    ALTER TABLE lot DROP CONSTRAINT ck_lot_buckets_positive;
    ALTER TABLE allocation DROP CONSTRAINT allocation_no_overlap;
"""


@pytest.fixture
def session(house: Runtime) -> Iterator[Session]:
    """A studio with a booking to come, one cancelled and told, and a hold; nothing is kept."""
    now = datetime.now(UTC)
    with house.engine.connect() as connection, connection.begin(), Session(connection) as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        wallet = make_wallet(session, studio)
        make_lot(session, studio, wallet, 240)
        made = [
            bookings.book(
                session,
                studio=studio,
                request=make_request(tuesday_at(hour), simulators=2),
                wallet_id=wallet.id,
                actor="test",
                now=now,
            )
            for hour in (12, 14)
        ]
        bookings.cancel(
            session,
            studio_id=studio.id,
            booking_id=made[1].id,
            actor=Actor.CUSTOMER,
            reason="test",
            now=now,
        )
        place_hold(session, studio, make_request(tuesday_at(14)), now=now)
        session.add(
            CalendarEvent(
                studio_id=studio.id,
                booking_id=made[1].id,
                calendar="c",
                event_id="e",
                pushed_hash="h",
                pushed_at=now,
            )
        )
        session.flush()
        session.execute(text(LOOSE))
        yield session


def broken(session: Session) -> set[str]:
    """Return the first words of each check that finds something."""
    return {
        check.name.partition(":")[0] for check in verify.CHECKS if verify.violations(session, check)
    }


def test_an_intact_database_has_no_violation(session: Session) -> None:
    assert broken(session) == set()


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (
            "UPDATE allocation SET resource_id = (SELECT min(resource_id) FROM allocation)"
            " WHERE state = 'confirmed'",
            {"no two live allocations overlap on a bay or a coach"},
        ),
        (
            "UPDATE lot SET granted = granted + 1",
            {"every lot", "a lot's transfers add up to its buckets"},
        ),
        (
            "UPDATE lot SET available = -1, spent = spent + available + 1",
            {"every lot", "a lot's transfers add up to its buckets"},
        ),
        (
            "UPDATE lot SET available = available - 10, spent = spent + 10",
            {"a lot's transfers add up to its buckets"},
        ),
        (
            "DELETE FROM transfer WHERE from_bucket = 'held'",
            {"a lot's transfers add up to its buckets"},
        ),
        (
            "UPDATE draw SET held = held - 1 WHERE held > 0",
            {
                "what lots hold is what bookings draw",
                "every booking still to come is funded in full",
            },
        ),
        (
            "UPDATE booking SET wallet_id = NULL",
            {"what a session holds lies in the wallet of whoever booked it"},
        ),
        (
            "UPDATE wallet SET erased_at = created_at",
            {"nobody is known by a wallet that was erased, and no credits of it can be used"},
        ),
        (
            "DELETE FROM draw",
            {
                "what lots hold is what bookings draw",
                "every booking still to come is funded in full",
            },
        ),
        (
            "UPDATE allocation SET state = 'released' WHERE state = 'confirmed'",
            {"every confirmed booking has its bays, and nothing that ended has any"},
        ),
        (
            "UPDATE allocation SET state = 'confirmed', during = '[2020-01-01,2020-01-02)'"
            " WHERE id = (SELECT max(a.id::text)::uuid FROM allocation a JOIN booking b"
            " ON b.id = a.booking_id WHERE b.status = 'cancelled')",
            {"every confirmed booking has its bays, and nothing that ended has any"},
        ),
        (
            "UPDATE booking SET simulator_minutes = 240 WHERE status = 'confirmed'",
            {"every booking still to come is funded in full"},
        ),
        (
            "UPDATE outbox_message SET done_at = now()",
            {"no calendar shows a booking that has ended, once the outbox is told"},
        ),
    ],
)
def test_what_is_broken_is_found(session: Session, damage: str, found: set[str]) -> None:
    session.execute(text(ASLEEP + damage + ";" + AWAKE))

    assert broken(session) == found


def test_a_violation_names_the_studio_and_the_thing(session: Session) -> None:
    session.exec(update(OutboxMessage).values(done_at=datetime.now(UTC)))
    cancelled = session.exec(
        select(Booking).where(col(Booking.status) == BookingStatus.CANCELLED)
    ).one()

    found = [each for check in verify.CHECKS for each in verify.violations(session, check)]

    assert [(each.studio_id, each.what) for each in found] == [
        (cancelled.studio_id, f"event e in c of booking {cancelled.code}")
    ]
