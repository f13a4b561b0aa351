"""Money given back without naming a line: no credits move, somebody decides how many go (D5)."""

from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from booking_engine import attention
from booking_engine.ledger.models import CreditKind, Lot, Transfer
from booking_engine.ledger.takebacks import MONEY_REFUNDED
from shopify_gateway.order import Order, Refund
from shopify_gateway.refunds import Case


def propose(session: Session, case: Case, *, lots: Sequence[Lot]) -> None:
    """Put each refund without lines on the list, with the units that its money paid for."""
    found = [each for each in case.order.refunds if each.amount_minor and not each.has_lines]
    if case.order.is_test or not found:
        return
    standing = [lot for lot in lots if lot.withdrawn_at is None]
    studio_id = case.studio.id
    unused = {kind: _unused(session, studio_id, standing, kind) for kind in CreditKind}
    paid = _paid_minor(case.order)
    for refund in found:
        proposed = {
            kind.value: min(quantity, quantity * refund.amount_minor // paid)
            for kind, quantity in unused.items()
            if paid and quantity * refund.amount_minor // paid
        }
        if proposed and not case.order.is_cancelled:
            _raise(session, case, refund, unused, proposed)
        else:
            attention.withdraw_about(
                session,
                studio_id=case.studio.id,
                about={"order_id": case.order.id, "refund_id": refund.id},
                now=case.now,
                kinds=(attention.MONEY_REFUND,),
            )


def _raise(
    session: Session,
    case: Case,
    refund: Refund,
    unused: dict[CreditKind, int],
    proposed: dict[str, int],
) -> None:
    attention.raise_item(
        session,
        studio_id=case.studio.id,
        kind=attention.MONEY_REFUND,
        key=str(refund.id),
        detail="money was given back without naming a line; no credits were taken for it",
        now=case.now,
        facts={
            "order_id": case.order.id,
            "order": case.order.name,
            "refund_id": refund.id,
            "value_minor": refund.amount_minor,
            "paid_minor": _paid_minor(case.order),
            "unused": {kind.value: quantity for kind, quantity in unused.items() if quantity},
            "proposed": proposed,
        },
    )


def _unused(session: Session, studio_id: int, standing: Sequence[Lot], kind: CreditKind) -> int:
    """Return what was unused before any such refund was settled: a second one counts alike."""
    of_kind = [lot for lot in standing if lot.kind is kind]
    settled = session.exec(
        select(func.coalesce(func.sum(Transfer.quantity), 0)).where(
            col(Transfer.studio_id) == studio_id,
            col(Transfer.lot_id).in_([lot.id for lot in of_kind]),
            col(Transfer.reason) == MONEY_REFUNDED,
        )
    ).one()
    return sum(lot.available + lot.held for lot in of_kind) + int(settled)


def _paid_minor(order: Order) -> int:
    """Return what the units that are still bought were paid with."""
    return sum(
        line.paid_minor * line.current_quantity // line.quantity
        for line in order.lines
        if line.quantity
    )
