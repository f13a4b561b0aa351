"""An order and the rules of its life: pure, with ids and times handed in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.store import money
from sandbox.store.errors import NotFound, Refused

NewId = Callable[[str], int]


@dataclass
class Line:
    """One line: `quantity` counts every unit ever ordered, `current` those still bought."""

    id: int
    variant_id: int
    product_id: int
    title: str
    price_minor: int
    quantity: int
    properties: dict[str, str]
    removed: int = 0
    refunded: int = 0
    discount_minor: int = 0  # off the whole line, all units ever ordered

    @property
    def current(self) -> int:
        """Return the units neither refunded nor edited away."""
        return self.quantity - self.removed - self.refunded

    def worth(self, quantity: int) -> int:
        """Return what so many units cost after the discount."""
        return self.price_minor * quantity - self.discount_minor * quantity // self.quantity


@dataclass
class RefundLine:
    """Some units of a line, given back."""

    id: int
    line_id: int
    quantity: int


@dataclass
class Refund:
    """Units, money, or both, given back; `adjustment_minor` is where the two differ."""

    id: int
    at: str
    note: str
    restock_type: str
    lines: list[RefundLine]
    money_minor: int
    transaction_id: int | None
    adjustment_id: int
    adjustment_minor: int


@dataclass
class Payment:
    """Money taken."""

    id: int
    at: str
    amount_minor: int


@dataclass
class Dispute:
    """A bank asks for a payment's money back, or asks about it."""

    id: int
    type: str
    status: str
    amount_minor: int
    reason: str
    initiated_at: str
    evidence_due_by: str
    finalized_on: str | None = None


@dataclass
class Customer:
    """Who bought."""

    id: int
    first_name: str
    last_name: str
    email: str
    phone: str | None = None
    address: str | None = None  # the first line of one
    verified_email: bool = True


@dataclass
class Order:
    """An order as the shop keeps it."""

    id: int
    number: int
    created_at: str
    updated_at: str
    currency: str
    customer: Customer | None
    email: str
    lines: list[Line]
    cart_token: str | None
    checkout_token: str
    test: bool = False
    edited: bool = False
    cancelled_at: str | None = None
    cancel_reason: str | None = None
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)

    @property
    def paid_minor(self) -> int:
        """Return the money taken so far."""
        return sum(payment.amount_minor for payment in self.payments)

    @property
    def returned_minor(self) -> int:
        """Return the money given back so far."""
        return sum(refund.money_minor for refund in self.refunds)

    @property
    def ordered_minor(self) -> int:
        """Return the worth of all units ever ordered."""
        return sum(line.worth(line.quantity) for line in self.lines)

    @property
    def current_minor(self) -> int:
        """Return what the order is worth now, after edits and refunds."""
        return self.units_minor + sum(refund.adjustment_minor for refund in self.refunds)

    @property
    def units_minor(self) -> int:
        """Return the worth of the units still bought."""
        return sum(line.worth(line.current) for line in self.lines)

    @property
    def kept_minor(self) -> int:
        """Return the money taken and not given back."""
        return self.paid_minor - self.returned_minor

    @property
    def outstanding_minor(self) -> int:
        """Return what the customer owes; below zero, what the shop owes."""
        if self.cancelled_at and not self.paid_minor:
            return 0
        return self.current_minor - self.kept_minor

    @property
    def is_fully_paid(self) -> bool:
        """Tell whether the money taken covers the order, whatever was given back later."""
        return self.outstanding_minor <= 0 and bool(self.paid_minor or not self.ordered_minor)

    @property
    def financial_status(self) -> str:
        """Return Shopify's word for where the money is."""
        if self.returned_minor:
            return "refunded" if self.returned_minor >= self.paid_minor else "partially_refunded"
        if not self.paid_minor and self.cancelled_at and self.ordered_minor:
            return "voided"
        if not self.paid_minor and self.ordered_minor:
            return "pending"
        return "partially_paid" if self.outstanding_minor > 0 else "paid"

    def line(self, line_id: int) -> Line:
        """Return one line."""
        for line in self.lines:
            if line.id == line_id:
                return line
        raise NotFound(f"order {self.id} has no line item {line_id}")


def pay(order: Order, *, at: str, new_id: NewId) -> None:
    """Take what is owed."""
    refuse_cancelled(order)
    if order.outstanding_minor <= 0 and (order.ordered_minor or order.payments):
        raise Refused("nothing is owed on this order")
    payment = Payment(new_id("transaction"), at, max(order.outstanding_minor, 0))
    order.payments.append(payment)
    order.updated_at = at


def refund(
    order: Order,
    *,
    quantities: dict[int, int],
    amount_minor: int | None,
    at: str,
    new_id: NewId,
    restock_type: str = "no_restock",
) -> Refund:
    """Give back units and money; no amount means the units' worth, as far as it was paid."""
    owed = order.outstanding_minor
    worth = take_units(order, quantities)
    if amount_minor is None:
        amount_minor = min(worth, order.kept_minor)
    if not 0 <= amount_minor <= order.kept_minor:
        raise Refused(f"between 0.00 and {money.text(order.kept_minor)} can be given back")
    if not quantities and not amount_minor:
        raise Refused("a refund needs lines, an amount, or both")
    done = Refund(
        id=new_id("refund"),
        at=at,
        note="Order canceled" if restock_type == "cancel" else "",
        restock_type=restock_type,
        lines=[
            RefundLine(new_id("refund_line_item"), line_id, quantity)
            for line_id, quantity in quantities.items()
        ],
        money_minor=amount_minor,
        transaction_id=new_id("transaction") if amount_minor else None,
        adjustment_id=new_id("adjustment"),
        adjustment_minor=adjustment(order, owed=owed, amount_minor=amount_minor),
    )
    order.refunds.append(done)
    order.updated_at = at
    return done


def take_units(order: Order, quantities: dict[int, int]) -> int:
    """Mark units as refunded and return their worth."""
    worth = 0
    for line_id, quantity in quantities.items():
        line = order.line(line_id)
        if not 1 <= quantity <= line.current:
            raise Refused(f"line item {line_id} has {line.current} refundable, not {quantity}")
        before = line.worth(line.current)
        line.refunded += quantity
        worth += before - line.worth(line.current)
    return worth


def adjustment(order: Order, *, owed: int, amount_minor: int) -> int:
    """Return Shopify's refund discrepancy: a refund makes nobody owe more than before."""
    would_owe = order.current_minor - (order.kept_minor - amount_minor)
    if would_owe > max(owed, 0):
        return max(owed, 0) - would_owe
    if would_owe < min(owed, 0):
        return min(owed, 0) - would_owe
    return 0


def edit(
    order: Order,
    *,
    quantities: dict[int, int],
    additions: list[Line],
    at: str,
) -> dict[int, int]:
    """Set the quantities of lines, add lines, and return the change per line."""
    refuse_cancelled(order)
    changes: dict[int, int] = {}
    for line_id, quantity in quantities.items():
        line = order.line(line_id)
        if quantity < 0:
            raise Refused("a quantity is 0 or more")
        if change := quantity - line.current:
            changes[line_id] = change
            line.quantity += max(change, 0)
            line.removed += max(-change, 0)
    order.lines.extend(additions)
    changes |= {line.id: line.quantity for line in additions}
    if not changes:
        raise Refused("the edit changes nothing")
    order.edited = True
    order.updated_at = at
    return changes


def discount(order: Order, *, amounts: dict[int, int], at: str) -> None:
    """Set what comes off whole lines; an order that was paid may then be owed some of it back."""
    refuse_cancelled(order)
    if not amounts:
        raise Refused("a discount names lines")
    for line_id, amount in amounts.items():
        line = order.line(line_id)
        if not 0 <= amount <= line.price_minor * line.quantity:
            raise Refused(f"line item {line_id} costs less than that")
        line.discount_minor = amount
    order.edited = True
    order.updated_at = at


STATUSES = {
    "needs_response",
    "under_review",
    "won",
    "lost",
    "accepted",
    "charge_refunded",
    "prevented",
}
OPEN = {"needs_response", "under_review"}


def open_dispute(
    order: Order, *, type: str, amount_minor: int | None, reason: str, at: str, new_id: NewId
) -> Dispute:
    """Let the buyer's bank ask about a payment (inquiry), or ask its money back (chargeback)."""
    if type not in {"inquiry", "chargeback"}:
        raise Refused("a dispute is an inquiry or a chargeback")
    amount = order.paid_minor if amount_minor is None else amount_minor
    if not 0 < amount <= order.paid_minor:
        raise Refused(f"between 0.01 and {money.text(order.paid_minor)} can be disputed")
    due = datetime.fromisoformat(at) + timedelta(days=14)
    made = Dispute(new_id("dispute"), type, "needs_response", amount, reason, at, due.isoformat())
    order.disputes.append(made)
    return made


def move_dispute(
    order: Order, *, dispute_id: int, status: str, at: str, type: str | None = None
) -> Dispute:
    """Let a dispute come to its next state; an inquiry may become a chargeback."""
    found = next((each for each in order.disputes if each.id == dispute_id), None)
    if found is None:
        raise NotFound(f"order {order.id} has no dispute {dispute_id}")
    if status not in STATUSES or type not in {None, "inquiry", "chargeback"}:
        raise Refused(f"a dispute is one of {', '.join(sorted(STATUSES))}")
    found.status, found.type = status, type or found.type
    found.finalized_on = None if status in OPEN else at
    return found


def cancel(
    order: Order, *, reason: str, amount_minor: int, at: str, new_id: NewId
) -> Refund | None:
    """Cancel the order, giving back all units left and this much of the money."""
    refuse_cancelled(order)
    quantities = {line.id: line.current for line in order.lines if line.current}
    done = None
    if quantities or amount_minor:
        done = refund(
            order,
            quantities=quantities,
            amount_minor=amount_minor,
            at=at,
            new_id=new_id,
            restock_type="cancel",
        )
    order.cancelled_at = at
    order.cancel_reason = reason
    order.updated_at = at
    return done


def refuse_cancelled(order: Order) -> None:
    """Refuse to touch what is over."""
    if order.cancelled_at:
        raise Refused("the order is cancelled")
