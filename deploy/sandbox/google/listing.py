"""Lists: windows, pages, sync tokens and tombstones."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from sandbox.google import events, series, times
from sandbox.google.calendars import Calendar
from sandbox.google.errors import GoogleError, invalid
from sandbox.google.events import Resource
from sandbox.google.store import Work, etag_of, moment_of

NOT_WITH_A_TOKEN = (
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
)
STUB = ("kind", "etag", "id", "status", "recurringEventId", "originalStartTime")


@dataclass(frozen=True)
class View:
    """How events are shown to this caller."""

    base: str
    zone: str | None = None

    def of(self, event: Resource, calendar: Calendar) -> Resource:
        """Return the event as this caller sees it."""
        eid = encode([event["id"], calendar.id])
        shown = event | {"htmlLink": f"{self.base}/calendar?eid={eid}"}
        for side in ("start", "end", "originalStartTime"):
            if side in event:
                shown[side] = times.in_zone(event[side], self.zone or calendar.zone)
        return shown


@dataclass(frozen=True)
class Query:
    """The parameters of `events.list`, read and checked."""

    single: dict[str, str]
    private: list[str]
    shared: list[str]
    kinds: list[str]
    since: int
    after: list[Any] | None
    upto: int

    def flag(self, name: str) -> bool:
        """Return a switch's position."""
        return self.single.get(name) == "true"


def read(
    work: Work, calendar: Calendar, single: dict[str, str], many: dict[str, list[str]]
) -> Query:
    """Check the parameters of a list and decode its tokens."""
    since, after, upto = 0, None, work.version()
    if "syncToken" in single:
        _refuse_with_token(single)
        since = _since(single["syncToken"], calendar)
    if "pageToken" in single:
        since, after, upto = _page(single["pageToken"], calendar)
    if single.get("orderBy") == "startTime" and single.get("singleEvents") != "true":
        message = "The requested ordering is not available for the particular query."
        raise invalid(message, location="orderBy")
    private, shared, kinds = (
        many.get(name, [])
        for name in ("privateExtendedProperty", "sharedExtendedProperty", "eventTypes")
    )
    return Query(single, private, shared, kinds, since, after, upto)


def page(work: Work, calendar: Calendar, query: Query, view: View) -> Resource:
    """Return one page; the sync token comes with the last one only."""
    size = min(int(query.single.get("maxResults", "250")), 2500)
    if size < 1:
        raise invalid("Invalid value for maxResults.", location="maxResults")
    keyed = sorted(
        ((_key(event, query, calendar), event) for event in chosen(work, calendar, query)),
        key=_first,
    )
    rest = [pair for pair in keyed if query.after is None or pair[0] > query.after]
    items = [view.of(_cut(event, query), calendar) for _, event in rest[:size]]
    answer = head(calendar, view, work.version()) | {"items": [_stubbed(item) for item in items]}
    if len(rest) > size:
        token = {"s": query.since, "k": rest[size - 1][0], "u": query.upto, "c": calendar.id}
        answer["nextPageToken"] = encode(token)
    elif "orderBy" not in query.single:
        answer["nextSyncToken"] = encode({"v": query.upto, "c": calendar.id})
    return answer


def instances(
    work: Work, calendar: Calendar, master: Resource, single: dict[str, str]
) -> list[Resource]:
    """Return the occurrences of one series, changed ones in place of those they replace."""
    low, high = _window(single)
    changed = {
        e["id"]: e
        for e in events.rows(work, "calendar = ? AND series = ?", (calendar.id, master["id"]))
    }
    plain = series.occurrences(master, calendar.zone, low, high) if "recurrence" in master else []
    merged = {event["id"]: event for event in plain} | changed
    shown = single.get("showDeleted") == "true"
    live = [event for event in merged.values() if shown or event["status"] != "cancelled"]
    return sorted(live, key=lambda event: times.epoch(event["start"], calendar.zone))


def encode(value: object) -> str:
    """Return a value as an opaque token."""
    raw = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(token: str) -> Any:
    """Return what a token of ours holds, or None."""
    try:
        return json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError):
        return None


def _first(pair: tuple[list[Any], Resource]) -> list[Any]:
    return pair[0]


def _refuse_with_token(single: dict[str, str]) -> None:
    for name in NOT_WITH_A_TOKEN:
        if name in single:
            raise invalid(f"{name} cannot be specified together with syncToken.", location=name)
    if single.get("showDeleted") == "false":
        raise invalid("showDeleted cannot be false with syncToken.", location="showDeleted")


def _since(token: str, calendar: Calendar) -> int:
    held = decode(token)
    known = isinstance(held, dict) and isinstance(held.get("v"), int)
    if not known or held["c"] != calendar.id or held["v"] < calendar.oldest_token:
        message = "Sync token is no longer valid, a full sync is required."
        raise GoogleError(410, "fullSyncRequired", message, location="syncToken")
    version: int = held["v"]
    return version


def _page(token: str, calendar: Calendar) -> tuple[int, list[Any], int]:
    held = decode(token)
    if not isinstance(held, dict) or "k" not in held or held["c"] != calendar.id:
        raise invalid("Invalid page token value.", location="pageToken")
    return held["s"], held["k"], held["u"]


def _window(single: dict[str, str]) -> tuple[int | None, int | None]:
    low = times.bound(single.get("timeMin"), "timeMin")
    high = times.bound(single.get("timeMax"), "timeMax")
    if low is not None and high is not None and low >= high:
        raise GoogleError(400, "timeRangeEmpty", "The specified time range is empty.")
    return low, high


def chosen(work: Work, calendar: Calendar, query: Query) -> list[Resource]:
    """Return every event a query asks for, in no order."""
    low, high = _window(query.single)
    where, values = "calendar = ? AND version > ?", [calendar.id, query.since]
    if low is not None:
        where, values = where + " AND ends > ?", [*values, low]
    if high is not None:
        where, values = where + " AND starts < ?", [*values, high]
    found = events.rows(work, where, values)
    if query.flag("singleEvents"):
        found = _expanded(work, calendar, found, (low, high))
    elif not query.since:
        found = _without_orphans(work, calendar, found)
    return [event for event in found if _wanted(event, query)]


def _expanded(
    work: Work, calendar: Calendar, found: list[Resource], window: tuple[int | None, int | None]
) -> list[Resource]:
    taken = {
        row["id"]
        for row in work.db.execute(
            "SELECT id FROM events WHERE calendar = ? AND series IS NOT NULL", (calendar.id,)
        )
    }
    result: list[Resource] = []
    for event in found:
        if "recurrence" not in event:
            result.append(event)
            continue
        for occurrence in series.occurrences(event, calendar.zone, *window):
            if occurrence["id"] not in taken:
                result.append(occurrence)
    return result


def _without_orphans(work: Work, calendar: Calendar, found: list[Resource]) -> list[Resource]:
    sql = "SELECT id FROM events WHERE calendar = ? AND status != 'cancelled'"
    live = {row["id"] for row in work.db.execute(sql, (calendar.id,))}
    masters = ((event, event.get("recurringEventId")) for event in found)
    return [event for event, master in masters if master is None or master in live]


def _wanted(event: Resource, query: Query) -> bool:
    bare_exception = "recurringEventId" in event and not query.flag("singleEvents")
    deleted = query.since > 0 or query.flag("showDeleted") or bare_exception
    if event["status"] == "cancelled" and not deleted:
        return False
    own, single = event.get("extendedProperties", {}), query.single
    floor = times.bound(single.get("updatedMin"), "updatedMin")
    return (
        all(_has(own.get("private", {}), pair) for pair in query.private)
        and all(_has(own.get("shared", {}), pair) for pair in query.shared)
        and single.get("iCalUID") in (None, event["iCalUID"])
        and (not query.kinds or event["eventType"] in query.kinds)
        and (floor is None or _version(event) >= floor * 2_000_000)
        and single.get("q", "").casefold() in _text(event)
    )


def _version(event: Resource) -> int:
    return int(event["etag"].strip('"'))


def _has(properties: dict[str, str], pair: str) -> bool:
    name, _, value = pair.partition("=")
    return properties.get(name) == value


def _text(event: Resource) -> str:
    parts = (event.get(name, "") for name in ("summary", "description", "location"))
    return "\n".join(parts).casefold()


def _key(event: Resource, query: Query, calendar: Calendar) -> list[Any]:
    if query.single.get("orderBy") == "startTime":
        return [times.epoch(event["start"], calendar.zone), event["id"]]
    return [_version(event), event["id"]]


def _cut(event: Resource, query: Query) -> Resource:
    # Of what was deleted since a token Google promises the id and no more.
    if event["status"] == "cancelled" and (query.since or "recurringEventId" in event):
        return {name: event[name] for name in STUB if name in event}
    return event


def _stubbed(item: Resource) -> Resource:
    if "start" not in item:
        item.pop("htmlLink", None)
    return item


def head(calendar: Calendar, view: View, version: int) -> Resource:
    """Return what stands above the items of a list."""
    top = {
        "kind": "calendar#events",
        "etag": etag_of(version),
        "summary": calendar.summary,
        "updated": moment_of(version),
        "timeZone": view.zone or calendar.zone,
        "accessRole": "owner",
        "defaultReminders": [],
    }
    return top | {n: calendar.body[n] for n in ("description",) if n in calendar.body}
