"""Orders of the demo shop, and the book and ledger as tests ask about them."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, func, select

from booking_engine.attention import AttentionItem
from booking_engine.booking import holds
from booking_engine.booking.holds import VISITOR_CAPS, Holder
from booking_engine.booking.models import Allocation, AllocationState, Booking, Hold
from booking_engine.booking.terms import SessionRequest
from booking_engine.catalog.models import Resource
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.models import Lot
from booking_engine.outbox import OutboxMessage
from shopify_gateway import orders
from shopify_gateway.order import Order, OrderLine
from shopify_gateway.orders import Posted
from tests.factories.studio import HOUR, NOW, make_request

PRICES = {44000000000001: 4500, 44000000000002: 6000, 44000000000003: 40000}


def make_line(
    variant: int | None = HOUR,
    quantity: int = 1,
    *,
    number: int = 1,
    current: int | None = None,
    hold: UUID | None = None,
) -> OrderLine:
    """Make a line of an order; `current` is what is left after refunds and edits."""
    return OrderLine(
        id=9000 + number,
        variant_id=variant,
        quantity=quantity,
        current_quantity=quantity if current is None else current,
        paid_minor=PRICES.get(variant or 0, 1000) * quantity,
        hold=str(hold) if hold else None,
    )


def make_order(
    *lines: OrderLine,
    id: int = 5001,
    at: datetime = NOW,
    status: str = "paid",
    customer: int | None = 7001,
    cancelled: bool = False,
) -> Order:
    """Make an order as it is at an instant; by default one paid hour."""
    return Order(
        id=id,
        name=f"#{id}",
        updated_at=at,
        ordered_at=NOW,
        financial_status=status,
        is_cancelled=cancelled,
        is_test=False,
        customer_id=customer,
        currency="CAD",
        lines=lines or (make_line(),),
    )


def later(order: Order, *current: int, minutes: int = 60, **changes: object) -> Order:
    """Return the order's next state, its lines cut to these quantities."""
    lines = tuple(
        replace(line, current_quantity=quantity)
        for line, quantity in zip(order.lines, current, strict=bool(current))
    )
    return replace(
        order,
        updated_at=order.updated_at + timedelta(minutes=minutes),
        lines=lines or order.lines,
        **changes,
    )


def post(session: Session, studio: Studio, order: Order, now: datetime | None = None) -> Posted:
    """Converge an order at the time of its last change."""
    return orders.converge(session, studio=studio, order=order, now=now or order.updated_at)


def place_hold(
    session: Session,
    studio: Studio,
    request: SessionRequest | None = None,
    *,
    holder: str = "visitor:1",
    now: datetime = NOW,
) -> Hold:
    """Hold a session as a visitor of the shop."""
    return holds.place(
        session,
        studio=studio,
        request=request or make_request(),
        holder=Holder(holder, VISITOR_CAPS),
        now=now,
    )


def booking_of(session: Session, hold: Hold) -> Booking:
    """Read the booking that a hold began."""
    wanted = select(Booking).where(col(Booking.id) == hold.booking_id)
    return session.exec(wanted.execution_options(populate_existing=True)).one()


def seats(session: Session, booking_id: UUID) -> list[str]:
    """Return the handles of what a booking takes now."""
    return sorted(
        session.exec(
            select(Resource.handle)
            .join(Allocation, col(Allocation.resource_id) == col(Resource.id))
            .where(
                col(Allocation.booking_id) == booking_id,
                col(Allocation.state) != AllocationState.RELEASED,
            )
        ).all()
    )


def attention_kinds(session: Session) -> list[str]:
    """Return the kinds of what stands on the attention list."""
    return sorted(session.exec(select(AttentionItem.kind)).all())


def told(session: Session) -> set[str]:
    """Return the bookings about which the outbox has something to tell."""
    wanted = select(OutboxMessage.key).where(col(OutboxMessage.done_at).is_(None))
    return set(session.exec(wanted).all())


def lot_count(session: Session) -> int:
    """Count every lot."""
    return session.exec(select(func.count()).select_from(Lot)).one()


def wallet_sums(session: Session) -> dict[str, int]:
    """Return the sums of all lots' buckets that are not empty: `{"sim A": 60}` and so on."""
    totals: dict[str, int] = {}
    for lot in session.exec(select(Lot).execution_options(populate_existing=True)):
        for letter, quantity in zip(
            "AHSER", (lot.available, lot.held, lot.spent, lot.expired, lot.revoked), strict=True
        ):
            name = f"{lot.kind.value[:3]} {letter}"
            totals[name] = totals.get(name, 0) + quantity
    return {name: quantity for name, quantity in totals.items() if quantity}
