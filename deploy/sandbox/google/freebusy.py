"""When calendars are busy."""

from typing import Any

from sandbox.google import calendars, events, series, times
from sandbox.google.calendars import Calendar
from sandbox.google.errors import GoogleError
from sandbox.google.store import Work

Span = tuple[int, int]


def query(work: Work, body: dict[str, Any], zone: str) -> dict[str, Any]:
    """Answer `freebusy.query`; a calendar that cannot be seen is reported, not called free."""
    low = times.bound(body.get("timeMin"), "timeMin")
    high = times.bound(body.get("timeMax"), "timeMax")
    if low is None or high is None:
        raise GoogleError(400, "required", "Required", location="timeMin")
    if low >= high:
        raise GoogleError(400, "timeRangeEmpty", "The specified time range is empty.")
    if len(body.get("items") or []) > 50:
        message = "The requested expansion limit is exceeded."
        raise GoogleError(400, "tooManyCalendarsRequested", message)
    shown = times.zone(body.get("timeZone") or "UTC").key
    answers = {}
    for item in body.get("items") or []:
        try:
            calendar = calendars.find(work, item["id"], zone)
        except GoogleError:
            answers[item["id"]] = {
                "errors": [{"domain": "global", "reason": "notFound"}],
                "busy": [],
            }
            continue
        spans = busy(work, calendar, (low, high))
        answers[item["id"]] = {"busy": [_period(span, shown) for span in spans]}
    bounds = {"timeMin": times.shown(low, "UTC"), "timeMax": times.shown(high, "UTC")}
    return {"kind": "calendar#freeBusy", **bounds, "calendars": answers}


def busy(work: Work, calendar: Calendar, window: Span) -> list[Span]:
    """Return the taken spans inside the window, joined where they touch."""
    where = "calendar = ? AND ends > ? AND starts < ? AND status != 'cancelled'"
    taken: list[Span] = []
    for event in events.rows(work, where, (calendar.id, *window)):
        if event.get("transparency") == "transparent":
            continue
        each = [event]
        if "recurrence" in event:
            sql = "SELECT id FROM events WHERE calendar = ? AND series = ?"
            changed = {row["id"] for row in work.db.execute(sql, (calendar.id, event["id"]))}
            plain = series.occurrences(event, calendar.zone, *window)
            each = [occurrence for occurrence in plain if occurrence["id"] not in changed]
        taken += [times.span(one, calendar.zone) for one in each]
    return _joined(taken, window)


def _joined(spans: list[Span], window: Span) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        start, end = max(start, window[0]), min(end, window[1])
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _period(span: Span, zone: str) -> dict[str, str]:
    return {"start": times.shown(span[0], zone), "end": times.shown(span[1], zone)}
