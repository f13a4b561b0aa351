"""What a hand does in the calendar: drag, resize, delete, copy, rename, create, move, all day."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.google import calendars, events, times
from sandbox.google.calendars import Calendar
from sandbox.google.errors import GoogleError, invalid
from sandbox.google.events import Resource
from sandbox.google.store import Work

FIELDS = {"verb", "calendar", "event", "start", "end", "title", "to_calendar"}


@dataclass(frozen=True)
class Gesture:
    """A verb with its words, read and checked."""

    work: Work
    calendar: Calendar
    words: dict[str, str]
    zone: str

    def need(self, name: str) -> str:
        """Return a word the verb cannot do without."""
        if not self.words.get(name):
            raise invalid(f"{self.words['verb']} needs {name}")
        return self.words[name]

    def event(self) -> Resource:
        """Return the event the hand is on; a deleted one is not on the screen."""
        event = events.find(self.work, self.calendar, self.need("event"))
        if event["status"] == "cancelled":
            raise GoogleError(410, "deleted", "Resource has been deleted")
        return event

    def point(self, name: str) -> dict[str, str]:
        """Return a word as a point in time: a date, or a time in the owner's zone."""
        text = self.need(name)
        if times.DATE.fullmatch(text):
            return {"date": text}
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise invalid(f"{name} is not a time: {text}") from error
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(self.zone))
        return {"dateTime": moment.isoformat(timespec="seconds"), "timeZone": self.zone}


def act(work: Work, words: dict[str, Any], zone: str) -> Resource:
    """Do what the words say and return the event it was done to, or the new one."""
    verb = words.get("verb")
    if unknown := set(words) - FIELDS:
        raise invalid(f"unknown fields: {', '.join(sorted(unknown))}")
    if verb not in VERBS:
        raise invalid(f"verb is one of {', '.join(VERBS)}")
    if not all(isinstance(value, str) for value in words.values() if value is not None):
        raise invalid("every field is a text")
    calendar = calendars.find(work, words.get("calendar") or "", zone)
    given = {name: value for name, value in words.items() if value is not None}
    return VERBS[verb](Gesture(work, calendar, given, zone))


def drag(gesture: Gesture) -> Resource:
    """Take an event to another start; its length stays unless an end is given."""
    event = gesture.event()
    start = gesture.point("start")
    if "end" in gesture.words:
        return _write(gesture, event | {"start": start, "end": gesture.point("end")})
    return _write(gesture, event | _at(gesture, event, start))


def resize(gesture: Gesture) -> Resource:
    """Pull one edge, or both."""
    event = gesture.event()
    edges = {name: gesture.point(name) for name in ("start", "end") if name in gesture.words}
    if not edges:
        gesture.need("end")
    return _write(gesture, event | edges)


def delete(gesture: Gesture) -> Resource:
    """Remove an event."""
    event = gesture.event()
    events.delete(gesture.work, gesture.calendar, event["id"])
    return events.find(gesture.work, gesture.calendar, event["id"])


def copy(gesture: Gesture) -> Resource:
    """Duplicate an event; what programs have noted on it goes along, as it does in Google's."""
    event = gesture.event()
    wanted = gesture.words.get("to_calendar") or gesture.calendar.id
    target = calendars.find(gesture.work, wanted, gesture.zone)
    body = {name: value for name, value in event.items() if name not in events.SERVERS_OWN}
    if "start" in gesture.words:
        body |= _at(gesture, event, gesture.point("start"))
    body |= {"summary": gesture.words.get("title") or event.get("summary", "")}
    return events.insert(gesture.work, target, body)


def rename(gesture: Gesture) -> Resource:
    """Give an event another title."""
    return _write(gesture, gesture.event() | {"summary": gesture.need("title")})


def create(gesture: Gesture) -> Resource:
    """Put in a new event."""
    start, end = gesture.point("start"), gesture.point("end")
    title = gesture.words.get("title") or "(No title)"
    body = {"id": secrets.token_hex(13), "summary": title, "start": start, "end": end}
    return events.insert(gesture.work, gesture.calendar, body)


def move(gesture: Gesture) -> Resource:
    """Carry an event to another calendar and, if a start is given, to another time."""
    event = gesture.event()
    target = calendars.find(gesture.work, gesture.need("to_calendar"), gesture.zone)
    events.move(gesture.work, gesture.calendar, event["id"], target)
    moved = Gesture(gesture.work, target, gesture.words, gesture.zone)
    return drag(moved) if "start" in gesture.words else moved.event()


def all_day(gesture: Gesture) -> Resource:
    """Turn an event into one of whole days, its own day unless another is given."""
    event = gesture.event()
    first = gesture.words.get("start") or str(next(iter(event["start"].values())))
    try:
        day = date.fromisoformat(first[:10])
    except ValueError as error:
        raise invalid(f"start is not a date: {first}") from error
    start = {"date": day.isoformat()}
    return _write(gesture, event | {"start": start, "end": times.shifted(start, 86400)})


VERBS: dict[str, Callable[[Gesture], Resource]] = {
    "drag": drag,
    "resize": resize,
    "delete": delete,
    "copy": copy,
    "rename": rename,
    "create": create,
    "move": move,
    "all_day": all_day,
}


def _at(gesture: Gesture, event: Resource, start: dict[str, str]) -> Resource:
    zone = gesture.calendar.zone
    begins, ends = times.span(event, zone)
    if "date" in start:
        length = ends - begins if "date" in event["start"] else 86400
    else:
        length = ends - begins if "dateTime" in event["start"] else 3600
    return {"start": start, "end": times.shifted(start, length)}


def _write(gesture: Gesture, event: Resource) -> Resource:
    work, calendar = gesture.work, gesture.calendar
    before = events.find(work, calendar, event["id"])
    body = {name: event[name] for name in event if name not in events.SERVERS_OWN}
    after = events.update(work, calendar, event["id"], body)
    if after["sequence"] == before["sequence"]:
        after = events.save(work, calendar, after | {"sequence": after["sequence"] + 1})
    return after
