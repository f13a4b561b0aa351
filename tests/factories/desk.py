"""What happens at the studio's own desk: sessions booked for people, bays that break."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Session, col, select

from booking_engine.attention import AttentionItem
from booking_engine.booking import blocks, bookings
from booking_engine.booking.blocks import Declared, Outage
from booking_engine.booking.models import Allocation, AllocationState, Booking
from booking_engine.booking.terms import SessionRequest
from booking_engine.catalog.models import Resource
from booking_engine.catalog.studio import Studio
from booking_engine.intervals import Interval
from booking_engine.ledger.models import CreditKind
from connector import verify
from tests.factories.studio import NOW, make_lot, make_wallet, toronto


def at(hour: int, minute: int = 0) -> datetime:
    """Return a time on the Wednesday on which these stories play."""
    return toronto(2026, 11, 25, hour, minute)


def book(
    session: Session,
    studio: Studio,
    request: SessionRequest,
    *,
    customer: int = 7001,
    now: datetime = NOW,
) -> Booking:
    """Book a session that is paid with credits made for it."""
    wallet = make_wallet(session, studio, customer)
    for kind, quantity in (
        (CreditKind.SIMULATOR_MINUTES, request.minutes * request.simulators),
        (CreditKind.COACHING_SESSIONS, 2 if request.coaching else 0),
    ):
        if quantity:
            make_lot(session, studio, wallet, quantity, kind=kind, source=f"desk:{uuid4()}")
    return bookings.book(
        session, studio=studio, request=request, wallet_id=wallet.id, actor="test", now=now
    )


def break_down(
    session: Session,
    studio: Studio,
    bay: str,
    start: datetime,
    end: datetime,
    *,
    now: datetime,
    move_pinned: bool = False,
) -> Declared:
    """Declare a bay out of order."""
    outage = Outage(studio.simulator(bay), Interval.of(start, end), "projector", move_pinned)
    return blocks.declare(session, studio=studio, outage=outage, actor="staff:owner", now=now)


def blocked(session: Session, block_id: UUID) -> list[str]:
    """Return the local times that a block takes now, as `14:00-15:00`."""
    ranges = session.exec(
        select(Allocation.during)
        .where(
            col(Allocation.block_id) == block_id,
            col(Allocation.state) != AllocationState.RELEASED,
        )
        .order_by(col(Allocation.during))
    ).all()
    local = at(0).tzinfo
    return [
        "-".join(f"{edge.astimezone(local):%H:%M}" for edge in (each.lower, each.upper) if edge)
        for each in ranges
    ]


def seats(session: Session, booking: Booking) -> list[str]:
    """Return the handles of what a booking takes now."""
    found = session.exec(
        select(Resource.handle)
        .join(Allocation, col(Allocation.resource_id) == col(Resource.id))
        .where(
            col(Allocation.booking_id) == booking.id,
            col(Allocation.state) != AllocationState.RELEASED,
        )
    ).all()
    return sorted(found)


def open_items(session: Session) -> list[AttentionItem]:
    """Return what stands open on the attention list, oldest first."""
    return list(
        session.exec(
            select(AttentionItem)
            .where(col(AttentionItem.resolved_at).is_(None))
            .order_by(col(AttentionItem.id))
            .execution_options(populate_existing=True)
        )
    )


def broken_promises(session: Session) -> list[str]:
    """Return everything that `simstudio verify` would complain about."""
    return [
        f"{found.check}: {found.what}"
        for check in verify.CHECKS
        for found in verify.violations(session, check)
    ]
