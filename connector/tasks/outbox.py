"""Drains the outbox: tells the calendars what the book says now."""

from datetime import UTC, datetime, timedelta

import structlog

from booking_engine import outbox
from booking_engine.booking.allocator import BOOKING_CHANGED
from booking_engine.errors import Unavailable
from booking_engine.outbox import OutboxMessage
from calendar_sync import push
from calendar_sync.google import CalendarRefused
from connector.runtime import Runtime

log = structlog.get_logger(__name__)

# One at a time: a worker that is killed delays one booking, and for no longer than this.
LEASE = timedelta(seconds=60)
# A short outage is over seconds after its end; a long one is not made worse by us.
PATIENT_AFTER = 10
WAIT_SECONDS, LONG_WAIT_SECONDS = 10, 64
# Access that was taken away does not come back by asking every minute.
REFUSED_WAIT = timedelta(minutes=5)


def drain(runtime: Runtime) -> None:
    """Tell due messages until none is left."""
    while True:
        with runtime.transaction() as session:
            messages = outbox.claim(session, now=datetime.now(UTC), limit=1, lease=LEASE)
        if not messages:
            return
        _tell(runtime, messages[0])


def _tell(runtime: Runtime, message: OutboxMessage) -> None:
    bound = log.bind(topic=message.topic, key=message.key, attempts=message.attempts)
    if message.topic != BOOKING_CHANGED:
        raise ValueError(f"nobody tells {message.topic}")
    try:
        written = push.push_booking(
            runtime.transaction,
            runtime.google,
            studio_id=message.studio_id,
            booking_id=message.key,
            now=datetime.now(UTC),
        )
    except Unavailable as error:
        longest = WAIT_SECONDS if message.attempts <= PATIENT_AFTER else LONG_WAIT_SECONDS
        wait = timedelta(seconds=min(2**message.attempts, longest))
        _postpone(runtime, message, wait, error.detail)
        bound.warning("message_postponed", detail=error.detail)
    except CalendarRefused as error:
        _postpone(runtime, message, REFUSED_WAIT, str(error))
        bound.warning("calendar_refused", detail=str(error))
    else:
        with runtime.transaction() as session:
            outbox.finish(session, message=message, now=datetime.now(UTC))
        bound.info("message_told", written=written)


def _postpone(runtime: Runtime, message: OutboxMessage, wait: timedelta, error: str) -> None:
    with runtime.transaction() as session:
        outbox.postpone(session, message=message, now=datetime.now(UTC), wait=wait, error=error)
