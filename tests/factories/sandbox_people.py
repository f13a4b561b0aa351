"""Who walks through the sandbox: visitors of the shop, its merchant, the owner's calendars."""

import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from datetime import time as clock
from typing import Any
from zoneinfo import ZoneInfo

import httpx

TORONTO = ZoneInfo("America/Toronto")
HOUR, COACHING, PACKAGE = 44000000000001, 44000000000002, 44000000000003
OWNER = "owner@sandbox.calendar"
# What was answered is seen by everyone who asks this much later.
VISIBLE_SECONDS = 0.1
Json = dict[str, Any]


def at(day: date, hour: int, minute: int = 0) -> str:
    """Write a wall-clock time of the studio as an instant."""
    return datetime.combine(day, clock(hour, minute), TORONTO).isoformat()


class Visitor:
    """One customer (or a guest) of the shop, who reaches the studio through the app proxy."""

    def __init__(self, shop_url: str, customer: int | None) -> None:
        cookies = {} if customer is None else {"customer": str(customer)}
        self.customer = customer
        self.shop = httpx.Client(base_url=shop_url, cookies=cookies, timeout=20, trust_env=False)

    def get(self, path: str, **query: Any) -> httpx.Response:
        """Read from the studio."""
        return self.shop.get(f"/apps/studio/{path}", params=query)

    def post(self, path: str, body: Json | None = None) -> httpx.Response:
        """Ask the studio to do something."""
        return self.shop.post(f"/apps/studio/{path}", json=body)

    def slot(self, start: str, **query: Any) -> Json | None:
        """Return what can still be had at a start, None where nothing."""
        time.sleep(VISIBLE_SECONDS)
        asked = {"service": "simulator", "from": start[:10], "minutes": 60, **query}
        found = self.get("availability", **asked).raise_for_status().json()["slots"]
        return next((slot for slot in found if slot["start"] == start), None)

    def bays_free(self, start: str) -> int:
        """Return how many bays could be sold for the hour from a start."""
        slot = self.slot(start)
        return 0 if slot is None else int(slot["simulators"])

    def hold(self, start: str, minutes: int = 60, **more: Any) -> Json:
        """Hold a session and return the hold."""
        body = {"service": "simulator", "start": start, "minutes": minutes, **more}
        answer = self.post("holds", body)
        assert answer.status_code == 201, answer.text
        held: Json = answer.json()
        return held

    def book(self, start: str, minutes: int = 60, **more: Any) -> httpx.Response:
        """Book a session with credits."""
        body = {"service": "simulator", "start": start, "minutes": minutes, **more}
        return self.post("bookings", body)

    def check_out(self, cart: Json, *, pay: str = "now") -> int:
        """Put a cart's lines into the shop's cart, check out, and return the order's id."""
        items = [
            {"id": line["variant_id"], **{k: line[k] for k in ("quantity", "properties")}}
            for line in cart["lines"]
        ]
        self.shop.post("/cart/add.js", json={"items": items}).raise_for_status()
        bought = self.shop.post("/checkout", data={"pay": pay, "email": "guest@example.com"})
        assert bought.status_code == 303, bought.text
        return int(bought.headers["location"].split("/")[2])

    def credits(self) -> dict[str, tuple[int, int]]:
        """Return (available, held) per kind of credit."""
        body = self.get("credits").raise_for_status().json()
        kinds = ("simulator_minutes", "coaching_sessions")
        return {kind: (body[kind]["available"], body[kind]["held"]) for kind in kinds}

    def minutes(self) -> tuple[int, int]:
        """Return (available, held) simulator minutes."""
        return self.credits()["simulator_minutes"]

    def lots(self) -> list[Json]:
        """Return every lot."""
        lots: list[Json] = self.get("credits").raise_for_status().json()["lots"]
        return lots

    def bookings(self) -> list[tuple[str, str]]:
        """Return (start, status) of every booking."""
        found = self.get("bookings", when="all").raise_for_status().json()["bookings"]
        return [(each["start"], each["status"]) for each in found]

    def booking(self, booking_id: str) -> Json:
        """Return one booking."""
        body: Json = self.get(f"bookings/{booking_id}").raise_for_status().json()
        return body

    def status(self, booking_id: str) -> str:
        """Return a booking's status."""
        return str(self.booking(booking_id)["status"])


class Merchant:
    """Who keeps the shop: its orders, and what its webhooks suffer."""

    def __init__(self, outside_url: str) -> None:
        self.shop = httpx.Client(
            base_url=f"{outside_url}/sandbox/shop", timeout=20, trust_env=False
        )

    def order(
        self,
        customer: int | None,
        units: Mapping[int, int],
        *,
        hold: str | None = None,
        pay: bool = True,
        test: bool = False,
    ) -> Json:
        """Make an order of so many units per variant."""
        properties = {"_hold": hold} if hold else {}
        lines = [
            {"variant_id": variant, "quantity": quantity, "properties": properties}
            for variant, quantity in units.items()
        ]
        body = {"customer": customer, "lines": lines, "pay": pay, "test": test}
        return self._post("/orders", body)

    def pay(self, order: int) -> Json:
        """Mark an order as paid."""
        return self._post(f"/orders/{order}/pay", {})

    def refund(self, order: Json, quantities: Sequence[int]) -> Json:
        """Give back so many units of each line, with their money."""
        return self._post(f"/orders/{order['id']}/refund", {"lines": _lines(order, quantities)})

    def edit(self, order: Json, quantities: Sequence[int]) -> Json:
        """Set the quantity of each line."""
        return self._post(f"/orders/{order['id']}/edit", {"lines": _lines(order, quantities)})

    def cancel(self, order: int, *, refund: bool) -> Json:
        """Cancel an order."""
        return self._post(f"/orders/{order}/cancel", {"refund": refund})

    def show(self, order: int) -> Json:
        """Return an order as it is now."""
        body: Json = self.shop.get(f"/orders/{order}").raise_for_status().json()
        return body

    def switch(self, **switches: Any) -> None:
        """Change what webhooks suffer."""
        self.shop.put("/switches", json=switches).raise_for_status()

    def be_kind(self) -> None:
        """Deliver everything once, in order, at once."""
        self.switch(duplicate=1, delay=0, drop=0, reorder=0, hold=False)

    def deliveries(self, order: int) -> dict[str, Json]:
        """Return the deliveries about an order, by topic."""
        found = self.shop.get("/deliveries").raise_for_status().json()["deliveries"]
        return {each["topic"]: each for each in found if each["order_id"] == order}

    def send(self, delivery: Json) -> None:
        """Send one delivery now."""
        self.shop.post(f"/deliveries/{delivery['id']}/send").raise_for_status()

    def sent(self, order: int) -> dict[str, list[int | None]]:
        """Return the statuses that the attempts of an order's deliveries got, by topic."""
        return {
            topic: [answer["status"] for answer in each["answers"]]
            for topic, each in self.deliveries(order).items()
        }

    def waiting(self) -> int:
        """Return how many deliveries are still on their way."""
        counts = self.shop.get("/deliveries?limit=1").raise_for_status().json()["counts"]
        return int(counts.get("waiting", 0))

    def _post(self, path: str, body: Json) -> Json:
        answer = self.shop.post(path, json=body)
        assert answer.is_success, answer.text
        order: Json = answer.json()
        return order


class Calendars:
    """What Google shows, and how it misbehaves."""

    def __init__(self, outside_url: str) -> None:
        self.google = httpx.Client(
            base_url=f"{outside_url}/sandbox/google", timeout=20, trust_env=False
        )

    def events(self, booking_id: str) -> list[tuple[str, str, str]]:
        """Return (calendar, start, end) of every event of a booking."""
        found = self.google.get("/events").raise_for_status().json()["events"]
        return sorted(
            (each["calendar"], each["start"], each["end"])
            for each in found
            if each["private"].get("simstudioBooking") == booking_id
        )

    def showing(self, booking_id: str) -> list[str]:
        """Return the calendars that show a booking, each as often as it does."""
        return [calendar for calendar, _, _ in self.events(booking_id)]

    def fail(self, **rule: Any) -> None:
        """Misbehave by this rule alone."""
        self.google.put("/faults", json=[rule]).raise_for_status()

    def behave(self) -> None:
        """Misbehave no more."""
        self.google.delete("/faults").raise_for_status()

    def calls(self) -> list[Json]:
        """Return every call there was."""
        found: list[Json] = self.google.get("/calls").raise_for_status().json()["calls"]
        return found


def wanted_calendars(booking: Json) -> list[str]:
    """Return the calendars that should show a booking without a coach."""
    return sorted([OWNER, *(f"{bay}@sandbox.calendar" for bay in booking["simulators"])])


def _lines(order: Json, quantities: Sequence[int]) -> list[Json]:
    return [
        {"line_item_id": line["id"], "quantity": quantity}
        for line, quantity in zip(order["line_items"], quantities, strict=True)
    ]
