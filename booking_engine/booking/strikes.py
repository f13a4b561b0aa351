"""Strikes: who misses three sessions cannot book by themselves for a while (product rule D18).

The strikes are rows; what follows from them is computed when it is asked. A strike that no job has
written yet counts all the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists
from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.booking import tracking
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.strike_models import Strike
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Forbidden

COUNTS_FOR = timedelta(days=90)
PARDON_EVERY = timedelta(days=90)
STRIKES_MAX = 3
RESTRICTED_FOR = timedelta(days=30)
RESTRICTED = "restricted"


class Restricted(Forbidden):
    """Too many sessions were missed: for now only staff book for this customer."""

    code = RESTRICTED


@dataclass(frozen=True, slots=True)
class Record:
    """What strikes come to: which were pardoned by themselves, which count, until when it binds."""

    pardoned: tuple[UUID, ...]
    counting: tuple[UUID, ...]
    restricted_until: datetime | None


def judge(strikes: Iterable[Strike], *, now: datetime) -> Record:
    """Return what follows from somebody's strikes. Pure.

    The first strike, and after that one in ninety days, is pardoned by itself. The others count for
    ninety days unless staff forgave them; the third that counts binds for thirty days.
    """
    pardoned: list[UUID] = []
    counted: list[Strike] = []
    last_pardon: datetime | None = None
    until: datetime | None = None
    for strike in sorted(strikes, key=lambda each: (each.at, each.booking_id)):
        if strike.at > now:
            continue
        if last_pardon is None or strike.at - last_pardon >= PARDON_EVERY:
            last_pardon = strike.at
            pardoned.append(strike.booking_id)
        elif strike.forgiven_at is None:
            counted.append(strike)
            if len(_counting(counted, strike.at)) >= STRIKES_MAX:
                until = strike.at + RESTRICTED_FOR
    counting = tuple(each.booking_id for each in _counting(counted, now))
    binds = until is not None and now < until
    return Record(tuple(pardoned), counting, until if binds else None)


def due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return what picks the missed sessions that are final and have no strike yet, for SQL.

    Older ones than a strike counts are left alone.
    """
    has_strike = exists().where(
        col(Strike.studio_id) == col(Booking.studio_id),
        col(Strike.booking_id) == col(Booking.id),
    )
    missed = [BookingStatus.CONFIRMED, BookingStatus.NO_SHOW]
    final: Any = col(Booking.ends_at) < now - tracking.FINAL_AFTER
    recent: Any = col(Booking.ends_at) >= now - tracking.FINAL_AFTER - COUNTS_FOR
    return (
        col(Booking.status).in_(missed),
        final,
        recent | (col(Booking.status) == BookingStatus.CONFIRMED),
        col(Booking.forgiven_at).is_(None),
        col(Booking.due_at).is_(None),
        tracking.tracked(),
        ~has_strike,
    )


def of_wallet(session: Session, *, studio_id: int, wallet_id: UUID, now: datetime) -> list[Strike]:
    """Return a wallet's strikes, oldest first, with those that are due and not written yet."""
    written = session.exec(
        select(Strike)
        .where(col(Strike.studio_id) == studio_id, col(Strike.wallet_id) == wallet_id)
        .execution_options(populate_existing=True)
    ).all()
    missed = session.exec(
        select(Booking).where(
            col(Booking.studio_id) == studio_id, col(Booking.wallet_id) == wallet_id, *due(now)
        )
    ).all()
    found = [*written, *(_made(each, wallet_id) for each in missed)]
    return sorted(found, key=lambda each: (each.at, each.booking_id))


def bind(studio: Studio) -> bool:
    """Tell whether strikes restrict anybody here: only where attendance is tracked."""
    return studio.policy.attendance == tracking.BY_STAFF


def restricted_until(
    session: Session, *, studio: Studio, wallet_id: UUID, now: datetime
) -> datetime | None:
    """Return until when a customer cannot book by themselves, None if they can."""
    if not bind(studio):
        return None
    found = of_wallet(session, studio_id=studio.id, wallet_id=wallet_id, now=now)
    return judge(found, now=now).restricted_until


def refuse_restricted(session: Session, *, studio: Studio, wallet_id: UUID, now: datetime) -> None:
    """Raise `Restricted` where a customer cannot book by themselves."""
    until = restricted_until(session, studio=studio, wallet_id=wallet_id, now=now)
    if until is not None:
        local = until.astimezone(studio.locations[0].zone).isoformat(timespec="seconds")
        raise Restricted(
            f"{STRIKES_MAX} sessions were missed, so until {local[:10]} only the studio books for"
            " you; ask at the desk",
            until=local,
        )


def add(session: Session, *, studio: Studio, booking: Booking, now: datetime) -> None:
    """Write the strike of a missed session; who is restricted by it goes on the attention list."""
    if booking.wallet_id is None:
        return
    strike = _made(booking, booking.wallet_id)
    session.add(strike)
    session.flush()
    until = restricted_until(session, studio=studio, wallet_id=strike.wallet_id, now=now)
    if until is None or until != strike.at + RESTRICTED_FOR:
        return
    attention.raise_item(
        session,
        studio_id=studio.id,
        kind=RESTRICTED,
        key=str(booking.id),
        detail=f"{STRIKES_MAX} sessions were missed; the customer cannot book by themselves",
        now=now,
        facts={
            "wallet": str(strike.wallet_id),
            "code": booking.code,
            "until": until.astimezone(studio.locations[0].zone).isoformat(timespec="seconds"),
        },
    )


def forgive(session: Session, *, studio_id: int, booking_id: UUID, by: str, now: datetime) -> None:
    """Lift the strike of a session, if it has brought one."""
    strike = session.get(Strike, (studio_id, booking_id), with_for_update=True)
    if strike is not None:
        strike.forgiven_at, strike.forgiven_by = now, by


def _made(booking: Booking, wallet_id: UUID) -> Strike:
    return Strike(
        studio_id=booking.studio_id,
        booking_id=booking.id,
        wallet_id=wallet_id,
        at=tracking.final_at(booking),
    )


def _counting(counted: list[Strike], at: datetime) -> list[Strike]:
    return [each for each in counted if each.at > at - COUNTS_FOR]
