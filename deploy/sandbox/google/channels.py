"""Push channels: kept in the file, delivered in the background, as lossy as the real ones."""

import queue
import secrets
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from sandbox.google import faults
from sandbox.google.calendars import Calendar
from sandbox.google.errors import GoogleError, invalid
from sandbox.google.store import Store, Work

WEEK = 604_800
RETRIED = {500, 502, 503, 504}
PAUSES = (0.5, 2.0, 5.0)


@dataclass(frozen=True)
class Message:
    """One POST to a channel's address."""

    calendar: str
    address: str
    headers: dict[str, str]


def watch(work: Work, calendar: Calendar, body: dict[str, Any], uri: str) -> dict[str, Any]:
    """Open a channel on a calendar's events."""
    channel_id, address = body.get("id") or "", body.get("address") or ""
    if not 1 <= len(channel_id) <= 64:
        raise GoogleError(400, "required", "Channel id is required, of at most 64 characters.")
    if body.get("type") not in ("web_hook", "webhook"):
        raise invalid("Unknown channel type.")
    parts = urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise GoogleError(400, "push.webhookUrlNotHttps", "WebHook callback must be HTTPS.")
    if len(body.get("token") or "") > 256:
        raise invalid("Channel token is too long.")
    if work.db.execute("SELECT 1 FROM channels WHERE id = ?", (channel_id,)).fetchone():
        raise GoogleError(400, "channelIdNotUnique", f"Channel id {channel_id} not unique")
    expires, resource = _expiry(body), secrets.token_urlsafe(20)
    token = body.get("token")
    values = (channel_id, calendar.id, resource, uri, address, token, expires, 0)
    work.db.execute("INSERT INTO channels VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    answer = {
        "kind": "api#channel",
        "id": channel_id,
        "resourceId": resource,
        "resourceUri": uri,
        "expiration": str(expires),
    }
    return answer | ({"token": token} if token else {})


def stop(work: Work, body: dict[str, Any]) -> None:
    """Close a channel; it must be named by both its ids."""
    sql = "DELETE FROM channels WHERE id = ? AND resource = ?"
    gone = work.db.execute(sql, (body.get("id"), body.get("resourceId")))
    if not gone.rowcount:
        raise GoogleError(404, "notFound", f"Channel '{body.get('id')}' not found for project")


def listed(work: Work) -> list[dict[str, Any]]:
    """Return the open channels."""
    rows = work.db.execute("SELECT * FROM channels ORDER BY id").fetchall()
    return [dict(row) for row in rows]


class Courier:
    """Delivers messages from a thread of its own; a slow receiver delays only the others' news."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: queue.SimpleQueue[Message] = queue.SimpleQueue()
        threading.Thread(target=self._deliver, daemon=True, name="google-push").start()

    def announce(self, calendars: Iterable[str]) -> None:
        """Tell every channel of these calendars that something changed."""
        with self._store.transaction() as work:
            for calendar in calendars:
                for message in _messages(work, "calendar", calendar, "exists"):
                    self._queue.put(message)

    def greet(self, channel_id: str) -> None:
        """Send the `sync` message that opens a channel."""
        with self._store.transaction() as work:
            for message in _messages(work, "id", channel_id, "sync"):
                self._queue.put(message)

    def _deliver(self) -> None:
        with httpx.Client(timeout=5, trust_env=False) as client:
            while True:
                message = self._queue.get()
                for _ in range(self._copies(message)):
                    _post(client, message)

    def _copies(self, message: Message) -> int:
        """Return how often a message arrives; a fault can lose, delay or double it."""
        with self._store.transaction() as work:
            fault = faults.take(work, faults.PUSH, message.address, message.calendar)
        if fault is None:
            return 1
        time.sleep(fault.delay)
        if fault.when == "after":
            return 2
        return 1 if fault.status is None else 0


def _messages(work: Work, column: str, value: str, state: str) -> list[Message]:
    sql = f"""UPDATE channels SET number = number + 1
        WHERE {column} = ? AND expires_ms > ? RETURNING *"""  # noqa: S608 - one of two columns
    rows = work.db.execute(sql, (value, int(time.time() * 1000))).fetchall()
    return [Message(row["calendar"], row["address"], _headers(dict(row), state)) for row in rows]


def _headers(row: dict[str, Any], state: str) -> dict[str, str]:
    expires = datetime.fromtimestamp(row["expires_ms"] / 1000, UTC)
    headers = {
        "X-Goog-Channel-ID": row["id"],
        "X-Goog-Channel-Expiration": format_datetime(expires, usegmt=True),
        "X-Goog-Message-Number": str(row["number"]),
        "X-Goog-Resource-ID": row["resource"],
        "X-Goog-Resource-State": state,
        "X-Goog-Resource-URI": row["uri"],
        "User-Agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
    }
    return headers | ({"X-Goog-Channel-Token": row["token"]} if row["token"] else {})


def _post(client: httpx.Client, message: Message) -> None:
    for pause in (*PAUSES, None):
        with suppress(httpx.HTTPError, httpx.InvalidURL):
            if client.post(message.address, headers=message.headers).status_code not in RETRIED:
                return
        if pause is not None:
            time.sleep(pause)


def _expiry(body: dict[str, Any]) -> int:
    now = int(time.time() * 1000)
    latest = now + WEEK * 1000
    ttl = (body.get("params") or {}).get("ttl")
    if ttl is not None and ttl.isdigit():
        return min(now + int(ttl) * 1000, latest)
    return min(int(body.get("expiration") or latest), latest)
