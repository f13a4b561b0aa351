"""Writes down what the clock has already made true: lapsed holds, begun and finished sessions."""

from datetime import UTC, datetime

from booking_engine.booking import bookings, holds
from booking_engine.catalog import queries
from connector import idempotency
from connector.runtime import Runtime

BATCH = 200


def sweep(runtime: Runtime) -> None:
    """Sweep every studio once."""
    now = datetime.now(UTC)
    with runtime.transaction() as session:
        idempotency.sweep(session, now=now)
        studio_ids = queries.all_ids(session)
    for studio_id in studio_ids:
        with runtime.transaction() as session:
            holds.expire_due(session, studio_id=studio_id, now=now, limit=BATCH)
        with runtime.transaction() as session:
            bookings.begin_and_complete(session, studio_id=studio_id, now=now, limit=BATCH)
