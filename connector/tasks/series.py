"""Keeps the series going: extends them, pays their dates, releases what stayed unpaid."""

from datetime import UTC, datetime

import structlog

from booking_engine.booking import upkeep
from booking_engine.catalog import queries
from booking_engine.errors import Unavailable
from connector.runtime import Runtime

log = structlog.get_logger(__name__)


def tend(runtime: Runtime) -> None:
    """Tend the series of every customer of whose series something is due, one at a time."""
    with runtime.transaction() as session:
        due = upkeep.due(session, now=datetime.now(UTC))
    for studio_id, wallet_id in due:
        try:
            with runtime.transaction() as session:
                studio = queries.load(session, studio_id=studio_id)
                now = datetime.now(UTC)
                upkeep.tend(session, studio=studio, wallet_id=wallet_id, now=now)
        except Unavailable as error:
            log.info("series_postponed", wallet_id=str(wallet_id), detail=error.detail)
        except Exception:
            # One customer's broken series must not keep the others' from their slots.
            log.exception("series_not_tended", studio_id=studio_id, wallet_id=str(wallet_id))
    if due:
        runtime.wakeups.poke("outbox")
