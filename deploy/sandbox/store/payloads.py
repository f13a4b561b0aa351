"""Orders, refunds and edits in the shape of Shopify's webhooks."""

from typing import Any

from sandbox.store import money
from sandbox.store.order import Customer, Dispute, Line, Order, Refund, RefundLine

Json = dict[str, Any]


def gid(kind: str, number: int) -> str:
    """Return the Admin API's name for a thing."""
    return f"gid://shopify/{kind}/{number}"


def order_body(order: Order) -> Json:
    """Return the whole order, as orders/create, paid, updated and cancelled carry it."""
    body = identity(order) | amounts(order) | origin(order)
    body["line_items"] = [line_body(line, order.currency) for line in order.lines]
    body["refunds"] = [refund_body(order, refund) for refund in order.refunds]
    if order.customer:
        body["customer"] = customer_body(order.customer, order)
        body["billing_address"] = address_body(order.customer)
    return body


def identity(order: Order) -> Json:
    """Return names, times and state."""
    return {
        "id": order.id,
        "admin_graphql_api_id": gid("Order", order.id),
        "name": f"#{order.number}",
        "number": order.number - 1000,
        "order_number": order.number,
        "test": order.test,
        "confirmed": True,
        "financial_status": order.financial_status,
        "fulfillment_status": None,
        "created_at": order.created_at,
        "processed_at": order.created_at,
        "updated_at": order.updated_at,
        "cancelled_at": order.cancelled_at,
        "cancel_reason": order.cancel_reason,
        "closed_at": order.cancelled_at,
        "email": order.email,
        "contact_email": order.email or None,
        "phone": None,
    }


def amounts(order: Order) -> Json:
    """Return the sums, each as text and as a money set."""
    sums = {
        "total_price": order.ordered_minor,
        "subtotal_price": order.ordered_minor,
        "total_line_items_price": order.ordered_minor,
        "current_total_price": order.current_minor,
        "current_subtotal_price": order.units_minor,
        "total_discounts": 0,
        "current_total_discounts": 0,
        "total_tax": 0,
        "current_total_tax": 0,
    }
    body: Json = {
        "currency": order.currency,
        "presentment_currency": order.currency,
        "taxes_included": True,
        "total_outstanding": money.text(order.outstanding_minor),
        "total_tip_received": "0.00",
        "total_weight": 0,
        "discount_applications": [],
        "discount_codes": [],
        "tax_lines": [],
        "payment_gateway_names": ["bogus"] if order.payments else [],
        "payment_terms": None,
    }
    for name, minor in sums.items():
        body[name] = money.text(minor)
        body[f"{name}_set"] = money.both(minor, order.currency)
    return body


def origin(order: Order) -> Json:
    """Return where the order came from, and the empty rest of the shape."""
    return {
        "app_id": 580111,
        "source_name": "web",
        "cart_token": order.cart_token,
        "checkout_token": order.checkout_token,
        "token": order.checkout_token[::-1],
        "customer_locale": "en-CA",
        "note": None,
        "note_attributes": [],
        "tags": "",
        "fulfillments": [],
        "shipping_lines": [],
        "billing_address": None,
        "shipping_address": None,
        "location_id": None,
        "user_id": None,
    }


def address_body(customer: Customer) -> Json | None:
    """Return where a customer lives, if they have said so."""
    if customer.address is None:
        return None
    return {
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "name": f"{customer.first_name} {customer.last_name}",
        "address1": customer.address,
        "address2": None,
        "company": None,
        "city": "Toronto",
        "province": "Ontario",
        "country": "Canada",
        "zip": "M5V 2T6",
        "phone": customer.phone,
    }


def account_body(customer: Customer, at: str) -> Json:
    """Return a customer, as customers/create, update and enable carry them."""
    address = address_body(customer)
    return {
        "id": customer.id,
        "admin_graphql_api_id": gid("Customer", customer.id),
        "created_at": at,
        "updated_at": at,
        "email": customer.email,
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "state": "enabled",
        "note": None,
        "verified_email": customer.verified_email,
        "phone": customer.phone,
        "addresses": [address] if address else [],
        "default_address": address,
    }


def merge_body(*, kept: int, removed: int, status: str) -> Json:
    """Return a merge, as customers/merge carries it."""
    errors = []
    if status == "failed":
        message = "Customer is currently being merged."
        errors = [{"customer_ids": [removed], "field": "merge_in_progress", "message": message}]
    return {
        "admin_graphql_api_customer_kept_id": gid("Customer", kept),
        "admin_graphql_api_customer_deleted_id": gid("Customer", removed),
        "admin_graphql_api_job_id": None,
        "status": status,
        "errors": errors,
    }


def shop_body(shop: str) -> Json:
    """Return the shop, as shop/redact carries it."""
    return {"shop_id": 954889, "shop_domain": shop}


def person_body(shop: str, customer: Customer) -> Json:
    """Return whom a data request or a redaction is about."""
    named = {"id": customer.id, "email": customer.email, "phone": customer.phone}
    return shop_body(shop) | {"customer": named}


def customer_body(customer: Customer, order: Order) -> Json:
    """Return the buyer."""
    return {
        "id": customer.id,
        "admin_graphql_api_id": gid("Customer", customer.id),
        "email": customer.email,
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "state": "enabled",
        "verified_email": customer.verified_email,
        "phone": customer.phone,
        "tags": "",
        "currency": order.currency,
    }


def line_body(line: Line, currency: str) -> Json:
    """Return one line item."""
    return {
        "id": line.id,
        "admin_graphql_api_id": gid("LineItem", line.id),
        "variant_id": line.variant_id,
        "product_id": line.product_id,
        "product_exists": True,
        "title": line.title,
        "name": line.title,
        "variant_title": None,
        "vendor": "",
        "sku": "",
        "grams": 0,
        "quantity": line.quantity,
        "current_quantity": line.current,
        "fulfillable_quantity": line.current,
        "fulfillment_status": None,
        "fulfillment_service": "manual",
        "price": money.text(line.price_minor),
        "price_set": money.both(line.price_minor, currency),
        "total_discount": "0.00",
        "total_discount_set": money.both(0, currency),
        "discount_allocations": [
            {
                "amount": money.text(line.discount_minor),
                "amount_set": money.both(line.discount_minor, currency),
                "discount_application_index": 0,
            }
        ]
        if line.discount_minor
        else [],
        "properties": [{"name": name, "value": value} for name, value in line.properties.items()],
        "gift_card": False,
        "requires_shipping": False,
        "taxable": True,
        "tax_lines": [],
        "duties": [],
    }


def refund_body(order: Order, refund: Refund) -> Json:
    """Return one refund, as refunds/create carries it."""
    return {
        "id": refund.id,
        "admin_graphql_api_id": gid("Refund", refund.id),
        "order_id": order.id,
        "created_at": refund.at,
        "processed_at": refund.at,
        "note": refund.note,
        "restock": refund.restock_type != "no_restock",
        "user_id": None,
        "return": None,
        "duties": [],
        "refund_line_items": [refund_line_body(order, refund, line) for line in refund.lines],
        "transactions": transactions(order, refund),
        "order_adjustments": adjustments(order, refund),
    }


def refund_line_body(order: Order, refund: Refund, part: RefundLine) -> Json:
    """Return the units of one line in a refund."""
    line = order.line(part.line_id)
    worth = line.worth(part.quantity)
    return {
        "id": part.id,
        "line_item_id": line.id,
        "quantity": part.quantity,
        "restock_type": refund.restock_type,
        "location_id": None,
        "subtotal": worth / 100,
        "subtotal_set": money.both(worth, order.currency),
        "total_tax": 0,
        "total_tax_set": money.both(0, order.currency),
        "line_item": line_body(line, order.currency),
    }


def transactions(order: Order, refund: Refund) -> list[Json]:
    """Return the money movement of a refund: one, or none."""
    if refund.transaction_id is None:
        return []
    return [
        {
            "id": refund.transaction_id,
            "admin_graphql_api_id": gid("OrderTransaction", refund.transaction_id),
            "order_id": order.id,
            "parent_id": order.payments[0].id if order.payments else None,
            "kind": "refund",
            "gateway": "bogus",
            "status": "success",
            "message": "Refunded",
            "test": order.test,
            "amount": money.text(refund.money_minor),
            "currency": order.currency,
            "created_at": refund.at,
            "processed_at": refund.at,
        }
    ]


def adjustments(order: Order, refund: Refund) -> list[Json]:
    """Return where the money given back and the units' worth differ."""
    if not refund.adjustment_minor:
        return []
    return [
        {
            "id": refund.adjustment_id,
            "order_id": order.id,
            "refund_id": refund.id,
            "kind": "refund_discrepancy",
            "reason": "Refund discrepancy",
            "amount": money.text(refund.adjustment_minor),
            "tax_amount": "0.00",
            "amount_set": money.both(refund.adjustment_minor, order.currency),
            "tax_amount_set": money.both(0, order.currency),
        }
    ]


def dispute_body(order: Order, dispute: Dispute) -> Json:
    """Return a dispute as disputes/create and disputes/update carry it."""
    return {
        "id": dispute.id,
        "order_id": order.id,
        "type": dispute.type,
        "amount": money.text(dispute.amount_minor),
        "currency": order.currency,
        "reason": dispute.reason,
        "network_reason_code": "4837",
        "status": dispute.status,
        "evidence_due_by": dispute.evidence_due_by,
        "evidence_sent_on": None,
        "finalized_on": dispute.finalized_on,
        "initiated_at": dispute.initiated_at,
    }


def edit_body(order: Order, *, edit_id: int, changes: dict[int, int]) -> Json:
    """Return an edit as orders/edited carries it: positive deltas and no order."""
    nothing: Json = {"additions": [], "removals": []}
    return {
        "order_edit": {
            "id": edit_id,
            "app_id": None,
            "order_id": order.id,
            "created_at": order.updated_at,
            "committed_at": order.updated_at,
            "notify_customer": False,
            "staff_note": "",
            "user_id": None,
            "line_items": {
                "additions": [{"id": id_, "delta": by} for id_, by in changes.items() if by > 0],
                "removals": [{"id": id_, "delta": -by} for id_, by in changes.items() if by < 0],
            },
            "discounts": {"line_item": nothing},
            "shipping_lines": nothing,
        }
    }
