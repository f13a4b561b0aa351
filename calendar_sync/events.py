"""A booking as calendar events, one per calendar that should show it. Pure."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.catalog.studio import Coach, Simulator, Studio
from booking_engine.intervals import Interval

SHOWN = frozenset(
    {
        BookingStatus.CONFIRMED,
        BookingStatus.CHECKED_IN,
        BookingStatus.COMPLETED,
        BookingStatus.NO_SHOW,
    }
)
BOOKING_PROPERTY = "simstudioBooking"
ID_LENGTH = 40

EventBody = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seating:
    """Who and what serves a booking."""

    simulators: list[Simulator]
    coach: Coach | None


def wanted(studio: Studio, booking: Booking, seating: Seating) -> dict[str, EventBody]:
    """Return the event that each calendar should show for a booking, by calendar id.

    The owner's and the bays' calendars show the session, the coach's the coached part of it.
    """
    if booking.status not in SHOWN:
        return {}
    session = Interval(booking.starts_at, booking.ends_at)
    shown: dict[str, EventBody] = {}
    if studio.owner_calendar:
        shown[studio.owner_calendar] = _event(studio, booking, seating, session)
    for bay in seating.simulators:
        if bay.calendar:
            shown[bay.calendar] = _event(studio, booking, seating, session)
    coach = seating.coach
    if coach and coach.calendar and booking.coaching_starts_at and booking.coaching_ends_at:
        coached = Interval(booking.coaching_starts_at, booking.coaching_ends_at)
        shown[coach.calendar] = _event(studio, booking, seating, coached)
    return shown


def event_id(booking_id: UUID, calendar: str, generation: int) -> str:
    """Return the id we choose for an event, in Google's alphabet (base32hex, lower case).

    The same booking in the same calendar always gets the same id, so an insert whose answer was
    lost can be repeated without making a second event.
    """
    named = f"{booking_id}|{calendar}|{generation}".encode()
    letters = base64.b32hexencode(hashlib.sha256(named).digest()).decode().lower()
    return "bk" + letters[:ID_LENGTH]


def content_hash(body: Mapping[str, Any]) -> str:
    """Return a hash of what an event says, equal exactly when nothing needs to be written."""
    content = json.dumps(body, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


def _event(studio: Studio, booking: Booking, seating: Seating, during: Interval) -> EventBody:
    zone = studio.location_by_id(booking.location_id).zone
    service = studio.service_of(booking.service)
    bays = ", ".join(bay.name for bay in seating.simulators)
    words = [f"{service.title} {_length(Interval(booking.starts_at, booking.ends_at))}", bays]
    if seating.coach and booking.coaching_starts_at and booking.coaching_ends_at:
        at = booking.coaching_starts_at.astimezone(zone)
        until = booking.coaching_ends_at.astimezone(zone)
        words.append(f"coach {seating.coach.name} {at:%H:%M}–{until:%H:%M}")
    return {
        "summary": " · ".join([booking.code, *words]),
        "description": "\n".join(
            [*words, f"Booking {booking.code}", f"{studio.name} keeps this event in step."]
        ),
        "location": studio.location_by_id(booking.location_id).name,
        "start": _instant(during.start, zone),
        "end": _instant(during.end, zone),
        "extendedProperties": {"private": {BOOKING_PROPERTY: str(booking.id)}},
    }


def _instant(instant: datetime, zone: ZoneInfo) -> dict[str, str]:
    return {"dateTime": instant.astimezone(zone).isoformat(), "timeZone": zone.key}


def _length(during: Interval) -> str:
    hours, minutes = divmod(during.minutes, 60)
    return " ".join(
        part
        for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "")
        if part
    )
