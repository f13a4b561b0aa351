"""The shop's orders: each verb changes one, saves it and queues what Shopify would tell."""

import json
import secrets
import sqlite3
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sandbox.store import database, deliveries, order, payloads
from sandbox.store.catalog import Catalog
from sandbox.store.database import Database
from sandbox.store.errors import NotFound, Refused
from sandbox.store.order import Customer, Dispute, Line, NewId, Order, Payment, Refund, RefundLine

Message = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Wanted:
    """A line somebody wants to buy."""

    variant_id: int
    quantity: int
    properties: dict[str, str]


@dataclass(frozen=True)
class Purchase:
    """Everything said at the checkout."""

    customer: Customer | None
    email: str
    lines: list[Wanted]
    pay: bool
    test: bool = False
    cart_token: str | None = None


class Orders:
    """The book of orders."""

    def __init__(self, db: Database, catalog: Catalog) -> None:
        """Keep the door to the file, and the shelf with its prices."""
        self.db = db
        self._catalog = catalog

    def create(self, connection: sqlite3.Connection, purchase: Purchase) -> Order:
        """Make an order, paid or pending."""
        if not purchase.lines:
            raise Refused("an order needs at least one line")
        new_id = issuer(connection)
        at = self._now()
        made = Order(
            id=new_id("order"),
            number=database.next_number(connection, name="number", first=1001, step=1),
            created_at=at,
            updated_at=at,
            currency=self._catalog.currency,
            customer=purchase.customer,
            email=purchase.email,
            lines=[self._line(wanted, new_id) for wanted in purchase.lines],
            cart_token=purchase.cart_token,
            checkout_token=secrets.token_hex(16),
            test=purchase.test,
        )
        topics = ["orders/create"]
        if purchase.pay or not made.ordered_minor:
            order.pay(made, at=at, new_id=new_id)
            topics += ["orders/paid", "orders/updated"]
        self._save(connection, made, topics=topics)
        return made

    def pay(self, connection: sqlite3.Connection, *, order_id: int) -> Order:
        """Mark as paid."""
        found = self.get(connection, order_id=order_id)
        order.pay(found, at=self._now(), new_id=issuer(connection))
        self._save(connection, found, topics=["orders/paid", "orders/updated"])
        return found

    def refund(
        self,
        connection: sqlite3.Connection,
        *,
        order_id: int,
        quantities: dict[int, int],
        amount_minor: int | None,
    ) -> Order:
        """Give back units, money, or both."""
        found = self.get(connection, order_id=order_id)
        done = order.refund(
            found,
            quantities=quantities,
            amount_minor=amount_minor,
            at=self._now(),
            new_id=issuer(connection),
        )
        told = ("refunds/create", payloads.refund_body(found, done))
        self._save(connection, found, topics=["orders/updated"], first=[told])
        return found

    def edit(
        self,
        connection: sqlite3.Connection,
        *,
        order_id: int,
        quantities: dict[int, int],
        additions: list[Wanted],
    ) -> Order:
        """Change what was bought."""
        found = self.get(connection, order_id=order_id)
        new_id = issuer(connection)
        changes = order.edit(
            found,
            quantities=quantities,
            additions=[self._line(wanted, new_id) for wanted in additions],
            at=self._now(),
        )
        body = payloads.edit_body(found, edit_id=new_id("order_edit"), changes=changes)
        self._save(connection, found, topics=["orders/updated"], first=[("orders/edited", body)])
        return found

    def cancel(
        self, connection: sqlite3.Connection, *, order_id: int, give_money_back: bool, reason: str
    ) -> Order:
        """Cancel, with or without the money."""
        found = self.get(connection, order_id=order_id)
        done = order.cancel(
            found,
            reason=reason,
            amount_minor=found.kept_minor if give_money_back else 0,
            at=self._now(),
            new_id=issuer(connection),
        )
        told = [("refunds/create", payloads.refund_body(found, done))] if done else []
        self._save(connection, found, topics=["orders/cancelled", "orders/updated"], first=told)
        return found

    def discount(
        self, connection: sqlite3.Connection, *, order_id: int, amounts: dict[int, int]
    ) -> Order:
        """Set what comes off whole lines."""
        found = self.get(connection, order_id=order_id)
        order.discount(found, amounts=amounts, at=self._now())
        edit_id = issuer(connection)("order_edit")
        body = payloads.edit_body(found, edit_id=edit_id, changes={})
        self._save(connection, found, topics=["orders/updated"], first=[("orders/edited", body)])
        return found

    def open_dispute(
        self,
        connection: sqlite3.Connection,
        *,
        order_id: int,
        type: str,
        amount_minor: int | None,
        reason: str,
    ) -> tuple[Order, Dispute]:
        """Let the buyer's bank dispute the payment; nothing else is told of the order."""
        found = self.get(connection, order_id=order_id)
        made = order.open_dispute(
            found,
            type=type,
            amount_minor=amount_minor,
            reason=reason,
            at=self._now(),
            new_id=issuer(connection),
        )
        told = ("disputes/create", payloads.dispute_body(found, made))
        self._save(connection, found, topics=[], first=[told])
        return found, made

    def move_dispute(
        self,
        connection: sqlite3.Connection,
        *,
        order_id: int,
        dispute_id: int,
        status: str,
        type: str | None,
    ) -> tuple[Order, Dispute]:
        """Let a dispute come to its next state."""
        found = self.get(connection, order_id=order_id)
        moved = order.move_dispute(
            found, dispute_id=dispute_id, status=status, at=self._now(), type=type
        )
        told = ("disputes/update", payloads.dispute_body(found, moved))
        self._save(connection, found, topics=[], first=[told])
        return found, moved

    def delete(self, connection: sqlite3.Connection, *, order_id: int) -> None:
        """Delete an order; the shop tells its id and nothing more."""
        found = self.get(connection, order_id=order_id)
        connection.execute("DELETE FROM orders WHERE id = ?", (found.id,))
        deliveries.enqueue(
            connection, order_id=found.id, messages=[("orders/delete", {"id": found.id})]
        )

    def mark_test(self, connection: sqlite3.Connection, *, order_id: int, test: bool) -> Order:
        """Say whether this is a test order."""
        found = self.get(connection, order_id=order_id)
        found.test = test
        found.updated_at = self._now()
        self._save(connection, found, topics=["orders/updated"])
        return found

    def get(self, connection: sqlite3.Connection, *, order_id: int) -> Order:
        """Return one order."""
        row = connection.execute("SELECT document FROM orders WHERE id = ?", (order_id,)).fetchone()
        if row is None:
            raise NotFound(f"there is no order {order_id}")
        return load(row["document"])

    def listing(self, connection: sqlite3.Connection, *, limit: int | None = None) -> list[Order]:
        """Return orders, newest first."""
        rows = connection.execute(
            "SELECT document FROM orders ORDER BY id DESC LIMIT ?",
            (-1 if limit is None else limit,),
        )
        return [load(row["document"]) for row in rows]

    def ids_of(self, connection: sqlite3.Connection, *, customer_id: int) -> list[int]:
        """Return the ids of a customer's orders."""
        return [order.id for order in self._of(connection, customer_id)]

    def rename(
        self, connection: sqlite3.Connection, *, former: int, customer: Customer | None
    ) -> None:
        """Give a customer's orders to another one, or to nobody who could be named."""
        for found in self._of(connection, former):
            found.customer = customer
            found.email = customer.email if customer else ""
            found.updated_at = self._now()
            self._save(connection, found, topics=["orders/updated"])

    def _of(self, connection: sqlite3.Connection, customer_id: int) -> list[Order]:
        found = self.listing(connection)
        return [each for each in found if each.customer and each.customer.id == customer_id]

    def _line(self, wanted: Wanted, new_id: NewId) -> Line:
        product = self._catalog.variant(wanted.variant_id)
        if not 1 <= wanted.quantity <= 1_000_000:
            raise Refused("a quantity is a whole number from 1 to 1000000")
        return Line(
            id=new_id("line_item"),
            variant_id=product.variant_id,
            product_id=product.id,
            title=product.title,
            price_minor=product.price_minor,
            quantity=wanted.quantity,
            properties=wanted.properties,
        )

    def _save(
        self,
        connection: sqlite3.Connection,
        changed: Order,
        *,
        topics: list[str],
        first: list[Message] | None = None,
    ) -> None:
        connection.execute(
            "INSERT INTO orders (id, updated_at, document) VALUES (?, ?, ?) ON CONFLICT (id)"
            " DO UPDATE SET updated_at = excluded.updated_at, document = excluded.document",
            (changed.id, changed.updated_at, json.dumps(asdict(changed))),
        )
        body = payloads.order_body(changed)
        messages = [*(first or []), *((topic, body) for topic in topics)]
        deliveries.enqueue(connection, order_id=changed.id, messages=messages)

    def _now(self) -> str:
        return datetime.now(self._catalog.zone).isoformat(timespec="seconds")


def issuer(connection: sqlite3.Connection) -> NewId:
    """Return the function that gives out ids inside a transaction."""
    return lambda kind: database.next_id(connection, kind)


def load(document: str) -> Order:
    """Make an order of its saved form."""
    fields = json.loads(document)
    fields["lines"] = [Line(**line) for line in fields["lines"]]
    fields["payments"] = [Payment(**payment) for payment in fields["payments"]]
    fields["refunds"] = [
        Refund(**(refund | {"lines": [RefundLine(**line) for line in refund["lines"]]}))
        for refund in fields["refunds"]
    ]
    fields["disputes"] = [Dispute(**dispute) for dispute in fields.get("disputes", [])]
    fields["customer"] = Customer(**fields["customer"]) if fields["customer"] else None
    return Order(**fields)
