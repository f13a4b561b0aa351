"""Series in the words of a test: started, lived through, read."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, select

from booking_engine.booking import bookings, occurrences, series, series_edits, upkeep
from booking_engine.booking.models import Booking
from booking_engine.booking.moves import Target
from booking_engine.booking.policies import Actor
from booking_engine.booking.series import Owner, Recurrence
from booking_engine.booking.series_edits import Edit, Edited
from booking_engine.booking.series_models import Occurrence, Series
from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from booking_engine.errors import DomainError
from booking_engine.ledger.models import CreditKind, Wallet
from booking_engine.outbox import OutboxMessage
from connector import verify
from connector.runtime import Runtime
from tests.factories.ledger import grant_lot, transfers_of
from tests.factories.studio import NOW, make_request, make_wallet, toronto

# Four days after NOW, at ten in the morning.
TUESDAY = toronto(2026, 11, 24, 10)
ALWAYS_OPEN = {
    'hours = { mon-fri = ["09:00-22:00"], sat-sun = ["08:00-23:00"] }': (
        'hours = { mon-sun = ["00:00-24:00"] }'
    )
}


def start_series(
    session: Session,
    studio: Studio,
    wallet: Wallet,
    start: datetime = TUESDAY,
    *,
    every_weeks: int = 1,
    count: int | None = None,
    until: date | None = None,
    now: datetime = NOW,
    **session_wishes: Any,
) -> Series:
    """Start a series; by default every Tuesday from the one after NOW, without an end."""
    return series.start(
        session,
        studio=studio,
        request=make_request(start, **session_wishes),
        repeat=Recurrence(every_weeks, count, until),
        owner=Owner(wallet.id, "customer:7001"),
        now=now,
    )


def book_all_bays(session: Session, studio: Studio, start: datetime, *, now: datetime) -> Booking:
    """Let somebody else take every bay."""
    other = make_wallet(session, studio, 7999)
    grant_lot(session, studio, other, f"other:{start}", 240)
    return bookings.book(
        session,
        studio=studio,
        request=make_request(start, simulators=4),
        wallet_id=other.id,
        actor="test",
        now=now,
    )


def tick(session: Session, studio: Studio, now: datetime) -> int:
    """Do what the clock asks for at this instant; returns how many customers were tended."""
    due = upkeep.due(session, now=now)
    for _, wallet_id in due:
        upkeep.tend(session, studio=studio, wallet_id=wallet_id, now=now)
    bookings.begin_and_complete(session, now=now, limit=1000)
    return len(due)


def live_through(session: Session, studio: Studio, start: datetime, end: datetime) -> None:
    """Let time pass, and let the clock be looked at every six hours."""
    now = start
    while now < end:
        tick(session, studio, now)
        now += timedelta(hours=6)
    tick(session, studio, end)


def standings(
    session: Session, found: Series, now: datetime
) -> list[tuple[int, str] | tuple[int, str, str]]:
    """Return number, status and reason of every date: `[(1, "funded"), (2, "skipped", "…")]`."""
    dates = occurrences.of_series(session, series=found)
    booked = series.bookings_of(session, dates=dates)
    read: list[tuple[int, str] | tuple[int, str, str]] = []
    for each in dates:
        booking = booked.get(each.booking_id) if each.booking_id else None
        status, reason = occurrences.standing(each, booking, now=now)
        read.append((each.number, status, reason) if reason else (each.number, status))
    return read


def statuses(session: Session, found: Series, now: datetime) -> list[str]:
    """Return the status of every date."""
    return [each[1] for each in standings(session, found, now)]


def starts(session: Session, found: Series) -> list[str]:
    """Return when every date begins, in UTC."""
    dates = occurrences.of_series(session, series=found)
    return [f"{each.starts_at:%m-%d %H:%M}" for each in dates]


def broken_promises(session: Session) -> list[str]:
    """Return everything that `simstudio verify` would complain of."""
    session.flush()
    return [
        f"{found.check}: {found.what}"
        for check in verify.CHECKS
        for found in verify.violations(session, check)
    ]


def date_of(session: Session, found: Series, number: int) -> Occurrence:
    """Return one date of a series."""
    return occurrences.of_series(session, series=found)[number - 1]


def move_dates(
    session: Session,
    studio: Studio,
    found: Series,
    edit: Edit,
    start: datetime,
    minutes: int | None = None,
    *,
    now: datetime = NOW,
    actor: Actor = Actor.CUSTOMER,
) -> Edited:
    """Move dates of a series as its customer does; a refusal leaves no trace."""
    with session.begin_nested():
        return series_edits.move(
            session,
            studio=studio,
            series_id=found.id,
            edit=edit,
            target=Target(start, minutes),
            actor=actor,
            now=now,
        )


def cancel_dates(
    session: Session, studio: Studio, found: Series, edit: Edit, now: datetime = NOW
) -> dict[CreditKind, int]:
    """Cancel dates of a series as its customer does; returns what came back."""
    with session.begin_nested():
        return series_edits.cancel(
            session, studio=studio, series_id=found.id, edit=edit, actor=Actor.CUSTOMER, now=now
        )[1]


def booking_of_date(session: Session, found: Series, number: int) -> Booking:
    """Read the booking of one date."""
    wanted = select(Booking).where(col(Booking.id) == date_of(session, found, number).booking_id)
    return session.exec(wanted.execution_options(populate_existing=True)).one()


def everything(session: Session) -> tuple[object, ...]:
    """Take down all that upkeep could write."""
    revisions = session.exec(select(Booking.id, Booking.status, Booking.revision)).all()
    dates = session.exec(select(Occurrence).order_by(col(Occurrence.number))).all()
    messages = session.exec(select(func.sum(OutboxMessage.version))).one()
    return (
        sorted(revisions),
        [each.model_dump() for each in dates],
        transfers_of(session),
        messages,
    )


def all_at_once(house: Runtime, works: list[Callable[[Session, Studio], object]]) -> list[object]:
    """Run transactions on threads that start together; returns results, refusals among them."""
    together = threading.Barrier(len(works))

    def run(work: Callable[[Session, Studio], object]) -> object:
        try:
            with house.transaction() as session:
                studio = queries.load(session, studio_id=queries.only_id(session))
                together.wait()
                return work(session, studio)
        except DomainError as error:
            return type(error)

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))
