"""Gauges by age: a queue that nobody drains shows as a number that grows."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlmodel import Session, col, func, select

from booking_engine.outbox import OutboxMessage
from shopify_gateway.models import DeliveryState, WebhookDelivery


def collect(session: Session, *, now: datetime) -> bytes:
    """Return the metrics as they stand in the tables now."""
    registry = CollectorRegistry()
    waiting = session.exec(
        select(func.count(), func.min(col(WebhookDelivery.received_at))).where(
            col(WebhookDelivery.state) == DeliveryState.PENDING
        )
    ).one()
    _queue(registry, "inbox", waiting[0], waiting[1], now)
    untold = session.exec(
        select(func.count(), func.min(col(OutboxMessage.created_at))).where(
            col(OutboxMessage.done_at).is_(None)
        )
    ).one()
    _queue(registry, "outbox", untold[0], untold[1], now)
    dead = session.exec(
        select(func.count()).where(col(WebhookDelivery.state) == DeliveryState.DEAD)
    ).one()
    gauge = Gauge("simstudio_inbox_dead", "deliveries given up", registry=registry)
    gauge.set(dead)
    return generate_latest(registry)


def _queue(
    registry: CollectorRegistry, name: str, count: int, oldest: datetime | None, now: datetime
) -> None:
    waiting = Gauge(f"simstudio_{name}_waiting", f"rows waiting in the {name}", registry=registry)
    waiting.set(count)
    age = Gauge(
        f"simstudio_{name}_oldest_seconds",
        f"age of the oldest row in the {name}",
        registry=registry,
    )
    age.set((now - oldest).total_seconds() if oldest else 0)
