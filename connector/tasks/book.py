"""Writes down what the clock has already made true: lapsed holds and lots, sessions."""

from collections.abc import Callable
from datetime import UTC, datetime

from booking_engine.booking import attendance, bookings, funding, holds
from booking_engine.ledger import lapses
from connector import idempotency
from connector.runtime import Runtime

BATCH = 200


def sweep(runtime: Runtime) -> None:
    """Sweep every studio until nothing is due."""
    with runtime.transaction() as session:
        idempotency.sweep(session, now=datetime.now(UTC))
    _repeat(runtime, holds.expire_due)
    _repeat(runtime, funding.sweep)
    _repeat(runtime, bookings.begin_and_complete)
    _repeat(runtime, attendance.close_missed)
    _repeat(runtime, lapses.expire_due)


def _repeat(runtime: Runtime, sweep_some: Callable[..., int]) -> None:
    """Sweep a batch a transaction, so that no lock is held for long."""
    while True:
        with runtime.transaction() as session:
            if sweep_some(session, now=datetime.now(UTC), limit=BATCH) < BATCH:
                return
