"""Gives gifts their codes and their day, and forgets what has been kept long enough."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlmodel import Session, col, delete

from booking_engine.booking import claim_codes, gifts
from booking_engine.ledger.people_models import PersonExport
from connector.runtime import Runtime
from shopify_gateway import closing, deliveries

BATCH = 200
EXPORTS_KEPT_FOR = timedelta(days=30)


def tend(runtime: Runtime) -> None:
    """Do what is due, a batch a transaction, until nothing is."""
    _repeat(runtime, lambda session: _give_codes(session, runtime))
    _repeat(
        runtime,
        lambda session: gifts.announce_due(session, now=datetime.now(UTC), limit=BATCH),
    )
    _repeat(
        runtime,
        lambda session: deliveries.forget_old(session, now=datetime.now(UTC), limit=BATCH),
    )
    with runtime.transaction() as session:
        now = datetime.now(UTC)
        closing.forget_old(session, now=now)
        too_old = col(PersonExport.created_at) < now - EXPORTS_KEPT_FOR
        session.exec(delete(PersonExport).where(too_old))


def _give_codes(session: Session, runtime: Runtime) -> int:
    waiting = gifts.without_code(session, limit=BATCH)
    for gift in waiting:
        claim_codes.issue(
            session,
            studio_id=gift.studio_id,
            order_id=gift.order_id,
            gift_id=gift.id,
            pseudonyms=runtime.settings.privacy,
            now=datetime.now(UTC),
        )
    return len(waiting)


def _repeat(runtime: Runtime, some: Callable[[Session], int]) -> None:
    while True:
        with runtime.transaction() as session:
            if some(session) < BATCH:
                return
