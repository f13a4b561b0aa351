"""Series in the words of a test: started, lived through, read."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import Session

from booking_engine.booking import bookings, occurrences, series, upkeep
from booking_engine.booking.series import Owner, Recurrence
from booking_engine.booking.series_models import Series
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.models import Wallet
from connector import verify
from tests.factories.studio import NOW, make_request, toronto

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
