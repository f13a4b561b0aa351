"""A busy month for the benchmark, and requests that each ask for something still free.

Run as a program it keeps touching the book, so that no kept answer stays right for long.
"""

import contextlib
import itertools
import json
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg

from booking_engine.booking import bookings
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.terms import SessionRequest
from booking_engine.catalog import plan, queries, studio_file
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits, wallets
from booking_engine.ledger.credits import Grant
from booking_engine.ledger.models import CreditKind
from booking_engine.ledger.transfers import Cause
from connector import keys, migrate, runtime, settings
from connector.runtime import Runtime
from connector.tables import Role

DEMO = Path(__file__).parents[2] / "deploy" / "sandbox" / "studio.toml"
BOOKED_PER_DAY = 18
CUSTOMERS = 64
SEED = 7203


class Seeded:
    """What the benchmark asks for: a first day, and requests for free times that never repeat."""

    def __init__(self, url: str, first_day: date, key: str, starts: list[datetime]) -> None:
        self.url, self.first_day, self._key = url, first_day, key
        self._starts = iter(starts)
        self._numbers = itertools.count()

    def bookings(self, count: int = 400) -> list[str]:
        """Return requests that book with credits, each for its own time and customer."""
        return [
            self._post("/api/bookings", start, 1 + next(self._numbers) % CUSTOMERS)
            for start in self._take(count)
        ]

    def holds(self, count: int = 400) -> list[str]:
        """Return requests that hold, each for its own time and a customer of its own."""
        return [
            self._post("/api/holds", start, 1_000 + next(self._numbers))
            for start in self._take(count)
        ]

    def _take(self, count: int) -> Iterator[datetime]:
        return itertools.islice(self._starts, count)

    def _post(self, path: str, start: datetime, customer: int) -> str:
        body = json.dumps({"service": "simulator", "start": start.isoformat(), "minutes": 60})
        return (
            f"POST {path}?customer={customer} HTTP/1.1\r\nHost: bench\r\n"
            f"Authorization: Bearer {self._key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )


def environment(database_url: str, redis_url: str) -> dict[str, str]:
    """Return the settings of a process that serves the benchmark's studio."""
    return {
        "SIMSTUDIO_DATABASE_URL": database_url,
        "SIMSTUDIO_REDIS_URL": redis_url,
        "SIMSTUDIO_SHOPIFY__CLIENT_ID": "bench",
        "SIMSTUDIO_SHOPIFY__CLIENT_SECRET": "bench",
    }


def chosen(database_url: str, redis_url: str) -> settings.Settings:
    """Return the same settings for this process."""
    return settings.Settings.model_validate(
        {
            "database_url": database_url,
            "redis_url": redis_url,
            "shopify": {"client_id": "bench", "client_secret": "bench"},
        }
    )


def seed(database_url: str, redis_url: str) -> Seeded:
    """Make the demo studio with a month of bookings, customers with credits, and a staff key."""
    own = chosen(database_url, redis_url)
    migrate.upgrade(own.database_url)
    house = runtime.make(own)
    now = datetime.now(UTC)
    # Two years ahead, so that there are free times enough for every round.
    text = DEMO.read_text().replace("horizon_days = 90", "horizon_days = 730")
    with house.transaction() as session:
        plan.converge(session, file=studio_file.read(text, name="studio.toml"), now=now)
        studio = queries.load(session, studio_id=queries.only_id(session))
        key = keys.add(session, studio_id=studio.id, name="bench", role=Role.OWNER, now=now)
        cause = Cause("bench", "bench", "bench", now)
        for customer in range(1, CUSTOMERS + 1):
            wallet = wallets.of_customer(
                session, studio_id=studio.id, customer_id=customer, now=now
            )
            grant = Grant(f"bench:{customer}", CreditKind.SIMULATOR_MINUTES, 1_000_000)
            credits.grant(
                session, studio_id=studio.id, wallet_id=wallet.id, wanted=grant, cause=cause
            )
    zone = studio.locations[0].zone
    first = now.astimezone(zone).date() + timedelta(days=3)
    rng = random.Random(SEED)
    _fill(house, studio, wallet.id, first, rng, now)
    house.engine.dispose()
    starts = [
        datetime(day.year, day.month, day.day, hour, tzinfo=zone)
        for day in (first + timedelta(days=40 + number) for number in range(600))
        if (day.month, day.day) != (12, 25)
        for hour in range(9, 22)
    ]
    rng.shuffle(starts)
    return Seeded(database_url, first, key, starts)


def _fill(
    house: Runtime, studio: Studio, wallet_id: UUID, first: date, rng: random.Random, now: datetime
) -> None:
    """Book a busy month; what finds no room is left out."""
    zone = studio.locations[0].zone
    for number in range(30 * BOOKED_PER_DAY):
        day = first + timedelta(days=number // BOOKED_PER_DAY)
        start = datetime(day.year, day.month, day.day, rng.randrange(9, 20), tzinfo=zone)
        request = SessionRequest("simulator", start, rng.choice([60, 60, 120]))
        with contextlib.suppress(SlotTaken), house.transaction() as session:
            bookings.book(
                session,
                studio=studio,
                request=request,
                wallet_id=wallet_id,
                actor="bench",
                now=now,
            )


def keep_touching(database_url: str, seconds: float) -> None:
    """Write into the book a hundred times a second without changing what it says."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        rows = connection.execute("SELECT id FROM allocation ORDER BY lower(during) LIMIT 60")
        ids = [row[0] for row in rows.fetchall()]
        until = time.monotonic() + seconds
        for each in itertools.cycle(ids):
            if time.monotonic() > until:
                return
            connection.execute("UPDATE allocation SET pinned = pinned WHERE id = %s", (each,))
            time.sleep(0.01)


if __name__ == "__main__":
    keep_touching(sys.argv[1], float(sys.argv[2]))
