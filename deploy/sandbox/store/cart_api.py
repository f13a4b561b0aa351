"""Shopify's AJAX cart API."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.store import carts
from sandbox.store.carts import Cart, CartLine
from sandbox.store.errors import NotFound, Refused
from sandbox.store.shop import CART_COOKIE, Shop, cart_of, shop_of

Json = dict[str, Any]
T = TypeVar("T")


async def show(request: Request) -> Response:
    """Return the cart."""
    return JSONResponse(carts.cart_json(cart_of(request), shop_of(request).catalog))


async def add(request: Request) -> Response:
    """Add one item, or several at once and all or none."""
    body = await read(request)
    catalog = shop_of(request).catalog
    many = body.get("items")
    if many is not None and not (isinstance(many, list) and all(isinstance(i, dict) for i in many)):
        raise Refused("items is a list of {id, quantity, properties}")
    wanted = [wanted_line(item) for item in (many if many is not None else [body])]

    def change(cart: Cart) -> list[Json]:
        for line in wanted:
            known_variant(request, line.variant_id)
        touched = [carts.add(cart, line) for line in wanted]
        return [carts.line_json(line, catalog) for line in touched]

    cart, lines = changed(request, change)
    return with_cart(JSONResponse({"items": lines} if many is not None else lines[0]), cart)


async def change_line(request: Request) -> Response:
    """Set the quantity, and perhaps the properties, of one line."""
    body = await read(request)
    quantity = whole(body.get("quantity", 1), "quantity")
    given = properties(body) if "properties" in body else None

    def change(cart: Cart) -> None:
        if "line" in body:
            line = carts.by_position(cart, whole(body["line"], "line"))
        else:
            line = carts.by_id(cart, str(body.get("id")))
        carts.change(cart, line, quantity=quantity, properties=given)

    cart, _ = changed(request, change)
    return with_cart(JSONResponse(carts.cart_json(cart, shop_of(request).catalog)), cart)


async def update(request: Request) -> Response:
    """Set many quantities, the note and the attributes."""
    body = await read(request)
    updates = body.get("updates", {})

    def change(cart: Cart) -> None:
        for line, quantity in named_lines(request, cart, updates):
            carts.change(cart, line, quantity=quantity)
        cart.note = str(body.get("note", cart.note) or "")
        cart.attributes |= {str(k): str(v) for k, v in body.get("attributes", {}).items()}

    cart, _ = changed(request, change)
    return with_cart(JSONResponse(carts.cart_json(cart, shop_of(request).catalog)), cart)


async def clear(request: Request) -> Response:
    """Empty the cart."""
    cart, _ = changed(request, lambda cart: cart.lines.clear())
    return with_cart(JSONResponse(carts.cart_json(cart, shop_of(request).catalog)), cart)


def named_lines(request: Request, cart: Cart, updates: object) -> list[tuple[CartLine, int]]:
    """Pair the lines of an update with their quantities; a variant not in the cart joins it."""
    if isinstance(updates, list):
        places = enumerate(updates, start=1)
        return [(carts.by_position(cart, n), whole(q, "quantity")) for n, q in places]
    if not isinstance(updates, dict):
        raise Refused("updates is a list of quantities, or {id: quantity}")
    found = []
    for name, quantity in updates.items():
        try:
            line = carts.by_id(cart, str(name))
        except NotFound:
            line = CartLine(whole(name, "id"), 1, {})
            known_variant(request, line.variant_id)
            cart.lines.append(line)
        found.append((line, whole(quantity, "quantity")))
    return found


def known_variant(request: Request, variant_id: int) -> None:
    """Refuse a variant the shop does not have, in Shopify's words."""
    try:
        shop_of(request).catalog.variant(variant_id)
    except NotFound as error:
        raise NotFound("Cannot find variant") from error


def changed(request: Request, change: Callable[[Cart], T]) -> tuple[Cart, T]:
    """Change the visitor's cart and keep it."""
    shop: Shop = shop_of(request)
    with shop.db.writing() as connection:
        cart = carts.find(connection, token=request.cookies.get(CART_COOKIE))
        result = change(cart)
        carts.save(connection, cart)
    return cart, result


def with_cart(response: Response, cart: Cart) -> Response:
    """Let the browser remember the cart."""
    response.set_cookie(CART_COOKIE, cart.token, max_age=14 * 86_400, samesite="lax")
    return response


async def read(request: Request) -> Json:
    """Return the body, whether JSON or a form with properties[name] fields."""
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            body = await request.json()
        except json.JSONDecodeError as error:
            raise Refused("the body is not JSON") from error
        if not isinstance(body, dict):
            raise Refused("the body is not an object")
        return body
    form = await request.form()
    body = {name: value for name, value in form.items() if "[" not in name}
    for outer in ("properties", "updates", "attributes"):
        inner = {
            name[len(outer) + 1 : -1]: value
            for name, value in form.items()
            if name.startswith(f"{outer}[") and name.endswith("]")
        }
        if inner:
            body[outer] = inner
    return body


def wanted_line(item: Json) -> CartLine:
    """Read one item to add."""
    quantity = whole(item.get("quantity", 1), "quantity")
    return CartLine(whole(item.get("id"), "id"), quantity, properties(item))


def properties(item: Json) -> dict[str, str]:
    """Read line item properties; empty ones vanish, as in Shopify's cart."""
    given = item.get("properties") or {}
    if not isinstance(given, dict):
        raise Refused("properties is an object")
    return {str(name): str(value) for name, value in given.items() if value not in (None, "")}


def whole(value: object, name: str) -> int:
    """Read a whole number, written as a number or as text."""
    try:
        return int(str(value))
    except ValueError as error:
        raise Refused(f"{name} is not a whole number") from error


routes = [
    Route("/cart.js", show),
    Route("/cart.json", show),
    Route("/cart/add.js", add, methods=["POST"]),
    Route("/cart/change.js", change_line, methods=["POST"]),
    Route("/cart/update.js", update, methods=["POST"]),
    Route("/cart/clear.js", clear, methods=["POST"]),
]
