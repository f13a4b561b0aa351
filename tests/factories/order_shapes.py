"""An order in each of its shapes: webhook body, Admin API node, and what we make of it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from booking_engine.ledger.models import Lot
from shopify_gateway.entitlements import Difference
from shopify_gateway.order import Order, OrderLine
from tests.factories.studio import HOUR, NOW

ORDER, LINE, CUSTOMER = 5_821_000_000_001, 13_900_000_000_001, 7001


def webhook_line(**changes: Any) -> dict[str, Any]:
    """Make a line of a webhook's body; by default two simulator hours."""
    return {
        "id": LINE,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{LINE}",
        "variant_id": HOUR,
        "title": "Simulator hour",
        "quantity": 2,
        "current_quantity": 2,
        "price": "45.00",
        "properties": [{"name": "_hold", "value": "h-1"}],
        "discount_allocations": [],
        **changes,
    }


def webhook_body(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Make the body of an orders/* webhook; by default paid, with one line."""
    return {
        "id": ORDER,
        "admin_graphql_api_id": f"gid://shopify/Order/{ORDER}",
        "name": "#1001",
        "test": False,
        "created_at": "2026-11-20T09:58:00-05:00",
        "processed_at": "2026-11-20T09:59:00-05:00",
        "updated_at": "2026-11-20T10:00:00-05:00",
        "cancelled_at": None,
        "financial_status": "paid",
        "currency": "CAD",
        "customer": {"id": CUSTOMER, "admin_graphql_api_id": f"gid://shopify/Customer/{CUSTOMER}"},
        "line_items": list(lines or [webhook_line()]),
        "refunds": [],
        **changes,
    }


def admin_order(body: dict[str, Any]) -> dict[str, Any]:
    """Tell the order of a webhook's body as the Admin API's `Order`."""
    customer = body["customer"]
    return {
        "legacyResourceId": str(body["id"]),
        "name": body["name"],
        "createdAt": body["created_at"],
        "processedAt": body["processed_at"],
        "updatedAt": body["updated_at"],
        "cancelledAt": body["cancelled_at"],
        "test": body["test"],
        "displayFinancialStatus": body["financial_status"].upper(),
        "currencyCode": body["currency"],
        "customer": {"id": customer["admin_graphql_api_id"]} if customer else None,
    }


def admin_line(line: dict[str, Any], *, code_discount: str = "0.00") -> dict[str, Any]:
    """Tell a line of a webhook's body as the Admin API's `LineItem`.

    As its schema says, `discountedTotalSet` leaves out discounts of codes and of the whole order;
    `discountAllocations` has every discount.
    """
    every = sum((Decimal(each["amount"]) for each in line["discount_allocations"]), Decimal(0))
    shown = Decimal(line["price"]) * line["quantity"] - every + Decimal(code_discount)
    return {
        "id": line["admin_graphql_api_id"],
        "quantity": line["quantity"],
        "currentQuantity": line["current_quantity"],
        "variant": {"id": f"gid://shopify/ProductVariant/{line['variant_id']}"},
        "customAttributes": [
            {"key": each["name"], "value": each["value"]} for each in line["properties"]
        ],
        "originalUnitPriceSet": _bag(Decimal(line["price"])),
        "originalTotalSet": _bag(Decimal(line["price"]) * line["quantity"]),
        "discountedTotalSet": _bag(shown),
        "discountAllocations": [
            {"allocatedAmountSet": _bag(Decimal(each["amount"]))}
            for each in line["discount_allocations"]
        ],
    }


def make_line(quantity: int = 3, current: int | None = None, paid_minor: int = 13500) -> OrderLine:
    """Make a line; by default three simulator hours."""
    standing = quantity if current is None else current
    return OrderLine(LINE, HOUR, quantity, standing, paid_minor, None)


def make_order(
    line: OrderLine | None = None,
    *,
    status: str = "paid",
    updated_at: datetime = NOW,
    cancelled: bool = False,
    test: bool = False,
    ordered_at: datetime = datetime(2026, 11, 20, 14, 59, tzinfo=UTC),
) -> Order:
    """Make an order; by default paid, of one line."""
    return Order(
        id=ORDER,
        name="#1001",
        updated_at=updated_at,
        ordered_at=ordered_at,
        financial_status=status,
        is_cancelled=cancelled,
        is_test=test,
        customer_id=CUSTOMER,
        currency="CAD",
        lines=(line or make_line(),),
    )


def posted(lots: list[Lot], step: Difference) -> list[Lot]:
    """Return a line's lots after a difference was written, as the ledger writes it."""
    for lot in step.withdraw:
        lot.withdrawn_at = NOW
        lot.revoked += lot.available + lot.held
        lot.available = lot.held = 0
    for lot in step.reinstate:
        lot.withdrawn_at = None
        lot.available += lot.revoked
        lot.revoked = 0
    new = [
        Lot(
            studio_id=1,
            wallet_id=None,
            kind=grant.kind,
            granted=grant.quantity,
            available=grant.quantity,
            source=grant.source,
            order_id=grant.order_id,
            line_item_id=grant.line_item_id,
            unit_index=grant.unit_index,
            paid_minor=grant.paid_minor,
            expires_at=grant.expires_at,
            granted_at=NOW,
        )
        for grant in step.grants
    ]
    return [*lots, *new]


def standing(lots: list[Lot]) -> list[int]:
    """Return which units stand."""
    return sorted({lot.unit_index or 0 for lot in lots if lot.withdrawn_at is None})


def play(lots: list[Lot], unit: int) -> None:
    """Spend what is available of one unit."""
    for lot in lots:
        if lot.unit_index == unit:
            lot.spent += lot.available
            lot.available = 0


def _bag(amount: Decimal) -> dict[str, Any]:
    return {"shopMoney": {"amount": str(amount)}}
