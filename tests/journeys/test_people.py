"""Customers who claim, merge, give and go, through the whole running studio."""

from collections.abc import Callable
from datetime import date
from typing import Any

from tests.factories.sandbox_people import HOUR, Json, Merchant, Visitor, at
from tests.factories.sandbox_process import SandboxProcess, eventually

NewVisitor = Callable[[], Visitor]


def tell(merchant: Merchant, path: str, method: str = "POST", **body: Any) -> Json:
    """Have the shop do something to a customer."""
    answer = merchant.shop.request(method, f"/{path}", json=body)
    assert answer.status_code in (200, 201), answer.text
    told: Json = answer.json()
    return told


def buy(merchant: Merchant, email: str, customer: int | None = None, **properties: str) -> Json:
    """Buy an hour, as a guest unless a customer is named."""
    lines = [{"variant_id": HOUR, "quantity": 1, "properties": properties}]
    return tell(merchant, "orders", customer=customer, email=email, pay=True, lines=lines)


def test_a_guest_makes_an_account_and_finds_their_credits(
    visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess
) -> None:
    email = f"guest-{visitor.customer}@example.com"
    buy(merchant, email.upper())

    tell(merchant, "customers", id=visitor.customer, email=email, verified_email=False)
    eventually(merchant.waiting, 0)
    before = visitor.minutes()
    tell(merchant, f"customers/{visitor.customer}", "PUT", verified_email=True)

    eventually(visitor.minutes, (60, 0))
    assert before == (0, 0)
    assert sandbox.violations() == ""


def test_two_accounts_become_one_and_the_order_is_refunded_afterwards(
    new_visitor: NewVisitor, merchant: Merchant, sandbox: SandboxProcess, day: date
) -> None:
    kept, removed = new_visitor(), new_visitor()
    order = merchant.order(removed.customer, {HOUR: 2})
    eventually(removed.minutes, (120, 0))
    assert removed.book(at(day, 10)).status_code == 201

    tell(merchant, f"customers/{removed.customer}/merge", into=kept.customer)
    eventually(kept.minutes, (60, 60))
    merchant.refund(order, [1])

    eventually(kept.minutes, (0, 60))
    assert kept.bookings() == [(at(day, 10), "confirmed")]
    assert sandbox.violations() == ""


def test_a_gift_is_redeemed_by_a_friend(
    new_visitor: NewVisitor, merchant: Merchant, sandbox: SandboxProcess
) -> None:
    buyer, friend = new_visitor(), new_visitor()
    buy(merchant, "", buyer.customer, _gift_to="friend@example.com")

    eventually(lambda: len(buyer.get("gifts").json()["gifts"]), 1)
    eventually(
        lambda: buyer.get("gifts").json()["gifts"][0]["code"] is None, expected=False, seconds=30
    )
    (gift,) = buyer.get("gifts").json()["gifts"]
    redeemed = friend.post("claims", {"code": gift["code"]})

    assert redeemed.status_code == 200, redeemed.text
    assert (friend.minutes(), buyer.minutes()) == ((60, 0), (0, 0))
    assert sandbox.violations() == ""


def test_a_customer_is_forgotten_and_their_slot_is_free(
    visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess, day: date
) -> None:
    merchant.order(visitor.customer, {HOUR: 1})
    eventually(visitor.minutes, (60, 0))
    assert visitor.book(at(day, 10)).status_code == 201

    tell(merchant, f"customers/{visitor.customer}/redact")

    eventually(lambda: visitor.bays_free(at(day, 10)), 4)
    eventually(visitor.minutes, (0, 0))
    assert sandbox.violations() == ""
