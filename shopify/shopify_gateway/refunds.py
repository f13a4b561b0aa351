"""What the shop takes back: units by refund, edit, cancellation or a lost dispute (D5, D8, D12).

Unused credits are revoked. Sessions still to come that they paid are paid by other lots of the same
wallet, wait for money, or end. What was used before is a shortfall: listed, and owed where the
studio's policy says so or a bank has taken the money back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, func, select

from booking_engine import attention
from booking_engine.booking import bookings, funding
from booking_engine.booking.models import Booking, Hold
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import debts, takebacks
from booking_engine.ledger.debts import DebtCause, OrderDebt
from booking_engine.ledger.lots import NEVER, PROCEEDS_WITHIN
from booking_engine.ledger.models import CreditKind, Draw, Lot
from booking_engine.ledger.transfers import Cause
from shopify_gateway.order import Order

ACTOR = "shopify"
SHORTFALL, DELIVERED = "refund_shortfall", "cancelled_after_delivery"


@dataclass(frozen=True, slots=True)
class Case:
    """An order under one convergence: whose it is, and what time it is."""

    studio: Studio
    order: Order
    wallet_id: UUID
    now: datetime

    def cause(self, reason: str) -> Cause:
        """Return why something moves."""
        return Cause(reason, f"order:{self.order.id}", ACTOR, self.now)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What a withdrawn lot still holds for a session to come."""

    lot: Lot
    draw: Draw
    booking: Booking
    is_refunded: bool  # by the order itself, not only lost in a dispute


@dataclass(frozen=True, slots=True)
class _Rest:
    """What of a lot cannot be taken back any more: it was used, or it expired."""

    lot: Lot
    quantity: int

    @property
    def amount_minor(self) -> int:
        return takebacks.value(self.lot, self.quantity)


def settle(session: Session, case: Case, *, lots: Sequence[Lot], refunded: set[UUID]) -> None:
    """Take back what withdrawn lots have left, and settle the sessions still to come on them.

    `refunded` are the lots whose units the order itself gave up, not only a dispute.
    """
    withdrawn = [lot for lot in lots if lot.withdrawn_at is not None]
    for lot in withdrawn:
        session.refresh(lot)
        takebacks.withdraw(session, lot=lot, cause=case.cause("withdrawn"))
    for lot in withdrawn:
        for draw, booking in funding.drawing_on(session, lot=lot, now=case.now):
            drawn = _Drawn(lot, draw, booking, lot.id in refunded)
            _settle_booking(session, case, drawn)
        session.refresh(lot)


def account(session: Session, case: Case, *, lots: Sequence[Lot], refunded: set[UUID]) -> bool:
    """List what was used of units that were taken back, and book what is owed for it.

    Returns whether anybody owes more or less than before. Of test orders nothing is real.
    """
    if case.order.is_test:
        return False
    rests = [_rest(session, lot) for lot in lots if lot.withdrawn_at is not None]
    gone = [rest for rest in rests if rest.lot.id in refunded]
    _list_shortfalls(session, case, gone)
    return _owe(session, case, rests, gone)


def _settle_booking(session: Session, case: Case, drawn: _Drawn) -> None:
    """Find what becomes of a session still to come whose credits were taken back."""
    order, booking, now = case.order, drawn.booking, case.now
    is_at_risk = booking.starts_at > _proceeds_until(order)
    if bookings.is_overdue(booking, now=now):
        ended_at = booking.due_at or now
        funding.cancel(session, booking=booking, reason="not paid in time", now=ended_at)
    elif drawn.is_refunded and _is_undone(session, order, booking):
        reason = "its order was refunded, edited or cancelled"
        funding.cancel(session, booking=booking, reason=reason, now=now)
    elif not drawn.is_refunded and not is_at_risk:
        funding.stand(session, booking=booking, now=now)
    elif takebacks.pay_instead(
        session,
        draw=drawn.draw,
        lot=drawn.lot,
        starts_at=booking.starts_at,
        cause=case.cause("withdrawn"),
    ):
        funding.stand_if_paid(session, booking=booking, now=now)
    elif order.is_cancelled or is_at_risk:
        reason = "its order was cancelled" if order.is_cancelled else "its payment was disputed"
        funding.cancel(session, booking=booking, reason=reason, now=now)
    elif not funding.wait_for_money(session, studio=case.studio, booking=booking, now=now):
        funding.cancel(session, booking=booking, reason="its credits were refunded", now=now)


def _proceeds_until(order: Order) -> datetime:
    """Return until when sessions proceed whatever a lost dispute says; for ever without one."""
    begun = [each.initiated_at for each in order.disputes if each.is_lost]
    return min(begun) + PROCEEDS_WITHIN if begun else NEVER


def _is_undone(session: Session, order: Order, booking: Booking) -> bool:
    """Tell whether the order bought this very session and no unit of that is left (D5)."""
    token = session.exec(
        select(Hold.id).where(
            col(Hold.studio_id) == booking.studio_id, col(Hold.booking_id) == booking.id
        )
    ).first()
    lines = [line for line in order.lines if token is not None and line.hold == str(token)]
    stands = order.is_paid or order.is_open
    return bool(lines) and not (stands and any(line.current_quantity for line in lines))


def _rest(session: Session, lot: Lot) -> _Rest:
    waiting = session.exec(
        select(func.coalesce(func.sum(Draw.held), 0))
        .join(
            Booking,
            (col(Booking.studio_id) == col(Draw.studio_id))
            & (col(Booking.id) == col(Draw.booking_id)),
        )
        .where(
            col(Draw.studio_id) == lot.studio_id,
            col(Draw.lot_id) == lot.id,
            col(Booking.due_at).is_not(None),
        )
    ).one()
    return _Rest(lot, lot.granted - lot.revoked - int(waiting))


def _list_shortfalls(session: Session, case: Case, gone: Iterable[_Rest]) -> None:
    """Put what was used of refunded units on the list: per unit, or for a cancelled order once.

    A lost dispute has an item of its own.
    """
    order = case.order
    found = [] if order.is_lost else [rest for rest in gone if rest.quantity > 0]
    used = [] if order.is_cancelled else found
    about = {"order_id": order.id}
    attention.withdraw_others(
        session,
        studio_id=case.studio.id,
        kind=SHORTFALL,
        keys=[str(rest.lot.id) for rest in used],
        now=case.now,
        about=about,
    )
    for rest in used:
        attention.raise_item(
            session,
            studio_id=case.studio.id,
            kind=SHORTFALL,
            key=str(rest.lot.id),
            detail="a unit was refunded or edited away after some of it had been used",
            now=case.now,
            facts={**about, **_facts(session, case, [rest]), "lot": str(rest.lot.id)},
        )
    if not (order.is_cancelled and found):
        attention.withdraw_about(
            session, studio_id=case.studio.id, about=about, now=case.now, kinds=(DELIVERED,)
        )
        return
    attention.raise_item(
        session,
        studio_id=case.studio.id,
        kind=DELIVERED,
        key=str(order.id),
        detail="an order was cancelled after some of what it paid had been delivered",
        now=case.now,
        facts={**about, **_facts(session, case, found)},
    )


def _facts(session: Session, case: Case, rests: Sequence[_Rest]) -> dict[str, Any]:
    """Return the evidence: how much was used, what that was paid with, and by which sessions."""
    begun = session.exec(
        select(Booking.code, Booking.starts_at, Draw.quantity)
        .join(
            Draw,
            (col(Booking.studio_id) == col(Draw.studio_id))
            & (col(Booking.id) == col(Draw.booking_id)),
        )
        .where(
            col(Draw.studio_id) == case.studio.id,
            col(Draw.lot_id).in_([rest.lot.id for rest in rests]),
            col(Booking.starts_at) <= case.now,
        )
        .order_by(col(Booking.starts_at))
    ).all()
    credits = {
        kind.value: total
        for kind in CreditKind
        if (total := sum(rest.quantity for rest in rests if rest.lot.kind is kind))
    }
    return {
        "order": case.order.name,
        "credits": credits,
        "value_minor": sum(rest.amount_minor for rest in rests),
        "policy": case.studio.policy.shortfall,
        "sessions": [
            {"code": code, "start": starts_at.isoformat(), "quantity": quantity}
            for code, starts_at, quantity in begun
        ],
    }


def _owe(session: Session, case: Case, rests: Sequence[_Rest], gone: Sequence[_Rest]) -> bool:
    """Bring what the order leaves to pay to the larger of its causes, once (D5, D12)."""
    order = case.order
    refund_minor = sum(rest.amount_minor for rest in gone)
    if case.studio.policy.shortfall != "debt":
        refund_minor = 0
    lost = [each for each in order.disputes if each.is_lost]
    taken = sum(
        order.paid_minor if each.amount_minor is None else each.amount_minor for each in lost
    )
    used = sum(takebacks.value(rest.lot, rest.quantity - rest.lot.expired) for rest in rests)
    debt = OrderDebt(
        order.id,
        max(refund_minor, min(used, taken)),
        DebtCause.DISPUTE if lost else DebtCause.REFUND,
    )
    return debts.bring_to(
        session,
        studio_id=case.studio.id,
        wallet_id=case.wallet_id,
        debt=debt,
        actor=ACTOR,
        at=case.now,
    )
