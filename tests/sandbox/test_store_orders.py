from typing import Any

import pytest

from tests.sandbox.store_world import COACHING, PACKAGE, Connector, Store, eventually

pytest_plugins = ("tests.sandbox.store_fixtures",)


def only_line(order: Any, quantity: int) -> list[dict[str, int]]:
    return [{"line_item_id": order["line_items"][0]["id"], "quantity": quantity}]


def test_an_unpaid_order_is_pending_until_it_is_paid(store: Store) -> None:
    order = store.order(pay=False)
    assert (order["financial_status"], order["total_outstanding"]) == ("pending", "90.00")

    paid = store.act(order, "pay")

    assert (paid["financial_status"], paid["total_outstanding"]) == ("paid", "0.00")


def test_a_pending_order_that_is_cancelled_is_voided(store: Store) -> None:
    cancelled = store.act(store.order(pay=False), "cancel", refund=False)

    assert cancelled["financial_status"] == "voided"
    assert cancelled["cancelled_at"] == cancelled["updated_at"]
    assert cancelled["line_items"][0]["current_quantity"] == 0
    assert cancelled["refunds"][0]["transactions"] == []


def test_a_paid_order_cancelled_without_money_stays_paid(store: Store) -> None:
    cancelled = store.act(store.order(), "cancel", refund=False)

    assert cancelled["financial_status"] == "paid"
    assert cancelled["refunds"][0]["refund_line_items"][0]["quantity"] == 2
    assert cancelled["refunds"][0]["transactions"] == []


def test_a_paid_order_cancelled_with_money_is_refunded(store: Store) -> None:
    cancelled = store.act(store.order(), "cancel", refund=True)

    assert cancelled["financial_status"] == "refunded"
    assert cancelled["refunds"][0]["transactions"][0]["amount"] == "90.00"
    assert cancelled["current_total_price"] == "0.00"


def test_refunds_add_up(store: Store, connector: Connector) -> None:
    order = store.order()

    once = store.act(order, "refund", lines=only_line(order, 1))
    twice = store.act(order, "refund", lines=only_line(order, 1))

    assert (once["financial_status"], twice["financial_status"]) == (
        "partially_refunded",
        "refunded",
    )
    assert [one["line_items"][0]["current_quantity"] for one in (order, once, twice)] == [2, 1, 0]
    assert twice["line_items"][0]["quantity"] == 2
    eventually(lambda: len(connector.webhooks("refunds/create")) == 2)
    assert {one.json["order_id"] for one in connector.webhooks("refunds/create")} == {order["id"]}


def test_units_given_back_without_money_leave_a_discrepancy(store: Store) -> None:
    order = store.order()

    refunded = store.act(order, "refund", lines=only_line(order, 2), amount="0.00")

    assert refunded["financial_status"] == "paid"
    assert refunded["line_items"][0]["current_quantity"] == 0
    assert refunded["refunds"][0]["order_adjustments"][0]["amount"] == "90.00"
    assert refunded["total_outstanding"] == "0.00"


def test_money_given_back_without_units_keeps_the_units(store: Store) -> None:
    refunded = store.act(store.order(), "refund", amount="10.00")

    assert refunded["financial_status"] == "partially_refunded"
    assert refunded["line_items"][0]["current_quantity"] == 2
    assert refunded["refunds"][0]["refund_line_items"] == []
    assert refunded["current_total_price"] == "80.00"


def test_what_an_edit_left_overpaid_can_be_given_back(store: Store) -> None:
    order = store.order()

    down = store.act(order, "edit", lines=only_line(order, 1))
    settled = store.act(order, "refund", amount="45.00")

    assert (down["financial_status"], down["total_outstanding"]) == ("paid", "-45.00")
    assert settled["total_outstanding"] == "0.00"
    assert settled["refunds"][0]["order_adjustments"] == []
    assert settled["line_items"][0]["current_quantity"] == 1


def test_an_edit_up_leaves_the_order_partially_paid_and_back_down_paid(store: Store) -> None:
    order = store.order(quantity=1)

    up = store.act(order, "edit", lines=only_line(order, 3))
    down = store.act(order, "edit", lines=only_line(order, 1))

    assert (up["financial_status"], up["total_outstanding"]) == ("partially_paid", "90.00")
    assert (down["financial_status"], down["total_outstanding"]) == ("paid", "0.00")
    assert [one["line_items"][0]["current_quantity"] for one in (up, down)] == [3, 1]


def test_an_edit_can_add_another_product(store: Store) -> None:
    edited = store.act(
        store.order(), "edit", lines=[], add=[{"variant_id": COACHING, "quantity": 1}]
    )

    assert [line["variant_id"] for line in edited["line_items"]][1] == COACHING
    assert edited["total_outstanding"] == "60.00"


def test_a_guest_has_no_customer(store: Store) -> None:
    order = store.order(customer=None, email="guest@example.com", test=True)

    assert "customer" not in order
    assert (order["email"], order["test"]) == ("guest@example.com", True)


@pytest.mark.parametrize(
    ("verb", "body", "words"),
    [
        ("refund", {}, "needs lines, an amount"),
        ("refund", {"amount": "90.01"}, "between 0.00 and 90.00"),
        ("refund", {"amount": "ten"}, "is not an amount"),
        ("refund", {"lines": [{"line_item_id": 1, "quantity": 1}]}, "no line item 1"),
        ("edit", {"lines": []}, "changes nothing"),
        ("edit", {"add": [{"variant_id": 5, "quantity": 1}]}, "no variant 5"),
        ("pay", {}, "nothing is owed"),
        ("cancel", {"refund": "yes"}, "true or false"),
        ("cancel", {"reason": "boredom"}, "reason is"),
        ("pay", {"now": True}, "unknown field now"),
    ],
)
def test_a_refusal_says_why_and_leaves_no_trace(
    store: Store, verb: str, body: dict[str, Any], words: str
) -> None:
    order = store.order()
    told = len(store.deliveries())

    answer = store.http.post(f"/sandbox/shop/orders/{order['id']}/{verb}", json=body)

    assert answer.status_code in {404, 422}
    assert words in answer.json()["error"]
    assert store.http.get(f"/sandbox/shop/orders/{order['id']}").json() == order
    assert len(store.deliveries()) == told


def test_the_merchant_page_refunds_units_without_money(store: Store) -> None:
    order = store.order(lines=[{"variant_id": PACKAGE, "quantity": 2}])
    line = order["line_items"][0]["id"]

    page = store.http.post(
        f"/admin/orders/{order['id']}/refund",
        data={f"line-{line}": "1", "money": "none", "amount": ""},
        follow_redirects=True,
    )

    assert "Refunded." in page.text
    now = store.http.get(f"/sandbox/shop/orders/{order['id']}").json()
    assert (now["financial_status"], now["line_items"][0]["current_quantity"]) == ("paid", 1)


def test_a_dispute_goes_its_way_and_is_told_at_every_step(
    store: Store, connector: Connector
) -> None:
    order = store.order()
    path = f"/sandbox/shop/orders/{order['id']}/disputes"

    opened = store.http.post(path, json={"type": "inquiry", "amount": "45.00"})
    moved = store.http.post(
        f"{path}/{opened.json()['id']}", json={"status": "under_review", "type": "chargeback"}
    ).json()
    lost = store.http.post(f"{path}/{moved['id']}", json={"status": "lost"}).json()

    assert opened.status_code == 201
    assert [
        (each["type"], each["status"], each["amount"], each["finalized_on"] is not None)
        for each in (opened.json(), moved, lost)
    ] == [
        ("inquiry", "needs_response", "45.00", False),
        ("chargeback", "under_review", "45.00", False),
        ("chargeback", "lost", "45.00", True),
    ]
    eventually(lambda: len(connector.webhooks("disputes/update")) == 2)
    (created,) = connector.webhooks("disputes/create")
    assert created.json["order_id"] == order["id"]
    assert created.json.keys() == {
        "id",
        "order_id",
        "type",
        "amount",
        "currency",
        "reason",
        "network_reason_code",
        "status",
        "evidence_due_by",
        "evidence_sent_on",
        "finalized_on",
        "initiated_at",
    }
    asked = "query D($id: ID!) { order(id: $id) { disputes { id initiatedAs status } } }"
    answer = store.graphql(asked, id=order["admin_graphql_api_id"])
    (shown,) = answer["data"]["order"]["disputes"]
    assert (shown["initiatedAs"], shown["status"]) == ("CHARGEBACK", "LOST")
    assert shown["id"].endswith(f"/{lost['id']}")


@pytest.mark.parametrize(
    "wrong", [{"type": "row"}, {"amount": "90.01"}, {"amount": "0.00"}, {"weight": 3}]
)
def test_a_dispute_of_nothing_is_refused(store: Store, wrong: dict[str, Any]) -> None:
    path = f"/sandbox/shop/orders/{store.order()['id']}/disputes"

    assert store.http.post(path, json=wrong).status_code == 422
    assert store.http.post(f"{path}/1", json={"status": "lost"}).status_code == 404


def test_a_discount_comes_off_the_line_in_both_shapes(store: Store, connector: Connector) -> None:
    order = store.order(quantity=3)
    line = order["line_items"][0]["id"]

    cut = store.act(order, "discount", lines=[{"line_item_id": line, "amount": "10.00"}])

    assert cut["line_items"][0]["discount_allocations"][0]["amount"] == "10.00"
    assert (cut["financial_status"], cut["current_total_price"]) == ("paid", "125.00")
    asked = (
        "query L($id: ID!) { order(id: $id) { lineItems(first: 5) { nodes {"
        " discountAllocations { allocatedAmountSet { shopMoney { amount } } } } } } }"
    )
    answer = store.graphql(asked, id=order["admin_graphql_api_id"])
    (node,) = answer["data"]["order"]["lineItems"]["nodes"]
    assert node["discountAllocations"][0]["allocatedAmountSet"]["shopMoney"]["amount"] == "10.00"
    eventually(lambda: len(connector.webhooks("orders/edited")) == 1)
    refunded = store.act(cut, "refund", lines=only_line(cut, 3))
    assert refunded["refunds"][0]["transactions"][0]["amount"] == "125.00"
    assert refunded["financial_status"] == "partially_refunded"


def test_a_deleted_order_leaves_its_id(store: Store, connector: Connector) -> None:
    order = store.order()

    assert store.http.delete(f"/sandbox/shop/orders/{order['id']}").status_code == 204

    assert store.http.get(f"/sandbox/shop/orders/{order['id']}").status_code == 404
    eventually(lambda: len(connector.webhooks("orders/delete")) == 1)
    assert connector.webhooks("orders/delete")[0].json == {"id": order["id"]}
