"""Takes due webhooks out of the queue and posts them to the connector."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx

from sandbox.store import database, deliveries
from sandbox.store.database import Database
from sandbox.store.deliveries import Delivery
from sandbox.store.settings import API_VERSION, Settings
from sandbox.store.signatures import body_signature

TIMEOUT = 5.0
WORKERS = 6
log = logging.getLogger(__name__)


class Sender:
    """A thread that looks, and a few that post; what they knew is in the queue."""

    def __init__(self, db: Database, settings: Settings) -> None:
        """Prepare without starting."""
        self._db = db
        self._settings = settings
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._in_flight: set[int] = set()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="webhook")
        self._client = httpx.Client(timeout=TIMEOUT, trust_env=False)
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; what is not delivered stays in the queue."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(TIMEOUT)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def poke(self) -> None:
        """Say that something may be due."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            # Copied before the look: what is finished meanwhile must not be sent from an old row.
            busy = frozenset(self._in_flight)
            with self._db.reading() as connection:
                found = deliveries.due(connection, now=database.clock(), limit=2 * WORKERS)
            for delivery in found:
                if delivery.id not in busy:
                    self._in_flight.add(delivery.id)
                    self._pool.submit(self._send, delivery)
            self._wake.wait(0.1)

    def _send(self, delivery: Delivery) -> None:
        try:
            self._attempt(delivery)
        except Exception:
            # The row is untouched, so the next look tries again.
            log.exception("delivery %s could not be tried", delivery.id)
        finally:
            self._in_flight.discard(delivery.id)
            self._wake.set()

    def _attempt(self, delivery: Delivery) -> None:
        started = database.clock()
        status: int | None = None
        try:
            response = self._client.post(
                f"{self._settings.connector_url}/api/shopify/webhooks",
                content=delivery.body,
                headers=self._headers(delivery),
            )
            status, answer = response.status_code, response.text
        except httpx.HTTPError as error:
            answer = f"{type(error).__name__}: {error}"
        with self._db.writing() as connection:
            deliveries.record(
                connection, delivery_id=delivery.id, status=status, answer=answer, started=started
            )

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "User-Agent": "Shopify-Captain-Hook",
            "X-Shopify-Topic": delivery.topic,
            "X-Shopify-Hmac-Sha256": body_signature(
                delivery.body, secret=self._settings.client_secret
            ),
            "X-Shopify-Shop-Domain": self._settings.shop,
            "X-Shopify-API-Version": API_VERSION,
            "X-Shopify-Webhook-Id": delivery.webhook_id,
            "X-Shopify-Event-Id": delivery.event_id,
            "X-Shopify-Triggered-At": delivery.triggered_at,
        }
