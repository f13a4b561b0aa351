"""Deliveries: durable before they are answered, understood afterwards, each once."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select, update

from connector.tasks import inbox
from shopify_gateway.models import DeliveryState, ShopOrder, WebhookDelivery
from tests.factories.serving import Served, webhook_digest
from tests.factories.shop_orders import wallet_sums
from tests.factories.shopify_bodies import order_body


@pytest.fixture
def api(shared_api: Served) -> Served:
    return shared_api


def deliveries(api: Served) -> list[WebhookDelivery]:
    with api.house.transaction() as session:
        return list(session.exec(select(WebhookDelivery).order_by(col(WebhookDelivery.id))))


def credits(api: Served) -> dict[str, int]:
    with api.house.transaction() as session:
        return wallet_sums(session)


@pytest.mark.parametrize("family", ["X-Shopify", "Shopify", "x-shopify", "SHOPIFY"])
def test_a_signed_delivery_is_kept_as_it_came(api: Served, family: str) -> None:
    body = json.dumps(order_body(), indent=3).encode()

    answer = api.deliver(body, "orders/paid", id="one", family=family)

    kept = deliveries(api)
    assert (answer.status_code, answer.content) == (200, b"")
    assert [(each.topic, each.webhook_id, each.body) for each in kept] == [
        ("orders/paid", "one", body)
    ]
    assert (kept[0].state, kept[0].attempts) == (DeliveryState.PENDING, 0)
    assert credits(api) == {}


def flipped(body: bytes) -> bytes:
    return bytes([body[0] ^ 1]) + body[1:]


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "no base64 at all",
        webhook_digest(b"{}", "other"),
        webhook_digest(b"{}").lower(),
        webhook_digest(b"{}")[:-1],
        webhook_digest(b"{} "),
        webhook_digest(flipped(b"{}")),
        webhook_digest(b"{}", ""),
    ],
)
def test_a_delivery_that_is_not_signed_is_refused(api: Served, digest: str) -> None:
    answer = api.deliver(b"{}", X_Shopify_Hmac_Sha256=digest)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert deliveries(api) == []


def test_a_single_bit_decides(api: Served) -> None:
    body = json.dumps(order_body()).encode()

    answer = api.deliver(flipped(body), X_Shopify_Hmac_Sha256=webhook_digest(body))

    assert answer.status_code == 401
    assert deliveries(api) == []


@pytest.mark.parametrize("header", ["X-Shopify-Topic", "X-Shopify-Webhook-Id"])
@pytest.mark.parametrize("value", ["", "x" * 256])
def test_a_delivery_without_topic_or_id_is_refused(api: Served, header: str, value: str) -> None:
    answer = api.deliver(b"{}", **{header: value})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert deliveries(api) == []


@pytest.mark.parametrize("shop", ["other.myshopify.com", "", "x" * 300])
def test_a_delivery_of_a_shop_that_is_not_connected_is_not_found(api: Served, shop: str) -> None:
    answer = api.deliver(b"{}", **{"X-Shopify-Shop-Domain": shop})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert deliveries(api) == []


def test_the_same_delivery_is_kept_once(api: Served) -> None:
    answers = [api.deliver(order_body(), id="again").status_code for _ in range(10)]

    inbox.drain(api.house)

    assert answers == [200] * 10
    assert [each.state for each in deliveries(api)] == [DeliveryState.DONE]
    assert credits(api) == {"sim A": 60}


def test_one_event_under_many_ids_has_one_effect(api: Served) -> None:
    body = order_body(quantity=3)
    for number in range(5):
        api.deliver(body, ("orders/create", "orders/paid")[number % 2], id=f"d{number}")

    inbox.drain(api.house)

    assert [each.outcome for each in deliveries(api)] == ["posted", *["agreed"] * 4]
    assert credits(api) == {"sim A": 180}


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"\xff\xfe\x00", b"[]", b'"text"', b"{}", b'{"id": "x"}', b"null"],
)
def test_a_signed_body_that_makes_no_sense_is_kept_and_dead(api: Served, body: bytes) -> None:
    answer = api.deliver(body, "orders/paid")

    inbox.drain(api.house)

    dead = deliveries(api)[0]
    assert answer.status_code == 200
    assert (dead.state, dead.attempts, dead.body) == (DeliveryState.DEAD, 1, body)
    assert dead.last_error


@pytest.mark.parametrize(("topic", "body"), [("themes/publish", b"<x/>"), ("app/uninstalled", b"")])
def test_an_unknown_topic_is_ignored(api: Served, topic: str, body: bytes) -> None:
    answer = api.deliver(body, topic)

    inbox.drain(api.house)

    done = deliveries(api)[0]
    assert answer.status_code == 200
    assert (done.state, done.outcome) == (DeliveryState.DONE, "ignored")


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("orders/edited", {"order_edit": {"order_id": 5001}}),
        ("refunds/create", {"order_id": 5001, "id": 1}),
    ],
)
def test_what_only_names_an_order_has_it_read_later(
    api: Served, topic: str, body: dict[str, Any]
) -> None:
    api.deliver(body, topic)

    inbox.drain(api.house)

    with api.house.transaction() as session:
        order = session.exec(select(ShopOrder)).one()
    assert (order.order_id, order.snapshot) == (5001, None)
    assert order.read_due_at is not None


def test_a_poisonous_delivery_does_not_stop_the_others(api: Served) -> None:
    api.deliver(order_body(10**30), id="poison")
    api.deliver(order_body(5002), id="good")

    inbox.drain(api.house)

    poison, good = deliveries(api)
    assert (good.state, good.outcome) == (DeliveryState.DONE, "posted")
    assert (poison.state, poison.attempts) == (DeliveryState.PENDING, 1)
    assert poison.due_at > datetime.now(UTC) + timedelta(seconds=1)
    assert poison.last_error
    assert credits(api) == {"sim A": 60}


def test_a_poisonous_delivery_is_given_up_in_the_end(api: Served) -> None:
    api.deliver(order_body(10**30), id="poison")

    for _ in range(10):
        with api.house.transaction() as session:
            session.exec(update(WebhookDelivery).values(due_at=datetime.now(UTC)))
        inbox.drain(api.house)

    poison = deliveries(api)[0]
    assert (poison.state, poison.attempts) == (DeliveryState.DEAD, 9)


def test_a_delivery_is_not_handled_before_its_time(api: Served) -> None:
    api.deliver(order_body())
    with api.house.transaction() as session:
        later = datetime.now(UTC) + timedelta(minutes=1)
        session.exec(update(WebhookDelivery).values(due_at=later))

    inbox.drain(api.house)

    assert deliveries(api)[0].state is DeliveryState.PENDING
    assert credits(api) == {}
