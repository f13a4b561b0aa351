"""The page: a week of lanes, or a day as a time grid; both refresh themselves."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from sandbox.google import board, calendars, events, listing
from sandbox.google.api import Desk
from sandbox.google.board import Board, Lane
from sandbox.google.errors import GoogleError
from sandbox.google.events import Resource
from sandbox.google.store import Work

HERE = Path(__file__).parent
WEEK = timedelta(days=7)
TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Look:
    """What the caller wants to see: a week or a day, as of now."""

    mode: str
    on: date
    now: datetime

    @property
    def first(self) -> date:
        """Return the first day of the week, or the day."""
        return self.on - timedelta(days=self.on.weekday()) if self.mode == "week" else self.on

    @property
    def step(self) -> timedelta:
        """Return how far the arrows go."""
        return WEEK if self.mode == "week" else timedelta(days=1)

    @property
    def days(self) -> list[date]:
        """Return the days to show."""
        return [self.first + timedelta(days=n) for n in range(self.step.days)]

    @property
    def week(self) -> list[date]:
        """Return the week around the day."""
        monday = self.on - timedelta(days=self.on.weekday())
        return [monday + timedelta(days=n) for n in range(7)]

    @property
    def title(self) -> str:
        """Return the heading."""
        first, last = self.days[0], self.days[-1]
        if first == last:
            return f"{first:%A} {first.day} {first:%B} {first.year}"
        month = "" if first.month == last.month else f" {first:%B}"
        return f"{first.day}{month} {board.DASH} {last.day} {last:%B} {last.year}"


def routes(desk: Desk) -> list[BaseRoute]:
    """Return the routes of the page and of its static files."""

    def show(request: Request) -> Response:
        if "eid" in request.query_params:
            return _to_event(desk, request.query_params["eid"])
        try:
            look = _look(request, datetime.now(ZoneInfo(desk.owner_zone)))
        except (ValueError, OverflowError):
            return PlainTextResponse("week and day are dates like 2026-12-05\n", 400)
        return _rendered(desk, request, look)

    return [
        Mount("/calendar/static", StaticFiles(directory=HERE / "static"), name="static"),
        Route("/calendar", show),
        Route("/calendar/", show),
    ]


def _look(request: Request, now: datetime) -> Look:
    wanted = request.query_params
    if "day" in wanted:
        return Look("day", date.fromisoformat(wanted["day"]), now)
    week = wanted.get("week")
    return Look("week", date.fromisoformat(week) if week else now.date(), now)


def _rendered(desk: Desk, request: Request, look: Look) -> Response:
    with desk.store.transaction() as work:
        found = board.lanes(calendars.existing(work))
        shown = _events(work, found, look, desk.owner_zone)
    whole = board.lay_out(look.days, found, shown, desk.owner_zone)
    view = {"look": look, "board": whole, "lanes": found, "zone": desk.owner_zone}
    view |= {"narrow": _narrow(look, found, shown, desk.owner_zone), "one_day": timedelta(days=1)}
    name = "board.html" if "fragment" in request.query_params else "page.html"
    text = TEMPLATES.get_template(name).render(view)
    etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:20]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(text, headers=headers)


def _narrow(look: Look, found: list[Lane], shown: dict[str, list[Resource]], zone: str) -> Board:
    """Return the one day a narrow screen shows: today, if it is in the week."""
    today = look.now.date()
    day = today if today in look.days else look.days[0]
    return board.lay_out([day], found, shown, zone)


def _events(work: Work, found: list[Lane], look: Look, zone: str) -> dict[str, list[Resource]]:
    midnight = datetime.combine(look.days[0], time(), ZoneInfo(zone))
    after = datetime.combine(look.days[-1] + timedelta(days=1), time(), ZoneInfo(zone))
    window = {
        "timeMin": midnight.astimezone(UTC).isoformat(),
        "timeMax": after.astimezone(UTC).isoformat(),
        "singleEvents": "true",
    }
    result = {}
    for lane in found:
        calendar = calendars.find(work, lane.calendar, zone)
        query = listing.read(work, calendar, window, {})
        result[lane.calendar] = listing.chosen(work, calendar, query)
    return result


def _to_event(desk: Desk, eid: str) -> Response:
    held = listing.decode(eid)
    try:
        event_id, calendar_id = held
        with desk.store.transaction() as work:
            calendar = calendars.find(work, calendar_id, desk.owner_zone)
            event = events.find(work, calendar, event_id)
    except (TypeError, ValueError, GoogleError):
        return PlainTextResponse("There is no such event.\n", 404)
    day = str(event["start"].get("date") or event["start"]["dateTime"])[:10]
    return RedirectResponse(f"/calendar?day={day}#{calendar_id}/{event_id}")
