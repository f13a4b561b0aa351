"""Where a paid unit's credits belong: with the buyer, or waiting in a gift's own wallet (C13)."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from booking_engine.booking import gifts
from booking_engine.booking.gifts import Unit
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.credits import Grant
from shopify_gateway.order import Order, OrderLine


def place(
    session: Session,
    *,
    studio: Studio,
    order: Order,
    line: OrderLine,
    grant: Grant,
    buyer: UUID,
    now: datetime,
) -> tuple[UUID, Grant]:
    """Return the wallet that a grant goes to, and the grant as it is to be made there.

    A gift whose days count from its claim has no expiry before. A line that pays for a held session
    is no gift: its time is taken already. Nor is one of a test order: its credits are not real.
    """
    is_gift = line.gift is not None and line.hold is None and not order.is_test
    if line.gift is None or not is_gift or grant.unit_index is None:
        return buyer, grant
    products = {product.variant_id: product for product in studio.products}
    product = products.get(line.variant_id) if line.variant_id is not None else None
    zone = studio.locations[0].zone
    unit = Unit(
        order_id=order.id,
        line_item_id=line.id,
        unit_index=grant.unit_index,
        valid_days=product.valid_days if product else None,
        opens_at=gifts.opens_at(line.gift.on, bought_at=order.ordered_at, zone=zone),
    )
    wallet_id = gifts.wallet_of(session, studio=studio, unit=unit, now=now)
    if studio.policy.gift_expiry_from == gifts.FROM_CLAIM:
        return wallet_id, replace(grant, expires_at=None)
    return wallet_id, grant
