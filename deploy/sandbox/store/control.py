"""The store by remote control: JSON for tests and scripts, and the Admin API's door."""

import hmac
import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.store import deliveries, money, payloads, switches
from sandbox.store.errors import Refused
from sandbox.store.order import Order
from sandbox.store.orders import Purchase, Wanted
from sandbox.store.settings import API_VERSION
from sandbox.store.shop import Shop, shop_of

Json = dict[str, Any]


async def create_order(request: Request) -> Response:
    """Buy something, as anyone."""
    body = await read(request, {"customer", "lines", "pay", "test", "email"})
    customer_id = body.get("customer")
    if customer_id is not None and not is_whole(customer_id):
        raise Refused("customer is a customer's id, or null")
    shop = shop_of(request)
    with shop.db.reading() as connection:
        customer = (
            None if customer_id is None else shop.customers.get(connection, customer_id=customer_id)
        )
    purchase = Purchase(
        customer=customer,
        email=str(body.get("email") or (customer.email if customer else "")),
        lines=wanted(body.get("lines"), "lines"),
        pay=truth(body, "pay"),
        test=truth(body, "test"),
    )
    return told(request, lambda shop, connection: shop.orders.create(connection, purchase), 201)


async def pay(request: Request) -> Response:
    """Mark an order as paid."""
    await read(request, set())
    number = order_id(request)
    return told(request, lambda shop, connection: shop.orders.pay(connection, order_id=number))


async def refund(request: Request) -> Response:
    """Give back units, money or both."""
    body = await read(request, {"lines", "amount"})
    amount = body.get("amount")
    quantities = by_line(body.get("lines", []))
    number = order_id(request)
    return told(
        request,
        lambda shop, connection: shop.orders.refund(
            connection,
            order_id=number,
            quantities=quantities,
            amount_minor=None if amount is None else money.parse(amount),
        ),
    )


async def edit(request: Request) -> Response:
    """Set quantities and add lines."""
    body = await read(request, {"lines", "add"})
    quantities = by_line(body.get("lines", []))
    additions = wanted(body.get("add", []), "add")
    number = order_id(request)
    return told(
        request,
        lambda shop, connection: shop.orders.edit(
            connection, order_id=number, quantities=quantities, additions=additions
        ),
    )


async def cancel(request: Request) -> Response:
    """Cancel, with or without the money."""
    body = await read(request, {"refund", "reason"})
    back, reason = truth(body, "refund"), str(body.get("reason", "customer"))
    if reason not in {"customer", "declined", "fraud", "inventory", "other", "staff"}:
        raise Refused("reason is customer, declined, fraud, inventory, other or staff")
    number = order_id(request)
    return told(
        request,
        lambda shop, connection: shop.orders.cancel(
            connection, order_id=number, give_money_back=back, reason=reason
        ),
    )


async def discount(request: Request) -> Response:
    """Set what comes off whole lines: `{lines: [{line_item_id, amount}]}`."""
    body = await read(request, {"lines"})
    lines = objects(body.get("lines"), "lines")
    amounts = {number(each, "line_item_id"): money.parse(each.get("amount")) for each in lines}
    found = order_id(request)
    return told(
        request,
        lambda shop, connection: shop.orders.discount(connection, order_id=found, amounts=amounts),
    )


async def open_dispute(request: Request) -> Response:
    """Let the buyer's bank dispute the payment: `{type, amount, reason}`, all optional."""
    body = await read(request, {"type", "amount", "reason"})
    amount, shop = body.get("amount"), shop_of(request)
    with shop.db.writing() as connection:
        changed, made = shop.orders.open_dispute(
            connection,
            order_id=order_id(request),
            type=str(body.get("type", "chargeback")),
            amount_minor=None if amount is None else money.parse(amount),
            reason=str(body.get("reason", "fraudulent")),
        )
    shop.sender.poke()
    return JSONResponse(payloads.dispute_body(changed, made), 201)


async def move_dispute(request: Request) -> Response:
    """Let a dispute come to its next state: `{status, type}`."""
    body = await read(request, {"status", "type"})
    kind, shop = body.get("type"), shop_of(request)
    with shop.db.writing() as connection:
        changed, moved = shop.orders.move_dispute(
            connection,
            order_id=order_id(request),
            dispute_id=int(request.path_params["dispute"]),
            status=str(body.get("status", "")),
            type=None if kind is None else str(kind),
        )
    shop.sender.poke()
    return JSONResponse(payloads.dispute_body(changed, moved))


async def delete(request: Request) -> Response:
    """Delete an order."""
    shop = shop_of(request)
    with shop.db.writing() as connection:
        shop.orders.delete(connection, order_id=order_id(request))
    shop.sender.poke()
    return Response(status_code=204)


async def mark_test(request: Request) -> Response:
    """Say whether an order is a test."""
    body = await read(request, {"test"})
    number = order_id(request)
    return told(
        request,
        lambda shop, connection: shop.orders.mark_test(
            connection, order_id=number, test=truth(body, "test")
        ),
    )


async def list_orders(request: Request) -> Response:
    """Return the newest orders."""
    shop = shop_of(request)
    with shop.db.reading() as connection:
        found = shop.orders.listing(connection, limit=limit(request))
    return JSONResponse({"orders": [payloads.order_body(order) for order in found]})


async def show_order(request: Request) -> Response:
    """Return one order."""
    shop = shop_of(request)
    with shop.db.reading() as connection:
        found = shop.orders.get(connection, order_id=order_id(request))
    return JSONResponse(payloads.order_body(found))


async def show_switches(request: Request) -> Response:
    """Return the switches."""
    with shop_of(request).db.reading() as connection:
        return JSONResponse(asdict(switches.read(connection)))


async def set_switches(request: Request) -> Response:
    """Set the switches named in the body."""
    body = await read(request, None)
    shop = shop_of(request)
    with shop.db.writing() as connection:
        result = switches.write(connection, body)
    shop.sender.poke()
    return JSONResponse(asdict(result))


async def list_deliveries(request: Request) -> Response:
    """Return the newest webhook messages, and how many are in each state."""
    with shop_of(request).db.reading() as connection:
        found = deliveries.listing(connection, limit=limit(request))
        counts = deliveries.counts(connection)
    return JSONResponse({"counts": counts, "deliveries": found})


async def send_again(request: Request) -> Response:
    """Send one message again, now."""
    shop = shop_of(request)
    with shop.db.writing() as connection:
        deliveries.send_again(connection, delivery_id=request.path_params["id"])
    shop.sender.poke()
    return JSONResponse({"delivery": request.path_params["id"], "state": "waiting"})


async def list_calls(request: Request) -> Response:
    """Return the newest Admin API calls."""
    with shop_of(request).db.reading() as connection:
        rows = connection.execute(
            "SELECT * FROM calls ORDER BY id DESC LIMIT ?", (limit(request),)
        ).fetchall()
    return JSONResponse({"calls": [call_json(row) for row in rows]})


async def health(_request: Request) -> Response:
    """Say that the store is there."""
    return JSONResponse({"status": "ok"})


async def graphql(request: Request) -> Response:
    """Answer the Admin API."""
    shop = shop_of(request)
    given = request.headers.get("x-shopify-access-token", "")
    if not hmac.compare_digest(given.encode(), shop.settings.admin_token.encode()):
        message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
        shop.admin_api.log(query="", variables={}, operation=None, status=401, body={})
        return JSONResponse({"errors": message}, 401)
    try:
        body = await request.json()
    except json.JSONDecodeError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        return JSONResponse({"errors": {"query": "Required parameter missing or invalid"}}, 400)
    answer = await run_in_threadpool(
        shop.admin_api.answer,
        query=body["query"],
        variables=body.get("variables") or {},
        operation_name=body.get("operationName"),
    )
    return JSONResponse(answer)


def told(
    request: Request, act: Callable[[Shop, sqlite3.Connection], Order], status: int = 200
) -> Response:
    """Change an order, wake the sender, and answer with the order."""
    shop = shop_of(request)
    with shop.db.writing() as connection:
        changed = act(shop, connection)
    shop.sender.poke()
    return JSONResponse(payloads.order_body(changed), status)


async def read(request: Request, known: set[str] | None) -> Json:
    """Return the JSON object of a request; refuses what it does not know."""
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError as error:
        raise Refused("the body is not JSON") from error
    if not isinstance(body, dict):
        raise Refused("the body is not an object")
    if known is not None and (unknown := sorted(set(body) - known)):
        raise Refused(f"unknown field {', '.join(unknown)}")
    return body


def wanted(entries: object, name: str) -> list[Wanted]:
    """Read lines to buy."""
    return [
        Wanted(number(entry, "variant_id"), number(entry, "quantity"), properties(entry))
        for entry in objects(entries, name)
    ]


def properties(entry: Json) -> dict[str, str]:
    """Return the properties of a line, as text."""
    given = entry.get("properties") or {}
    if not isinstance(given, dict):
        raise Refused("properties is an object")
    return {str(name): str(value) for name, value in given.items()}


def by_line(entries: object) -> dict[int, int]:
    """Read quantities per line item."""
    found: dict[int, int] = {}
    for entry in objects(entries, "lines"):
        line_id = number(entry, "line_item_id")
        if line_id in found:
            raise Refused(f"line item {line_id} is named twice")
        found[line_id] = number(entry, "quantity")
    return found


def objects(entries: object, name: str) -> list[Json]:
    """Return a list of objects, or refuse."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Refused(f"{name} is a list of objects")
    return entries


def number(entry: Json, name: str) -> int:
    """Return a whole number of an object, or refuse."""
    value = entry.get(name)
    if not is_whole(value):
        raise Refused(f"{name} is a whole number in every line")
    return int(str(value))


def is_whole(value: object) -> bool:
    """Tell whole numbers from everything else, booleans included."""
    return isinstance(value, int) and not isinstance(value, bool)


def truth(body: Json, name: str) -> bool:
    """Return a boolean; absent is false."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise Refused(f"{name} is true or false")
    return value


def order_id(request: Request) -> int:
    """Return the order id of the path."""
    return int(request.path_params["id"])


def limit(request: Request) -> int:
    """Return how many rows are wanted; 200 unless said."""
    text = request.query_params.get("limit", "200")
    if not text.isdecimal():
        raise Refused("limit is a whole number")
    return int(text)


def call_json(row: sqlite3.Row) -> Json:
    """Return one logged call."""
    parsed = {name: json.loads(row[name]) for name in ("variables", "errors")}
    return dict(row) | parsed | {"at": deliveries.instant(row["at"])}


routes = [
    Route("/healthz", health),
    Route(f"/admin/api/{API_VERSION}/graphql.json", graphql, methods=["POST"]),
    Route("/sandbox/shop/orders", create_order, methods=["POST"]),
    Route("/sandbox/shop/orders", list_orders),
    Route("/sandbox/shop/orders/{id:int}", show_order),
    Route("/sandbox/shop/orders/{id:int}/pay", pay, methods=["POST"]),
    Route("/sandbox/shop/orders/{id:int}/refund", refund, methods=["POST"]),
    Route("/sandbox/shop/orders/{id:int}/edit", edit, methods=["POST"]),
    Route("/sandbox/shop/orders/{id:int}/cancel", cancel, methods=["POST"]),
    Route("/sandbox/shop/orders/{id:int}/test", mark_test, methods=["POST"]),
    Route("/sandbox/shop/orders/{id:int}", delete, methods=["DELETE"]),
    Route("/sandbox/shop/orders/{id:int}/discount", discount, methods=["POST"]),
    Route("/sandbox/shop/orders/{id:int}/disputes", open_dispute, methods=["POST"]),
    Route("/sandbox/shop/orders/{id:int}/disputes/{dispute:int}", move_dispute, methods=["POST"]),
    Route("/sandbox/shop/switches", show_switches),
    Route("/sandbox/shop/switches", set_switches, methods=["PUT"]),
    Route("/sandbox/shop/deliveries", list_deliveries),
    Route("/sandbox/shop/deliveries/{id:int}/send", send_again, methods=["POST"]),
    Route("/sandbox/shop/calls", list_calls),
]
