"""`GET /api/availability`: the slots of some days, as ready bytes with a strong ETag."""

import hashlib
import json
from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from booking_engine.booking import availability, explain, terms
from booking_engine.booking.availability import Found, Search
from booking_engine.booking.terms import CoachingRequest, SessionRequest
from booking_engine.errors import Invalid
from connector.exchange import Reading

router = APIRouter(tags=["availability"])


@router.get("/availability")
def find_slots(  # noqa: PLR0913 - the parameters of the query string
    request: Request,
    exchange: Reading,
    first: Annotated[date, Query(alias="from", description="local date")],
    service: Annotated[str, Query(max_length=63)] = "simulator",
    days: Annotated[int, Query(ge=1, le=availability.DAYS_MAX)] = 1,
    minutes: Annotated[int, Query(ge=5, le=1440)] = 60,
    simulators: Annotated[int, Query(ge=1, le=100)] = 1,
    coaching: Annotated[int | None, Query(ge=5, le=1440)] = None,
    coach: Annotated[str | None, Query(max_length=63)] = None,
    location: Annotated[str | None, Query(max_length=63)] = None,
) -> Response:
    """Return every start that could be booked now."""
    search = Search(service, first, days, minutes, simulators, coaching, coach, location)
    found = availability.find(
        exchange.session, studio=exchange.studio, search=search, now=exchange.now
    )
    content = _content(found)
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if etag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


@router.get("/availability/explain")
def explain_time(  # noqa: PLR0913 - the parameters of the query string
    exchange: Reading,
    start: Annotated[datetime, Query(description="with an offset")],
    service: Annotated[str, Query(max_length=63)] = "simulator",
    minutes: Annotated[int, Query(ge=5, le=1440)] = 60,
    simulators: Annotated[int, Query(ge=1, le=100)] = 1,
    simulator: Annotated[str | None, Query(max_length=63)] = None,
    coaching: Annotated[int | None, Query(ge=5, le=1440)] = None,
    coach: Annotated[str | None, Query(max_length=63)] = None,
    location: Annotated[str | None, Query(max_length=63)] = None,
) -> Response:
    """Return every reason why a time cannot be booked, and the nearest that can."""
    if start.tzinfo is None or not 2000 <= start.year < 2200:
        raise Invalid("start needs an offset, as in 2026-11-21T18:00:00-05:00")
    asked = CoachingRequest(coaching, coach) if coaching else None
    request = SessionRequest(service, start, minutes, simulators, simulator, asked, location)
    found = explain.explain(
        exchange.session, studio=exchange.studio, request=request, now=exchange.now
    )
    zone = terms.resolve(exchange.studio, request).location.zone
    return exchange.answer(
        200,
        {
            "bookable": not found.reasons,
            "reasons": [
                {"code": each.code, "detail": each.detail, **each.facts} for each in found.reasons
            ],
            "alternatives": [
                {
                    "start": _local(slot.start, zone),
                    "end": _local(slot.end, zone),
                    "simulators": slot.simulators,
                    "coaches": slot.coaches,
                }
                for slot in found.alternatives
            ],
            "price_minor": found.price_minor,
        },
    )


def _content(found: Found) -> bytes:
    zone = found.location.zone
    body = {
        "location": found.location.handle,
        "timezone": zone.key,
        "service": found.service.handle,
        "minutes": found.minutes,
        "slots": [
            {
                "start": _local(slot.start, zone),
                "end": _local(slot.end, zone),
                "simulators": slot.simulators,
                "coaches": slot.coaches,
                "price_minor": found.price_minor,
            }
            for slot in found.slots
        ],
    }
    return json.dumps(body, separators=(",", ":")).encode()


def _local(minutes: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(minutes * 60, zone).isoformat()
