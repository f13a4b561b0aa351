"""Everything a request needs, in one place; and how pages are made."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse

from sandbox.store import carts, money, people
from sandbox.store.admin_api import AdminApi
from sandbox.store.carts import Cart
from sandbox.store.catalog import Catalog
from sandbox.store.customers import Customers
from sandbox.store.database import Database
from sandbox.store.order import Customer
from sandbox.store.orders import Orders
from sandbox.store.sender import Sender
from sandbox.store.settings import Settings

CART_COOKIE = "cart"
CUSTOMER_COOKIE = "customer"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Shop:
    """The shop at work."""

    settings: Settings
    catalog: Catalog
    db: Database
    orders: Orders
    customers: Customers
    sender: Sender
    admin_api: AdminApi
    pages: Environment
    http: httpx.AsyncClient


def shop_of(request: Request) -> Shop:
    """Return the shop a request came to."""
    shop: Shop = request.app.state.shop
    return shop


def environment(catalog: Catalog) -> Environment:
    """Return the templates, with the ways to write an amount and a time."""
    pages = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["money"] = lambda minor: f"${money.text(minor)}"
    pages.filters["when"] = lambda at: local(at, catalog)
    pages.globals["shop_name"] = catalog.name
    pages.globals["currency"] = catalog.currency
    pages.globals["demo_customers"] = people.DEMO
    return pages


def local(at: str | None, catalog: Catalog) -> str:
    """Write an instant on the shop's clock, or a dash."""
    if at is None:
        return "—"
    return f"{datetime.fromisoformat(at).astimezone(catalog.zone):%b %-d, %H:%M:%S}"


def customer_of(request: Request) -> Customer | None:
    """Return who is logged in."""
    return people.logged_in(request.cookies.get(CUSTOMER_COOKIE))


def cart_of(request: Request) -> Cart:
    """Return the visitor's cart, for reading."""
    with shop_of(request).db.reading() as connection:
        return carts.find(connection, token=request.cookies.get(CART_COOKIE))


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a page inside the shop's frame."""
    frame = {
        "customer": customer_of(request),
        "cart_count": cart_of(request).count,
        "path": request.url.path,
    }
    text = shop_of(request).pages.get_template(template).render(frame | values)
    return HTMLResponse(text, status)


def field(form: FormData, name: str) -> str:
    """Return a text field of a form; absent is empty."""
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""
