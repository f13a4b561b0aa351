"""Drains the inbox: each delivery is understood and its effect written in one transaction."""

from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from booking_engine.errors import Unavailable
from booking_engine.ledger.pseudonyms import Pseudonyms
from connector.runtime import Runtime
from shopify_gateway import deliveries
from shopify_gateway import inbox as gateway
from shopify_gateway.models import WebhookDelivery

log = structlog.get_logger(__name__)

BATCH = 200


def drain(runtime: Runtime) -> None:
    """Handle due deliveries, oldest first, until none is left."""
    failed: set[UUID] = set()
    done = 0
    for _ in range(BATCH):
        with runtime.transaction() as session:
            now = datetime.now(UTC)
            delivery = deliveries.claim(session, now=now, skip=failed)
            if delivery is None:
                break
            if _handle(session, delivery, runtime.settings.privacy, now):
                done += 1
            else:
                failed.add(delivery.id)
    if done:
        runtime.wakeups.poke("outbox")


def _handle(
    session: Session, delivery: WebhookDelivery, privacy: Pseudonyms, now: datetime
) -> bool:
    bound = log.bind(
        delivery_id=str(delivery.id), webhook_id=delivery.webhook_id, topic=delivery.topic
    )
    try:
        with session.begin_nested():
            outcome = gateway.handle(session, delivery=delivery, privacy=privacy, now=now)
    except deliveries.UnreadableDelivery as error:
        deliveries.fail(delivery, error=str(error), final=True, now=now)
        gateway.forget_erased(session, delivery=delivery, privacy=privacy)
        bound.warning("delivery_dead", detail=str(error))
        return False
    except (OperationalError, Unavailable) as error:
        # A lock that did not come in time, or a wallet that was merged on our way to it, says
        # nothing about the delivery: soon again, uncounted.
        deliveries.postpone(delivery, now=now)
        cause = error.orig if isinstance(error, OperationalError) else error
        bound.info("delivery_postponed", error=type(cause).__name__)
        return False
    except Exception as error:  # noqa: BLE001 - see below, and it is logged
        # One poisonous delivery must not stop the queue: it gets its next try, and is visible.
        deliveries.fail(delivery, error=repr(error), final=False, now=now)
        bound.exception("delivery_failed", attempts=delivery.attempts)
        return False
    deliveries.finish(delivery, outcome=outcome, now=now)
    gateway.forget_erased(session, delivery=delivery, privacy=privacy)
    bound.info("delivery_done", outcome=outcome)
    return True
