import pytest

from tests.sandbox.store_world import AVERY, COACHING, HOUR, Store

pytest_plugins = ("tests.sandbox.store_fixtures",)


def test_the_same_variant_with_the_same_properties_is_one_line(store: Store) -> None:
    item = {"id": HOUR, "quantity": 1, "properties": {"_hold": "a", "When": "ten"}}
    store.http.post("/cart/add.js", json={"items": [item]})

    store.http.post("/cart/add.js", json=item | {"quantity": 2})

    cart = store.http.get("/cart.js").json()
    assert [(line["variant_id"], line["quantity"]) for line in cart["items"]] == [(HOUR, 3)]
    assert (cart["item_count"], cart["total_price"]) == (3, 13500)


def test_other_properties_are_another_line(store: Store) -> None:
    items = [{"id": HOUR, "quantity": 1, "properties": {"_hold": name}} for name in ("a", "b")]

    added = store.http.post("/cart/add.js", json={"items": items}).json()

    assert len({line["key"] for line in added["items"]}) == 2
    assert store.http.get("/cart.js").json()["item_count"] == 2


def test_an_item_that_does_not_exist_adds_nothing_of_its_company(store: Store) -> None:
    items = [{"id": HOUR, "quantity": 1}, {"id": 1, "quantity": 1}]

    answer = store.http.post("/cart/add.js", json={"items": items})

    assert answer.status_code == 404
    assert answer.json() == {
        "status": 404,
        "message": "Cart Error",
        "description": "Cannot find variant",
    }
    assert store.http.get("/cart.js").json()["items"] == []


def test_a_line_is_changed_by_key_and_by_position(store: Store) -> None:
    items = [{"id": HOUR, "quantity": 1}, {"id": COACHING, "quantity": 1}]
    added = store.http.post("/cart/add.js", json={"items": items}).json()["items"]

    store.http.post("/cart/change.js", json={"id": added[0]["key"], "quantity": 4})
    cart = store.http.post("/cart/change.js", json={"line": 2, "quantity": 0}).json()

    assert [(line["variant_id"], line["quantity"]) for line in cart["items"]] == [(HOUR, 4)]


@pytest.mark.parametrize("updates", [[0, 2], {str(HOUR): 0, str(COACHING): 2}])
def test_many_lines_are_updated_at_once(store: Store, updates: object) -> None:
    items = [{"id": HOUR, "quantity": 1}, {"id": COACHING, "quantity": 1}]
    store.http.post("/cart/add.js", json={"items": items})

    cart = store.http.post("/cart/update.js", json={"updates": updates}).json()

    assert [(line["variant_id"], line["quantity"]) for line in cart["items"]] == [(COACHING, 2)]


def test_the_page_hides_properties_with_an_underscore(store: Store) -> None:
    properties = {"_hold": "hidden-hold", "When": "Saturday at ten"}
    store.http.post("/cart/add.js", json={"id": HOUR, "quantity": 1, "properties": properties})

    page = store.http.get("/cart").text

    assert "Saturday at ten" in page
    assert "hidden-hold" not in page


def test_paying_turns_the_cart_into_an_order_of_the_customer(store: Store) -> None:
    store.http.post("/account/login", data={"customer": str(AVERY), "back": "/cart"})
    properties = {"_hold": "h-9"}
    store.http.post("/cart/add.js", json={"id": HOUR, "quantity": 1, "properties": properties})
    token = store.http.get("/cart.js").json()["token"]

    page = store.http.post("/checkout", data={"pay": "now"}, follow_redirects=True)

    assert "Thank you, Avery!" in page.text
    order = store.http.get("/sandbox/shop/orders?limit=1").json()["orders"][0]
    assert order["line_items"][0]["properties"] == [{"name": "_hold", "value": "h-9"}]
    assert (order["customer"]["id"], order["cart_token"]) == (AVERY, token)
    assert order["financial_status"] == "paid"
    assert store.http.get("/cart.js").json()["items"] == []


def test_paying_later_makes_a_pending_order_and_a_second_click_makes_none(store: Store) -> None:
    store.http.post("/cart/add.js", json={"id": HOUR, "quantity": 1})
    cookies = dict(store.http.cookies)
    form = {"pay": "later", "email": "guest@example.com"}
    store.http.post("/checkout", data=form)

    store.http.cookies.update(cookies)
    again = store.http.post("/checkout", data=form)

    assert again.headers["location"] == "/cart"
    newest, *rest = store.http.get("/sandbox/shop/orders?limit=2").json()["orders"]
    assert (newest["financial_status"], newest["email"]) == ("pending", "guest@example.com")
    assert all(order["email"] != "guest@example.com" for order in rest)


def test_the_cart_survives_a_kill(own_store: Store) -> None:
    own_store.http.post("/cart/add.js", json={"id": HOUR, "quantity": 5})
    cookies = dict(own_store.http.cookies)

    own_store.kill()
    own_store.start()

    own_store.http.cookies.update(cookies)
    assert own_store.http.get("/cart.js").json()["item_count"] == 5


@pytest.mark.parametrize(
    "path", ["/", "/products/simulator-hour", "/cart", "/admin", "/admin/deliveries"]
)
def test_the_pages_stand(store: Store, path: str) -> None:
    page = store.http.get(path)

    assert page.status_code == 200
    assert "<h1" in page.text
    assert "http://" not in page.text.replace("http://www.w3.org", "")
