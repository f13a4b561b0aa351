"""Why a time is not offered: every reason that blocks it, and the nearest times that are (C21)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from booking_engine.booking import allocator, availability, book, terms
from booking_engine.booking.allocator import CoachUnavailable
from booking_engine.booking.availability import Search, Slot
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.terms import SessionRequest, Terms
from booking_engine.catalog.studio import Studio
from booking_engine.errors import DomainError
from booking_engine.intervals import to_minutes

ALTERNATIVES = 3
DAYS_AROUND = 3


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that blocks a session; removing it alone may not be enough."""

    code: str
    detail: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Explanation:
    """No reason means that the session could be booked now."""

    reasons: list[Reason]
    alternatives: list[Slot]
    price_minor: int


def explain(
    session: Session, *, studio: Studio, request: SessionRequest, now: datetime
) -> Explanation:
    """Return all that blocks a session; raises `Invalid` for what cannot be meant at all."""
    asked = terms.resolve(studio, request)
    refused: list[DomainError] = list(terms.refusals(studio, asked, now=now))
    refused += _taken(session, studio, asked, now)
    reasons = [Reason(each.code, each.detail, each.facts) for each in refused]
    nearest = _nearest(session, studio, request, asked, now) if reasons else []
    return Explanation(reasons, nearest, asked.basket.total_minor)


def _taken(session: Session, studio: Studio, asked: Terms, now: datetime) -> list[DomainError]:
    """Return what the book has against the session, looked at as a hold would, without a lock."""
    span = book.span_of(book.days_of(asked.during, asked.location), asked.location)
    margin = studio.widest_buffer_minutes
    found = book.taken(
        session, studio_id=studio.id, start=span.start - margin, end=span.end + margin, now=now
    )
    refused: list[DomainError] = []
    try:
        allocator.place_bays(studio, asked, found, span, now)
    except SlotTaken as error:
        refused.append(error)
    try:
        allocator.find_coach(studio, asked, found)
    except CoachUnavailable as error:
        refused.append(error)
    except SlotTaken as error:
        refused.append(SlotTaken(error.detail, code="coach_taken"))
    return refused


def _nearest(
    session: Session, studio: Studio, request: SessionRequest, asked: Terms, now: datetime
) -> list[Slot]:
    """Return the offered starts that lie nearest to the one that was asked for."""
    zone = asked.location.zone
    day = max(asked.during.start, now).astimezone(zone).date()
    day = min(day, terms.last_day(studio.policy, asked.location, now))
    coaching = request.coaching
    search = Search(
        service=request.service,
        first=day - timedelta(days=DAYS_AROUND),
        days=2 * DAYS_AROUND + 1,
        minutes=request.minutes,
        simulators=request.simulators,
        coaching_minutes=coaching.minutes if coaching else None,
        coach=coaching.coach if coaching else None,
        location=asked.location.handle,
    )
    found = availability.find(session, studio=studio, search=search, now=now)
    if not found.slots and coaching is not None and coaching.coach is not None:
        found = availability.find(
            session, studio=studio, search=replace(search, coach=None), now=now
        )
    start = to_minutes(asked.during.start)
    ranked = sorted(found.slots, key=lambda slot: (abs(slot.start - start), slot.start))
    return sorted(ranked[:ALTERNATIVES], key=lambda slot: slot.start)
