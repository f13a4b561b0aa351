"""Brings a booking's calendars to what the booking is now, and remembers what was written.

Runs again without effect: an event that already says what it should is not touched, an insert whose
answer was lost finds its own event, a delete of what is gone is done.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlmodel import Session, col, select

from booking_engine.booking import bookings
from booking_engine.catalog import queries
from booking_engine.catalog.studio import Coach, Simulator
from booking_engine.errors import Unavailable
from calendar_sync import events, plan
from calendar_sync.events import Seating
from calendar_sync.google import CalendarRefused, EventConflict, EventMissing, GoogleCalendar
from calendar_sync.models import CalendarEvent
from calendar_sync.plan import Delete, Step, Write

log = structlog.get_logger(__name__)

# A booking whose events are taken away this often is given up on, visibly.
GENERATIONS_MAX = 50

Door = Callable[[], AbstractContextManager[Session]]


def push_booking(
    transaction: Door, google: GoogleCalendar, *, studio_id: int, booking_id: str, now: datetime
) -> int:
    """Write what differs and return how many events were written.

    One calendar that fails does not keep the others from being written; its error (`Unavailable`
    or `CalendarRefused`) is raised when all have been tried.
    """
    with transaction() as session:
        steps = _steps(session, studio_id, UUID(booking_id))
    failed: list[Unavailable | CalendarRefused] = []
    for step in steps:
        try:
            row = _take(google, step, studio_id, UUID(booking_id), now)
        except (Unavailable, CalendarRefused) as error:
            log.warning("event_not_written", calendar=step.calendar, booking_id=booking_id)
            failed.append(error)
            continue
        with transaction() as session:
            session.merge(row)
    if failed:
        raise min(failed, key=lambda each: isinstance(each, CalendarRefused))
    return len(steps)


def _steps(session: Session, studio_id: int, booking_id: UUID) -> list[Step]:
    studio = queries.load(session, studio_id=studio_id)
    booking = bookings.get(session, studio_id=studio_id, booking_id=booking_id)
    taken = bookings.seats_of(session, studio_id=studio_id, bookings=[booking])[booking.id]
    serving = [studio.resources[resource_id] for resource_id in taken]
    seating = Seating(
        [each for each in serving if isinstance(each, Simulator)],
        next((each for each in serving if isinstance(each, Coach)), None),
    )
    rows = session.exec(
        select(CalendarEvent).where(
            col(CalendarEvent.studio_id) == studio_id, col(CalendarEvent.booking_id) == booking_id
        )
    ).all()
    return plan.differences(booking_id, events.wanted(studio, booking, seating), rows)


def _take(
    google: GoogleCalendar, step: Step, studio_id: int, booking_id: UUID, now: datetime
) -> CalendarEvent:
    row = CalendarEvent(
        studio_id=studio_id,
        booking_id=booking_id,
        calendar=step.calendar,
        generation=step.generation,
        event_id=step.event_id,
        pushed_at=now,
    )
    match step:
        case Delete():
            google.delete(step.calendar, step.event_id)
        case Write():
            written = _write(google, step, row)
            row.etag = written.get("etag")
            row.pushed_hash = events.content_hash(step.body)
    return row


def _write(google: GoogleCalendar, step: Write, row: CalendarEvent) -> dict[str, Any]:
    """Insert or replace the event, whatever became of it since we looked last."""
    try:
        if step.etag is None:
            return google.insert(step.calendar, step.event_id, step.body)
        return google.update(step.calendar, step.event_id, step.body, etag=step.etag)
    except EventConflict:
        found = _look(google, step)
        if found is not None and found.get("status") != "cancelled":
            return _overwrite(google, step, found)
    except EventMissing:
        if step.etag is None:
            raise CalendarRefused(f"there is no calendar {step.calendar}, or no access") from None
    if row.generation >= GENERATIONS_MAX:
        raise Unavailable(f"{step.calendar} takes none of the ids that we choose")
    row.generation += 1
    row.event_id = events.event_id(row.booking_id, step.calendar, row.generation)
    again = Write(step.calendar, row.generation, row.event_id, step.body, None)
    return _write(google, again, row)


def _look(google: GoogleCalendar, step: Write) -> dict[str, Any] | None:
    """Return the event as it is, None where the calendar shows none of that id."""
    try:
        return google.get(step.calendar, step.event_id)
    except EventMissing:
        return None


def _overwrite(google: GoogleCalendar, step: Write, found: dict[str, Any]) -> dict[str, Any]:
    """Put the booking's words over an event that somebody touched; the booking wins."""
    try:
        return google.update(step.calendar, step.event_id, step.body, etag=str(found["etag"]))
    except (EventConflict, EventMissing) as error:
        raise Unavailable("the event changes faster than we write it") from error
