import base64
import hashlib
import hmac
import json
import time

from tests.sandbox.store_world import SECRET, SHOP, Connector, Store, eventually

pytest_plugins = ("tests.sandbox.store_fixtures",)


def test_a_paid_order_is_told_three_times_under_one_event(
    store: Store, connector: Connector
) -> None:
    order = store.order()

    eventually(lambda: len(connector.webhooks()) == 3)
    heard = connector.webhooks()
    assert {one.topic for one in heard} == {"orders/create", "orders/paid", "orders/updated"}
    assert len({one.headers["x-shopify-webhook-id"] for one in heard}) == 3
    assert len({one.headers["x-shopify-event-id"] for one in heard}) == 1
    assert {one.json["id"] for one in heard} == {order["id"]}


def test_the_signature_is_over_the_raw_bytes(store: Store, connector: Connector) -> None:
    store.order(pay=False, email="zoë@example.com")

    eventually(lambda: len(connector.webhooks()) == 1)
    heard = connector.webhooks()[0]
    digest = hmac.new(SECRET.encode(), heard.body, hashlib.sha256).digest()
    assert heard.headers["x-shopify-hmac-sha256"] == base64.b64encode(digest).decode()
    assert heard.headers["x-shopify-shop-domain"] == SHOP
    assert heard.headers["x-shopify-api-version"] == "2026-10"
    assert heard.json["email"] == "zoë@example.com"


def test_an_edit_is_told_as_positive_deltas_only(store: Store, connector: Connector) -> None:
    order = store.order(quantity=3)
    line = order["line_items"][0]["id"]

    store.act(order, "edit", lines=[{"line_item_id": line, "quantity": 1}])

    eventually(lambda: bool(connector.webhooks("orders/edited")))
    (heard,) = connector.webhooks("orders/edited")
    assert list(heard.json) == ["order_edit"]
    assert heard.json["order_edit"]["order_id"] == order["id"]
    assert heard.json["order_edit"]["line_items"] == {
        "additions": [],
        "removals": [{"id": line, "delta": 2}],
    }


def test_the_queue_survives_a_kill(own_store: Store, connector: Connector) -> None:
    connector.status = 500
    order = own_store.order()
    eventually(lambda: len(connector.webhooks()) >= 3)
    first = {one.headers["x-shopify-webhook-id"]: one.body for one in connector.webhooks()}

    own_store.kill()
    connector.heard.clear()
    connector.status = 200
    own_store.start()

    eventually(lambda: len(connector.webhooks()) == 3)
    again = {one.headers["x-shopify-webhook-id"]: one.body for one in connector.webhooks()}
    assert again == first
    assert own_store.http.get(f"/sandbox/shop/orders/{order['id']}").json() == order
    eventually(lambda: {one["state"] for one in own_store.deliveries()} == {"delivered"})


def test_a_failed_delivery_waits_twice_as_long_each_time(
    store: Store, connector: Connector
) -> None:
    connector.status = 503
    store.order(pay=False)

    eventually(lambda: len(connector.webhooks()) == 2)
    connector.status = 200
    eventually(lambda: store.deliveries()[0]["state"] == "delivered")
    answers = store.deliveries()[0]["answers"]
    assert [one["status"] for one in answers] == [503, 503, 200]
    assert len({one.headers["x-shopify-webhook-id"] for one in connector.webhooks()}) == 1


def test_a_duplicate_carries_the_same_webhook_id(store: Store, connector: Connector) -> None:
    store.switch(duplicate=3)

    store.order(pay=False)

    eventually(lambda: store.deliveries()[0]["state"] == "delivered")
    assert len(connector.webhooks()) == 3
    assert len({one.headers["x-shopify-webhook-id"] for one in connector.webhooks()}) == 1


def test_nothing_is_sent_while_on_hold(store: Store, connector: Connector) -> None:
    store.switch(hold=True)
    store.order()
    time.sleep(0.5)
    assert connector.webhooks() == []

    store.switch(hold=False)

    eventually(lambda: len(connector.webhooks()) == 3)


def test_a_dropped_message_is_sent_only_when_asked(store: Store, connector: Connector) -> None:
    store.switch(drop=1)
    store.order(pay=False)
    assert store.deliveries()[0]["state"] == "dropped"

    store.http.post(f"/sandbox/shop/deliveries/{store.deliveries()[0]['id']}/send")

    eventually(lambda: store.deliveries()[0]["state"] == "delivered")
    assert len(connector.webhooks()) == 1


def test_a_delay_holds_a_message_back(store: Store, connector: Connector) -> None:
    store.switch(delay=1.0)
    asked = time.monotonic()

    store.order(pay=False)

    eventually(lambda: len(connector.webhooks()) == 1)
    assert time.monotonic() - asked >= 1.0


def test_reordering_shuffles_within_its_window(store: Store, connector: Connector) -> None:
    store.switch(reorder=1.5, seed=3)

    numbers = [store.order(pay=False)["order_number"] for _ in range(8)]

    eventually(lambda: len(connector.webhooks()) == 8)
    heard = [json.loads(one.body)["order_number"] for one in connector.webhooks()]
    assert sorted(heard) == numbers
    assert heard != numbers


def test_an_unknown_switch_is_refused_and_nothing_changes(store: Store) -> None:
    before = store.http.get("/sandbox/shop/switches").json()

    answer = store.http.put("/sandbox/shop/switches", json={"drop": 0.5, "chaos": 1})

    assert answer.status_code == 422
    assert "chaos" in answer.json()["error"]
    assert store.http.get("/sandbox/shop/switches").json() == before
