"""One function per method of the API that this calendar knows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.google import calendars, channels, events, freebusy, listing, times
from sandbox.google.calendars import Calendar
from sandbox.google.errors import GoogleError
from sandbox.google.listing import View
from sandbox.google.store import Work

Body = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request, checked against Google's description, inside its transaction."""

    work: Work
    path: dict[str, str]
    query: dict[str, str]
    many: dict[str, list[str]]
    body: Body
    headers: dict[str, str] = field(default_factory=dict)
    base: str = ""
    owner_zone: str = "UTC"

    def calendar(self, name: str = "calendarId") -> Calendar:
        """Return the calendar the path or the query names."""
        wanted = self.path.get(name) or self.query.get(name) or ""
        return calendars.find(self.work, wanted, self.owner_zone)

    def view(self) -> View:
        """Return how this caller wants to see events."""
        zone = self.query.get("timeZone")
        return View(self.base, times.zone(zone).key if zone else None)

    def require_match(self, calendar: Calendar) -> None:
        """Refuse a write whose `If-Match` is not the event's etag."""
        wanted = self.headers.get("if-match", "*")
        event = events.find(self.work, calendar, self.path["eventId"])
        if wanted not in ("*", event["etag"]):
            raise GoogleError(412, "conditionNotMet", "Precondition Failed", location="If-Match")


@dataclass(frozen=True)
class Answer:
    """A status and a body, or none."""

    body: Body | None
    status: int = 200


def insert_event(call: Call) -> Answer:
    """Write a new event."""
    calendar = call.calendar()
    event = events.insert(call.work, calendar, call.body)
    return Answer(call.view().of(event, calendar))


def get_event(call: Call) -> Answer:
    """Return an event, or 304 if the caller has it."""
    calendar = call.calendar()
    event = events.find(call.work, calendar, call.path["eventId"])
    if call.headers.get("if-none-match") == event["etag"]:
        return Answer(None, 304)
    return Answer(call.view().of(event, calendar))


def list_events(call: Call) -> Answer:
    """Return one page of a calendar's events."""
    calendar = call.calendar()
    query = listing.read(call.work, calendar, call.query, call.many)
    return Answer(listing.page(call.work, calendar, query, call.view()))


def list_instances(call: Call) -> Answer:
    """Return the occurrences of one series."""
    calendar, view = call.calendar(), call.view()
    master = events.find(call.work, calendar, call.path["eventId"])
    found = listing.instances(call.work, calendar, master, call.query)
    head = listing.head(calendar, view, call.work.version())
    return Answer(head | {"items": [view.of(event, calendar) for event in found]})


def patch_event(call: Call) -> Answer:
    """Merge a change into an event."""
    calendar = call.calendar()
    call.require_match(calendar)
    event = events.patch(call.work, calendar, call.path["eventId"], call.body)
    return Answer(call.view().of(event, calendar))


def update_event(call: Call) -> Answer:
    """Replace an event."""
    calendar = call.calendar()
    call.require_match(calendar)
    event = events.update(call.work, calendar, call.path["eventId"], call.body)
    return Answer(call.view().of(event, calendar))


def delete_event(call: Call) -> Answer:
    """Delete an event."""
    calendar = call.calendar()
    call.require_match(calendar)
    events.delete(call.work, calendar, call.path["eventId"])
    return Answer(None, 204)


def move_event(call: Call) -> Answer:
    """Move an event to another calendar."""
    source, target = call.calendar(), call.calendar("destination")
    call.require_match(source)
    event = events.move(call.work, source, call.path["eventId"], target)
    return Answer(call.view().of(event, source))


def watch_events(call: Call) -> Answer:
    """Open a push channel."""
    calendar = call.calendar()
    uri = f"{call.base}/calendar/v3/calendars/{calendar.id}/events?alt=json"
    return Answer(channels.watch(call.work, calendar, call.body, uri))


def stop_channel(call: Call) -> Answer:
    """Close a push channel."""
    channels.stop(call.work, call.body)
    return Answer(None, 204)


def get_calendar(call: Call) -> Answer:
    """Return a calendar."""
    return Answer(call.calendar().resource())


def insert_calendar(call: Call) -> Answer:
    """Make a calendar."""
    return Answer(calendars.make(call.work, call.body, call.owner_zone).resource())


def patch_calendar(call: Call) -> Answer:
    """Merge a change into a calendar."""
    calendar = call.calendar()
    body = events.merged(calendar.body, call.body)
    return Answer(calendars.change(call.work, calendar, body).resource())


def delete_calendar(call: Call) -> Answer:
    """Delete a calendar."""
    calendars.remove(call.work, call.calendar())
    return Answer(None, 204)


def list_entries(call: Call) -> Answer:
    """Return every calendar there is, in one page."""
    version = call.work.version()
    entries = [calendar.entry() for calendar in calendars.existing(call.work)]
    head = {"kind": "calendar#calendarList", "etag": f'"{version}"', "items": entries}
    return Answer(head | {"nextSyncToken": listing.encode({"v": version})})


def get_entry(call: Call) -> Answer:
    """Return one entry of the list of calendars."""
    return Answer(call.calendar().entry())


def query_freebusy(call: Call) -> Answer:
    """Return when calendars are busy."""
    return Answer(freebusy.query(call.work, call.body, call.owner_zone))


OPERATIONS: dict[str, Callable[[Call], Answer]] = {
    "calendar.events.insert": insert_event,
    "calendar.events.get": get_event,
    "calendar.events.list": list_events,
    "calendar.events.instances": list_instances,
    "calendar.events.patch": patch_event,
    "calendar.events.update": update_event,
    "calendar.events.delete": delete_event,
    "calendar.events.move": move_event,
    "calendar.events.watch": watch_events,
    "calendar.channels.stop": stop_channel,
    "calendar.calendars.get": get_calendar,
    "calendar.calendars.insert": insert_calendar,
    "calendar.calendars.patch": patch_calendar,
    "calendar.calendars.delete": delete_calendar,
    "calendar.calendarList.list": list_entries,
    "calendar.calendarList.get": get_entry,
    "calendar.freebusy.query": query_freebusy,
}
