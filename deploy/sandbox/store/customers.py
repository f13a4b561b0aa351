"""The shop's customers: each verb changes one, saves them and queues what Shopify would tell."""

import json
import sqlite3
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from sandbox.store import database, deliveries, payloads, people
from sandbox.store.errors import NotFound, Refused
from sandbox.store.order import Customer
from sandbox.store.orders import Orders
from sandbox.store.settings import Settings

MERGE_STATES = ("completed", "failed", "in_progress", "requested")


class Customers:
    """The book of customers; whoever is not written in it is a demo customer or a stranger."""

    def __init__(self, orders: Orders, settings: Settings) -> None:
        """Keep the way to the orders, and the shop's name."""
        self._orders = orders
        self._shop = settings.shop

    def get(self, connection: sqlite3.Connection, *, customer_id: int) -> Customer:
        """Return a customer as they are now."""
        row = connection.execute(
            "SELECT document FROM customers WHERE id = ?", (customer_id,)
        ).fetchone()
        if row is None:
            return people.anyone(customer_id)
        document = json.loads(row["document"])
        if document is None:
            raise NotFound(f"customer {customer_id} is gone")
        return Customer(**document)

    def create(
        self, connection: sqlite3.Connection, *, wish: dict[str, Any], customer_id: int | None
    ) -> Customer:
        """Make an account; it is told as created and as enabled."""
        number = customer_id or database.next_id(connection, "customer")
        made = Customer(**{**asdict(people.anyone(number)), **wish, "id": number})
        self._save(connection, made.id, made)
        body = payloads.account_body(made, now())
        self._tell(connection, [("customers/create", body), ("customers/enable", body)])
        return made

    def update(
        self, connection: sqlite3.Connection, *, customer_id: int, changes: dict[str, Any]
    ) -> Customer:
        """Change a profile."""
        found = self.get(connection, customer_id=customer_id)
        changed = replace(found, **changes)
        self._save(connection, changed.id, changed)
        self._tell(connection, [("customers/update", payloads.account_body(changed, now()))])
        return changed

    def merge(
        self, connection: sqlite3.Connection, *, kept: int, removed: int, status: str
    ) -> Customer:
        """Merge one customer into another; the kept one gets the orders, the other is gone."""
        if kept == removed:
            raise Refused("a customer is merged into another one")
        if status not in MERGE_STATES:
            raise Refused(f"status is one of {', '.join(MERGE_STATES)}")
        survivor = self.get(connection, customer_id=kept)
        self.get(connection, customer_id=removed)
        if status == "completed":
            self._orders.rename(connection, former=removed, customer=survivor)
            self._save(connection, removed, None)
        body = payloads.merge_body(kept=kept, removed=removed, status=status)
        self._tell(connection, [("customers/merge", body)])
        return survivor

    def request_data(self, connection: sqlite3.Connection, *, customer_id: int) -> dict[str, Any]:
        """Ask the app for everything that it keeps of a customer."""
        found = self.get(connection, customer_id=customer_id)
        order_ids = self._orders.ids_of(connection, customer_id=customer_id)
        body = payloads.person_body(self._shop, found) | {
            "orders_requested": order_ids,
            "data_request": {"id": database.next_id(connection, "data_request")},
        }
        self._tell(connection, [("customers/data_request", body)])
        return body

    def redact(self, connection: sqlite3.Connection, *, customer_id: int) -> dict[str, Any]:
        """Forget a customer, also on the orders, and have the app do likewise."""
        found = self.get(connection, customer_id=customer_id)
        order_ids = self._orders.ids_of(connection, customer_id=customer_id)
        body = payloads.person_body(self._shop, found) | {"orders_to_redact": order_ids}
        self._orders.rename(connection, former=customer_id, customer=None)
        self._save(connection, customer_id, None)
        self._tell(connection, [("customers/redact", body)])
        return body

    def close(self, connection: sqlite3.Connection) -> dict[str, Any]:
        """Tell the app, as 48 hours after it was taken out, to forget the shop."""
        body = payloads.shop_body(self._shop)
        self._tell(connection, [("shop/redact", body)])
        return body

    def _save(self, connection: sqlite3.Connection, number: int, customer: Customer | None) -> None:
        connection.execute(
            "INSERT INTO customers (id, document) VALUES (?, ?) ON CONFLICT (id)"
            " DO UPDATE SET document = excluded.document",
            (number, json.dumps(asdict(customer) if customer else None)),
        )

    def _tell(
        self, connection: sqlite3.Connection, messages: list[tuple[str, dict[str, Any]]]
    ) -> None:
        deliveries.enqueue(connection, order_id=deliveries.NO_ORDER, messages=messages)


def now() -> str:
    """Return the present as Shopify writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
