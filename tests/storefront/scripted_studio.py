"""A small shop with a small studio behind its proxy, answering over HTTP as the contract says."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sandbox.store.liquid import extension_folder, render_block

Json = dict[str, Any]

ZONE = ZoneInfo("America/Toronto")
HOUR_MINOR = 4500
COACHING_MINOR = 6000
COACHES = [{"handle": "ana", "name": "Ana", "locations": ["main"]}]

PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>Birdie Bay</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<style>
  :root {{ font-size: 62.5% }}
  body {{ margin: 0; font: 1.6rem/1.5 system-ui, sans-serif; {colours} }}
  main {{ padding: 2.4rem 1.6rem }}
</style></head><body><main><h1>Simulator hour</h1>{block}</main></body></html>"""


class ScriptedStudio:
    """What the studio knows and what it was asked; a test sets the first and reads the second."""

    def __init__(self) -> None:
        self.coaches: list[Json] = [*COACHES]
        self.customer: Json | None = None
        self.language = "en"
        self.slow_minutes = ""
        self.colours = "background: #fff; color: #1a1a1a"
        self.settings: dict[str, object] = {}
        self.hold_seconds: float = 900
        self.hours = range(9, 21)
        self.taken: set[str] = set()
        self.scarce: set[str] = set()
        self.refusals: dict[str, list[Response]] = {}
        self.credits = {"simulator_minutes": 300, "coaching_sessions": 2}
        self.holds: dict[str, Json] = {}
        self.ended: set[str] = set()
        self.bookings: list[Json] = []
        self.cart: list[Json] = []
        self.asked: list[tuple[str, str, Json]] = []
        self.keys: list[str] = []
        self.booking_keys: list[str] = []

    def app(self) -> Starlette:
        """Return the shop as an application."""
        base = "/apps/studio"
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/cart", self.cart_page),
                Route("/cart.js", self.cart_lines),
                Route("/cart/add.js", self.add_to_cart, methods=["POST"]),
                Route("/cart/update.js", self.update_cart, methods=["POST"]),
                Route(f"{base}/catalog", self.catalog),
                Route(f"{base}/availability", self.availability),
                Route(f"{base}/credits", self.show_credits),
                Route(f"{base}/holds", self.place, methods=["POST"]),
                Route(f"{base}/holds/{{hold}}", self.state, methods=["GET"]),
                Route(f"{base}/holds/{{hold}}", self.release, methods=["DELETE"]),
                Route(f"{base}/bookings", self.book, methods=["POST"]),
                Mount(
                    "/extensions/studio-booking/assets",
                    StaticFiles(directory=extension_folder() / "assets"),
                ),
            ]
        )

    def refuse(self, what: str, status: int, code: str, **facts: object) -> None:
        """Refuse the next request of this kind with a problem."""
        body = {"code": code, "detail": "said by the studio", **facts}
        refusal = JSONResponse(body, status, media_type="application/problem+json")
        self.refusals.setdefault(what, []).append(refusal)

    def asked_for(self, what: str) -> list[Json]:
        """Return the bodies or queries of the requests of this kind."""
        return [facts for kind, _, facts in self.asked if kind == what]

    async def page(self, _: Request) -> Response:
        """Serve a product page of a theme with the block on it."""
        context: Json = {
            "request": {"locale": {"iso_code": self.language}},
            "routes": {"root_url": "/"},
            "customer": self.customer,
        }
        block = render_block("booking", settings=self.settings, context=context)
        filled = PAGE.format(language=self.language, block=block, colours=self.colours)
        return HTMLResponse(filled)

    async def cart_page(self, _: Request) -> Response:
        """Serve the page one is led to."""
        return HTMLResponse("<!doctype html><title>Cart</title><h1>Your cart</h1>")

    async def cart_lines(self, _: Request) -> Response:
        """Answer like the shop's cart."""
        return JSONResponse({"items": self.cart})

    async def add_to_cart(self, request: Request) -> Response:
        """Take items as the shop does."""
        body = await request.json()
        if refusal := self._note("cart", request, body):
            return refusal
        for item in body["items"]:
            self.cart.append({"key": f"line-{len(self.cart)}", **item})
        return JSONResponse({"items": body["items"]})

    async def update_cart(self, request: Request) -> Response:
        """Remove the lines set to zero."""
        updates = (await request.json())["updates"]
        self.cart = [line for line in self.cart if updates.get(line["key"], 1)]
        return JSONResponse({"items": self.cart})

    async def catalog(self, request: Request) -> Response:
        """Describe the studio."""
        if refusal := self._note("catalog", request, {}):
            return refusal
        bays = [
            {"handle": f"bay-{n}", "name": f"Bay {n}", "location": "main", "tags": [], "players": 4}
            for n in range(1, 5)
        ]
        return JSONResponse(
            {
                "studio": {"name": "Birdie Bay", "currency": "CAD", "shop": "birdie-bay"},
                "policy": {
                    "step_minutes": 60,
                    "hold_minutes": 15,
                    "lead_minutes": 120,
                    "horizon_days": 20,
                },
                "locations": [{"handle": "main", "name": "Main Street", "timezone": ZONE.key}],
                "simulators": bays,
                "coaches": self.coaches,
                "services": [
                    {
                        "handle": "simulator",
                        "title": "Simulator",
                        "minutes": [60, 120, 180, 240],
                        "max_simulators": 4,
                    }
                ],
                "coaching": {
                    "minutes": [30, 60, 90],
                    "sessions": {"30": 1, "60": 1, "90": 2},
                },
                "products": [],
            }
        )

    async def availability(self, request: Request) -> Response:
        """Offer each open hour that is not taken, from tomorrow on."""
        query = dict(request.query_params)
        if refusal := self._note("availability", request, query):
            return refusal
        if query["minutes"] == self.slow_minutes:
            await asyncio.sleep(0.5)
        first = date.fromisoformat(query["from"])
        days = [first + timedelta(days=count) for count in range(int(query["days"]))]
        slots = [slot for day in days[1:] for slot in self._slots(day, query)]
        return JSONResponse(
            {
                "location": "main",
                "timezone": ZONE.key,
                "service": "simulator",
                "minutes": int(query["minutes"]),
                "slots": slots,
            }
        )

    async def place(self, request: Request) -> Response:
        """Hold a session; a repeated key is answered with the same hold."""
        body = await request.json()
        key = request.headers["Idempotency-Key"]
        self.keys.append(key)
        if refusal := self._note("hold", request, body):
            return refusal
        hold = next((one for one in self.holds.values() if one["key"] == key), None)
        if hold is None:
            hold = self._new_hold(body, key)
            self.holds[hold["hold"]] = hold
            self.taken.add(body["start"])
        return JSONResponse(hold, 201)

    async def state(self, request: Request) -> Response:
        """Show a hold."""
        hold = self.holds.get(request.path_params["hold"])
        if hold is None:
            return JSONResponse({"code": "not_found"}, 404, media_type="application/problem+json")
        status = "expired" if hold["hold"] in self.ended else "active"
        return JSONResponse({**hold, "status": status})

    async def release(self, request: Request) -> Response:
        """Give a hold back."""
        hold = self.holds.pop(request.path_params["hold"], None)
        self._note("release", request, {"hold": request.path_params["hold"]})
        if hold:
            self.taken.discard(hold["booking"]["start"])
        return Response(status_code=204)

    async def show_credits(self, request: Request) -> Response:
        """Show what the customer has."""
        self._note("credits", request, {})
        balances = {kind: {"available": n, "held": 0} for kind, n in self.credits.items()}
        return JSONResponse({"wallet": "w", **balances, "lots": []})

    async def book(self, request: Request) -> Response:
        """Book with credits, unless the time is taken, be it by the customer's own hold."""
        body = await request.json()
        self.booking_keys.append(request.headers["Idempotency-Key"])
        if refusal := self._note("book", request, body):
            return refusal
        if body["start"] in self.taken:
            problem = {"code": "slot_taken", "detail": "taken"}
            return JSONResponse(problem, 409, media_type="application/problem+json")
        self.taken.add(body["start"])
        self.credits["simulator_minutes"] -= body["minutes"]
        booking = self._booking(body, status="confirmed")
        self.bookings.append(booking)
        return JSONResponse(booking, 201)

    def _note(self, kind: str, request: Request, facts: Json) -> Response | None:
        self.asked.append((kind, request.method, facts))
        waiting = self.refusals.get(kind)
        return waiting.pop(0) if waiting else None

    def _slots(self, day: date, query: Json) -> list[Json]:
        minutes, simulators = int(query["minutes"]), int(query["simulators"])
        wanted = query.get("coach")
        coaches = [one["handle"] for one in self.coaches if wanted in ("any", one["handle"])]
        price = HOUR_MINOR * minutes // 60 * simulators + (COACHING_MINOR if wanted else 0)
        midnight = datetime.combine(day, time(), ZONE).astimezone(UTC)
        slots = []
        for count in range(26):
            start = (midnight + timedelta(hours=count)).astimezone(ZONE)
            stamp = start.isoformat()
            if start.date() != day or start.hour not in self.hours or stamp in self.taken:
                continue
            end = (midnight + timedelta(hours=count, minutes=minutes)).astimezone(ZONE)
            slots.append(
                {
                    "start": stamp,
                    "end": end.isoformat(),
                    "simulators": 1 if stamp in self.scarce else 4,
                    "coaches": coaches,
                    "price_minor": price,
                }
            )
        return slots

    def _new_hold(self, body: Json, key: str) -> Json:
        name = f"hold-{len(self.keys)}"
        lines = [{"variant_id": 44000000000001, "quantity": body["minutes"] // 60}]
        if body.get("coaching"):
            lines.append({"variant_id": 44000000000002, "quantity": 1})
        total = HOUR_MINOR * body["minutes"] // 60 + COACHING_MINOR * (len(lines) - 1)
        return {
            "hold": name,
            "key": key,
            "status": "active",
            "booking": self._booking(body, status="held"),
            "expires_at": (datetime.now(UTC) + timedelta(seconds=self.hold_seconds)).isoformat(),
            "cart": {
                "lines": [{**line, "properties": {"_hold": name}} for line in lines],
                "total_minor": total,
                "currency": "CAD",
            },
        }

    def _booking(self, body: Json, *, status: str) -> Json:
        coaching = body.get("coaching")
        named = coaching and coaching["coach"]
        return {
            "id": "b-1",
            "code": "GOLF42",
            "status": status,
            "service": body["service"],
            "location": body["location"],
            "start": body["start"],
            "end": _later(body["start"], body["minutes"]),
            "simulators": [f"bay-{n + 1}" for n in range(body["simulators"])],
            "coach": "ana" if named == "any" else named,
            "coaching": coaching
            and {"start": body["start"], "end": _later(body["start"], coaching["minutes"])},
        }


def _later(start: str, minutes: int) -> str:
    instant = datetime.fromisoformat(start).astimezone(UTC) + timedelta(minutes=minutes)
    return instant.astimezone(ZONE).isoformat()
