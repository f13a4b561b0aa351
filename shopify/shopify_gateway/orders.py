"""Orders converge: whatever said that an order changed, its present state decides what is granted.

`converge` is the one function behind the webhook, the retry and the audit.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.booking import bookings, checkout, holds
from booking_engine.booking.bookings import AlreadyCancelled, NotCancellable
from booking_engine.booking.checkout import Outcome
from booking_engine.booking.models import Hold, HoldStatus
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits, wallets
from booking_engine.ledger.models import Draw, Lot
from booking_engine.ledger.transfers import Cause
from booking_engine.orm import new_id
from shopify_gateway import entitlements, people, presents
from shopify_gateway.models import ShopOrder
from shopify_gateway.order import Order, from_snapshot, to_snapshot

ACTOR = "shopify"
FINAL = {Outcome.CONFIRMED, Outcome.RECOVERED, Outcome.CREDITED}


@dataclass(slots=True)
class Posted:
    """What one convergence wrote; all zero where the ledger already agreed."""

    granted: int = 0
    withdrawn: int = 0
    reinstated: int = 0
    outcomes: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Tell whether anything had to be written."""
        return bool(self.granted or self.withdrawn or self.reinstated or self.outcomes)


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


def _converge(
    session: Session, studio: Studio, row: ShopOrder, order: Order, now: datetime
) -> Posted:
    row.name, row.updated_at, row.snapshot = order.name, order.updated_at, to_snapshot(order)
    owner = people.lock_owner(session, row=row, order=order, now=now)
    unclaimed = wallets.find_order(session, studio_id=studio.id, order_id=order.id)
    if unclaimed is not None and unclaimed.id == row.wallet_id != owner:
        _claim(session, row, owner)
    row.wallet_id = owner
    tokens = [hold_id for token in order.holds if (hold_id := _hold_id(token)) is not None]
    checkout.lock_days(session, studio=studio, order_id=order.id, hold_ids=tokens)
    posted = Posted()
    _post(session, studio, order, owner, posted, now)
    _settle_holds(session, studio, order, row, posted, now)
    session.flush()
    people.freeze_if_erased(session, studio=studio, wallet_id=owner, now=now)
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
        .values(studio_id=studio_id, order_id=order_id, outcomes={}, read_attempts=0)
        .on_conflict_do_nothing()
    )
    return session.exec(
        select(ShopOrder)
        .where(col(ShopOrder.studio_id) == studio_id, col(ShopOrder.order_id) == order_id)
        .execution_options(populate_existing=True)
    ).one()


def _claim(session: Session, row: ShopOrder, owner: UUID) -> None:
    """Hand an order's credits and bookings over: it has learnt who its customer is."""
    former = {"studio_id": row.studio_id, "order_id": row.order_id, "wallet_id": row.wallet_id}
    for table in ("lot", "booking"):
        session.execute(
            text(
                f"UPDATE {table} SET wallet_id = :owner WHERE studio_id = :studio_id"  # noqa: S608 - one of two names
                " AND order_id = :order_id AND wallet_id = :wallet_id"
            ),
            {**former, "owner": owner},
        )
    wallets.name_order(session, studio_id=row.studio_id, order_id=row.order_id, wallet_id=owner)


def _post(
    session: Session, studio: Studio, order: Order, owner: UUID, posted: Posted, now: datetime
) -> None:
    lots = session.exec(
        select(Lot)
        .where(col(Lot.studio_id) == studio.id, col(Lot.order_id) == order.id)
        .order_by(col(Lot.id))
        .execution_options(populate_existing=True)
    ).all()
    products = {product.variant_id: product for product in studio.products}
    zone = studio.locations[0].zone
    seen = {line.id for line in order.lines}
    gone = [lot for lot in lots if lot.line_item_id not in seen and lot.withdrawn_at is None]
    for line in order.lines:
        product = products.get(line.variant_id) if line.variant_id is not None else None
        of_line = [lot for lot in lots if lot.line_item_id == line.id]
        if product is None and not of_line:
            _list_unknown(session, studio, line.variant_id, order, now)
            continue
        step = entitlements.difference(order, line, product, of_line, zone)
        for grant in step.grants:
            cause = Cause("purchased", f"order:{order.id}", ACTOR, now)
            wallet_id, wanted = presents.place(
                session, studio=studio, order=order, line=line, grant=grant, buyer=owner, now=now
            )
            posted.granted += credits.grant(
                session, studio_id=studio.id, wallet_id=wallet_id, wanted=wanted, cause=cause
            )
        for lot in step.reinstate:
            _reinstate(session, lot, order, now)
            posted.reinstated += 1
        gone += step.withdraw
    for lot in gone:
        _withdraw(session, lot, order, now)
        posted.withdrawn += 1
    _take_back_rests(session, [*lots], order, now)


def _withdraw(session: Session, lot: Lot, order: Order, now: datetime) -> None:
    """Take a unit back: what is unused, and what only sessions still to come hold (D5, D8).

    What was played stays played; never is anything taken from another lot.
    """
    lot.withdrawn_at = now
    session.flush()
    drawn = session.exec(
        select(Draw.booking_id).where(
            col(Draw.studio_id) == lot.studio_id, col(Draw.lot_id) == lot.id, col(Draw.held) > 0
        )
    ).all()
    for booking_id in sorted(drawn):
        try:
            bookings.cancel(
                session,
                studio_id=lot.studio_id,
                booking_id=booking_id,
                actor=Actor.SYSTEM,
                reason="its order was refunded, edited or cancelled",
                now=now,
            )
        except (AlreadyCancelled, NotCancellable):
            continue  # the session has begun: it counts as delivered
    session.refresh(lot)
    if lot.spent or lot.held:
        attention.raise_item(
            session,
            studio_id=lot.studio_id,
            kind="taken_back_after_use",
            key=str(lot.id),
            detail="a unit was taken back in the shop after some of it had been used",
            now=now,
            facts={"order_id": order.id, "used": lot.spent + lot.held, "kind": lot.kind.value},
        )


def _take_back_rests(session: Session, lots: list[Lot], order: Order, now: datetime) -> None:
    """Revoke what lies available in withdrawn units, also what returned there since."""
    cause = Cause("withdrawn", f"order:{order.id}", ACTOR, now)
    for lot in lots:
        session.refresh(lot)
        if lot.withdrawn_at is not None and lot.available:
            key = f"withdraw:{lot.source}:{new_id()}"
            credits.revoke(session, lot=lot, quantity=lot.available, key=key, cause=cause)


def _reinstate(session: Session, lot: Lot, order: Order, now: datetime) -> None:
    lot.withdrawn_at = None
    session.flush()
    if lot.revoked:
        key = f"reinstate:{lot.source}:{new_id()}"
        cause = Cause("reinstated", f"order:{order.id}", ACTOR, now)
        credits.restore(session, lot=lot, quantity=lot.revoked, key=key, cause=cause)


def _settle_holds(
    session: Session, studio: Studio, order: Order, row: ShopOrder, posted: Posted, now: datetime
) -> None:
    """Give each hold that the order carries its one outcome, in the order of its lines."""
    for token in order.holds:
        if token in row.outcomes:
            continue
        hold = hold_of(session, studio_id=studio.id, token=token)
        if hold is None or row.wallet_id is None:
            continue
        if order.is_paid and any(
            line.hold == token and line.current_quantity for line in order.lines
        ):
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


def _list_unknown(
    session: Session, studio: Studio, variant_id: int | None, order: Order, now: datetime
) -> None:
    """List a variant that nobody has mapped, once; tips and shirts are not ours."""
    if variant_id is None or not order.is_paid:
        return
    attention.raise_item(
        session,
        studio_id=studio.id,
        kind="unknown_variant",
        key=str(variant_id),
        detail="a paid order has a variant that studio.toml does not name; it granted nothing",
        now=now,
        facts={"variant_id": variant_id, "order_id": order.id},
    )
