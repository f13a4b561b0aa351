"""What a customer sees: home, products, cart, checkout and thanks."""

from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.store import cart_api, carts, people
from sandbox.store.carts import CartLine
from sandbox.store.catalog import Product
from sandbox.store.errors import NotFound, Refused
from sandbox.store.liquid import render_block
from sandbox.store.orders import Purchase, Wanted
from sandbox.store.settings import EXTENSION
from sandbox.store.shop import (
    CART_COOKIE,
    CUSTOMER_COOKIE,
    cart_of,
    customer_of,
    field,
    page,
    shop_of,
)

Json = dict[str, Any]
ASSETS = EXTENSION / "assets"


async def home(request: Request) -> Response:
    """Show the shop window."""
    return page(request, "home.html", products=shop_of(request).catalog.products)


async def product(request: Request) -> Response:
    """Show a product with the studio's booking block."""
    shop = shop_of(request)
    found = shop.catalog.handle(request.path_params["handle"])
    block = render_block("booking", settings={}, context=block_context(request, found))
    return page(request, "product.html", product=found, block=block)


async def booking(request: Request) -> Response:
    """Lead to the product with which one books."""
    first = shop_of(request).catalog.products[0]
    return RedirectResponse(f"/products/{first.handle}#book", 303)


def block_context(request: Request, found: Product) -> Json:
    """Return what a theme hands to an app block."""
    shop = shop_of(request)
    customer = customer_of(request)
    variant = {"id": found.variant_id, "title": "Default Title", "price": found.price_minor}
    return {
        "shop": {
            "name": shop.catalog.name,
            "permanent_domain": shop.settings.shop,
            "currency": shop.catalog.currency,
        },
        "customer": customer and {"id": customer.id, "first_name": customer.first_name},
        "product": {
            "id": found.id,
            "title": found.title,
            "handle": found.handle,
            "price": found.price_minor,
            "variants": [variant],
        },
        "cart": carts.cart_json(cart_of(request), shop.catalog),
        "request": {"locale": {"iso_code": "en"}},
    }


async def add_to_cart(request: Request) -> Response:
    """Add from the product page's form, then show the cart."""
    body = await cart_api.read(request)
    line = cart_api.wanted_line(body)
    cart_api.known_variant(request, line.variant_id)
    cart, _ = cart_api.changed(request, lambda cart: carts.add(cart, line))
    return cart_api.with_cart(RedirectResponse("/cart", 303), cart)


async def cart(request: Request) -> Response:
    """Show the cart."""
    shop = shop_of(request)
    found = cart_of(request)
    rows = [
        {"line": line, "product": shop.catalog.variant(line.variant_id)} for line in found.lines
    ]
    return page(request, "cart.html", rows=rows, total=total(request, found))


async def change_cart(request: Request) -> Response:
    """Change a quantity from the cart page; zero removes."""
    form = await request.form()
    key = field(form, "key")
    quantity = cart_api.whole(field(form, "quantity"), "quantity")

    def change(cart: carts.Cart) -> None:
        carts.change(cart, carts.by_id(cart, key), quantity=quantity)

    changed, _ = cart_api.changed(request, change)
    return cart_api.with_cart(RedirectResponse("/cart", 303), changed)


async def checkout(request: Request) -> Response:
    """Show the checkout."""
    found = cart_of(request)
    if not found.lines:
        return RedirectResponse("/cart", 303)
    catalog = shop_of(request).catalog
    rows = [{"line": line, "product": catalog.variant(line.variant_id)} for line in found.lines]
    return page(request, "checkout.html", rows=rows, total=total(request, found))


async def buy(request: Request) -> Response:
    """Turn the cart into an order, paid or pending; a second click finds the cart empty."""
    shop = shop_of(request)
    form = await request.form()
    customer = customer_of(request)
    email = customer.email if customer else field(form, "email")
    if "@" not in email:
        raise Refused("An e-mail address is needed for the receipt")
    with shop.db.writing() as connection:
        found = carts.find(connection, token=request.cookies.get(CART_COOKIE))
        if not found.lines:
            return RedirectResponse("/cart", 303)
        purchase = Purchase(
            customer=customer,
            email=email,
            lines=[Wanted(x.variant_id, x.quantity, x.properties) for x in found.lines],
            pay=field(form, "pay") != "later",
            cart_token=found.token,
        )
        made = shop.orders.create(connection, purchase)
        carts.forget(connection, found)
    shop.sender.poke()
    response = RedirectResponse(f"/orders/{made.id}/thanks", 303)
    response.delete_cookie(CART_COOKIE)
    return response


async def thanks(request: Request) -> Response:
    """Show what was bought."""
    shop = shop_of(request)
    with shop.db.reading() as connection:
        found = shop.orders.get(connection, order_id=request.path_params["id"])
    return page(request, "thanks.html", order=found)


async def log_in(request: Request) -> Response:
    """Become one of the demo customers, or nobody."""
    form = await request.form()
    back = field(form, "back")
    safe = back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/"
    response = RedirectResponse(safe, 303)
    person = people.logged_in(field(form, "customer"))
    if person is None:
        response.delete_cookie(CUSTOMER_COOKIE)
    else:
        response.set_cookie(CUSTOMER_COOKIE, str(person.id), samesite="lax")
    return response


async def asset(request: Request) -> Response:
    """Serve a file of the theme extension."""
    path = (ASSETS / request.path_params["file"]).resolve()
    if not path.is_relative_to(ASSETS) or not path.is_file():
        raise NotFound("there is no such asset")
    return FileResponse(path, headers={"Cache-Control": "no-cache"})


def total(request: Request, found: carts.Cart) -> int:
    """Return what a cart costs."""
    catalog = shop_of(request).catalog
    return sum(worth(catalog.variant(line.variant_id), line) for line in found.lines)


def worth(found: Product, line: CartLine) -> int:
    """Return what a line costs."""
    return found.price_minor * line.quantity


routes = [
    Route("/", home),
    Route("/book", booking),
    Route("/products/{handle}", product),
    Route("/cart", cart),
    Route("/cart", change_cart, methods=["POST"]),
    Route("/cart/add", add_to_cart, methods=["POST"]),
    Route("/checkout", checkout),
    Route("/checkout", buy, methods=["POST"]),
    Route("/orders/{id:int}/thanks", thanks),
    Route("/account/login", log_in, methods=["POST"]),
    Route("/extensions/studio-booking/assets/{file}", asset),
]
