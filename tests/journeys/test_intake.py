"""What the webhook intake answers, and what becomes of strange deliveries."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest

from tests.factories.sandbox_people import HOUR, Merchant, Visitor
from tests.factories.sandbox_process import SandboxProcess, eventually

Deliver = Callable[..., httpx.Response]
LIMIT = 2 * 1024 * 1024


@pytest.fixture
def deliver(sandbox: SandboxProcess) -> Deliver:
    """Post a signed delivery to the intake."""

    def post(body: bytes, *, topic: str = "orders/paid", **headers: str) -> httpx.Response:
        secret = sandbox.env["SIMSTUDIO_SHOPIFY__CLIENT_SECRET"].encode()
        digest = base64.b64encode(hmac.digest(secret, body, hashlib.sha256)).decode()
        given = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": digest,
            "X-Shopify-Shop-Domain": sandbox.env["SIMSTUDIO_SHOP"],
            "X-Shopify-Webhook-Id": str(uuid.uuid4()),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        url = f"{sandbox.env['SIMSTUDIO_URL']}/api/shopify/webhooks"
        with httpx.Client(trust_env=False, timeout=20) as client:
            return client.post(url, content=body, headers=given)

    return post


@pytest.fixture
def rows(sandbox: SandboxProcess) -> Iterator[Callable[..., list[Any]]]:
    """Look into the database where no route does."""
    with psycopg.connect(sandbox.env["SIMSTUDIO_DATABASE_URL"], autocommit=True) as connection:
        yield lambda query, *values: connection.execute(query, values).fetchall()


def test_an_unsigned_delivery_is_refused_and_not_kept(
    deliver: Deliver, rows: Callable[..., list[Any]], sandbox: SandboxProcess
) -> None:
    name = str(uuid.uuid4())

    answer = deliver(b"{}", X_Shopify_Webhook_Id=name, X_Shopify_Hmac_Sha256="bm8=")

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["content-type"] == "application/problem+json"
    assert rows("SELECT state FROM webhook_delivery WHERE webhook_id = %s", name) == []
    assert sandbox.violations() == ""


def test_an_oversized_delivery_is_refused_and_not_kept(
    deliver: Deliver, rows: Callable[..., list[Any]]
) -> None:
    name = str(uuid.uuid4())

    answer = deliver(b"[" + b" " * LIMIT + b"]", X_Shopify_Webhook_Id=name)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.headers["content-type"] == "application/problem+json"
    assert rows("SELECT state FROM webhook_delivery WHERE webhook_id = %s", name) == []


@pytest.mark.parametrize("body", [b"no json", b"\xff\xfe", b"[1]", b'{"id": "x"}'])
def test_a_signed_delivery_that_nobody_can_read_is_kept_as_dead(
    body: bytes, deliver: Deliver, rows: Callable[..., list[Any]]
) -> None:
    name = str(uuid.uuid4())

    answer = deliver(body, X_Shopify_Webhook_Id=name)

    assert (answer.status_code, answer.content) == (200, b"")
    query = "SELECT state, attempts, body FROM webhook_delivery WHERE webhook_id = %s"
    eventually(lambda: rows(query, name), [("dead", 1, body)])


def test_a_topic_nobody_asked_for_is_taken_and_ignored(
    deliver: Deliver, rows: Callable[..., list[Any]]
) -> None:
    name = str(uuid.uuid4())

    answer = deliver(b"{}", topic="products/update", X_Shopify_Webhook_Id=name)

    assert answer.status_code == 200
    query = "SELECT state, outcome FROM webhook_delivery WHERE webhook_id = %s"
    eventually(lambda: rows(query, name), [("done", "ignored")])


def test_a_delivery_of_another_shop_is_refused(deliver: Deliver) -> None:
    answer = deliver(b"{}", X_Shopify_Shop_Domain="other.myshopify.com")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_an_unknown_variant_grants_nothing_and_keeps_the_rest_of_its_order(
    visitor: Visitor,
    merchant: Merchant,
    deliver: Deliver,
    rows: Callable[..., list[Any]],
    sandbox: SandboxProcess,
) -> None:
    merchant.switch(drop=1)
    order = merchant.order(visitor.customer, {HOUR: 2})
    shirt = {**order["line_items"][0], "id": 1, "admin_graphql_api_id": None, "variant_id": 99}
    order["line_items"].append(shirt)

    answer = deliver(json.dumps(order).encode())

    assert answer.status_code == 200
    eventually(visitor.minutes, (120, 0))
    query = "SELECT facts->>'order_id' FROM attention_item WHERE kind = 'unknown_variant'"
    eventually(lambda: (str(order["id"]),) in rows(query + " AND key = '99'"), expected=True)
    assert sandbox.violations() == ""


def test_an_order_without_a_customer_keeps_its_credits_for_whoever_claims_them(
    merchant: Merchant, rows: Callable[..., list[Any]], sandbox: SandboxProcess
) -> None:
    order = merchant.order(None, {HOUR: 1})

    query = (
        "SELECT granted, available, alias.kind, alias.value FROM lot"
        " JOIN wallet_alias AS alias USING (studio_id, wallet_id) WHERE lot.order_id = %s"
    )
    whose = ("order", str(order["id"]))
    eventually(lambda: rows(query, order["id"]), [(60, 60, *whose)])
    assert sandbox.violations() == ""
