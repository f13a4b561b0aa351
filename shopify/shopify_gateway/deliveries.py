"""The inbox: a delivery is written down before it is answered, and understood afterwards."""

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select, update

from booking_engine.orm import new_id
from shopify_gateway.models import DeliveryState, WebhookDelivery

# Svix's schedule; after the last wait a delivery is dead, and visible.
WAITS = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
)
KEPT_FOR = timedelta(days=30)


class UnreadableDelivery(ValueError):
    """The body is not what its topic promises; trying again will not help."""


@dataclass(frozen=True, slots=True)
class Headers:
    """What Shopify says about a delivery, from either header family."""

    topic: str
    webhook_id: str
    event_id: str | None = None
    api_version: str | None = None
    triggered_at: str | None = None


def receive(
    session: Session, *, studio_id: int, headers: Headers, body: bytes, now: datetime
) -> bool:
    """Write a delivery down; returns False for one that is here already."""
    statement = insert(WebhookDelivery).values(
        studio_id=studio_id,
        id=new_id(),
        webhook_id=headers.webhook_id,
        event_id=headers.event_id,
        topic=headers.topic,
        api_version=headers.api_version,
        triggered_at=headers.triggered_at,
        body=body,
        state=DeliveryState.PENDING,
        attempts=0,
        received_at=now,
        due_at=now,
    )
    made = session.execute(
        statement.on_conflict_do_nothing(index_elements=["studio_id", "webhook_id"]).returning(
            col(WebhookDelivery.id)
        )
    )
    return made.first() is not None


def claim(session: Session, *, now: datetime, skip: set[UUID]) -> WebhookDelivery | None:
    """Take the oldest due delivery for this transaction; rivals take the next one."""
    return session.exec(
        select(WebhookDelivery)
        .where(
            col(WebhookDelivery.state) == DeliveryState.PENDING,
            col(WebhookDelivery.due_at) <= now,
            col(WebhookDelivery.id).not_in(skip),
        )
        .order_by(col(WebhookDelivery.due_at), col(WebhookDelivery.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()


def payload(delivery: WebhookDelivery) -> dict[str, Any]:
    """Return the body as an object; raises `UnreadableDelivery`."""
    if delivery.body is None:
        raise UnreadableDelivery("the body was forgotten")
    try:
        parsed = json.loads(delivery.body)
    except ValueError as error:
        raise UnreadableDelivery(f"the body is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise UnreadableDelivery("the body is no JSON object")
    return parsed


def forget_old(session: Session, *, now: datetime, limit: int) -> int:
    """Forget the bodies of deliveries after 30 days, a batch at a time; their rows stay (D13)."""
    old = (
        select(WebhookDelivery.studio_id, WebhookDelivery.id)
        .where(
            col(WebhookDelivery.body).is_not(None),
            col(WebhookDelivery.received_at) < now - KEPT_FOR,
        )
        .order_by(col(WebhookDelivery.received_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    done = session.execute(
        update(WebhookDelivery)
        .where(
            col(WebhookDelivery.studio_id) == old.c.studio_id, col(WebhookDelivery.id) == old.c.id
        )
        .values(body=None)
        .execution_options(synchronize_session=False)
        .returning(col(WebhookDelivery.id))
    )
    return len(done.all())


def told_at(delivery: WebhookDelivery) -> datetime:
    """Return when Shopify sent a delivery for the first time, or when we had it."""
    try:
        instant = datetime.fromisoformat(delivery.triggered_at or "")
    except ValueError:
        return delivery.received_at
    return instant if instant.tzinfo is not None else delivery.received_at


def finish(delivery: WebhookDelivery, *, outcome: str, now: datetime) -> None:
    """Mark a delivery done, with one word on what came of it."""
    delivery.state = DeliveryState.DONE
    delivery.outcome = outcome
    delivery.attempts += 1
    delivery.last_error = None
    delivery.done_at = now


def postpone(delivery: WebhookDelivery, *, now: datetime) -> None:
    """Give a delivery that found others at work another moment."""
    delivery.due_at = now + timedelta(seconds=random.uniform(0.2, 1.0))  # noqa: S311 - jitter


def fail(delivery: WebhookDelivery, *, error: str, final: bool, now: datetime) -> None:
    """Give a delivery its next try, or declare it dead after the last one."""
    delivery.attempts += 1
    delivery.last_error = error[:2000]
    if final or delivery.attempts > len(WAITS):
        delivery.state = DeliveryState.DEAD
        return
    wait = WAITS[delivery.attempts - 1]
    delivery.due_at = now + wait * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret
