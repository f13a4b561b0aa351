"""`GET /api/availability`: the slots of some days, as ready bytes with a strong ETag.

What was answered before and still holds is answered by `ReadyAnswers`, in front of the routes; the
route makes the answers.
"""

import hashlib
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from booking_engine.booking import availability, explain, terms
from booking_engine.booking.availability import Found, Search, Slot
from booking_engine.booking.terms import CoachingRequest, SessionRequest
from booking_engine.catalog.studio import Studio
from booking_engine.errors import DomainError, Invalid
from connector import identity
from connector.exchange import Reading
from connector.live import Answer, LiveBook, Mark
from shopify_gateway import signatures

router = APIRouter(tags=["availability"])

PATH = "/api/availability"
HEADS_MAX = 20_000
PROXY_PARAMETERS = frozenset(
    {"shop", "timestamp", "signature", "path_prefix", "logged_in_customer_id"}
)


def _search(
    first: Annotated[date, Query(alias="from", description="local date")],
    service: Annotated[str, Query(max_length=63)] = "simulator",
    days: Annotated[int, Query(ge=1, le=availability.DAYS_MAX)] = 1,
    minutes: Annotated[int, Query(ge=5, le=1440)] = 60,
    simulators: Annotated[int, Query(ge=1, le=100)] = 1,
    coaching: Annotated[int | None, Query(ge=5, le=1440)] = None,
    coach: Annotated[str | None, Query(max_length=63)] = None,
    location: Annotated[str | None, Query(max_length=63)] = None,
) -> Search:
    return Search(service, first, days, minutes, simulators, coaching, coach, location)


Searching = Annotated[Search, Depends(_search)]


@router.get("/availability")
async def find_slots(request: Request, search: Searching) -> Response:
    """Return every start that could be booked now."""
    live: LiveBook = request.app.state.live
    epoch = live.epoch
    studio = await studio_of(request, live)
    shop = request.query_params.get("shop", "")
    made = await _make(live, studio, shop, search, bypass=_wants_tables(request.headers))
    key = _key(request.scope)
    if key is not None and made.mark.epoch == epoch:  # else the catalogue may be a former one
        live.keep(key, made)
    return _response(made, request.headers)


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
            "alternatives": [_alternative(slot, zone) for slot in found.alternatives],
            "price_minor": found.price_minor,
        },
    )


async def _make(
    live: LiveBook, studio: Studio, shop: str, search: Search, *, bypass: bool
) -> Answer:
    """Make an answer from the book in memory, or from the tables where that is to be bypassed."""
    found, mark = await find(live, studio, search, bypass=bypass)
    content = _content(found)
    etag = f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'
    return Answer(content, etag, mark, found.stable_until, shop, search)


async def find(
    live: LiveBook, studio: Studio, search: Search, *, bypass: bool = False
) -> tuple[Found, Mark]:
    """Return what could be booked now, and the state of the book that says so."""
    now = datetime.now(UTC)
    asked = availability.plan(studio, search, now=now)
    mark = live.mark(studio.id, *asked.around)
    if bypass:
        taken = await live.read(studio.id, *asked.around, now=now)
    else:
        taken = await live.taken(mark, now=now)
    return availability.answer(asked, taken, now=now), mark


class ReadyAnswers:
    """Answers a search that was made before, ahead of the routes.

    From memory where the last answer still holds, else made again of what the book says now.
    """

    def __init__(self, app: ASGIApp, live: LiveBook, secrets: list[str]) -> None:
        self._app, self._live, self._secrets = app, live, secrets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or pass it on."""
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "GET":
            key = _key(scope, self._secrets)
            ready = await self._ready(key, Headers(scope=scope)) if key is not None else None
            if ready is not None:
                await _response(ready, Headers(scope=scope))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _ready(self, key: str, headers: Headers) -> Answer | None:
        kept = self._live.answer(key)
        if kept is None:
            return None
        bypass = _wants_tables(headers)
        if not bypass and self._live.is_right(kept):
            return kept
        studio = self._live.studio(kept.shop)
        if studio is None:
            return None
        try:
            made = await _make(self._live, studio, kept.shop, kept.search, bypass=bypass)
        except DomainError:
            return None  # the route says it in full
        self._live.keep(key, made)
        return made


def _wants_tables(headers: Headers) -> bool:
    """Tell whether the caller wants nothing from memory (RFC 9111, 5.2.1.4)."""
    return "no-cache" in headers.get("Cache-Control", "")


def _key(scope: Scope, secrets: list[str] | None = None) -> str | None:
    """Return what makes two requests the same; None where somebody's key is needed to answer.

    Behind the app proxy each request has its own signature: with `secrets` it is checked here.
    """
    if any(name == b"authorization" for name, _ in scope["headers"]):
        return None
    query: str = scope["query_string"].decode("latin-1")
    if "signature=" not in query:
        return query
    if secrets is not None:
        try:
            signatures.proxy_caller(
                query, secrets=secrets, now_seconds=datetime.now(UTC).timestamp()
            )
        except signatures.BadSignature:
            return None
    pairs = parse_qsl(query, keep_blank_values=True)
    own = [pair for pair in pairs if pair[0] == "shop" or pair[0] not in PROXY_PARAMETERS]
    return urlencode(own)


async def studio_of(request: Request, live: LiveBook) -> Studio:
    """Return the studio that is asked; a caller's proof is checked first."""
    runtime = request.app.state.runtime
    proven = identity.proxy_caller(request) if "signature" in request.query_params else None
    shop = proven.shop if proven else request.query_params.get("shop", "")
    known = live.studio(shop) if "Authorization" not in request.headers else None
    if known is not None:
        return known
    epoch = live.epoch

    def load() -> Studio:
        with runtime.transaction() as session:
            return identity.studio_of(session, identity.identify(request, session))

    studio = await run_in_threadpool(load)
    if "Authorization" not in request.headers:
        live.keep_studio(shop, studio, epoch)
    return studio


def _response(ready: Answer, headers: Headers) -> Response:
    ours = {"ETag": ready.etag, "Cache-Control": "no-cache"}
    if ready.etag in headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=ours)
    return Response(ready.content, headers=ours, media_type="application/json")


def _content(found: Found) -> bytes:
    """Return the answer's JSON, put together from ready pieces."""
    asked = found.plan
    zone = asked.location.zone
    price = "null" if asked.price_minor is None else asked.price_minor
    heads = _heads(zone, asked.search.minutes)
    tails = {
        coaches: f',"coaches":{_names(coaches)},"price_minor":{price}}}'
        for coaches in {slot.coaches for slot in found.slots}
    }
    slots = ",".join(
        [f"{heads[start]}{count}{tails[coaches]}" for start, _, count, coaches in found.slots]
    )
    # Handles and zone names have no character that JSON would want escaped.
    return (
        f'{{"location":"{asked.location.handle}","timezone":"{zone.key}",'
        f'"service":"{asked.service.handle}","minutes":{asked.search.minutes},"slots":[{slots}]}}'
    ).encode()


def _names(handles: tuple[str, ...]) -> str:
    return "[" + ",".join(f'"{handle}"' for handle in handles) + "]"


class _Heads(dict[int, str]):
    """How a slot begins, per start: the same in every answer about sessions of this length."""

    def __init__(self, zone: ZoneInfo, minutes: int) -> None:
        super().__init__()
        self._zone, self._minutes = zone, minutes

    def __missing__(self, start: int) -> str:
        if len(self) >= HEADS_MAX:
            self.clear()
        begins, ends = _local(start, self._zone), _local(start + self._minutes, self._zone)
        self[start] = head = f'{{"start":"{begins}","end":"{ends}","simulators":'
        return head


_heads = lru_cache(maxsize=256)(_Heads)


def _local(minutes: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(minutes * 60, zone).isoformat()


def _alternative(slot: Slot, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "start": _local(slot.start, zone),
        "end": _local(slot.end, zone),
        "simulators": slot.simulators,
        "coaches": slot.coaches,
    }
