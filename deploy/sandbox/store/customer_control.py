"""The shop's customers by remote control: accounts, merges, and what the law lets them ask for."""

import sqlite3
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.store import payloads
from sandbox.store.control import is_whole, read, truth
from sandbox.store.customers import now
from sandbox.store.errors import Refused
from sandbox.store.shop import Shop, shop_of

Json = dict[str, Any]
PROFILE = ("email", "first_name", "last_name", "phone", "address")


async def create(request: Request) -> Response:
    """Make an account."""
    body = await read(request, {*PROFILE, "id", "verified_email"})
    number = body.get("id")
    if number is not None and not is_whole(number):
        raise Refused("id is a whole number")
    if "email" not in body:
        raise Refused("an account has an email")
    wish = profile(body)
    return told(
        request,
        lambda shop, connection: payloads.account_body(
            shop.customers.create(connection, wish=wish, customer_id=number), now()
        ),
        201,
    )


async def update(request: Request) -> Response:
    """Change a profile."""
    changes = profile(await read(request, {*PROFILE, "verified_email"}))
    number = customer_id(request)
    return told(
        request,
        lambda shop, connection: payloads.account_body(
            shop.customers.update(connection, customer_id=number, changes=changes), now()
        ),
    )


async def show(request: Request) -> Response:
    """Return a customer."""
    shop = shop_of(request)
    with shop.db.reading() as connection:
        found = shop.customers.get(connection, customer_id=customer_id(request))
    return JSONResponse(payloads.account_body(found, now()))


async def merge(request: Request) -> Response:
    """Merge this customer into another one."""
    body = await read(request, {"into", "status"})
    kept, removed = body.get("into"), customer_id(request)
    if not is_whole(kept):
        raise Refused("into is a customer's id")
    status = str(body.get("status", "completed"))
    return told(
        request,
        lambda shop, connection: payloads.account_body(
            shop.customers.merge(connection, kept=int(str(kept)), removed=removed, status=status),
            now(),
        ),
    )


async def request_data(request: Request) -> Response:
    """Ask the app what it keeps of a customer."""
    await read(request, set())
    number = customer_id(request)
    return told(
        request,
        lambda shop, connection: shop.customers.request_data(connection, customer_id=number),
    )


async def redact(request: Request) -> Response:
    """Forget a customer."""
    await read(request, set())
    number = customer_id(request)
    return told(
        request, lambda shop, connection: shop.customers.redact(connection, customer_id=number)
    )


async def close(request: Request) -> Response:
    """Have the app forget the shop."""
    await read(request, set())
    return told(request, lambda shop, connection: shop.customers.close(connection))


def profile(body: Json) -> Json:
    """Return what a request says of a customer."""
    found: Json = {}
    for name in PROFILE:
        if name in body:
            if body[name] is not None and not isinstance(body[name], str):
                raise Refused(f"{name} is text, or null")
            found[name] = body[name]
    if "verified_email" in body:
        found["verified_email"] = truth(body, "verified_email")
    return found


def told(
    request: Request, act: Callable[[Shop, sqlite3.Connection], Json], status: int = 200
) -> Response:
    """Change something, wake the sender, and answer with what was told."""
    shop = shop_of(request)
    with shop.db.writing() as connection:
        body = act(shop, connection)
    shop.sender.poke()
    return JSONResponse(body, status)


def customer_id(request: Request) -> int:
    """Return the customer id of the path."""
    return int(request.path_params["id"])


routes = [
    Route("/sandbox/shop/customers", create, methods=["POST"]),
    Route("/sandbox/shop/customers/{id:int}", show),
    Route("/sandbox/shop/customers/{id:int}", update, methods=["PUT"]),
    Route("/sandbox/shop/customers/{id:int}/merge", merge, methods=["POST"]),
    Route("/sandbox/shop/customers/{id:int}/data-request", request_data, methods=["POST"]),
    Route("/sandbox/shop/customers/{id:int}/redact", redact, methods=["POST"]),
    Route("/sandbox/shop/redact", close, methods=["POST"]),
]
