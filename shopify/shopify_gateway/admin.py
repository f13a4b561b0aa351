"""The Admin GraphQL API over httpx: timeouts, the cost bucket, and errors in our words.

Only reads so far, so a call that got no answer may be repeated by whoever made it. Facts:
shopify.dev "Rate limits" (a throttled answer is HTTP 200 with THROTTLED among top-level errors).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import httpx

from booking_engine.errors import Unavailable
from shopify_gateway.order import Order, from_admin

TIMEOUT = httpx.Timeout(10.0, connect=3.0)
PAGE = 50


class AdminRefused(Exception):
    """Shopify understood the call and said no; repeating it will not help."""


class AccessDenied(AdminRefused):
    """Something was asked for that our scopes do not show."""


class Admin:
    """One shop's Admin API. Thread-safe; close it when done."""

    def __init__(self, *, url: str, token: str) -> None:
        self._url = url
        self._sees_disputes = True  # until Shopify says that our scopes do not show them
        self._client = httpx.Client(
            timeout=TIMEOUT, headers={"X-Shopify-Access-Token": token}, follow_redirects=False
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def order(self, order_id: int) -> Order | None:
        """Return the present state of an order, None where Shopify has none."""
        variables: dict[str, Any] = {"id": f"gid://shopify/Order/{order_id}", "after": None}
        read_at = datetime.now(UTC)
        node: dict[str, Any] | None = None
        lines: list[dict[str, Any]] = []
        while True:
            page = self._order_page(variables)
            if page is None:
                return None
            node = node or page
            lines += page["lineItems"]["nodes"]
            info = page["lineItems"]["pageInfo"]
            if not info["hasNextPage"]:
                return from_admin(node, lines, read_at=read_at)
            variables["after"] = info["endCursor"]

    def _order_page(self, variables: dict[str, Any]) -> dict[str, Any] | None:
        """Return a page of an order's lines, with its disputes where we may see them."""
        page: dict[str, Any] | None
        try:
            page = self._ask("order", {**variables, "disputes": self._sees_disputes})["order"]
        except AccessDenied:
            if not self._sees_disputes:
                raise
            self._sees_disputes = False
            page = self._ask("order", {**variables, "disputes": False})["order"]
        return page

    def orders_updated_since(self, since: datetime) -> Iterator[int]:
        """Yield the ids of orders updated at or after an instant, the oldest update first."""
        variables: dict[str, Any] = {
            "query": f"updated_at:>='{since.strftime('%Y-%m-%dT%H:%M:%SZ')}'",
            "first": PAGE,
            "after": None,
        }
        while True:
            page = self._ask("orders", variables)["orders"]
            for node in page["nodes"]:
                yield int(node["legacyResourceId"])
            if not page["pageInfo"]["hasNextPage"]:
                return
            variables["after"] = page["pageInfo"]["endCursor"]

    def access(self) -> tuple[str, list[str]]:
        """Return the shop's domain and the scopes that our token has."""
        data = self._ask("access", {})
        scopes = data["currentAppInstallation"]["accessScopes"]
        return data["shop"]["myshopifyDomain"], sorted(scope["handle"] for scope in scopes)

    def webhook_topics(self) -> list[str]:
        """Return the topics of the webhook subscriptions that the shop has for us."""
        data = self._ask("subscriptions", {})
        return sorted(node["topic"] for node in data["webhookSubscriptions"]["nodes"])

    def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        body = {"query": document(query), "variables": variables}
        try:
            answer = self._client.post(self._url, json=body)
        except httpx.HTTPError as error:
            raise Unavailable(f"Shopify did not answer: {type(error).__name__}") from error
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            raise Unavailable(
                f"Shopify answered {answer.status_code}", retry_after_seconds=_retry_after(answer)
            )
        if answer.is_error:
            raise AdminRefused(f"Shopify answered {answer.status_code} to {query}")
        return _data(query, answer)


def document(query: str) -> str:
    """Return the text of one of our queries."""
    return files("shopify_gateway").joinpath("queries", f"{query}.graphql").read_text()


def _data(query: str, answer: httpx.Response) -> dict[str, Any]:
    try:
        parsed = answer.json()
    except ValueError as error:
        raise Unavailable("Shopify's answer is not JSON") from error
    errors = parsed.get("errors")
    if not errors:
        data: dict[str, Any] = parsed["data"]
        return data
    codes = [error.get("extensions", {}).get("code") for error in errors]
    if "THROTTLED" in codes:
        raise Unavailable("Shopify throttles us", retry_after_seconds=_refill(parsed))
    if "INTERNAL_SERVER_ERROR" in codes:
        raise Unavailable("Shopify failed inside")
    messages = "; ".join(str(error.get("message")) for error in errors)
    if "ACCESS_DENIED" in codes:
        raise AccessDenied(f"{query}: {messages}")
    raise AdminRefused(f"{query}: {messages}")


def _refill(parsed: dict[str, Any]) -> float:
    """Return the seconds until the bucket holds what the query asks for."""
    cost = parsed.get("extensions", {}).get("cost", {})
    status = cost.get("throttleStatus", {})
    missing = cost.get("requestedQueryCost", 0) - status.get("currentlyAvailable", 0)
    return float(max(0.5, missing / max(1.0, status.get("restoreRate", 50.0))))


def _retry_after(answer: httpx.Response) -> float | None:
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.replace(".", "", 1).isdigit() else None
