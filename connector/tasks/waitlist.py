"""Serves those who wait, in every studio where anybody does."""

from datetime import UTC, datetime

import structlog

from booking_engine.booking import matching, waitlist
from booking_engine.catalog import queries
from booking_engine.errors import Unavailable
from connector.runtime import Runtime

log = structlog.get_logger(__name__)

# Of one studio at one time; whoever is left is served at the next tick.
BATCH = 100


def match(runtime: Runtime) -> None:
    """Serve each studio's line until nobody can be served."""
    with runtime.transaction() as session:
        found = waitlist.studios(session)
    served = 0
    for studio_id in found:
        try:
            served += _match(runtime, studio_id)
        except Unavailable as error:
            log.info("line_postponed", studio_id=studio_id, detail=error.detail)
        except Exception:  # one studio's trouble must not keep the others waiting
            log.exception("line_not_served", studio_id=studio_id)
    if served:
        runtime.wakeups.poke("outbox")


def _match(runtime: Runtime, studio_id: int) -> int:
    for served in range(BATCH):
        with runtime.transaction() as session:
            studio = queries.load(session, studio_id=studio_id)
            if not matching.match(session, studio=studio, now=datetime.now(UTC)):
                return served
    return BATCH
