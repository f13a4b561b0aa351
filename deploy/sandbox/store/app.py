"""The store as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from sandbox.store import (
    cart_api,
    catalog,
    control,
    customer_control,
    merchant,
    proxy,
    storefront,
)
from sandbox.store.admin_api import AdminApi
from sandbox.store.customers import Customers
from sandbox.store.database import Database
from sandbox.store.errors import NotFound, Refused, WrongMethod
from sandbox.store.orders import Orders
from sandbox.store.sender import Sender
from sandbox.store.settings import Settings
from sandbox.store.shop import HERE, Shop, environment, page

# A stream of availability changes is quiet for a while between its heartbeats.
PROXY_TIMEOUT = httpx.Timeout(90, connect=2)
# An idle connection is dropped well before a server at the other end would do it.
PROXY_LIMITS = httpx.Limits(max_connections=None, keepalive_expiry=2)


def create_app(settings: Settings, *, directory: Path, studio: Path) -> Starlette:
    """Open the store: its memory is in the directory, its shelf in studio.toml."""
    shelf = catalog.read(studio)
    db = Database(directory / "store.sqlite3")
    orders = Orders(db, shelf)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        sender = Sender(db, settings)
        sender.start()
        async with httpx.AsyncClient(
            timeout=PROXY_TIMEOUT, limits=PROXY_LIMITS, cookies=no_cookies(), trust_env=False
        ) as http:
            app.state.shop = Shop(
                settings=settings,
                catalog=shelf,
                db=db,
                orders=orders,
                customers=Customers(orders, settings),
                sender=sender,
                admin_api=AdminApi(db, orders, shelf, settings),
                pages=environment(shelf),
                http=http,
            )
            yield
        sender.stop()

    return Starlette(
        routes=[
            *control.routes,
            *customer_control.routes,
            *cart_api.routes,
            *proxy.routes,
            *merchant.routes,
            *storefront.routes,
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        exception_handlers={
            Refused: refused,
            OverflowError: absurd,
            404: missing,
            405: wrong_method,
        },
        lifespan=lifespan,
    )


def no_cookies() -> CookieJar:
    """Return a jar that keeps nothing: one visitor's cookies must not reach the next."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


async def refused(request: Request, error: Exception) -> Response:
    """Say no in the language of the one who asked."""
    status = getattr(error, "status", 422)
    text = str(error)
    path = request.url.path
    if path.startswith("/sandbox/"):
        return JSONResponse({"error": text}, status)
    if path.endswith(".js"):
        problem = {"status": status, "message": "Cart Error", "description": text}
        return JSONResponse(problem, status)
    return page(request, "problem.html", status=status, text=text)


async def absurd(request: Request, _error: Exception) -> Response:
    """Refuse a number that no id or quantity can be."""
    return await refused(request, Refused("a number in the request is too large"))


async def missing(request: Request, _error: Exception) -> Response:
    """Answer for a page that is not there."""
    return await refused(request, NotFound("there is nothing at this address"))


async def wrong_method(request: Request, _error: Exception) -> Response:
    """Refuse a method that an address does not know."""
    return await refused(request, WrongMethod(f"{request.method} is not for this address"))
