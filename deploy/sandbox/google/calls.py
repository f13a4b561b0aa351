"""The log of what the API was asked and what it answered."""

from datetime import UTC, datetime
from typing import Any

from sandbox.google.store import Work

KEPT = 20_000


def log(work: Work, request: tuple[str, str, str], status: int, fault: str | None) -> None:
    """Remember one call: method, path and query, the status, and the fault that struck it."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    sql = """INSERT INTO calls (method, path, query, status, fault, at)
        VALUES (?, ?, ?, ?, ?, ?) RETURNING number"""
    number = work.db.execute(sql, (*request, status, fault, at)).fetchone()[0]
    if number % 1000 == 0:
        work.db.execute("DELETE FROM calls WHERE number <= ?", (number - KEPT,))


def since(work: Work, number: int) -> list[dict[str, Any]]:
    """Return the calls after this number, newest last."""
    rows = work.db.execute("SELECT * FROM calls WHERE number > ? ORDER BY number", (number,))
    return [{("time" if name == "at" else name): row[name] for name in row.keys()} for row in rows]  # noqa: SIM118


def forget(work: Work) -> None:
    """Empty the log; numbers go on from where they were."""
    work.db.execute("DELETE FROM calls")
