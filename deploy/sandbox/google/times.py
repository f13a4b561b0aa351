"""Times as Google reads and writes them."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sandbox.google.errors import GoogleError, invalid

DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def zone(name: str, message: str = "Invalid time zone.") -> ZoneInfo:
    """Return the zone of an IANA name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise invalid(message) from error


def bound(text: str | None, name: str) -> int | None:
    """Return a query's timestamp, which must carry an offset, as epoch seconds."""
    if text is None:
        return None
    if not DATE_TIME.fullmatch(text) or (text[-1].isdigit() and text[-6] not in "+-"):
        raise GoogleError(400, "badRequest", "Bad Request", location=name)
    return int(_parsed(text, name).timestamp())


def settle(body: dict[str, Any], calendar_zone: str) -> None:
    """Check start and end, and write them down the way Google gives them back."""
    for side in ("start", "end"):
        if not body.get(side):
            raise GoogleError(400, "required", f"Missing {side} time.")
        body[side] = _settled(body[side], side, calendar_zone, needs_zone="recurrence" in body)
    if ("date" in body["start"]) != ("date" in body["end"]):
        raise invalid("The start and end times must either both be date or both be dateTime.")
    starts, ends = span(body, calendar_zone)
    if ends <= starts:
        raise GoogleError(400, "timeRangeEmpty", "The specified time range is empty.")


def span(body: dict[str, Any], calendar_zone: str) -> tuple[int, int]:
    """Return the settled start and end as epoch seconds."""
    return epoch(body["start"], calendar_zone), epoch(body["end"], calendar_zone)


def epoch(point: dict[str, str], calendar_zone: str) -> int:
    """Return a settled point as epoch seconds; a date begins at the calendar's midnight."""
    if "date" in point:
        day = date.fromisoformat(point["date"])
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(calendar_zone))
        return int(midnight.timestamp())
    return int(datetime.fromisoformat(point["dateTime"]).timestamp())


def shifted(point: dict[str, str], seconds: int) -> dict[str, str]:
    """Return the settled point moved by so much; whole days for an all-day one."""
    if "date" in point:
        day = date.fromisoformat(point["date"]) + timedelta(days=round(seconds / 86400))
        return {"date": day.isoformat()}
    instant = datetime.fromisoformat(point["dateTime"]).astimezone(UTC)
    return point | {"dateTime": shown(int(instant.timestamp()) + seconds, point["timeZone"])}


def shown(seconds: int, zone_name: str) -> str:
    """Return epoch seconds as RFC 3339 in a zone, with Z for UTC."""
    text = datetime.fromtimestamp(seconds, ZoneInfo(zone_name)).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z") if zone_name in {"UTC", "Etc/UTC"} else text


def in_zone(point: dict[str, str], zone_name: str) -> dict[str, str]:
    """Return the settled point as seen in another zone."""
    if "date" in point:
        return point
    instant = int(datetime.fromisoformat(point["dateTime"]).timestamp())
    return point | {"dateTime": shown(instant, zone_name)}


def _settled(
    point: dict[str, Any], side: str, calendar_zone: str, *, needs_zone: bool
) -> dict[str, str]:
    point = {name: value for name, value in point.items() if value is not None}
    if ("date" in point) == ("dateTime" in point):
        raise invalid(f"Invalid {side} time.")
    if "date" in point:
        if not DATE.fullmatch(point["date"]):
            raise invalid(f"Invalid {side} time.")
        return {"date": _parsed(point["date"], side).date().isoformat()}
    if not DATE_TIME.fullmatch(point["dateTime"]):
        raise invalid(f"Invalid {side} time.")
    instant = _parsed(point["dateTime"], side)
    missing = f"Missing time zone definition for {side} time."
    if "timeZone" not in point and (instant.tzinfo is None or needs_zone):
        raise GoogleError(400, "required", missing)
    name = point.get("timeZone", calendar_zone)
    own = zone(name, f"Invalid time zone definition for {side} time.")
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=own)
    return {"dateTime": shown(int(instant.timestamp()), calendar_zone), "timeZone": name}


def _parsed(text: str, where: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid(f"Invalid {where} time.") from error
