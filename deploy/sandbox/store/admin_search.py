"""Shopify's search syntax and paging, as far as orders need them."""

import base64
import json
import operator
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLError

from sandbox.store.order import Order

Json = dict[str, Any]
Key = tuple[str, int]
Make = Callable[[], Json]
TERM = re.compile(r"(\w+):\s*(>=|<=|>|<|=)?\s*('[^']*'|\"[^\"]*\"|[^\s()]+)")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
SORTS: dict[str, Callable[[Order], str]] = {
    "UPDATED_AT": lambda order: order.updated_at,
    "CREATED_AT": lambda order: order.created_at,
    "PROCESSED_AT": lambda order: order.created_at,
}
FIELDS: dict[str, Callable[[Order], object]] = {
    "updated_at": lambda order: datetime.fromisoformat(order.updated_at),
    "created_at": lambda order: datetime.fromisoformat(order.created_at),
    "processed_at": lambda order: datetime.fromisoformat(order.created_at),
    "id": lambda order: str(order.id),
    "name": lambda order: f"#{order.number}",
    "customer_id": lambda order: str(order.customer.id) if order.customer else "",
    "financial_status": lambda order: order.financial_status,
    "test": lambda order: str(order.test).lower(),
    "source_name": lambda order: "web",
    "cart_token": lambda order: order.cart_token or "",
    "checkout_token": lambda order: order.checkout_token,
}


def search(orders: list[Order], query: str | None) -> list[Order]:
    """Return the orders that match all terms; refuses a term the store does not know."""
    text = query or ""
    terms = [term(*found) for found in TERM.findall(text)]
    rest = re.sub(r"\bAND\b", "", TERM.sub("", text)).strip()
    if rest:
        raise GraphQLError(f"the sandbox store cannot search for {rest!r}")
    return [order for order in orders if all(matches(order) for matches in terms)]


def term(name: str, sign: str, quoted: str) -> Callable[[Order], bool]:
    """Return the test of one term."""
    if name not in FIELDS:
        raise GraphQLError(f"the sandbox store cannot search orders by {name!r}")
    value: object = quoted.strip("'\"")
    if name.endswith("_at"):
        value = instant(str(value))
    compare, read = COMPARE[sign or "="], FIELDS[name]
    return lambda order: compare(read(order), value)


def instant(text: str) -> datetime:
    """Read a time; without an offset it is UTC."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise GraphQLError(f"{text!r} is not a time") from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def sort_key(order: Order, sort: str) -> Key:
    """Return an order's place under a sort key; instants are compared in UTC."""
    if sort == "ID":
        return "", order.id
    return datetime.fromisoformat(SORTS[sort](order)).astimezone(UTC).isoformat(), order.id


def connection(entries: Sequence[tuple[Key, Make]], arguments: Json) -> Json:
    """Return one page of a list, asked for by first/after or last/before."""
    first, last = arguments.get("first"), arguments.get("last")
    if (first is None) == (last is None):
        raise GraphQLError("you must provide one of first or last")
    size = int(first if first is not None else last or 0)
    if not 1 <= size <= 250:
        raise GraphQLError("first and last are from 1 to 250")
    backwards = bool(arguments.get("reverse"))
    ordered = sorted(entries, key=lambda entry: entry[0], reverse=backwards)
    keys = [key for key, _ in ordered]
    lowest = place(keys, arguments.get("after"), backwards=backwards, after=True)
    highest = place(keys, arguments.get("before"), backwards=backwards, after=False)
    if first is not None:
        highest = min(highest, lowest + size)
    else:
        lowest = max(lowest, highest - size)
    nodes = [make() for _, make in ordered[lowest:highest]]
    cursors = [cursor(key) for key in keys[lowest:highest]]
    return {
        "nodes": nodes,
        "edges": [{"node": n, "cursor": c} for n, c in zip(nodes, cursors, strict=True)],
        "pageInfo": {
            "hasNextPage": highest < len(ordered),
            "hasPreviousPage": lowest > 0,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }


def place(keys: list[Key], wanted: str | None, *, backwards: bool, after: bool) -> int:
    """Return where a page starts or ends; it holds though the named entry has moved since."""
    if wanted is None:
        return 0 if after else len(keys)
    pivot = uncursor(wanted)
    return sum(
        1 for key in keys if (key > pivot if backwards else key < pivot) or (after and key == pivot)
    )


def cursor(key: Key) -> str:
    """Return the opaque name of a place in a list."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def uncursor(text: str) -> Key:
    """Read a cursor."""
    try:
        value, number = json.loads(base64.urlsafe_b64decode(text))
        return str(value), int(number)
    except (ValueError, TypeError) as error:
        raise GraphQLError(f"Invalid cursor {text!r}") from error
