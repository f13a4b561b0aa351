"""A house that writes into a calendar server, and what the calendars then show."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import col, select, update

from booking_engine.booking import bookings
from booking_engine.booking.models import Booking
from booking_engine.booking.policies import Actor
from booking_engine.booking.terms import SessionRequest
from booking_engine.catalog import queries
from booking_engine.outbox import OutboxMessage
from calendar_sync import push
from connector.runtime import Runtime
from tests.conftest import make_house
from tests.factories.ledger import COACHED, grant_lot
from tests.factories.serving import tuesday_at
from tests.factories.studio import apply_demo, make_request, make_wallet
from tests.sandbox.google_calendar import TOKEN, Server


@contextmanager
def house_with_calendars(database_url: str, redis_url: str, server: Server) -> Iterator[Runtime]:
    """Make a house whose calendars are nobody else's on that server."""
    queries.forget()
    google = {"endpoint": f"{server.url}/calendar/v3/", "token": TOKEN}
    house = make_house(database_url, redis_url, google=google)
    with house.transaction() as session:
        apply_demo(session)
    yield house
    house.google._service().close()  # this thread's connection; the client of a process stays open
    house.engine.dispose()


def book_session(house: Runtime, request: SessionRequest | None = None) -> UUID:
    """Book an hour on a Tuesday evening, paid with credits."""
    with house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        wallet = make_wallet(session, studio)
        grant_lot(session, studio, wallet, f"gift:{uuid4()}", 240)
        grant_lot(session, studio, wallet, f"gift:{uuid4()}", 2, kind=COACHED)
        booking = bookings.book(
            session,
            studio=studio,
            request=request or make_request(tuesday_at(18)),
            wallet_id=wallet.id,
            actor="test",
            now=datetime.now(UTC),
        )
        return booking.id


def cancel_booking(house: Runtime, booking_id: UUID) -> None:
    """Cancel a booking as its customer."""
    with house.transaction() as session:
        bookings.cancel(
            session,
            studio_id=queries.only_id(session),
            booking_id=booking_id,
            actor=Actor.CUSTOMER,
            reason="test",
            now=datetime.now(UTC),
        )


def change_booking(house: Runtime, booking_id: UUID, **values: Any) -> None:
    """Write something about a booking without asking the rules."""
    with house.transaction() as session:
        session.exec(update(Booking).where(col(Booking.id) == booking_id).values(**values))


def push_one(house: Runtime, booking_id: UUID) -> int:
    """Push a booking into its calendars; returns how many events were written."""
    with house.transaction() as session:
        studio_id = queries.only_id(session)
    return push.push_booking(
        house.transaction,
        house.google,
        studio_id=studio_id,
        booking_id=str(booking_id),
        now=datetime.now(UTC),
    )


def messages(house: Runtime) -> list[OutboxMessage]:
    """Return the outbox, oldest first."""
    with house.transaction() as session:
        return list(session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id))))


def make_due(house: Runtime) -> None:
    """Let every message that waits be due now."""
    with house.transaction() as session:
        session.exec(update(OutboxMessage).values(due_at=datetime.now(UTC)))


def shown(server: Server, booking_id: UUID) -> dict[str, dict[str, Any]]:
    """Return the live events of a booking by the first word of their calendar."""
    events = server.http.get("/sandbox/google/events").json()["events"]
    return {
        event["calendar"].partition("@")[0]: event
        for event in events
        if event["private"].get("simstudioBooking") == str(booking_id)
    }


def calls(server: Server) -> list[str]:
    """Return the methods of the calls that the server has heard."""
    heard = server.http.get("/sandbox/google/calls").json()["calls"]
    return [call["method"] for call in heard]
