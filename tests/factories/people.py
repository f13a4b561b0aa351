"""What the shop tells about people, and whose things are whose afterwards."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import Session, col, select

from booking_engine.catalog.studio import Studio
from booking_engine.ledger import wallets
from booking_engine.ledger.models import Lot
from booking_engine.ledger.people_models import Gift
from booking_engine.ledger.pseudonyms import Pseudonyms
from shopify_gateway import inbox
from shopify_gateway.models import DeliveryState, WebhookDelivery
from tests.factories.studio import NOW

PRIVACY = Pseudonyms((b"present key", b"key before"))


def hear(
    session: Session, studio: Studio, topic: str, body: dict[str, Any], now: datetime = NOW
) -> str:
    """Take a delivery as the worker does, and return what came of it."""
    delivery = WebhookDelivery(
        studio_id=studio.id,
        webhook_id=str(uuid4()),
        topic=topic,
        body=json.dumps(body).encode(),
        state=DeliveryState.PENDING,
        received_at=now,
        due_at=now,
    )
    session.add(delivery)
    session.flush()
    outcome = inbox.handle(session, delivery=delivery, privacy=PRIVACY, now=now)
    delivery.state = DeliveryState.DONE
    inbox.forget_erased(session, delivery=delivery, privacy=PRIVACY)
    session.flush()
    return outcome


def merge_body(kept: int, removed: int, status: str = "completed") -> dict[str, Any]:
    """Return the body of customers/merge."""
    return {
        "admin_graphql_api_customer_kept_id": f"gid://shopify/Customer/{kept}",
        "admin_graphql_api_customer_deleted_id": f"gid://shopify/Customer/{removed}",
        "admin_graphql_api_job_id": None,
        "status": status,
        "errors": [],
    }


def customer_body(
    id: int, email: str | None, *, verified: bool = True, **more: Any
) -> dict[str, Any]:
    """Return the body of customers/create, update or enable."""
    return {
        "id": id,
        "admin_graphql_api_id": f"gid://shopify/Customer/{id}",
        "email": email,
        "verified_email": verified,
        "state": "enabled",
        **more,
    }


def redact_body(
    customer: int | None = 7001,
    *,
    email: str | None = None,
    phone: str | None = None,
    orders: tuple[int, ...] = (),
) -> dict[str, Any]:
    """Return the body of customers/redact."""
    told = {"id": customer, "email": email, "phone": phone}
    return {
        "shop_id": 954889,
        "shop_domain": "birdie-bay.myshopify.com",
        "customer": {name: value for name, value in told.items() if value is not None},
        "orders_to_redact": list(orders),
    }


def owner(session: Session, studio: Studio, customer: int) -> UUID | None:
    """Return the wallet under which a customer is known."""
    found = wallets.find_customer(session, studio_id=studio.id, customer_id=customer)
    return found.id if found else None


def lots_of(session: Session, wallet_id: UUID | None) -> list[str]:
    """Return the sources of a wallet's lots."""
    wanted = select(Lot.source).where(col(Lot.wallet_id) == wallet_id)
    return sorted(session.exec(wanted).all())


def sums_of(session: Session, wallet_id: UUID | None) -> dict[str, int]:
    """Return the sums of a wallet's buckets that are not empty: `{"A": 60}`."""
    totals = dict.fromkeys("AHSER", 0)
    wanted = select(Lot).where(col(Lot.wallet_id) == wallet_id)
    for lot in session.exec(wanted.execution_options(populate_existing=True)):
        found = (lot.available, lot.held, lot.spent, lot.expired, lot.revoked)
        for letter, quantity in zip("AHSER", found, strict=True):
            totals[letter] += quantity
    return {letter: quantity for letter, quantity in totals.items() if quantity}


def gifts_of(session: Session) -> list[Gift]:
    """Return every gift, oldest first."""
    wanted = select(Gift).order_by(col(Gift.id)).execution_options(populate_existing=True)
    return list(session.exec(wanted))
