import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLObjectType,
    build_client_schema,
    build_schema,
    parse,
    validate,
)

from sandbox.store.admin_api import SDL
from tests.sandbox.store_world import HOUR, ROOT, SCHEMA, Store

pytest_plugins = ("tests.sandbox.store_fixtures",)

QUERIES = ROOT / "shopify/shopify_gateway/queries"
LIST = """
query Changed($q: String, $after: String, $first: Int = 2) {
  orders(first: $first, after: $after, query: $q, sortKey: UPDATED_AT) {
    nodes { id legacyResourceId name updatedAt displayFinancialStatus fullyPaid edited test }
    pageInfo { hasNextPage endCursor }
  }
}
"""
TRUTH = """
query Truth($id: ID!) {
  order(id: $id) {
    id displayFinancialStatus cancelReason customer { id } customAttributes { key value }
    lineItems(first: 100) {
      nodes {
        id quantity currentQuantity refundableQuantity variant { id }
        customAttributes { key value }
        originalUnitPriceSet { shopMoney { amount currencyCode } }
      }
      pageInfo { hasNextPage endCursor }
    }
    refunds(first: 10) {
      id createdAt
      refundLineItems(first: 10) { nodes { id quantity lineItem { id } } }
    }
  }
}
"""


def test_the_subset_is_part_of_the_real_schema() -> None:
    if not SCHEMA.exists():
        pytest.skip("the real schema is not on this machine")
    introspection = json.loads(gzip.decompress(SCHEMA.read_bytes()))
    real = build_client_schema(introspection.get("data", introspection), assume_valid=True)
    ours = build_schema(SDL.read_text())

    wrong = []
    for name, kind in ours.type_map.items():
        theirs: Any = real.type_map.get(name)
        if isinstance(kind, GraphQLEnumType):
            wrong += [f"{name}.{value}" for value in kind.values if value not in theirs.values]
        if not isinstance(kind, GraphQLObjectType) or name.startswith("__"):
            continue
        for field_name, field in kind.fields.items():
            twin = theirs.fields.get(field_name)
            if twin is None or str(twin.type) != str(field.type):
                wrong.append(f"{name}.{field_name}: {field.type}")
                continue
            wrong += [
                f"{name}.{field_name}({argument})"
                for argument, value in field.args.items()
                if argument not in twin.args or str(twin.args[argument].type) != str(value.type)
            ]
    assert wrong == []


@pytest.mark.parametrize("file", sorted(QUERIES.glob("*.graphql")), ids=lambda file: file.stem)
def test_what_the_connector_asks_can_be_answered(file: Path) -> None:
    assert validate(build_schema(SDL.read_text()), parse(file.read_text())) == []


def test_an_order_is_read_as_it_is_now(store: Store) -> None:
    order = store.order(quantity=3)
    line = order["line_items"][0]["id"]
    store.act(order, "refund", lines=[{"line_item_id": line, "quantity": 1}])

    answer = store.graphql(TRUTH, id=order["admin_graphql_api_id"])

    found = answer["data"]["order"]
    (item,) = found["lineItems"]["nodes"]
    assert found["displayFinancialStatus"] == "PARTIALLY_REFUNDED"
    assert (item["quantity"], item["currentQuantity"], item["refundableQuantity"]) == (3, 2, 2)
    assert item["variant"] == {"id": f"gid://shopify/ProductVariant/{HOUR}"}
    assert item["customAttributes"] == [{"key": "_hold", "value": "h-1"}]
    assert item["originalUnitPriceSet"]["shopMoney"] == {"amount": "45.00", "currencyCode": "CAD"}
    given_back = found["refunds"][0]["refundLineItems"]["nodes"]
    assert [(part["quantity"], part["lineItem"]["id"]) for part in given_back] == [
        (1, f"gid://shopify/LineItem/{line}")
    ]


def test_pages_by_change_lose_nobody_while_orders_change(own_store: Store) -> None:
    orders = [own_store.order(pay=False) for _ in range(4)]
    first = own_store.graphql(LIST)["data"]["orders"]

    moved = next(one for one in orders if one["name"] == first["nodes"][1]["name"])
    own_store.act(moved, "pay")
    rest = own_store.graphql(LIST, after=first["pageInfo"]["endCursor"], first=50)["data"]["orders"]

    names = {node["name"] for node in first["nodes"] + rest["nodes"]}
    assert names == {order["name"] for order in orders}


def test_orders_are_found_by_when_they_changed(store: Store) -> None:
    order = store.order()

    since = store.graphql(LIST, q=f"updated_at:>='{order['updated_at']}'", first=250)
    never = store.graphql(LIST, q="updated_at:>='2099-01-01T00:00:00Z'")

    assert order["name"] in {node["name"] for node in since["data"]["orders"]["nodes"]}
    assert never["data"]["orders"]["nodes"] == []


def test_an_order_that_is_not_there_is_null(store: Store) -> None:
    assert store.graphql(TRUTH, id="gid://shopify/Order/1")["data"] == {"order": None}


def test_the_shop_and_the_app_say_who_they_are(store: Store) -> None:
    answer = store.graphql(
        "{ shop { name myshopifyDomain ianaTimezone currencyCode }"
        " currentAppInstallation { accessScopes { handle } }"
        " webhookSubscriptions(first: 50) { nodes { topic uri } pageInfo { hasNextPage } } }"
    )

    data = answer["data"]
    assert data["shop"]["ianaTimezone"] == "America/Toronto"
    assert {"handle": "read_orders"} in data["currentAppInstallation"]["accessScopes"]
    topics = {node["topic"] for node in data["webhookSubscriptions"]["nodes"]}
    assert {"ORDERS_PAID", "REFUNDS_CREATE", "ORDERS_EDITED"} <= topics
    cost = answer["extensions"]["cost"]
    assert 0 < cost["actualQueryCost"] <= cost["requestedQueryCost"]


@pytest.mark.parametrize("query", ["{ order { id } }", "{ orders(first: 1) { nodes { ids } } }"])
def test_a_document_that_does_not_validate_is_refused(store: Store, query: str) -> None:
    answer = store.graphql(query)

    assert "data" not in answer
    assert answer["errors"]


def test_a_wrong_token_is_a_401(store: Store) -> None:
    answer = store.http.post(
        "/admin/api/2026-10/graphql.json",
        json={"query": "{ shop { name } }"},
        headers={"X-Shopify-Access-Token": "stolen"},
    )

    assert answer.status_code == 401
    assert store.http.get("/sandbox/shop/calls?limit=1").json()["calls"][0]["status"] == 401


def test_a_query_over_the_limit_is_never_run(store: Store) -> None:
    answer = store.graphql(
        "{ orders(first: 100) { nodes { lineItems(first: 50) { nodes { id } } } } }"
    )

    assert answer["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


def test_an_empty_bucket_throttles_with_a_200_and_says_how_long_to_wait(
    own_store: Store,
) -> None:
    for _ in range(230):
        own_store.order(pay=False, quantity=1)
    answers = [own_store.graphql(LIST, first=230) for _ in range(14)]

    throttled = [answer for answer in answers if "errors" in answer]
    assert throttled
    assert throttled[0]["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert "data" not in throttled[0]
    cost = throttled[0]["extensions"]["cost"]
    assert cost["actualQueryCost"] is None
    assert cost["throttleStatus"]["maximumAvailable"] == 2000
    assert cost["throttleStatus"]["restoreRate"] == 100
    assert cost["throttleStatus"]["currentlyAvailable"] < cost["requestedQueryCost"]
