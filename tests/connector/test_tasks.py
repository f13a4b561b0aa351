"""The drains that a worker runs: the inbox is tested beside the webhooks, here are the others."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import respx
from sqlmodel import col, select, update

from booking_engine.attention import AttentionItem
from booking_engine.booking import bookings
from booking_engine.booking.models import Booking, BookingStatus, Hold, HoldStatus
from booking_engine.catalog import queries
from connector.runtime import Runtime
from connector.tables import IdempotencyRecord
from connector.tasks import book, orders
from shopify_gateway import orders as gateway
from shopify_gateway.models import ShopOrder
from tests.conftest import Servers, make_house
from tests.factories.serving import tuesday_at
from tests.factories.shop_orders import place_hold, wallet_sums
from tests.factories.shopify_bodies import order_node
from tests.factories.studio import apply_demo, make_lot, make_request, make_wallet

ADMIN = "http://admin.test/graphql.json"


@pytest.fixture
def shop(template: Servers, new_database: Callable[[], str]) -> Iterator[Runtime]:
    """A house that may read from the shop's Admin API."""
    queries.forget()
    shopify = {
        "client_id": "test",
        "client_secret": "hush",
        "admin_url": ADMIN,
        "admin_token": "shpat_test",
    }
    house = make_house(new_database(), template.redis_url, shopify=shopify)
    with house.transaction() as session:
        studio = apply_demo(session)
        for number in (5001, 5002):
            gateway.mark_for_reading(
                session, studio_id=studio.id, order_id=number, now=datetime.now(UTC)
            )
    yield house
    house.engine.dispose()


def rows(house: Runtime) -> dict[int, ShopOrder]:
    with house.transaction() as session:
        return {each.order_id: each for each in session.exec(select(ShopOrder))}


def sums(house: Runtime) -> dict[str, int]:
    with house.transaction() as session:
        return wallet_sums(session)


def answers(**by_order: dict[str, object] | None) -> Callable[[httpx.Request], httpx.Response]:
    """Answer with these nodes, by the number of the order that is asked for."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.content.decode().partition("gid://shopify/Order/")[2][:4]
        return httpx.Response(200, json={"data": {"order": by_order[f"n{asked}"]}})

    return answer


def test_an_order_that_is_due_is_read_and_converged(
    shop: Runtime, respx_mock: respx.MockRouter
) -> None:
    route = respx_mock.post(ADMIN)
    route.side_effect = answers(n5001=order_node(5001), n5002=order_node(5002, quantity=2))

    for _ in range(2):
        orders.read(shop)

    assert route.call_count == 2
    assert sums(shop) == {"sim A": 180}
    assert [each.read_due_at for each in rows(shop).values()] == [None, None]


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(500),
        httpx.Response(429, headers={"Retry-After": "2"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(
            200, json={"errors": [{"message": "slow", "extensions": {"code": "THROTTLED"}}]}
        ),
        httpx.Response(401),
        httpx.ReadTimeout("late"),
    ],
    ids=["500", "429", "no json", "throttled", "401", "timeout"],
)
def test_an_order_that_cannot_be_read_is_read_later(
    shop: Runtime, respx_mock: respx.MockRouter, trouble: httpx.Response | Exception
) -> None:
    respx_mock.post(ADMIN).mock(side_effect=[trouble, trouble])

    orders.read(shop)

    for row in rows(shop).values():
        assert row.read_due_at is not None
        assert row.read_due_at > datetime.now(UTC)
        assert (row.read_attempts, bool(row.last_error)) == (1, True)
    assert sums(shop) == {}


def test_an_order_that_makes_no_sense_does_not_keep_others_from_being_read(
    shop: Runtime, respx_mock: respx.MockRouter
) -> None:
    odd = order_node(5001) | {"updatedAt": "yesterday"}
    respx_mock.post(ADMIN).side_effect = answers(n5001=odd, n5002=order_node(5002))

    orders.read(shop)

    assert sums(shop) == {"sim A": 60}
    assert rows(shop)[5002].read_due_at is None
    assert rows(shop)[5001].last_error


def test_an_order_that_the_shop_does_not_show_is_listed(
    shop: Runtime, respx_mock: respx.MockRouter
) -> None:
    respx_mock.post(ADMIN).side_effect = answers(n5001=None, n5002=order_node(5002))

    orders.read(shop)

    with shop.transaction() as session:
        items = session.exec(select(AttentionItem)).all()
    assert [(each.kind, each.key) for each in items] == [("order_not_readable", "5001")]
    assert sums(shop) == {"sim A": 60}


def test_without_a_token_orders_wait(house: Runtime) -> None:
    with house.transaction() as session:
        studio_id = queries.only_id(session)
        gateway.mark_for_reading(session, studio_id=studio_id, order_id=5001, now=datetime.now(UTC))

    orders.read(house)

    assert rows(house)[5001].read_due_at is not None
    assert sums(house) == {}


def test_the_sweep_writes_down_what_the_clock_has_made_true(house: Runtime) -> None:
    now = datetime.now(UTC)
    with house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        lapsed = place_hold(
            session, studio, make_request(tuesday_at(18)), now=now - timedelta(hours=1)
        )
        wallet = make_wallet(session, studio)
        make_lot(session, studio, wallet, 60)
        begun = bookings.book(
            session,
            studio=studio,
            request=make_request(tuesday_at(12)),
            wallet_id=wallet.id,
            actor="test",
            now=now,
        )
        over = {"starts_at": now - timedelta(hours=2), "ends_at": now - timedelta(hours=1)}
        session.exec(update(Booking).where(col(Booking.id) == begun.id).values(**over))
        old = {"request_digest": b"", "status": 201, "body": b"", "studio_id": studio.id}
        for days in (0, 3):
            session.add(
                IdempotencyRecord(
                    **old, caller="c", key=str(days), created_at=now - timedelta(days=days)
                )
            )

    book.sweep(house)

    with house.transaction() as session:
        assert session.exec(select(Hold)).one().status is HoldStatus.EXPIRED
        statuses = {each.id: each.status for each in session.exec(select(Booking))}
        kept = [each.key for each in session.exec(select(IdempotencyRecord))]
    assert statuses == {
        lapsed.booking_id: BookingStatus.EXPIRED,
        begun.id: BookingStatus.COMPLETED,
    }
    assert sums(house) == {"sim S": 60}
    assert kept == ["0"]
