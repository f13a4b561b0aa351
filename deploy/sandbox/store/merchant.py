"""What the merchant sees: orders, what can be done with them, webhooks and switches."""

from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.store import deliveries, money, switches
from sandbox.store.errors import NotFound, Refused
from sandbox.store.orders import Wanted
from sandbox.store.shop import field, page, shop_of


async def orders(request: Request) -> Response:
    """Show the newest orders."""
    shop = shop_of(request)
    with shop.db.reading() as connection:
        found = shop.orders.listing(connection, limit=100)
    return page(request, "admin_orders.html", orders=found)


async def order(request: Request) -> Response:
    """Show one order and what can be done with it."""
    shop = shop_of(request)
    with shop.db.reading() as connection:
        found = shop.orders.get(connection, order_id=request.path_params["id"])
        log = connection.execute(
            "SELECT id, topic, state, attempts, next_at FROM deliveries WHERE order_id = ?"
            " ORDER BY id DESC",
            (found.id,),
        ).fetchall()
    rows = [dict(row) | {"next_at": deliveries.instant(row["next_at"])} for row in log]
    return page(
        request,
        "admin_order.html",
        order=found,
        deliveries=rows,
        products=shop.catalog.products,
        said=request.query_params.get("said", ""),
    )


async def act(request: Request) -> Response:
    """Do one thing to an order, and come back saying how it went."""
    number, verb = request.path_params["id"], request.path_params["verb"]
    if verb not in VERBS:
        raise NotFound(f"an order cannot be told to {verb}")
    form = await request.form()
    try:
        said = VERBS[verb](request, number, form)
    except Refused as refusal:
        said = f"Not done: {refusal}."
    shop_of(request).sender.poke()
    return RedirectResponse(f"/admin/orders/{number}?said={quote(said)}", 303)


def pay(request: Request, number: int, _form: FormData) -> str:
    """Mark as paid."""
    shop = shop_of(request)
    with shop.db.writing() as connection:
        shop.orders.pay(connection, order_id=number)
    return "Marked as paid."


def refund(request: Request, number: int, form: FormData) -> str:
    """Give back units with or without their money, or money only."""
    shop = shop_of(request)
    amount = field(form, "amount")
    amount_minor = money.parse(amount) if amount else None
    if field(form, "money") == "none":
        amount_minor = 0
    quantities = {line: units for line, units in by_line(form).items() if units}
    with shop.db.writing() as connection:
        shop.orders.refund(
            connection, order_id=number, quantities=quantities, amount_minor=amount_minor
        )
    return "Refunded."


def edit(request: Request, number: int, form: FormData) -> str:
    """Set quantities, and perhaps add a product."""
    shop = shop_of(request)
    extra = field(form, "add_quantity")
    added = [Wanted(int(field(form, "add_variant")), int(extra), {})] if extra.isdecimal() else []
    with shop.db.writing() as connection:
        shop.orders.edit(
            connection,
            order_id=number,
            quantities=by_line(form),
            additions=[line for line in added if line.quantity],
        )
    return "The order was edited."


def cancel(request: Request, number: int, form: FormData) -> str:
    """Cancel with or without the money."""
    shop = shop_of(request)
    back = field(form, "money") == "back"
    with shop.db.writing() as connection:
        shop.orders.cancel(
            connection, order_id=number, give_money_back=back, reason=field(form, "reason")
        )
    return "Cancelled."


def test(request: Request, number: int, form: FormData) -> str:
    """Say whether this is a test order."""
    shop = shop_of(request)
    with shop.db.writing() as connection:
        shop.orders.mark_test(connection, order_id=number, test=field(form, "test") == "on")
    return "The test mark was changed."


def discount(request: Request, number: int, form: FormData) -> str:
    """Set what comes off a whole line."""
    shop = shop_of(request)
    line = field(form, "discounted")
    amounts = {int(line): money.parse(field(form, "off") or "0")} if line.isdecimal() else {}
    with shop.db.writing() as connection:
        shop.orders.discount(connection, order_id=number, amounts=amounts)
    return "The discount was changed."


def dispute(request: Request, number: int, form: FormData) -> str:
    """Open a dispute, or let one come to its next state."""
    shop = shop_of(request)
    named, amount = field(form, "dispute"), field(form, "amount")
    with shop.db.writing() as connection:
        if named.isdecimal():
            shop.orders.move_dispute(
                connection,
                order_id=number,
                dispute_id=int(named),
                status=field(form, "status"),
                type=field(form, "type") or None,
            )
            return "The dispute was moved."
        shop.orders.open_dispute(
            connection,
            order_id=number,
            type=field(form, "type"),
            amount_minor=money.parse(amount) if amount else None,
            reason="fraudulent",
        )
    return "A dispute was opened."


def by_line(form: FormData) -> dict[int, int]:
    """Read the quantity fields, one per line."""
    found = {}
    for name, value in form.items():
        prefix, _, line = name.partition("-")
        if prefix == "line" and line.isdecimal():
            text = str(value).strip() or "0"
            if not text.isdecimal():
                raise Refused(f"{text!r} is not a quantity")
            found[int(line)] = int(text)
    return found


async def delivery_log(request: Request) -> Response:
    """Show the webhook log."""
    with shop_of(request).db.reading() as connection:
        found = deliveries.listing(connection, limit=100)
        counts = deliveries.counts(connection)
        on_hold = switches.read(connection).hold
    return page(request, "admin_deliveries.html", deliveries=found, counts=counts, on_hold=on_hold)


async def send_again(request: Request) -> Response:
    """Send one message again."""
    shop = shop_of(request)
    with shop.db.writing() as connection:
        deliveries.send_again(connection, delivery_id=request.path_params["id"])
    shop.sender.poke()
    return RedirectResponse("/admin/deliveries", 303)


async def show_switches(request: Request) -> Response:
    """Show the fault switches."""
    with shop_of(request).db.reading() as connection:
        found = switches.read(connection)
    return page(
        request, "admin_switches.html", switches=found, said=request.query_params.get("said", "")
    )


async def set_switches(request: Request) -> Response:
    """Set the fault switches from the form."""
    shop = shop_of(request)
    form = await request.form()
    try:
        wanted = switches_of(form)
        with shop.db.writing() as connection:
            switches.write(connection, wanted)
        said = "Saved."
    except Refused as refusal:
        said = f"Not saved: {refusal}."
    shop.sender.poke()
    return RedirectResponse(f"/admin/switches?said={quote(said)}", 303)


def switches_of(form: FormData) -> dict[str, Any]:
    """Read the switches' form."""
    try:
        seed = field(form, "seed")
        return asdict(
            switches.Switches(
                duplicate=int(field(form, "duplicate")),
                delay=float(field(form, "delay")),
                drop=float(field(form, "drop")),
                reorder=float(field(form, "reorder")),
                hold=field(form, "hold") == "on",
                seed=int(seed) if seed else None,
            )
        )
    except ValueError as error:
        raise Refused("one of the fields is not a number") from error


VERBS = {
    "pay": pay,
    "refund": refund,
    "edit": edit,
    "discount": discount,
    "dispute": dispute,
    "cancel": cancel,
    "test": test,
}
routes = [
    Route("/admin", orders),
    Route("/admin/orders/{id:int}", order),
    Route("/admin/orders/{id:int}/{verb}", act, methods=["POST"]),
    Route("/admin/deliveries", delivery_log),
    Route("/admin/deliveries/{id:int}/send", send_again, methods=["POST"]),
    Route("/admin/switches", show_switches),
    Route("/admin/switches", set_switches, methods=["POST"]),
]
