"""Carts with Shopify's merge rules, in the shapes of its AJAX API."""

import hashlib
import json
import secrets
import sqlite3
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.store.catalog import Catalog, Product
from sandbox.store.errors import NotFound, Refused

Json = dict[str, Any]
MOST = 1_000_000


@dataclass
class CartLine:
    """One line of a cart."""

    variant_id: int
    quantity: int
    properties: dict[str, str]

    @property
    def key(self) -> str:
        """Name the line: equal for the same variant with the same properties."""
        text = json.dumps(sorted(self.properties.items()))
        return f"{self.variant_id}:{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}"

    @property
    def shown(self) -> dict[str, str]:
        """Return the properties a buyer sees: a leading underscore hides one."""
        return {name: value for name, value in self.properties.items() if not name.startswith("_")}


@dataclass
class Cart:
    """What somebody is about to buy."""

    token: str
    note: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    lines: list[CartLine] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return the number of units."""
        return sum(line.quantity for line in self.lines)


def find(connection: sqlite3.Connection, *, token: str | None) -> Cart:
    """Return the cart of a token, or a new empty one."""
    row = connection.execute("SELECT document FROM carts WHERE token = ?", (token,)).fetchone()
    if token is None or row is None:
        return Cart(secrets.token_urlsafe(18))
    fields = json.loads(row["document"])
    fields["lines"] = [CartLine(**line) for line in fields["lines"]]
    return Cart(**fields)


def save(connection: sqlite3.Connection, cart: Cart) -> None:
    """Keep the cart."""
    connection.execute(
        "INSERT INTO carts (token, document) VALUES (?, ?)"
        " ON CONFLICT (token) DO UPDATE SET document = excluded.document",
        (cart.token, json.dumps(asdict(cart))),
    )


def forget(connection: sqlite3.Connection, cart: Cart) -> None:
    """Drop a cart that became an order."""
    connection.execute("DELETE FROM carts WHERE token = ?", (cart.token,))


def add(cart: Cart, wanted: CartLine) -> CartLine:
    """Add units: the same variant with the same properties is the same line."""
    if not 1 <= wanted.quantity <= MOST:
        raise Refused("Quantity must be 1 or more")
    for line in cart.lines:
        if line.key == wanted.key:
            line.quantity = min(line.quantity + wanted.quantity, MOST)
            return line
    cart.lines.append(wanted)
    return wanted


def change(
    cart: Cart, line: CartLine, *, quantity: int, properties: dict[str, str] | None = None
) -> None:
    """Set a line's quantity, and its properties when given; none left removes it."""
    if not 0 <= quantity <= MOST:
        raise Refused("Quantity must be 0 or more")
    position = cart.lines.index(line)
    cart.lines.remove(line)
    if not quantity:
        return
    kept = line.properties if properties is None else properties
    twin = CartLine(line.variant_id, quantity, kept)
    if any(other.key == twin.key for other in cart.lines):
        add(cart, twin)
    else:
        cart.lines.insert(position, twin)


def by_id(cart: Cart, name: str) -> CartLine:
    """Return the line with this key, or the first with this variant."""
    for line in cart.lines:
        if name in {line.key, str(line.variant_id)}:
            return line
    raise NotFound("no valid id or line parameter")


def by_position(cart: Cart, number: int) -> CartLine:
    """Return the line at a place, counted from 1."""
    if not 1 <= number <= len(cart.lines):
        raise NotFound("no valid id or line parameter")
    return cart.lines[number - 1]


def cart_json(cart: Cart, catalog: Catalog) -> Json:
    """Return the body of /cart.js; amounts are cents."""
    items = [line_json(line, catalog) for line in cart.lines]
    total = sum(item["line_price"] for item in items)
    return {
        "token": cart.token,
        "note": cart.note,
        "attributes": cart.attributes,
        "original_total_price": total,
        "total_price": total,
        "total_discount": 0,
        "total_weight": 0.0,
        "item_count": cart.count,
        "items": items,
        "requires_shipping": False,
        "currency": catalog.currency,
        "items_subtotal_price": total,
        "cart_level_discount_applications": [],
        "discount_codes": [],
    }


def line_json(line: CartLine, catalog: Catalog) -> Json:
    """Return one item of /cart.js."""
    product = catalog.variant(line.variant_id)
    return prices(product, line.quantity) | {
        "id": line.variant_id,
        "variant_id": line.variant_id,
        "product_id": product.id,
        "key": line.key,
        "quantity": line.quantity,
        "properties": line.properties,
        "title": product.title,
        "product_title": product.title,
        "product_description": product.blurb,
        "product_type": "",
        "product_has_only_default_variant": True,
        "variant_title": None,
        "variant_options": ["Default Title"],
        "options_with_values": [{"name": "Title", "value": "Default Title"}],
        "handle": product.handle,
        "url": f"/products/{product.handle}?variant={line.variant_id}",
        "image": None,
        "featured_image": {"url": None, "alt": None},
        "sku": "",
        "grams": 0,
        "vendor": catalog.name,
        "taxable": True,
        "gift_card": False,
        "requires_shipping": False,
        "discounts": [],
        "line_level_discount_allocations": [],
        "line_level_total_discount": 0,
        "quantity_rule": {"min": 1, "max": None, "increment": 1},
        "has_components": False,
    }


def prices(product: Product, quantity: int) -> Json:
    """Return the ten ways an item says its price."""
    line_price = product.price_minor * quantity
    each = ("price", "original_price", "discounted_price", "presentment_price", "final_price")
    whole = ("line_price", "original_line_price", "final_line_price")
    return (
        dict.fromkeys(each, product.price_minor)
        | dict.fromkeys(whole, line_price)
        | {"presentment_price": product.price_minor / 100, "total_discount": 0}
    )
