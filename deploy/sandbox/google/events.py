"""Events: what may be written, what every write leaves behind, and what happens to the deleted."""

import json
import re
import secrets
import sqlite3
from collections.abc import Sequence
from typing import Any

from sandbox.google import series, times
from sandbox.google.calendars import OWNER, Calendar
from sandbox.google.errors import GoogleError, invalid, not_found
from sandbox.google.store import Work, etag_of, moment_of

Resource = dict[str, Any]

OWN_ID = re.compile(r"[a-v0-9]{5,1024}", re.ASCII)
SERVERS_OWN = (
    "kind",
    "etag",
    "id",
    "htmlLink",
    "created",
    "updated",
    "creator",
    "organizer",
    "iCalUID",
    "sequence",
    "recurringEventId",
    "originalStartTime",
    "locked",
    "privateCopy",
    "hangoutLink",
    "attendeesOmitted",
)
RESCHEDULING = ("start", "end", "recurrence", "status", "location")
CHOICES = {
    "status": {"confirmed", "tentative", "cancelled"},
    "transparency": {"opaque", "transparent"},
    "visibility": {"default", "public", "private", "confidential"},
    "eventType": {"default", "birthday", "focusTime", "outOfOffice", "workingLocation"},
}
FOR_EVER = 253_402_300_799


def find(work: Work, calendar: Calendar, event_id: str) -> Resource:
    """Return an event, deleted ones too, and single occurrences of a series."""
    row = _row(work, calendar, event_id)
    if row is not None:
        return resource(row)
    master_id, _, stamp = event_id.rpartition("_")
    master = _row(work, calendar, master_id) if stamp else None
    found = series.one(resource(master), event_id, calendar.zone) if master else None
    if found is None:
        raise not_found()
    return found


def insert(work: Work, calendar: Calendar, body: Resource) -> Resource:
    """Write a new event; an id that was ever used, even by a deleted event, is refused."""
    event_id = body.get("id")
    if event_id is not None and not OWN_ID.fullmatch(event_id):
        raise invalid("Invalid resource id value.")
    if event_id is not None and body.get("iCalUID"):
        raise invalid("Only one of id and iCalUID can be given.")
    event_id = event_id or secrets.token_hex(13)
    if _row(work, calendar, event_id) is not None:
        raise GoogleError(409, "duplicate", "The requested identifier already exists.")
    head = _birth(work, calendar, event_id, body.get("iCalUID"))
    return save(work, calendar, head | _settled(_writable(body), calendar))


def patch(work: Work, calendar: Calendar, event_id: str, change: Resource) -> Resource:
    """Merge a change into an event: objects grow together, null deletes, lists are replaced."""
    old = find(work, calendar, event_id)
    _check_sequence(old, change)
    accepted = {name: value for name, value in change.items() if name not in SERVERS_OWN}
    return _replace(work, calendar, old, merged(old, accepted))


def update(work: Work, calendar: Calendar, event_id: str, body: Resource) -> Resource:
    """Replace all that can be written of an event; without a status it lives again."""
    old = find(work, calendar, event_id)
    _check_sequence(old, body)
    kept = {name: old[name] for name in SERVERS_OWN if name in old}
    return _replace(work, calendar, old, kept | {"eventType": "default"} | _writable(body))


def delete(work: Work, calendar: Calendar, event_id: str) -> None:
    """Leave a tombstone that keeps the id for good."""
    old = find(work, calendar, event_id)
    if old["status"] == "cancelled":
        raise GoogleError(410, "deleted", "Resource has been deleted")
    _replace(work, calendar, old, old | {"status": "cancelled"})
    sql = "SELECT * FROM events WHERE calendar = ? AND series = ? AND status != 'cancelled'"
    for row in work.db.execute(sql, (calendar.id, event_id)).fetchall():
        save(work, calendar, resource(row) | {"status": "cancelled"})


def move(work: Work, source: Calendar, event_id: str, target: Calendar) -> Resource:
    """Carry an event over to another calendar; the answer is the tombstone left behind."""
    old = find(work, source, event_id)
    if old["status"] == "cancelled":
        raise not_found()
    if old.get("recurringEventId") or source.id == target.id:
        raise invalid("Cannot change the organizer of this event.")
    there = _row(work, target, event_id)
    if there is not None and there["status"] != "cancelled":
        raise GoogleError(409, "duplicate", "The requested identifier already exists.")
    save(work, target, old | {"organizer": _organizer(target), "sequence": old["sequence"] + 1})
    return _replace(work, source, old, old | {"status": "cancelled"})


def merged(old: Resource, change: Resource) -> Resource:
    """Return `old` with the change merged in as PATCH does it."""
    result = dict(old)
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            before = result.get(name)
            result[name] = merged(before if isinstance(before, dict) else {}, value)
        else:
            result[name] = value
    return result


def save(work: Work, calendar: Calendar, event: Resource) -> Resource:
    """Write an event under a new version and return it as it now is."""
    body = {name: value for name, value in event.items() if name not in ("etag", "updated")}
    starts, ends = times.span(body, calendar.zone)
    version = work.next_version()
    values = (
        calendar.id,
        body["id"],
        version,
        body["status"],
        starts,
        FOR_EVER if "recurrence" in body else ends,
        body.get("recurringEventId"),
        json.dumps(body),
    )
    work.db.execute("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    work.touched.add(calendar.id)
    return body | {"etag": etag_of(version), "updated": moment_of(version)}


def resource(row: sqlite3.Row) -> Resource:
    """Return the event a row holds."""
    body: Resource = json.loads(row["body"])
    return body | {"etag": etag_of(row["version"]), "updated": moment_of(row["version"])}


def rows(work: Work, where: str, values: Sequence[object]) -> list[Resource]:
    """Return the events a condition picks, oldest write first."""
    sql = f"SELECT * FROM events WHERE {where} ORDER BY version"  # noqa: S608 - our own conditions
    return [resource(row) for row in work.db.execute(sql, values)]


def _row(work: Work, calendar: Calendar, event_id: str) -> sqlite3.Row | None:
    sql = "SELECT * FROM events WHERE calendar = ? AND id = ?"
    row: sqlite3.Row | None = work.db.execute(sql, (calendar.id, event_id)).fetchone()
    return row


def _replace(work: Work, calendar: Calendar, old: Resource, new: Resource) -> Resource:
    new = _settled(new, calendar)
    moved = any(old.get(name) != new.get(name) for name in RESCHEDULING)
    return save(work, calendar, new | {"sequence": old["sequence"] + moved})


def _birth(work: Work, calendar: Calendar, event_id: str, uid: str | None) -> Resource:
    return {
        "kind": "calendar#event",
        "id": event_id,
        "created": moment_of(work.version()).split(".", maxsplit=1)[0] + "Z",
        "creator": {"email": work.actor},
        "organizer": _organizer(calendar),
        "iCalUID": uid or f"{event_id}@google.com",
        "sequence": 0,
        "eventType": "default",
    }


def _organizer(calendar: Calendar) -> Resource:
    if calendar.id == OWNER:
        return {"email": calendar.id, "self": True}
    return {"email": calendar.id, "displayName": calendar.summary}


def _writable(body: Resource) -> Resource:
    return merged({}, {name: value for name, value in body.items() if name not in SERVERS_OWN})


def _settled(event: Resource, calendar: Calendar) -> Resource:
    event = {"status": "confirmed", "reminders": {"useDefault": True}} | event
    for name, allowed in CHOICES.items():
        if name in event and event[name] not in allowed:
            raise invalid(f"Invalid value for: {event[name]} is not a valid value", location=name)
    times.settle(event, calendar.zone)
    if not event.get("recurrence"):
        event.pop("recurrence", None)
    series.check(event)
    _settle_properties(event)
    return event


def _settle_properties(event: Resource) -> None:
    kinds = event.get("extendedProperties", {})
    for kind, properties in list(kinds.items()):
        if len(properties) > 300:
            raise invalid("Too many extended properties.")
        # Google drops a key that is too long and cuts a value, both without a word.
        kinds[kind] = {key: text[:1024] for key, text in properties.items() if len(key) <= 44}
        if not kinds[kind]:
            del kinds[kind]
    if not kinds:
        event.pop("extendedProperties", None)


def _check_sequence(old: Resource, change: Resource) -> None:
    if (change.get("sequence") or old["sequence"]) < old["sequence"]:
        raise invalid(
            "Invalid sequence value. The specified sequence number is below the current "
            "sequence number of the resource. Re-fetch the resource and use its sequence number "
            "on the following request."
        )
