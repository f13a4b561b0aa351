"""The fake shop tells about people as the real one does."""

import base64
import hashlib
import hmac
from typing import Any

from tests.sandbox.store_world import HOUR, SECRET, SHOP, Connector, Store, eventually

pytest_plugins = ("tests.sandbox.store_fixtures",)

ROBIN, SAM = 7301452833281, 7301452866049


def act(store: Store, path: str, method: str = "POST", **body: Any) -> Any:
    answer = store.http.request(method, f"/sandbox/shop/{path}", json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def only(connector: Connector, topic: str) -> Any:
    eventually(lambda: bool(connector.webhooks(topic)))
    (heard,) = connector.webhooks(topic)
    digest = base64.b64encode(hmac.new(SECRET.encode(), heard.body, hashlib.sha256).digest())
    assert heard.headers["x-shopify-hmac-sha256"] == digest.decode()
    return heard.json


def test_an_account_is_told_as_created_and_enabled(store: Store, connector: Connector) -> None:
    made = act(store, "customers", email="Zoë@Example.com", verified_email=False, phone="+1 555")

    created, enabled = only(connector, "customers/create"), only(connector, "customers/enable")
    assert created == enabled == made
    assert (created["email"], created["verified_email"]) == ("Zoë@Example.com", False)
    assert created["admin_graphql_api_id"] == f"gid://shopify/Customer/{created['id']}"


def test_a_profile_is_changed_and_kept(store: Store, connector: Connector) -> None:
    act(store, f"customers/{ROBIN}", "PUT", email="robin@new.example", verified_email=True)

    assert only(connector, "customers/update")["email"] == "robin@new.example"
    assert store.http.get(f"/sandbox/shop/customers/{ROBIN}").json()["email"] == (
        "robin@new.example"
    )
    order = store.order(customer=ROBIN)
    assert order["customer"]["email"] == order["email"] == "robin@new.example"


def test_a_merge_names_both_and_moves_the_orders(own_store: Store, connector: Connector) -> None:
    order = own_store.order(customer=SAM)

    act(own_store, f"customers/{SAM}/merge", into=ROBIN)

    assert only(connector, "customers/merge") == {
        "admin_graphql_api_customer_kept_id": f"gid://shopify/Customer/{ROBIN}",
        "admin_graphql_api_customer_deleted_id": f"gid://shopify/Customer/{SAM}",
        "admin_graphql_api_job_id": None,
        "status": "completed",
        "errors": [],
    }
    moved = own_store.http.get(f"/sandbox/shop/orders/{order['id']}").json()
    assert moved["customer"]["id"] == ROBIN
    assert own_store.http.get(f"/sandbox/shop/customers/{SAM}").status_code == 404


def test_a_merge_that_failed_moves_nothing(own_store: Store, connector: Connector) -> None:
    order = own_store.order(customer=SAM)

    act(own_store, f"customers/{SAM}/merge", into=ROBIN, status="failed")

    assert only(connector, "customers/merge")["errors"] != []
    kept = own_store.http.get(f"/sandbox/shop/orders/{order['id']}").json()
    assert kept["customer"]["id"] == SAM


def test_the_law_s_requests_name_the_person_and_the_orders(
    own_store: Store, connector: Connector
) -> None:
    made = act(own_store, "customers", email="quill@example.com", address="17 Rue Zoë")
    order = own_store.order(customer=made["id"])
    assert order["billing_address"]["address1"] == "17 Rue Zoë"

    act(own_store, f"customers/{made['id']}/data-request")
    act(own_store, f"customers/{made['id']}/redact")
    act(own_store, "redact")

    person = {"id": made["id"], "email": "quill@example.com", "phone": None}
    asked, redacted = only(connector, "customers/data_request"), only(connector, "customers/redact")
    assert asked["customer"] == redacted["customer"] == person
    assert asked["orders_requested"] == redacted["orders_to_redact"] == [order["id"]]
    assert isinstance(asked["data_request"]["id"], int)
    assert only(connector, "shop/redact") == {"shop_id": 954889, "shop_domain": SHOP}
    after = own_store.http.get(f"/sandbox/shop/orders/{order['id']}").json()
    assert (after.get("customer"), after["email"]) == (None, "")


def test_a_guest_s_order_has_an_address_and_no_customer(store: Store, connector: Connector) -> None:
    line = {"variant_id": HOUR, "quantity": 1}
    order = store.order(customer=None, email="guest@example.com", lines=[line])

    assert order.get("customer") is None
    assert order["email"] == "guest@example.com"


def test_what_cannot_be_meant_is_refused(store: Store, connector: Connector) -> None:
    for path, body in (
        ("customers", {}),
        ("customers", {"email": 5}),
        ("customers", {"email": "a@example.com", "id": "x"}),
        (f"customers/{ROBIN}/merge", {"into": ROBIN}),
        (f"customers/{ROBIN}/merge", {"into": "x"}),
        (f"customers/{ROBIN}/merge", {"into": SAM, "status": "maybe"}),
        (f"customers/{ROBIN}/redact", {"really": True}),
    ):
        answer = store.http.post(f"/sandbox/shop/{path}", json=body)
        assert answer.status_code == 422, path
        assert "error" in answer.json()
