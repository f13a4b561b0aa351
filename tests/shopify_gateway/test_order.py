"""Reading orders: every shape that was ever sent, and none that stops the queue."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shopify_gateway import order as orders
from shopify_gateway.order import UnreadableOrder, from_admin, from_webhook
from tests.factories.order_shapes import (
    CUSTOMER,
    LINE,
    ORDER,
    admin_line,
    admin_order,
    make_line,
    make_order,
    webhook_body,
    webhook_line,
)
from tests.factories.studio import HOUR, NOW

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "shopify" / "webhooks"


def samples(folder: str) -> list[Any]:
    """Return the collected payloads of a folder that are orders."""
    paths = sorted((SAMPLES / folder).glob("*.json"))
    found = [
        pytest.param(json.loads(path.read_text()), id=path.stem)
        for path in paths
        if path.stem.startswith("orders_")
    ]
    found = [each for each in found if "line_items" in each.values[0]]
    absent = pytest.mark.skip(reason=f"the collected payloads are not here: {SAMPLES / folder}")
    return found or [pytest.param(None, marks=absent)]


def test_a_webhook_is_read_without_personal_data() -> None:
    read = from_webhook(webhook_body(email="golfer@example.com"))

    assert read == orders.Order(
        id=ORDER,
        name="#1001",
        updated_at=NOW,
        ordered_at=NOW - timedelta(minutes=1),
        financial_status="paid",
        is_cancelled=False,
        is_test=False,
        customer_id=CUSTOMER,
        currency="CAD",
        lines=(orders.OrderLine(LINE, HOUR, 2, 2, 9000, "h-1"),),
    )


@pytest.mark.parametrize("payload", samples("captured_sanitised"))
def test_a_captured_order_is_read(payload: dict[str, Any]) -> None:
    read = from_webhook(payload)

    assert str(read.id) in str(payload.get("admin_graphql_api_id", payload["id"]))
    assert len(read.lines) == len(payload["line_items"])
    assert all(0 <= line.current_quantity <= line.quantity for line in read.lines)
    assert orders.from_snapshot(orders.to_snapshot(read)) == read


@pytest.mark.parametrize("payload", samples("official_2026-04"))
def test_an_official_sample_grants_nothing(payload: dict[str, Any]) -> None:
    read = from_webhook(payload)

    assert (read.is_paid, read.is_open) == (False, False)
    assert read.id == int(payload["admin_graphql_api_id"].rpartition("/")[2])


@pytest.mark.parametrize(
    ("properties", "hold"),
    [
        ([{"name": "_hold", "value": "h-1"}, {"name": "Name", "value": "Zoë"}], "h-1"),
        ({"_hold": "h-1", "Name": None}, "h-1"),
        ([{"name": "_hold", "value": 17}], "17"),
        ([], None),
        ({}, None),
        (None, None),
        ([None, "_hold", {"value": "h-1"}, {"name": "_hold", "value": None}], None),
        ("_hold", None),
        (5, None),
    ],
)
def test_line_properties_of_any_shape_are_survived(properties: object, hold: str | None) -> None:
    read = from_webhook(webhook_body(webhook_line(properties=properties)))

    assert (read.lines[0].hold, read.lines[0].quantity) == (hold, 2)


def test_a_line_without_properties_carries_no_hold() -> None:
    line = webhook_line()
    del line["properties"]

    assert from_webhook(webhook_body(line)).holds == []


def test_each_hold_is_named_once_in_the_order_of_the_lines() -> None:
    lines = [
        webhook_line(id=number, admin_graphql_api_id=None, properties={"_hold": hold})
        for number, hold in enumerate(["b", "a", "b"], start=1)
    ]

    assert from_webhook(webhook_body(*lines)).holds == ["b", "a"]


@pytest.mark.parametrize(("refunded", "current"), [(0, 3), (2, 1), (5, 0)])
def test_an_old_shape_tells_what_is_left_by_its_refunds(refunded: int, current: int) -> None:
    line = webhook_line(quantity=3)
    del line["current_quantity"]
    one_by_one = [{"line_item_id": LINE, "quantity": 1}] * refunded
    other = {"line_item_id": LINE + 1, "quantity": 9}
    refunds = [{"refund_line_items": one_by_one}, {"refund_line_items": [other]}]

    read = from_webhook(webhook_body(line, refunds=refunds, processed_at=None))

    assert read.lines[0].current_quantity == current
    assert read.ordered_at == NOW - timedelta(minutes=2)


def test_the_global_id_is_believed_before_the_plain_one() -> None:
    rounded = webhook_line(id=13_900_000_000_000)

    read = from_webhook(webhook_body(rounded, id=5_821_000_000_000))

    assert (read.id, read.lines[0].id) == (ORDER, LINE)


@pytest.mark.parametrize(
    ("currency", "price", "discounts", "paid"),
    [
        ("CAD", "45.00", [], 9000),
        ("CAD", "45.00", ["4.50", "0.01"], 8549),
        ("CAD", "45.00", ["90.00"], 0),
        ("CAD", "45.00", ["95.00"], 0),
        ("JPY", "4500", ["1000"], 8000),
        ("JPY", "4500.00", [], 9000),
        ("KWD", "12.345", ["0.001"], 24689),
        ("CAD", None, [], 0),
        ("CAD", "free", [], 0),
    ],
)
def test_what_was_paid_is_counted_in_minor_units_after_every_discount(
    currency: str, price: str | None, discounts: list[str], paid: int
) -> None:
    allocations = [{"amount": amount} for amount in discounts]
    line = webhook_line(price=price, discount_allocations=allocations)

    read = from_webhook(webhook_body(line, currency=currency))

    assert read.lines[0].paid_minor == paid


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": 1},
        webhook_body(id="abc", admin_graphql_api_id=None),
        webhook_body(updated_at="yesterday"),
        webhook_body(updated_at="2026-11-20T10:00:00"),
        webhook_body(line_items=5),
        webhook_body(id=float("inf"), admin_graphql_api_id=None),
        webhook_body(webhook_line(quantity="two")),
        webhook_body(webhook_line(price="NaN")),
        webhook_body(webhook_line(price="Infinity")),
        webhook_body(webhook_line(discount_allocations=["4.50"])),
        webhook_body(refunds=["all"]),
        webhook_body(refunds=[{"refund_line_items": ["one"]}]),
    ],
)
def test_what_cannot_be_understood_is_called_unreadable(body: dict[str, Any]) -> None:
    with pytest.raises(UnreadableOrder):
        from_webhook(body)


def test_lines_that_are_no_lines_are_passed_over() -> None:
    read = from_webhook(webhook_body(line_items=[None, "line", {"title": "tip"}, webhook_line()]))

    assert [line.id for line in read.lines] == [LINE]


@pytest.mark.parametrize(
    ("customer", "known"),
    [
        (None, None),
        ({}, None),
        ({"id": 7001}, 7001),
        ({"id": 7000, "admin_graphql_api_id": "gid://shopify/Customer/7001"}, 7001),
    ],
)
def test_an_order_may_have_no_customer(customer: object, known: int | None) -> None:
    assert from_webhook(webhook_body(customer=customer)).customer_id == known


@pytest.mark.parametrize(
    ("status", "cancelled", "test", "paid_and_open"),
    [
        ("paid", False, False, (True, False)),
        ("partially_refunded", False, False, (True, False)),
        ("refunded", False, False, (True, False)),
        ("pending", False, False, (False, True)),
        ("authorized", False, False, (False, True)),
        ("partially_paid", False, False, (False, True)),
        ("voided", False, False, (False, False)),
        ("expired", False, False, (False, False)),
        ("paid", True, False, (False, False)),
        ("paid", False, True, (True, False)),
        ("pending", True, False, (False, False)),
    ],
)
def test_only_a_paid_order_grants_and_only_an_unpaid_one_is_open(
    status: str,
    cancelled: bool,  # noqa: FBT001 - a table
    test: bool,  # noqa: FBT001 - a table
    paid_and_open: tuple[bool, bool],
) -> None:
    order = make_order(status=status, cancelled=cancelled, test=test)

    assert (order.is_paid, order.is_open) == paid_and_open


PAID = make_order(make_line(3, 3))


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (replace(PAID, updated_at=NOW + timedelta(seconds=1)), PAID),
        (replace(PAID, is_cancelled=True), PAID),
        (PAID, replace(PAID, financial_status="pending")),
        (replace(PAID, financial_status="partially_refunded"), PAID),
        (replace(PAID, lines=(make_line(3, 2),)), PAID),
        (
            replace(PAID, financial_status="pending", updated_at=NOW + timedelta(seconds=1)),
            replace(PAID, is_cancelled=True),
        ),
    ],
)
def test_within_one_second_the_state_further_along_is_the_newer(
    newer: orders.Order, older: orders.Order
) -> None:
    assert newer.is_newer_than(older)
    assert not older.is_newer_than(newer)


def test_the_same_state_is_not_newer_than_itself() -> None:
    same_instant = replace(PAID, updated_at=NOW.astimezone(UTC))

    assert not PAID.is_newer_than(same_instant)


def test_an_order_survives_its_snapshot() -> None:
    read = from_webhook(webhook_body(webhook_line(variant_id=None), customer=None))

    snapshot = json.loads(json.dumps(orders.to_snapshot(read)))

    assert orders.from_snapshot(snapshot) == read


@pytest.mark.parametrize(
    "body",
    [
        webhook_body(),
        webhook_body(financial_status="partially_refunded", customer=None),
        webhook_body(
            webhook_line(quantity=3, current_quantity=1), cancelled_at="2026-11-20T15:00Z"
        ),
        webhook_body(webhook_line(discount_allocations=[{"amount": "4.50"}]), test=True),
        webhook_body(webhook_line(price="12.345"), currency="KWD"),
    ],
)
def test_the_admin_api_and_the_webhook_tell_the_same_order(body: dict[str, Any]) -> None:
    lines = [admin_line(line) for line in body["line_items"]]

    assert from_admin(admin_order(body), lines) == from_webhook(body)


def test_a_discount_code_lowers_what_was_paid_in_both_shapes() -> None:
    line = webhook_line(discount_allocations=[{"amount": "9.00"}])
    body = webhook_body(line)

    read = from_admin(admin_order(body), [admin_line(line, code_discount="9.00")])

    assert read.lines[0].paid_minor == from_webhook(body).lines[0].paid_minor == 8100


@pytest.mark.parametrize("missing", ["legacyResourceId", "updatedAt", "currencyCode"])
def test_an_admin_order_without_what_is_needed_is_unreadable(missing: str) -> None:
    node = admin_order(webhook_body())
    del node[missing]

    with pytest.raises(UnreadableOrder):
        from_admin(node, [])


def test_an_order_in_two_zones_is_the_same_instant() -> None:
    read = from_webhook(webhook_body(updated_at="2026-11-20T15:00:00Z"))

    assert read.updated_at == datetime(2026, 11, 20, 15, tzinfo=UTC)
    assert not read.is_newer_than(from_webhook(webhook_body()))
