"""Orders converge: whatever said that an order changed, its present state decides what is granted.

`converge` is the one function behind the webhook, the retry and the audit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.booking import checkout, funding, holds
from booking_engine.booking.checkout import Outcome
from booking_engine.booking.models import Hold, HoldStatus
from booking_engine.catalog.studio import Studio
from booking_engine.errors import NotFound
from booking_engine.ledger import credits, takebacks, wallets
from booking_engine.ledger.models import Lot
from shopify_gateway import (
    chargebacks,
    disputes,
    entitlements,
    money_refunds,
    people,
    presents,
    refunds,
)
from shopify_gateway.disputes import Dispute
from shopify_gateway.models import ShopOrder
from shopify_gateway.order import Order, OrderLine, from_snapshot, to_snapshot
from shopify_gateway.refunds import Case

FINAL = {Outcome.CONFIRMED, Outcome.RECOVERED, Outcome.CREDITED}


@dataclass(slots=True)
class Posted:
    """What one convergence wrote; all zero where the ledger already agreed."""

    granted: int = 0
    withdrawn: int = 0
    reinstated: int = 0
    adjusted: int = 0  # frozen, re-based, owed, paid anew
    outcomes: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Tell whether anything had to be written."""
        written = (self.granted, self.withdrawn, self.reinstated, self.adjusted)
        return any(written) or bool(self.outcomes)


def converge(session: Session, *, studio: Studio, order: Order, now: datetime) -> Posted:
    """Bring ledger and book to what a delivered order, or a newer state of it, entitles to.

    Two states of one second cannot be told apart for certain: the order is read again then.
    """
    row = _lock(session, studio.id, order.id)
    known = from_snapshot(row.snapshot) if row.snapshot else None
    if known is not None and order.updated_at == known.updated_at and order != known:
        row.read_due_at = now
    if known is None or order.is_newer_than(known):
        return _converge(session, studio, row, order, now)
    return _converge(session, studio, row, known, now)


def converge_read(session: Session, *, studio: Studio, order: Order, now: datetime) -> Posted:
    """Bring ledger and book to what an order entitles to that was read from Shopify just now."""
    row = _lock(session, studio.id, order.id)
    known = from_snapshot(row.snapshot) if row.snapshot else None
    newest = order if known is None or order.updated_at >= known.updated_at else known
    return _converge(session, studio, row, newest, now)


def note_dispute(
    session: Session, *, studio: Studio, order_id: int, dispute: Dispute, now: datetime
) -> Posted:
    """Remember how a dispute over an order stands, and converge the order, once it is known."""
    row = _lock(session, studio.id, order_id)
    row.disputes = disputes.stored(disputes.merged(disputes.read(row.disputes), [dispute]))
    return _converge_known(session, studio, row, now)


def tell_dispute(
    session: Session, *, studio: Studio, order_id: int, dispute: Dispute, now: datetime
) -> Posted:
    """Take a person's word for how a dispute stands, whatever was told before."""
    row = _lock(session, studio.id, order_id)
    others = [each for each in disputes.read(row.disputes) if each.id != dispute.id]
    row.disputes = disputes.stored([*others, dispute])
    return _converge_known(session, studio, row, now)


def _converge_known(session: Session, studio: Studio, row: ShopOrder, now: datetime) -> Posted:
    """Converge an order to the state that is known of it; an unknown one is read first."""
    if row.snapshot is None:
        row.read_due_at = now
        session.flush()
        return Posted()
    return _converge(session, studio, row, from_snapshot(row.snapshot), now)


def delete(session: Session, *, studio: Studio, order_id: int, now: datetime) -> Posted:
    """Treat an order that was deleted in the shop as cancelled; what is on record stays (D8)."""
    row = _lock(session, studio.id, order_id)
    if row.snapshot is None:
        return Posted()
    known = from_snapshot(row.snapshot)
    gone = known if known.is_cancelled else replace(known, is_cancelled=True, updated_at=now)
    return _converge(session, studio, row, gone, now)


def find(session: Session, *, studio_id: int, order_id: int) -> ShopOrder:
    """Return an order that we know; raises `NotFound`."""
    row = session.get(ShopOrder, (studio_id, order_id))
    if row is None or row.snapshot is None:
        raise NotFound("no such order is known here")
    return row


def _converge(
    session: Session, studio: Studio, row: ShopOrder, order: Order, now: datetime
) -> Posted:
    was_test = row.snapshot is not None and from_snapshot(row.snapshot).is_test
    known = disputes.merged(disputes.read(row.disputes), order.disputes)
    row.name, row.updated_at = order.name, order.updated_at
    row.snapshot = to_snapshot(replace(order, disputes=()))
    row.disputes = disputes.stored(known)
    order = replace(order, disputes=known)
    owner = people.lock_owner(session, row=row, order=order, now=now)
    unclaimed = wallets.find_order(session, studio_id=studio.id, order_id=order.id)
    if unclaimed is not None and unclaimed.id == row.wallet_id != owner:
        _claim(session, row, owner)
    elif row.wallet_id not in (None, owner) and was_test != order.is_test:
        _hand_over(session, row, owner)
    row.wallet_id = owner
    tokens = [hold_id for token in order.holds if (hold_id := _hold_id(token)) is not None]
    checkout.lock_days(session, studio=studio, order_id=order.id, hold_ids=tokens)
    posted = Posted()
    case = Case(studio, order, owner, now)
    _post(session, case, posted)
    _settle_holds(session, case, row, posted)
    posted.adjusted += funding.fund(session, studio_id=studio.id, wallet_id=owner, now=now)
    session.flush()
    people.freeze_erased(session, studio=studio, order_id=order.id, now=now)
    return posted


def mark_for_reading(session: Session, *, studio_id: int, order_id: int, now: datetime) -> None:
    """Remember that an order changed in a way only the Admin API can tell."""
    row = _lock(session, studio_id, order_id)
    row.read_due_at = now
    session.flush()


def _lock(session: Session, studio_id: int, order_id: int) -> ShopOrder:
    """Return the order's row, made on first sight; one transaction at a time works on an order."""
    wallets.lock_orders(session, studio_id=studio_id, order_ids=[order_id])
    session.execute(
        insert(ShopOrder)
        .values(studio_id=studio_id, order_id=order_id, outcomes={}, disputes={}, read_attempts=0)
        .on_conflict_do_nothing()
    )
    return session.exec(
        select(ShopOrder)
        .where(col(ShopOrder.studio_id) == studio_id, col(ShopOrder.order_id) == order_id)
        .execution_options(populate_existing=True)
    ).one()


def _claim(session: Session, row: ShopOrder, owner: UUID) -> None:
    """Hand an order's credits and bookings over: it has learnt who its customer is."""
    _hand_over(session, row, owner)
    wallets.name_order(session, studio_id=row.studio_id, order_id=row.order_id, wallet_id=owner)


def _hand_over(session: Session, row: ShopOrder, owner: UUID) -> None:
    former = {"studio_id": row.studio_id, "order_id": row.order_id, "wallet_id": row.wallet_id}
    for table in ("lot", "booking"):
        session.execute(
            text(
                f"UPDATE {table} SET wallet_id = :owner WHERE studio_id = :studio_id"  # noqa: S608 - one of two names
                " AND order_id = :order_id AND wallet_id = :wallet_id"
            ),
            {**former, "owner": owner},
        )


def _post(session: Session, case: Case, posted: Posted) -> None:
    """Bring the order's lots to what it entitles to: granted, withdrawn, re-based, frozen."""
    order = case.order
    lots = _lots(session, case)
    for line in order.lines:
        of_line = [lot for lot in lots if lot.line_item_id == line.id]
        _post_line(session, case, line, of_line, posted)
    seen = {line.id for line in order.lines}
    for lot in lots:
        if lot.line_item_id not in seen and lot.withdrawn_at is None:
            takebacks.withdraw(session, lot=lot, cause=case.cause("withdrawn"))
            posted.withdrawn += 1
    lots = _lots(session, case)
    refunded = {lot.id for lot in lots if lot.line_item_id not in seen}
    for line in order.lines:
        of_line = [lot for lot in lots if lot.line_item_id == line.id]
        refunded |= entitlements.refunded(order, line, of_line)
        posted.adjusted += _rebase(line, of_line)
    posted.adjusted += chargebacks.freeze(session, case, lots=lots)
    refunds.settle(session, case, lots=lots, refunded=refunded)
    if posted.reinstated or any(lot.withdrawn_at is not None for lot in lots):
        posted.adjusted += refunds.account(session, case, lots=lots, refunded=refunded)
    money_refunds.propose(session, case, lots=lots)
    chargebacks.list_disputes(session, case, lots=lots)


def _lots(session: Session, case: Case) -> Sequence[Lot]:
    return session.exec(
        select(Lot)
        .where(col(Lot.studio_id) == case.studio.id, col(Lot.order_id) == case.order.id)
        .order_by(col(Lot.id))
        .execution_options(populate_existing=True)
    ).all()


def _post_line(
    session: Session, case: Case, line: OrderLine, lots: Sequence[Lot], posted: Posted
) -> None:
    studio, order = case.studio, case.order
    product = next((each for each in studio.products if each.variant_id == line.variant_id), None)
    if product is None and not lots:
        _list_unknown(session, case, line.variant_id)
        return
    step = entitlements.difference(order, line, product, lots, studio.locations[0].zone)
    for grant in step.grants:
        wallet_id, wanted = presents.place(
            session,
            studio=studio,
            order=order,
            line=line,
            grant=grant,
            buyer=case.wallet_id,
            now=case.now,
        )
        posted.granted += credits.grant(
            session,
            studio_id=studio.id,
            wallet_id=wallet_id,
            wanted=wanted,
            cause=case.cause("purchased"),
        )
    for lot in step.reinstate:
        takebacks.reinstate(session, lot=lot, cause=case.cause("reinstated"))
        posted.reinstated += 1
    for lot in step.withdraw:
        takebacks.withdraw(session, lot=lot, cause=case.cause("withdrawn"))
        posted.withdrawn += 1


def _rebase(line: OrderLine, lots: Sequence[Lot]) -> int:
    """Give unused units their share of what the line was paid with; returns how many changed."""
    changed = 0
    for lot_id, amount in entitlements.paid_amounts(line, lots).items():
        lot = next(each for each in lots if each.id == lot_id)
        if lot.paid_minor != amount:
            lot.paid_minor = amount
            changed += 1
    return changed


def _settle_holds(session: Session, case: Case, row: ShopOrder, posted: Posted) -> None:
    """Give each hold that the order carries its one outcome, in the order of its lines."""
    studio, order, now = case.studio, case.order, case.now
    for token in order.holds:
        if token in row.outcomes:
            continue
        hold = hold_of(session, studio_id=studio.id, token=token)
        if hold is None or row.wallet_id is None:
            continue
        paid = order.is_paid and not order.is_lost
        if paid and any(line.hold == token and line.current_quantity for line in order.lines):
            outcome = checkout.redeem(
                session,
                studio=studio,
                hold=hold,
                order_id=order.id,
                wallet_id=row.wallet_id,
                now=now,
            )
            if outcome in FINAL:
                row.outcomes = {**row.outcomes, token: outcome.value}
                posted.outcomes[token] = outcome.value
        elif order.is_open:
            checkout.await_payment(
                session, studio=studio, hold=hold, ordered_at=order.ordered_at, now=now
            )
        elif hold.status is HoldStatus.ACTIVE and hold.order_id in (None, order.id):
            holds.release(session, studio=studio, hold_id=hold.id, now=now)


def hold_of(session: Session, *, studio_id: int, token: str) -> Hold | None:
    """Return the hold that a line's `_hold` names; buyers can write there what they like."""
    hold_id = _hold_id(token)
    return checkout.find(session, studio_id=studio_id, hold_id=hold_id) if hold_id else None


def _hold_id(token: str) -> UUID | None:
    try:
        return UUID(token)
    except ValueError:
        return None


def _list_unknown(session: Session, case: Case, variant_id: int | None) -> None:
    """List a variant that nobody has mapped, once; tips and shirts are not ours."""
    if variant_id is None or not case.order.is_paid or case.order.is_test:
        return
    attention.raise_item(
        session,
        studio_id=case.studio.id,
        kind="unknown_variant",
        key=str(variant_id),
        detail="a paid order has a variant that studio.toml does not name; it granted nothing",
        now=case.now,
        facts={"variant_id": variant_id, "order_id": case.order.id},
    )
