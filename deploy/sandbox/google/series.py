"""Recurring events: the rule, its occurrences, and the ids they go by."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rruleset, rrulestr

from sandbox.google import times
from sandbox.google.errors import invalid

LINES = ("RRULE", "EXRULE", "RDATE", "EXDATE")
MOST = 1000
HORIZON = timedelta(days=730)


def check(event: dict[str, Any]) -> None:
    """Refuse recurrence lines that cannot be read."""
    for line in event.get("recurrence", []):
        if not line.startswith(LINES):
            raise invalid("Invalid recurrence rule.")
    if "recurrence" in event:
        _rules(event)


def occurrences(
    master: dict[str, Any], zone: str, starts: int | None, ends: int | None
) -> list[dict[str, Any]]:
    """Return the occurrences touching the window; an endless rule ends at a horizon."""
    first, last = times.span(master, zone)
    length = last - first
    stop = datetime.now(UTC) + HORIZON if ends is None else datetime.fromtimestamp(ends, UTC)
    found: list[dict[str, Any]] = []
    for moment in _rules(master):
        point = _point(moment, master, zone)
        begins = times.epoch(point, zone)
        if begins >= stop.timestamp() or len(found) >= MOST:
            break
        if starts is None or begins + length > starts:
            found.append(_occurrence(master, point, length))
    return found


def one(master: dict[str, Any], instance_id: str, zone: str) -> dict[str, Any] | None:
    """Return the occurrence with this id, if the rule yields it."""
    if "recurrence" not in master:
        return None
    stamp = instance_id.rpartition("_")[2]
    try:
        around = int(datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None
    near = occurrences(master, zone, around - 2 * 86400, around + 2 * 86400)
    return next((event for event in near if event["id"] == instance_id), None)


def _rules(master: dict[str, Any]) -> rruleset:
    start = master["start"]
    if "date" in start:
        first = datetime.combine(date.fromisoformat(start["date"]), datetime.min.time())
    else:
        instant = datetime.fromisoformat(start["dateTime"])
        first = instant.astimezone(ZoneInfo(start["timeZone"]))
    try:
        return rrulestr("\n".join(master["recurrence"]), dtstart=first, forceset=True)
    except (ValueError, TypeError) as error:
        raise invalid("Invalid recurrence rule.") from error


def _point(moment: datetime, master: dict[str, Any], zone: str) -> dict[str, str]:
    if "date" in master["start"]:
        return {"date": moment.date().isoformat()}
    name = master["start"]["timeZone"]
    return {"dateTime": times.shown(int(moment.timestamp()), zone), "timeZone": name}


def _occurrence(master: dict[str, Any], point: dict[str, str], length: int) -> dict[str, Any]:
    event = {name: value for name, value in master.items() if name != "recurrence"}
    if "date" in point:
        stamp = point["date"].replace("-", "")
    else:
        instant = datetime.fromisoformat(point["dateTime"]).astimezone(UTC)
        stamp = instant.strftime("%Y%m%dT%H%M%SZ")
    return event | {
        "id": f"{master['id']}_{stamp}",
        "start": point,
        "end": times.shifted(point, length),
        "recurringEventId": master["id"],
        "originalStartTime": point,
    }
