"""The shop's things as Admin API objects: plain dictionaries, lists still to be paged."""

from datetime import UTC, datetime
from typing import Any

from sandbox.store import money
from sandbox.store.catalog import Catalog
from sandbox.store.order import Customer, Line, Order, Refund
from sandbox.store.payloads import gid
from sandbox.store.settings import API_VERSION

Json = dict[str, Any]
TOPICS = (
    "APP_UNINSTALLED",
    "CHECKOUTS_CREATE",
    "CHECKOUTS_UPDATE",
    "CUSTOMERS_CREATE",
    "CUSTOMERS_ENABLE",
    "CUSTOMERS_MERGE",
    "CUSTOMERS_UPDATE",
    "DISPUTES_CREATE",
    "DISPUTES_UPDATE",
    "ORDERS_CANCELLED",
    "ORDERS_CREATE",
    "ORDERS_DELETE",
    "ORDERS_EDITED",
    "ORDERS_PAID",
    "ORDERS_UPDATED",
    "REFUNDS_CREATE",
)
SCOPES = {
    "read_customer_merge": "Read customer merges",
    "read_customers": "Read customers",
    "read_orders": "Read orders",
    "read_products": "Read products",
    "read_shopify_payments_disputes": "Read disputes of Shopify Payments",
    "write_app_proxy": "Serve an app proxy",
}


def bag(minor: int, currency: str) -> Json:
    """Return a MoneyBag."""
    one = {"amount": money.text(minor), "currencyCode": currency}
    return {"shopMoney": one, "presentmentMoney": one}


def utc(at: str | None) -> str | None:
    """Write an instant as the Admin API does."""
    return at and f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def order_object(order: Order, catalog: Catalog) -> Json:
    """Return an Order."""
    return {
        "id": gid("Order", order.id),
        "legacyResourceId": str(order.id),
        "name": f"#{order.number}",
        "createdAt": utc(order.created_at),
        "updatedAt": utc(order.updated_at),
        "processedAt": utc(order.created_at),
        "cancelledAt": utc(order.cancelled_at),
        "closedAt": utc(order.cancelled_at),
        "cancelReason": order.cancel_reason.upper() if order.cancel_reason else None,
        "test": order.test,
        "sourceName": "web",
        "displayFinancialStatus": order.financial_status.upper(),
        "fullyPaid": order.is_fully_paid,
        "edited": order.edited,
        "currencyCode": order.currency,
        "presentmentCurrencyCode": order.currency,
        "cartToken": order.cart_token,
        "checkoutToken": order.checkout_token,
        "email": order.email or None,
        "note": None,
        "tags": [],
        "customer": customer_object(order.customer),
        "customAttributes": [],
        "totalPriceSet": bag(order.ordered_minor, order.currency),
        "currentTotalPriceSet": bag(order.current_minor, order.currency),
        "totalOutstandingSet": bag(order.outstanding_minor, order.currency),
        "lineItems": [line_object(line, order.currency, catalog) for line in order.lines],
        "disputes": [
            {
                "id": gid("ShopifyPaymentsDispute", dispute.id),
                "initiatedAs": dispute.type.upper(),
                "status": dispute.status.upper(),
            }
            for dispute in order.disputes
        ],
        "refunds": [refund_object(refund, order, catalog) for refund in order.refunds],
        "transactions": sales(order) + [t for r in order.refunds for t in returns(r, order)],
    }


def customer_object(customer: Customer | None) -> Json | None:
    """Return a Customer, or nobody."""
    if customer is None:
        return None
    return {
        "id": gid("Customer", customer.id),
        "legacyResourceId": str(customer.id),
        "firstName": customer.first_name,
        "lastName": customer.last_name,
        "defaultEmailAddress": {"emailAddress": customer.email},
        "displayName": f"{customer.first_name} {customer.last_name}",
    }


def line_object(line: Line, currency: str, catalog: Catalog) -> Json:
    """Return a LineItem; a variant that is no longer sold is null, as at Shopify."""
    on_sale = any(product.variant_id == line.variant_id for product in catalog.products)
    product = catalog.variant(line.variant_id) if on_sale else None
    return {
        "id": gid("LineItem", line.id),
        "name": line.title,
        "title": line.title,
        "sku": None,
        "quantity": line.quantity,
        "currentQuantity": line.current,
        "refundableQuantity": line.current,
        "unfulfilledQuantity": line.current,
        "isGiftCard": False,
        "requiresShipping": False,
        "customAttributes": [{"key": k, "value": v} for k, v in line.properties.items()],
        "originalUnitPriceSet": bag(line.price_minor, currency),
        "discountAllocations": [{"allocatedAmountSet": bag(line.discount_minor, currency)}]
        if line.discount_minor
        else [],
        "discountedTotalSet": bag(line.worth(line.quantity), currency),
        "variant": product
        and {
            "id": gid("ProductVariant", product.variant_id),
            "legacyResourceId": str(product.variant_id),
            "title": "Default Title",
            "price": money.text(product.price_minor),
            "sku": None,
        },
        "product": product
        and {
            "id": gid("Product", product.id),
            "handle": product.handle,
            "title": product.title,
        },
    }


def refund_object(refund: Refund, order: Order, catalog: Catalog) -> Json:
    """Return a Refund."""
    return {
        "id": gid("Refund", refund.id),
        "legacyResourceId": str(refund.id),
        "createdAt": utc(refund.at),
        "updatedAt": utc(refund.at),
        "note": refund.note,
        "totalRefundedSet": bag(refund.money_minor, order.currency),
        "transactions": returns(refund, order),
        "refundLineItems": [
            {
                "id": gid("RefundLineItem", part.id),
                "quantity": part.quantity,
                "restockType": refund.restock_type.upper(),
                "restocked": refund.restock_type != "no_restock",
                "lineItem": line_object(order.line(part.line_id), order.currency, catalog),
                "subtotalSet": bag(order.line(part.line_id).worth(part.quantity), order.currency),
            }
            for part in refund.lines
        ],
    }


def sales(order: Order) -> list[Json]:
    """Return the money taken, as OrderTransactions."""
    return [
        transaction(payment.id, "SALE", payment.amount_minor, payment.at, order)
        for payment in order.payments
    ]


def returns(refund: Refund, order: Order) -> list[Json]:
    """Return the money of a refund, as OrderTransactions."""
    if refund.transaction_id is None:
        return []
    return [transaction(refund.transaction_id, "REFUND", refund.money_minor, refund.at, order)]


def transaction(number: int, kind: str, minor: int, at: str, order: Order) -> Json:
    """Return one OrderTransaction."""
    return {
        "id": gid("OrderTransaction", number),
        "kind": kind,
        "status": "SUCCESS",
        "test": order.test,
        "gateway": "bogus",
        "createdAt": utc(at),
        "amountSet": bag(minor, order.currency),
    }


def subscriptions(connector_url: str) -> list[Json]:
    """Return the WebhookSubscriptions of the app."""
    return [
        {
            "id": gid("WebhookSubscription", 1_410_240_000_000 + number * 32_771),
            "topic": topic,
            "uri": f"{connector_url}/api/shopify/webhooks",
            "createdAt": "2026-11-01T09:00:00Z",
            "updatedAt": "2026-11-01T09:00:00Z",
            "filter": "",
            "apiVersion": {"handle": API_VERSION, "supported": True},
            "includeFields": [],
        }
        for number, topic in enumerate(TOPICS)
    ]
