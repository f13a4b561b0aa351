"""An order as we understand it, from either of its shapes (webhook body, Admin API). Pure.

Parsing is tolerant: years of payload shapes are about, and none may stop the queue. What is needed
and cannot be read raises `UnreadableOrder`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from babel.numbers import get_currency_precision
from pydantic import TypeAdapter

from shopify_gateway import gift_lines
from shopify_gateway.disputes import Dispute, from_summary
from shopify_gateway.gift_lines import GiftLine

# Paid states: a refund does not unpay an order, it lowers its current quantities.
PAID = frozenset({"paid", "partially_refunded", "refunded"})
OPEN = frozenset({"pending", "authorized", "partially_paid"})
# A refund whose transaction ended so gave nothing back.
NOT_MOVED = frozenset({"failure", "error"})
_RANK = ("pending", "authorized", "partially_paid", "paid", "partially_refunded", "refunded")


# What reading a payload that is no order can raise.
_UNREADABLE = (ArithmeticError, AttributeError, KeyError, TypeError, ValueError)


class UnreadableOrder(ValueError):
    """The payload is no order that we can understand."""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line: `current_quantity` is what was ordered less what was refunded or edited away."""

    id: int
    variant_id: int | None
    quantity: int
    current_quantity: int
    paid_minor: int  # for the whole ordered quantity, after every discount
    hold: str | None
    gift: GiftLine | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back, in minor units of the shop's currency; with units of lines, or without."""

    id: int
    amount_minor: int
    has_lines: bool


@dataclass(frozen=True, slots=True)
class Order:
    """The state of an order at `updated_at`, without personal data.

    Its disputes are told apart from it; whoever converges it adds them.
    """

    id: int
    name: str
    updated_at: datetime
    ordered_at: datetime
    financial_status: str
    is_cancelled: bool
    is_test: bool
    customer_id: int | None
    currency: str
    lines: tuple[OrderLine, ...]
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()

    @property
    def is_paid(self) -> bool:
        """Tell whether the order grants: paid in full, not cancelled."""
        return self.financial_status in PAID and not self.is_cancelled

    @property
    def is_open(self) -> bool:
        """Tell whether the order may still be paid."""
        return self.financial_status in OPEN and not self.is_cancelled

    @property
    def is_lost(self) -> bool:
        """Tell whether its payment was taken back in a dispute."""
        return any(dispute.is_lost for dispute in self.disputes)

    @property
    def paid_minor(self) -> int:
        """Return what its lines were paid with, all units ever ordered, after every discount."""
        return sum(line.paid_minor for line in self.lines)

    @property
    def holds(self) -> list[str]:
        """Return the hold ids that its lines carry, each once."""
        return list(dict.fromkeys(line.hold for line in self.lines if line.hold))

    def is_newer_than(self, other: "Order") -> bool:
        """Tell whether this state replaces the other.

        Shopify's `updated_at` has whole seconds, so two states can share one; then the one that is
        further along its life is the newer.
        """
        return self._age() > other._age()

    def _age(self) -> tuple[datetime, bool, int, int, int]:
        status = self.financial_status
        rank = _RANK.index(status) if status in _RANK else len(_RANK)
        gone = sum(line.quantity - line.current_quantity for line in self.lines)
        return self.updated_at, self.is_cancelled, rank, gone, len(self.refunds)


_SNAPSHOT = TypeAdapter(Order)


def to_snapshot(order: Order) -> dict[str, Any]:
    """Return the order as JSON for its row."""
    snapshot: dict[str, Any] = _SNAPSHOT.dump_python(order, mode="json")
    return snapshot


def from_snapshot(snapshot: Mapping[str, Any]) -> Order:
    """Return the order that its row keeps."""
    return _SNAPSHOT.validate_python(snapshot)


def from_webhook(payload: Mapping[str, Any]) -> Order:
    """Read the body of an orders/* webhook; raises `UnreadableOrder`."""
    try:
        currency = str(payload.get("currency") or "USD")
        refunded = _refunded_quantities(payload.get("refunds"))
        created = _instant(payload.get("created_at") or payload["updated_at"])
        return Order(
            id=_gid(payload.get("admin_graphql_api_id")) or int(payload["id"]),
            name=str(payload.get("name") or payload["id"]),
            updated_at=_instant(payload.get("updated_at") or payload["created_at"]),
            ordered_at=_instant(payload.get("processed_at"))
            if payload.get("processed_at")
            else created,
            financial_status=str(payload.get("financial_status") or "pending").lower(),
            is_cancelled=payload.get("cancelled_at") is not None,
            is_test=bool(payload.get("test")),
            customer_id=customer_number(payload.get("customer")),
            currency=currency,
            lines=tuple(
                _webhook_line(line, refunded, currency)
                for line in payload.get("line_items") or ()
                if isinstance(line, Mapping) and line.get("id") is not None
            ),
            refunds=_webhook_refunds(payload.get("refunds"), currency),
        )
    except _UNREADABLE as error:
        raise UnreadableOrder(f"not an order: {error!r}") from error


def from_admin(
    node: Mapping[str, Any],
    lines: Iterable[Mapping[str, Any]],
    *,
    read_at: datetime | None = None,
) -> Order:
    """Read an `Order` of the Admin API with all its lines; raises `UnreadableOrder`.

    It tells that there are disputes, not since when: they are as of `read_at`, or its last change.
    """
    try:
        told_at = read_at or _instant(node["updatedAt"])
        currency = str(node["currencyCode"])
        refunds = [_admin_refund(each, currency) for each in node.get("refunds") or ()]
        customer = node.get("customer")
        return Order(
            id=int(node["legacyResourceId"]),
            name=str(node["name"]),
            updated_at=_instant(node["updatedAt"]),
            ordered_at=_instant(node.get("processedAt") or node["createdAt"]),
            financial_status=str(node.get("displayFinancialStatus") or "pending").lower(),
            is_cancelled=node.get("cancelledAt") is not None,
            is_test=bool(node.get("test")),
            customer_id=_gid(customer["id"]) if customer else None,
            currency=currency,
            lines=tuple(_admin_line(line, currency) for line in lines),
            refunds=tuple(sorted(refunds, key=lambda refund: refund.id)),
            disputes=tuple(
                from_summary(each, told_at=told_at) for each in node.get("disputes") or ()
            ),
        )
    except _UNREADABLE as error:
        raise UnreadableOrder(f"not an order: {error!r}") from error


def holds_in(payload: Mapping[str, Any]) -> list[str]:
    """Return the hold ids in the lines of a checkout or an order body, each once."""
    lines = payload.get("line_items")
    tokens = [
        _properties(line.get("properties")).get("_hold")
        for line in (lines if isinstance(lines, list) else ())
        if isinstance(line, Mapping)
    ]
    return list(dict.fromkeys(token for token in tokens if token))


def _webhook_refunds(refunds: object, currency: str) -> tuple[Refund, ...]:
    found = [
        Refund(
            id=_gid(refund.get("admin_graphql_api_id")) or int(refund["id"]),
            amount_minor=_minor(max(Decimal(0), _refunded(refund, currency)), currency),
            has_lines=bool(refund.get("refund_line_items")),
        )
        for refund in (refunds if isinstance(refunds, list) else ())
        if isinstance(refund, Mapping) and refund.get("id") is not None
    ]
    return tuple(sorted(found, key=lambda refund: refund.id))


def _refunded(refund: Mapping[str, Any], currency: str) -> Decimal:
    """Return what a refund gave back in the shop's currency.

    Its transactions are in the buyer's currency; where that is another one, the adjustment by which
    the refund differs from its lines tells the shop's amount.
    """
    moved = [
        each
        for each in refund.get("transactions") or ()
        if str(each.get("kind")) == "refund" and str(each.get("status")) not in NOT_MOVED
    ]
    if all(each.get("currency") in (None, currency) for each in moved):
        return sum((_decimal(each.get("amount")) for each in moved), Decimal(0))
    lines = refund.get("refund_line_items") or ()
    worth = sum((_decimal(line.get("subtotal")) for line in lines), Decimal(0))
    adjusted = (
        _decimal(_shop_amount(each.get("amount_set"), each.get("amount")))
        for each in refund.get("order_adjustments") or ()
    )
    return worth - sum(adjusted, Decimal(0))


def _shop_amount(bag: object, otherwise: object) -> object:
    money = bag.get("shop_money") if isinstance(bag, Mapping) else None
    return money.get("amount") if isinstance(money, Mapping) else otherwise


def _admin_refund(refund: Mapping[str, Any], currency: str) -> Refund:
    return Refund(
        id=int(refund["legacyResourceId"]),
        amount_minor=_minor(_amount(refund["totalRefundedSet"]), currency),
        has_lines=bool(refund["refundLineItems"]["nodes"]),
    )


def _webhook_line(line: Mapping[str, Any], refunded: Mapping[int, int], currency: str) -> OrderLine:
    line_id = _gid(line.get("admin_graphql_api_id")) or int(line["id"])
    quantity = int(line.get("quantity") or 0)
    current = line.get("current_quantity")
    if current is None:  # older shapes do not carry it
        current = quantity - refunded.get(int(line["id"]), 0)
    discounts = sum(
        (_decimal(each.get("amount")) for each in line.get("discount_allocations") or ()),
        Decimal(0),
    )
    paid = max(Decimal(0), _decimal(line.get("price")) * quantity - discounts)
    variant = line.get("variant_id")
    properties = _properties(line.get("properties"))
    return OrderLine(
        id=line_id,
        variant_id=int(variant) if variant is not None else None,
        quantity=quantity,
        current_quantity=min(max(0, int(current)), quantity),
        paid_minor=_minor(paid, currency),
        hold=properties.get("_hold"),
        gift=gift_lines.read(properties),
    )


def _admin_line(line: Mapping[str, Any], currency: str) -> OrderLine:
    variant = line.get("variant")
    # Not `discountedTotalSet`: it leaves out discount codes and discounts on the whole order.
    discounts = sum(
        (_amount(each["allocatedAmountSet"]) for each in line.get("discountAllocations") or ()),
        Decimal(0),
    )
    quantity = int(line["quantity"])
    paid = max(Decimal(0), _amount(line["originalUnitPriceSet"]) * quantity - discounts)
    properties = {each["key"]: each["value"] for each in line.get("customAttributes") or ()}
    return OrderLine(
        id=_gid(line["id"]) or 0,
        variant_id=_gid(variant["id"]) if variant else None,
        quantity=quantity,
        current_quantity=int(line["currentQuantity"]),
        paid_minor=_minor(paid, currency),
        hold=properties.get("_hold"),
        gift=gift_lines.read(properties),
    )


def _properties(value: object) -> dict[str, str]:
    """Read line properties, which come as a list of pairs, as an object, or not at all."""
    if isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = [
            (each.get("name"), each.get("value")) for each in value if isinstance(each, Mapping)
        ]
    else:
        pairs = []
    return {str(name): str(text) for name, text in pairs if name is not None and text is not None}


def _refunded_quantities(refunds: object) -> dict[int, int]:
    totals: dict[int, int] = {}
    for refund in refunds if isinstance(refunds, list) else ():
        for line in refund.get("refund_line_items") or ():
            line_id = int(line.get("line_item_id") or 0)
            totals[line_id] = totals.get(line_id, 0) + int(line.get("quantity") or 0)
    return totals


def customer_number(customer: object) -> int | None:
    """Return the id of a customer in any of its shapes, None where there is none.

    Raises `ValueError` or `TypeError` for an id that is none.
    """
    if not isinstance(customer, Mapping):
        return None
    known = _gid(customer.get("admin_graphql_api_id")) or _gid(customer.get("id"))
    if known is None and customer.get("id") is not None:
        known = int(customer["id"])
    return known


def _gid(value: object) -> int | None:
    """Return the number at the end of `gid://shopify/Order/123`; believed before plain ids.

    Plain ids in stored samples have lost digits on their way through JavaScript numbers.
    """
    if not isinstance(value, str):
        return None
    number = value.partition("?")[0].rpartition("/")[2]
    return int(number) if number.isdigit() else None


def _instant(value: object) -> datetime:
    instant = datetime.fromisoformat(str(value))
    if instant.tzinfo is None:
        raise ValueError(f"{value} has no offset")
    return instant


def _amount(money: Mapping[str, Any]) -> Decimal:
    return _decimal(money["shopMoney"]["amount"])


def _decimal(value: object) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)


def _minor(amount: Decimal, currency: str) -> int:
    return int(amount.scaleb(get_currency_precision(currency)).to_integral_value())
