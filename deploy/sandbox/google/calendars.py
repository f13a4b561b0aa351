"""Calendars: made by hand, or there by themselves at the first touch."""

import json
import secrets
import sqlite3
from dataclasses import dataclass
from typing import Any

from sandbox.google import times
from sandbox.google.errors import GoogleError, not_found
from sandbox.google.store import Work, etag_of

BY_ITSELF = "@sandbox.calendar"
OWNER = "owner" + BY_ITSELF
WRITABLE = ("summary", "description", "location", "timeZone")
COLOURS = ("#5484ed", "#51b749", "#ffb878", "#dbadff", "#ff887c", "#46d6db", "#fbd75b", "#7ae7bf")


@dataclass(frozen=True)
class Calendar:
    """A calendar that exists."""

    id: str
    body: dict[str, Any]
    zone: str
    version: int
    oldest_token: int

    @property
    def summary(self) -> str:
        """Return the name people see."""
        return str(self.body["summary"])

    def resource(self) -> dict[str, Any]:
        """Return Google's `calendar#calendar`."""
        head = {"kind": "calendar#calendar", "etag": etag_of(self.version), "id": self.id}
        return head | self.body | {"timeZone": self.zone}

    def entry(self) -> dict[str, Any]:
        """Return Google's `calendar#calendarListEntry`."""
        colour = sum(self.id.encode()) % len(COLOURS)
        entry = self.resource() | {
            "kind": "calendar#calendarListEntry",
            "accessRole": "owner",
            "colorId": str(colour + 1),
            "backgroundColor": COLOURS[colour],
            "foregroundColor": "#000000",
            "selected": True,
            "defaultReminders": [],
        }
        return entry | ({"primary": True} if self.id == OWNER else {})


def find(work: Work, calendar_id: str, zone: str) -> Calendar:
    """Return the calendar; those of the sandbox come to exist when first asked for."""
    wanted = OWNER if calendar_id == "primary" else calendar_id
    row = work.db.execute("SELECT * FROM calendars WHERE id = ?", (wanted,)).fetchone()
    if row is None and wanted.endswith(BY_ITSELF) and len(wanted) > len(BY_ITSELF):
        name = wanted.removesuffix(BY_ITSELF).replace("-", " ").replace(".", " ")
        return _write(work, wanted, {"summary": name[:1].upper() + name[1:]}, zone)
    if row is None or row["deleted"]:
        raise not_found()
    return _of(row)


def existing(work: Work) -> list[Calendar]:
    """Return every calendar there is."""
    rows = work.db.execute("SELECT * FROM calendars WHERE NOT deleted ORDER BY id")
    return [_of(row) for row in rows]


def make(work: Work, body: dict[str, Any], zone: str) -> Calendar:
    """Make a secondary calendar with an id of the server's choice."""
    if not body.get("summary"):
        raise GoogleError(400, "required", "Missing title.")
    zone = body.get("timeZone") or zone
    times.zone(zone)
    calendar_id = f"c_{secrets.token_hex(16)}@group.calendar.google.com"
    return _write(work, calendar_id, _writable(body), zone)


def change(work: Work, calendar: Calendar, body: dict[str, Any]) -> Calendar:
    """Replace what can be written of a calendar."""
    if not body.get("summary"):
        raise GoogleError(400, "required", "Missing title.")
    zone = body.get("timeZone") or calendar.zone
    times.zone(zone)
    return _write(work, calendar.id, _writable(body), zone)


def remove(work: Work, calendar: Calendar) -> None:
    """Delete a calendar with everything in it; from now on it is not found."""
    if calendar.id == OWNER:
        raise GoogleError(403, "forbidden", "Cannot delete a primary calendar.")
    work.db.execute("UPDATE calendars SET deleted = 1 WHERE id = ?", (calendar.id,))
    work.db.execute("DELETE FROM events WHERE calendar = ?", (calendar.id,))
    work.db.execute("DELETE FROM channels WHERE calendar = ?", (calendar.id,))


def expire_tokens(work: Work, calendar: Calendar) -> None:
    """Make every sync token given out so far answer 410, and forget the tombstones."""
    version = work.next_version()
    sql = "UPDATE calendars SET oldest_token = ? WHERE id = ?"
    work.db.execute(sql, (version, calendar.id))
    sql = "DELETE FROM events WHERE calendar = ? AND status = 'cancelled' AND series IS NULL"
    work.db.execute(sql, (calendar.id,))


def _writable(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in WRITABLE if body.get(name) is not None}


def _write(work: Work, calendar_id: str, body: dict[str, Any], zone: str) -> Calendar:
    body = {name: value for name, value in body.items() if name != "timeZone"}
    sql = """INSERT INTO calendars (id, body, zone, version) VALUES (?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET
        body = excluded.body, zone = excluded.zone, version = excluded.version RETURNING *"""
    values = (calendar_id, json.dumps(body), zone, work.next_version())
    return _of(work.db.execute(sql, values).fetchone())


def _of(row: sqlite3.Row) -> Calendar:
    body = json.loads(row["body"])
    return Calendar(row["id"], body, row["zone"], row["version"], row["oldest_token"])
