"""What a delivery means: most say what an order is now, some only that one must be read."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from booking_engine.booking import holds
from booking_engine.catalog import queries
from booking_engine.ledger.pseudonyms import Pseudonyms
from shopify_gateway import closing, compliance, deliveries, disputes, orders, people
from shopify_gateway.deliveries import UnreadableDelivery
from shopify_gateway.disputes import UnreadableDispute
from shopify_gateway.models import WebhookDelivery
from shopify_gateway.order import UnreadableOrder, from_webhook, holds_in
from shopify_gateway.people import Told

CHECKOUT_TOPICS = frozenset({"checkouts/create", "checkouts/update"})
PEOPLE: Mapping[str, Callable[[Session, Told], str]] = {
    **dict.fromkeys(people.VERIFYING_TOPICS, people.hear),
    people.MERGE_TOPIC: compliance.merged,
    compliance.DATA_REQUEST: compliance.prepare_export,
    compliance.REDACT: compliance.redact,
}
DISPUTE_TOPICS = frozenset({"disputes/create", "disputes/update"})
STATE_TOPICS = frozenset({"orders/create", "orders/paid", "orders/updated", "orders/cancelled"})


def handle(
    session: Session, *, delivery: WebhookDelivery, privacy: Pseudonyms, now: datetime
) -> str:
    """Do what a delivery asks for and return one word on what came of it.

    Raises `UnreadableDelivery` where the body is not what the topic promises.
    """
    if delivery.topic in STATE_TOPICS:
        return _state(session, delivery, privacy, now)
    if delivery.topic == "orders/edited":
        edit = deliveries.payload(delivery).get("order_edit")
        return _read_later(session, delivery, edit if isinstance(edit, dict) else {}, now)
    if delivery.topic == "refunds/create":
        return _read_later(session, delivery, deliveries.payload(delivery), now)
    if delivery.topic in DISPUTE_TOPICS:
        return _dispute(session, delivery, now)
    if delivery.topic == "orders/delete":
        return _deleted(session, delivery, now)
    if delivery.topic in CHECKOUT_TOPICS:
        return _checkout(session, delivery, now)
    return _people(session, delivery, privacy, now)


def forget_erased(session: Session, *, delivery: WebhookDelivery, privacy: Pseudonyms) -> None:
    """Forget the body of a delivery that is done with, if it is about somebody who was erased."""
    try:
        body = deliveries.payload(delivery)
    except UnreadableDelivery:
        return
    if delivery.topic == compliance.REDACT or people.is_erased(
        session, studio_id=delivery.studio_id, payload=body, privacy=privacy
    ):
        delivery.body = delivery.last_error = None


def _people(session: Session, delivery: WebhookDelivery, privacy: Pseudonyms, now: datetime) -> str:
    """Do what deliveries about people ask for; other topics are not for us."""
    if delivery.topic == compliance.SHOP_REDACT:
        studio = queries.load(session, studio_id=delivery.studio_id)
        closing.close(session, studio_id=studio.id, shop=studio.shop, now=now)
        return "closed"
    act = PEOPLE.get(delivery.topic)
    if act is None:
        return "ignored"
    body = deliveries.payload(delivery)
    told = Told(delivery.studio_id, body, delivery.webhook_id, privacy, now)
    return act(session, told)


def _state(session: Session, delivery: WebhookDelivery, privacy: Pseudonyms, now: datetime) -> str:
    body = deliveries.payload(delivery)
    try:
        told = from_webhook(body)
    except UnreadableOrder as error:
        raise UnreadableDelivery(str(error)) from error
    studio = queries.load(session, studio_id=delivery.studio_id)
    address = people.address_in(body)
    people.queue_guest(session, studio_id=studio.id, order=told, address=address, privacy=privacy)
    order = people.admit(session, studio_id=studio.id, order=told, privacy=privacy, now=now)
    posted = orders.converge(session, studio=studio, order=order, now=now)
    people.note_address(
        session,
        studio_id=studio.id,
        order_id=order.id,
        address=address,
        privacy=privacy,
        now=now,
    )
    return "posted" if posted.changed else "agreed"


def _dispute(session: Session, delivery: WebhookDelivery, now: datetime) -> str:
    """A dispute stands so: deliveries tell no order of their own, but when each was sent."""
    try:
        order_id, dispute = disputes.from_webhook(
            deliveries.payload(delivery), told_at=deliveries.told_at(delivery)
        )
    except UnreadableDispute as error:
        raise UnreadableDelivery(str(error)) from error
    studio = queries.load(session, studio_id=delivery.studio_id)
    posted = orders.note_dispute(
        session, studio=studio, order_id=order_id, dispute=dispute, now=now
    )
    return "posted" if posted.changed else "agreed"


def _deleted(session: Session, delivery: WebhookDelivery, now: datetime) -> str:
    order_id = deliveries.payload(delivery).get("id")
    if not isinstance(order_id, int):
        raise UnreadableDelivery("orders/delete names no id")
    studio = queries.load(session, studio_id=delivery.studio_id)
    posted = orders.delete(session, studio=studio, order_id=order_id, now=now)
    return "posted" if posted.changed else "agreed"


def _checkout(session: Session, delivery: WebhookDelivery, now: datetime) -> str:
    """A checkout is open: the holds in its lines get their longer time and their grace."""
    studio = queries.load(session, studio_id=delivery.studio_id)
    found = holds_in(deliveries.payload(delivery))
    for token in found:
        hold = orders.hold_of(session, studio_id=studio.id, token=token)
        if hold is not None:
            holds.checkout_opened(session, studio=studio, hold=hold, now=now)
    return "holds_kept" if found else "ignored"


def _read_later(
    session: Session, delivery: WebhookDelivery, body: dict[str, Any], now: datetime
) -> str:
    order_id = body.get("order_id")
    if not isinstance(order_id, int):
        raise UnreadableDelivery(f"{delivery.topic} names no order_id")
    orders.mark_for_reading(session, studio_id=delivery.studio_id, order_id=order_id, now=now)
    return "read_later"
