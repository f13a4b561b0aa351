"""The webhook queue: written with the change it tells of, and kept until it is delivered."""

import json
import random
import sqlite3
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.store import database, switches
from sandbox.store.errors import NotFound

ATTEMPTS = 50
LONGEST_WAIT = 30.0
NO_ORDER = 0  # the message is about a customer, or the shop


@dataclass(frozen=True)
class Delivery:
    """One message that is due."""

    id: int
    webhook_id: str
    event_id: str
    topic: str
    triggered_at: str
    body: bytes


def enqueue(
    connection: sqlite3.Connection, *, order_id: int, messages: list[tuple[str, dict[str, Any]]]
) -> None:
    """Queue the messages of one event, under the switches as they stand."""
    road = switches.read(connection)
    event_id = str(uuid.uuid4())
    for topic, body in messages:
        turn = database.next_number(connection, name="delivery", first=1, step=1)
        fate = random.Random(None if road.seed is None else f"{road.seed}:{turn}")  # noqa: S311
        dropped = fate.random() < road.drop
        due = database.clock() + road.delay + fate.uniform(0, road.reorder)
        connection.execute(
            "INSERT INTO deliveries (webhook_id, event_id, topic, order_id, triggered_at, body,"
            " state, copies_left, next_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                str(uuid.uuid4()),
                event_id,
                topic,
                order_id,
                nanoseconds(),
                json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode(),
                "dropped" if dropped else "waiting",
                road.duplicate,
                None if dropped else due,
            ),
        )


def nanoseconds() -> str:
    """Return the present in the nine digits of X-Shopify-Triggered-At."""
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def due(connection: sqlite3.Connection, *, now: float, limit: int) -> list[Delivery]:
    """Return the messages whose time has come, oldest due first; none while on hold."""
    if switches.read(connection).hold:
        return []
    rows = connection.execute(
        "SELECT id, webhook_id, event_id, topic, triggered_at, body FROM deliveries"
        " WHERE state = 'waiting' AND next_at <= ? ORDER BY next_at, id LIMIT ?",
        (now, limit),
    )
    return [Delivery(**dict(row)) for row in rows]


def record(
    connection: sqlite3.Connection,
    *,
    delivery_id: int,
    status: int | None,
    answer: str,
    started: float,
) -> None:
    """Write down an attempt and what follows from it."""
    now = database.clock()
    connection.execute(
        "INSERT INTO attempts (delivery_id, at, status, answer, milliseconds)"
        " VALUES (?, ?, ?, ?, ?)",
        (delivery_id, started, status, answer[:300], round((now - started) * 1000)),
    )
    row = connection.execute(
        "UPDATE deliveries SET attempts = attempts + 1 WHERE id = ?"
        " RETURNING state, copies_left, failures",
        (delivery_id,),
    ).fetchone()
    if status is not None and 200 <= status < 300:
        succeeded(connection, delivery_id, copies_left=max(row["copies_left"] - 1, 0), now=now)
    else:
        failed(connection, delivery_id, failures=row["failures"] + 1, now=now)


def succeeded(
    connection: sqlite3.Connection, delivery_id: int, *, copies_left: int, now: float
) -> None:
    """Finish, or send the next copy of a duplicated message."""
    connection.execute(
        "UPDATE deliveries SET failures = 0, copies_left = ?, state = ?, next_at = ? WHERE id = ?",
        (
            copies_left,
            "waiting" if copies_left else "delivered",
            now if copies_left else None,
            delivery_id,
        ),
    )


def failed(connection: sqlite3.Connection, delivery_id: int, *, failures: int, now: float) -> None:
    """Wait longer each time, and give up after many."""
    over = failures >= ATTEMPTS
    connection.execute(
        "UPDATE deliveries SET failures = ?, state = ?, next_at = ? WHERE id = ?",
        (
            failures,
            "given up" if over else "waiting",
            None if over else now + min(2.0 ** (failures - 1), LONGEST_WAIT),
            delivery_id,
        ),
    )


def send_again(connection: sqlite3.Connection, *, delivery_id: int) -> None:
    """Make a message due now, whatever became of it."""
    changed = connection.execute(
        "UPDATE deliveries SET state = 'waiting', failures = 0, copies_left = max(copies_left, 1),"
        " next_at = ? WHERE id = ?",
        (database.clock(), delivery_id),
    ).rowcount
    if not changed:
        raise NotFound(f"there is no delivery {delivery_id}")


def listing(connection: sqlite3.Connection, *, limit: int) -> list[dict[str, Any]]:
    """Return the newest messages with their attempts."""
    rows = connection.execute(
        "SELECT id, webhook_id, event_id, topic, order_id, triggered_at, state, copies_left,"
        " attempts, failures, next_at FROM deliveries ORDER BY id DESC LIMIT ?",
        (limit,),
    ).fetchall()
    return [shown(connection, row) for row in rows]


def shown(connection: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    """Return one message for people and scripts."""
    attempts = connection.execute(
        "SELECT at, status, answer, milliseconds FROM attempts WHERE delivery_id = ? ORDER BY id",
        (row["id"],),
    ).fetchall()
    answers = [dict(attempt) | {"at": instant(attempt["at"])} for attempt in attempts]
    return dict(row) | {"next_at": instant(row["next_at"]), "answers": answers}


def instant(seconds: float | None) -> str | None:
    """Write a clock reading as an instant."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many messages are in each state."""
    rows = connection.execute("SELECT state, count(*) AS n FROM deliveries GROUP BY state")
    return {row["state"]: row["n"] for row in rows}
