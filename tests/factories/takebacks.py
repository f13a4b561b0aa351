"""What a shop takes back: refunds, disputes, and the package that most stories are about."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from booking_engine.attention import AttentionItem
from booking_engine.booking import bookings, funding
from booking_engine.booking.models import Booking
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import debts
from booking_engine.ledger.models import Lot
from shopify_gateway import orders
from shopify_gateway.disputes import Dispute
from shopify_gateway.order import Order, Refund
from shopify_gateway.orders import Posted
from tests.factories.shop_orders import make_line, make_order, post
from tests.factories.studio import NOW, PACKAGE, make_request, make_wallet, toronto

SINCE = toronto(2026, 11, 25, 10)  # the Wednesday morning on which things are taken back
DAY = timedelta(days=1)
PACKAGE_ORDER = make_order(make_line(PACKAGE))


def book_hours(
    session: Session, studio: Studio, *starts: datetime, customer: int = 7001, now: datetime = NOW
) -> list[UUID]:
    """Book an hour at each of these times with the customer's credits."""
    wallet = make_wallet(session, studio, customer)
    return [
        bookings.book(
            session,
            studio=studio,
            request=make_request(start),
            wallet_id=wallet.id,
            actor="test",
            now=now,
        ).id
        for start in starts
    ]


def play_hours(session: Session, studio: Studio, hours: int, *, customer: int = 7001) -> None:
    """Book hours on the Tuesday with the customer's credits, and let them begin."""
    starts = [toronto(2026, 11, 24, 9 + number) for number in range(hours)]
    book_hours(session, studio, *starts, customer=customer)
    begin(session, toronto(2026, 11, 24, 9 + hours))


def begin(session: Session, now: datetime) -> None:
    """Let the clock pass: what is unpaid ends, what is due begins."""
    funding.sweep(session, now=now, limit=100)
    bookings.begin_and_complete(session, now=now, limit=100)


def sweep(session: Session, now: datetime) -> int:
    """Pay what waits for money, and end what waited in vain."""
    return funding.sweep(session, now=now, limit=100)


def make_dispute(
    status: str = "needs_response",
    *,
    id: int = 1,
    kind: str = "chargeback",
    at: datetime = SINCE,
    ended: datetime | None = None,
    amount_minor: int | None = 40000,
) -> Dispute:
    """Make a dispute over the package, by default an open chargeback."""
    return Dispute(
        id=str(id),
        kind=kind,
        status=status,
        told_at=ended or at,
        initiated_at=at,
        finalized_at=ended,
        amount_minor=amount_minor,
        reason="fraudulent",
    )


def tell(
    session: Session, studio: Studio, dispute: Dispute, *, order_id: int = 5001, now: datetime
) -> Posted:
    """Tell of a dispute over an order."""
    return orders.note_dispute(session, studio=studio, order_id=order_id, dispute=dispute, now=now)


def refunded(order: Order, *amounts: int, at: datetime) -> Order:
    """Return the order after money was given back without naming a line."""
    refunds = tuple(Refund(800 + n, amount, has_lines=False) for n, amount in enumerate(amounts))
    return replace(order, updated_at=at, financial_status="partially_refunded", refunds=refunds)


def taken_back(order: Order, *current: int, at: datetime, **changes: object) -> Order:
    """Return the order after a refund that names lines; so many units of each are left."""
    lines = tuple(
        replace(line, current_quantity=left)
        for line, left in zip(order.lines, current, strict=True)
    )
    changes = {"financial_status": "partially_refunded", **changes}
    return replace(order, updated_at=at, lines=lines, **changes)


def give_package(session: Session, studio: Studio) -> Lot:
    """Sell the ten-session package and return its lot."""
    post(session, studio, PACKAGE_ORDER)
    return session.exec(select(Lot).where(col(Lot.order_id) == 5001)).one()


def booking_with(session: Session, booking_id: UUID) -> Booking:
    """Read a booking anew."""
    wanted = select(Booking).where(col(Booking.id) == booking_id)
    return session.exec(wanted.execution_options(populate_existing=True)).one()


def states(session: Session, ids: Iterable[UUID]) -> list[str]:
    """Return each booking's status, with a mark where it waits for money."""
    found = []
    for booking_id in ids:
        booking = booking_with(session, booking_id)
        found.append(booking.status.value + (" unpaid" if booking.due_at else ""))
    return found


def open_items(session: Session) -> dict[str, AttentionItem]:
    """Return what stands open on the attention list, by kind."""
    found = session.exec(
        select(AttentionItem)
        .where(col(AttentionItem.resolved_at).is_(None))
        .execution_options(populate_existing=True)
    ).all()
    assert len({item.kind for item in found}) == len(found)
    return {item.kind: item for item in found}


def owed(session: Session, studio: Studio, customer: int = 7001) -> int:
    """Return what a customer owes, in minor units."""
    wallet = make_wallet(session, studio, customer)
    return debts.owed(session, studio_id=studio.id, wallet_id=wallet.id)
