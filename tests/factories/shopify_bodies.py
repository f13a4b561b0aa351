"""Orders as Shopify words them: the body of a webhook, the node of the Admin API."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tests.factories.studio import HOUR


def order_body(
    id: int = 5001,
    *,
    variant: int = HOUR,
    quantity: int = 1,
    status: str = "paid",
    customer: int | None = 7001,
    hold: UUID | str | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Return the body of an orders/* webhook; by default one paid hour."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    body = {
        "id": id,
        "admin_graphql_api_id": f"gid://shopify/Order/{id}",
        "name": f"#{id}",
        "created_at": now,
        "updated_at": now,
        "processed_at": now,
        "currency": "CAD",
        "financial_status": status,
        "cancelled_at": None,
        "test": False,
        "customer": {"id": customer} if customer else None,
        "line_items": [
            {
                "id": id * 10,
                "variant_id": variant,
                "quantity": quantity,
                "current_quantity": quantity,
                "price": "45.00",
                "discount_allocations": [],
                "properties": [{"name": "_hold", "value": str(hold)}] if hold else [],
            }
        ],
    }
    return body | changes


def order_node(id: int = 5001, *, quantity: int = 1, current: int | None = None) -> dict[str, Any]:
    """Return an order of the Admin API; by default one paid hour."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "id": f"gid://shopify/Order/{id}",
        "legacyResourceId": str(id),
        "name": f"#{id}",
        "createdAt": now,
        "updatedAt": now,
        "processedAt": now,
        "currencyCode": "CAD",
        "displayFinancialStatus": "PAID",
        "cancelledAt": None,
        "test": False,
        "customer": {"id": "gid://shopify/Customer/7001"},
        "lineItems": {
            "nodes": [
                {
                    "id": f"gid://shopify/LineItem/{id * 10}",
                    "variant": {"id": f"gid://shopify/ProductVariant/{HOUR}"},
                    "quantity": quantity,
                    "currentQuantity": quantity if current is None else current,
                    "originalUnitPriceSet": {"shopMoney": {"amount": "45.00"}},
                    "discountAllocations": [],
                    "customAttributes": [],
                }
            ],
            "pageInfo": {"hasNextPage": False, "endCursor": None},
        },
    }
