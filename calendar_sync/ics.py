"""One booking as an iCalendar file: UTC times, a stable UID, the same bytes for the same booking.

Rules: RFC 5545 and RFC 7986; times are UTC because generated VTIMEZONEs are misread by parsers.
"""

from collections.abc import Sequence
from datetime import UTC

from icalendar import Calendar, Event

from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.catalog.studio import Coach, Simulator, Studio

ENDED = frozenset({BookingStatus.CANCELLED, BookingStatus.REJECTED, BookingStatus.EXPIRED})


def one(studio: Studio, booking: Booking, resource_ids: Sequence[int]) -> bytes:
    """Return the calendar file of one booking."""
    calendar = Calendar()
    calendar.add("prodid", "-//simstudio//bookings//EN")
    calendar.add("version", "2.0")
    calendar.add_component(_event(studio, booking, resource_ids))
    return bytes(calendar.to_ical())


def _event(studio: Studio, booking: Booking, resource_ids: Sequence[int]) -> Event:
    serving = [studio.resources[resource_id] for resource_id in resource_ids]
    coach = next((each.name for each in serving if isinstance(each, Coach)), None)
    bays = ", ".join(each.name for each in serving if isinstance(each, Simulator))
    revised_at = booking.ended_at or booking.confirmed_at or booking.created_at
    event = Event()
    event.add("uid", str(booking.id))
    event.add("dtstamp", revised_at.astimezone(UTC))
    event.add("dtstart", booking.starts_at.astimezone(UTC))
    event.add("dtend", booking.ends_at.astimezone(UTC))
    event.add("summary", f"{studio.service_of(booking.service).title} at {studio.name}")
    words = [bays, f"Coach {coach}" if coach else "", f"Booking {booking.code}"]
    event.add("description", "\n".join(word for word in words if word))
    event.add("location", f"{studio.name}, {studio.location_by_id(booking.location_id).name}")
    event.add("sequence", booking.revision - 1)
    gone = booking.status in ENDED
    event.add("status", "CANCELLED" if gone else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if gone else "OPAQUE")
    return event
