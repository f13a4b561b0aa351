"""The API behind a real socket, and the callers of it: the shop's proxy, staff, strangers."""

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import structlog
import uvicorn

from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from connector import keys
from connector.app import create_app
from connector.runtime import Runtime
from connector.tables import Role
from tests.factories.ledger import grant_lot
from tests.factories.studio import TORONTO, make_wallet

SECRET = "hush"
SHOP = "birdie-bay.myshopify.com"
PROBLEM = "application/problem+json"


def tuesday_at(hour: int, weeks: int = 1) -> datetime:
    """Return a time on a Tuesday at least so many weeks ahead of the real clock."""
    day = datetime.now(TORONTO).date() + timedelta(weeks=weeks)
    day += timedelta(days=(1 - day.weekday()) % 7)
    return datetime(day.year, day.month, day.day, hour, tzinfo=TORONTO)


def session_body(start: datetime | None = None, minutes: int = 60, **more: Any) -> dict[str, Any]:
    """Return what asks for a session; by default an hour on a Tuesday evening."""
    at = start or tuesday_at(18)
    return {"service": "simulator", "start": at.isoformat(), "minutes": minutes, **more}


def signed(query: dict[str, Any], *, secret: str = SECRET, at: float | None = None) -> str:
    """Return a query string as Shopify's app proxy would send it on."""
    full = {"shop": SHOP, "path_prefix": "/apps/studio", "logged_in_customer_id": "", **query}
    full.setdefault("timestamp", str(int(at if at is not None else time.time())))
    message = "".join(sorted(f"{name}={value}" for name, value in full.items()))
    signature = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
    return urlencode({**full, "signature": signature})


def webhook_digest(body: bytes, secret: str = SECRET) -> str:
    """Return the digest with which Shopify signs a delivery."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


@dataclass
class Caller:
    """Somebody who talks to the API; a customer of the shop unless a key is given."""

    http: httpx.Client
    customer: int | None = None
    key: str | None = None
    proxied: bool = True

    def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """Send a request with this caller's proof."""
        query = {name: str(value) for name, value in (more.pop("query", None) or {}).items()}
        given = dict(headers or {})
        if self.key is not None:
            given["Authorization"] = f"Bearer {self.key}"
            if self.customer is not None:
                query["customer"] = str(self.customer)
        elif self.proxied:
            query = {"logged_in_customer_id": str(self.customer or ""), **query}
            return self.http.request(method, f"{path}?{signed(query)}", headers=given, **more)
        return self.http.request(method, path, params=query, headers=given, **more)

    def get(self, path: str, **query: Any) -> httpx.Response:
        """Read something."""
        return self.ask("GET", path, query=query)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """Change something."""
        headers = {"Idempotency-Key": key} if key else {}
        return self.ask("POST", path, json=body, headers=headers)


@dataclass
class Served:
    """A house that answers on a port."""

    house: Runtime
    http: httpx.Client
    logs: list[MutableMapping[str, Any]]

    def customer(self, number: int = 7001) -> Caller:
        """Return a customer who is logged in at the shop."""
        return Caller(self.http, number)

    def visitor(self) -> Caller:
        """Return somebody who is at the shop without logging in."""
        return Caller(self.http)

    def stranger(self) -> Caller:
        """Return somebody for whom nobody vouches."""
        return Caller(self.http, proxied=False)

    def staff(self, role: Role = Role.OWNER, customer: int | None = None) -> Caller:
        """Return one of the studio's own people, with a new key."""
        with self.house.transaction() as session:
            key = keys.add(
                session,
                studio_id=queries.only_id(session),
                name=uuid.uuid4().hex,
                role=role,
                now=datetime.now(UTC),
            )
        return Caller(self.http, customer, key)

    def give(self, minutes: int, *, customer: int = 7001) -> None:
        """Grant simulator minutes to a customer."""
        with self.house.transaction() as session:
            studio = studio_of(self)
            wallet = make_wallet(session, studio, customer)
            grant_lot(session, studio, wallet, f"gift:{uuid.uuid4()}", minutes)

    def deliver(
        self,
        body: bytes | dict[str, Any],
        topic: str = "orders/updated",
        *,
        id: str | None = None,
        family: str = "X-Shopify",
        **headers: str,
    ) -> httpx.Response:
        """Post a webhook as Shopify does."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {
            f"{family}-Topic": topic,
            f"{family}-Webhook-Id": id or str(uuid.uuid4()),
            f"{family}-Shop-Domain": SHOP,
            f"{family}-Hmac-Sha256": webhook_digest(raw),
            "Content-Type": "application/json",
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(
            "/api/shopify/webhooks",
            content=raw,
            headers={name: value for name, value in sent.items() if value},
        )


def studio_of(served: Served) -> Studio:
    """Return the catalogue of the only studio."""
    with served.house.transaction() as session:
        return queries.load(session, studio_id=queries.only_id(session))


@contextlib.contextmanager
def serve(house: Runtime) -> Iterator[Served]:
    """Serve a house from a thread until the block ends."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        config = uvicorn.Config(create_app(house), log_config=None, access_log=False, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        with (
            structlog.testing.capture_logs() as logs,
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}",
                trust_env=False,
                # A connection on which something broke is closed by the server.
                limits=httpx.Limits(max_keepalive_connections=0),
            ) as http,
        ):
            yield Served(house, http, logs)
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive()
