"""The control API: what tests and the page use, and Google does not have."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.google import calendars, calls, channels, events, faults, human
from sandbox.google.api import Desk
from sandbox.google.errors import GoogleError
from sandbox.google.events import Resource
from sandbox.google.store import Work

PREFIX = "/sandbox/google"


class BadRequest(Exception):
    """The request cannot be understood."""


Handler = Callable[[Work, Request, Any], object]
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(desk: Desk) -> list[BaseRoute]:
    """Return the routes of the control API."""

    def get_events(work: Work, request: Request, body: Any) -> object:
        wanted = request.query_params.get("calendar")
        chosen = calendars.existing(work)
        if wanted:
            chosen = [calendars.find(work, wanted, desk.owner_zone)]
        where = "calendar = ? AND status != 'cancelled'"
        found = [(one, event) for one in chosen for event in events.rows(work, where, (one.id,))]
        return {"events": [simple(event, one.id) for one, event in found]}

    def post_human(work: Work, request: Request, body: Any) -> object:
        return {"event": human.act(work, _object(body), desk.owner_zone)}

    def post_expire(work: Work, request: Request, body: Any) -> object:
        wanted = _object(body).get("calendar")
        chosen = calendars.existing(work)
        if wanted:
            chosen = [calendars.find(work, wanted, desk.owner_zone)]
        for calendar in chosen:
            calendars.expire_tokens(work, calendar)
        return {"expired": [calendar.id for calendar in chosen]}

    table: list[tuple[str, str, Handler]] = [
        ("GET", "/calendars", _get_calendars),
        ("GET", "/events", get_events),
        ("GET", "/calls", _get_calls),
        ("DELETE", "/calls", _delete_calls),
        ("GET", "/faults", _get_faults),
        ("PUT", "/faults", _put_faults),
        ("DELETE", "/faults", _delete_faults),
        ("GET", "/channels", _get_channels),
        ("POST", "/human", post_human),
        ("POST", "/expire", post_expire),
    ]
    return [
        Route(PREFIX + path, _endpoint(desk, handler), methods=[method])
        for method, path, handler in table
    ]


def simple(event: Resource, calendar: str) -> dict[str, Any]:
    """Return an event in few words."""
    start, end = event["start"], event["end"]
    return {
        "calendar": calendar,
        "id": event["id"],
        "title": event.get("summary", ""),
        "start": start.get("dateTime") or start["date"],
        "end": end.get("dateTime") or end["date"],
        "all_day": "date" in start,
        "status": event["status"],
        "etag": event["etag"],
        "updated": event["updated"],
        "sequence": event["sequence"],
        "creator": event["creator"]["email"],
        "description": event.get("description", ""),
        "private": event.get("extendedProperties", {}).get("private", {}),
    }


def _endpoint(desk: Desk, handler: Handler) -> Endpoint:
    def answer(request: Request, raw: bytes) -> Response:
        try:
            body = json.loads(raw) if raw else None
            with desk.store.transaction(calendars.OWNER) as work:
                result = handler(work, request, body)
        except GoogleError as error:
            return JSONResponse({"error": error.reason, "detail": error.message}, error.status)
        except (BadRequest, ValueError) as error:
            return JSONResponse({"error": "bad_request", "detail": str(error)}, 400)
        return Response(status_code=204) if result is None else JSONResponse(result)

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(answer, request, await request.body())

    return endpoint


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise BadRequest("a JSON object is expected")
    return body


def _get_calendars(work: Work, request: Request, body: Any) -> object:
    found = calendars.existing(work)
    return {"calendars": [{"id": one.id, "title": one.summary, "zone": one.zone} for one in found]}


def _get_calls(work: Work, request: Request, body: Any) -> object:
    return {"calls": calls.since(work, int(request.query_params.get("since", "0")))}


def _delete_calls(work: Work, request: Request, body: Any) -> object:
    calls.forget(work)
    return None


def _get_faults(work: Work, request: Request, body: Any) -> object:
    return {"faults": faults.rules(work)}


def _put_faults(work: Work, request: Request, body: Any) -> object:
    given = body.get("faults") if isinstance(body, dict) else body
    faults.put(work, faults.check(given))
    return {"faults": faults.rules(work)}


def _delete_faults(work: Work, request: Request, body: Any) -> object:
    faults.put(work, [])
    return None


def _get_channels(work: Work, request: Request, body: Any) -> object:
    return {"channels": channels.listed(work)}
