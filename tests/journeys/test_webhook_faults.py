"""Webhooks that come twice, late, in disorder or never."""

import json
from datetime import date

from tests.factories.sandbox_people import (
    HOUR,
    Calendars,
    Merchant,
    Visitor,
    at,
    wanted_calendars,
)
from tests.factories.sandbox_process import SandboxProcess, eventually


def test_ten_copies_of_everything_have_one_effect(
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    merchant.switch(duplicate=10)
    hold = visitor.hold(at(day, 10))

    order = visitor.check_out(hold["cart"])

    eventually(merchant.waiting, 0)
    topics = ("orders/create", "orders/paid", "orders/updated")
    assert merchant.sent(order) == {topic: [200] * 10 for topic in topics}
    eventually(lambda: visitor.status(hold["booking"]["id"]), "confirmed")
    assert visitor.minutes() == (0, 60)
    assert [(lot["granted"], lot["order"]) for lot in visitor.lots()] == [(60, order)]
    assert visitor.bookings() == [(at(day, 10), "confirmed")]
    booking = visitor.booking(hold["booking"]["id"])
    eventually(lambda: calendars.showing(booking["id"]), wanted_calendars(booking))
    assert sandbox.violations() == ""


def test_disorder_ends_in_what_the_order_is_now(
    visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess, day: date
) -> None:
    merchant.switch(reorder=1.5, duplicate=2)
    hold = visitor.hold(at(day, 10))
    order = merchant.order(visitor.customer, {HOUR: 3}, hold=hold["hold"], pay=False)

    merchant.pay(order["id"])
    merchant.refund(order, [1])

    eventually(merchant.waiting, 0)
    eventually(visitor.minutes, (60, 60))
    assert visitor.bookings() == [(at(day, 10), "confirmed")]
    standing = [lot for lot in visitor.lots() if not lot["revoked"]]
    assert [lot["granted"] for lot in standing] == [60, 60]
    assert sandbox.violations() == ""


def test_a_payment_heard_before_the_order_books_at_once(
    visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess, day: date
) -> None:
    merchant.switch(delay=600)
    hold = visitor.hold(at(day, 10))
    order = visitor.check_out(hold["cart"])
    told = merchant.deliveries(order)

    merchant.send(told["orders/paid"])

    eventually(lambda: visitor.status(hold["booking"]["id"]), "confirmed")
    assert merchant.sent(order)["orders/create"] == []
    for topic in ("orders/updated", "orders/create"):
        merchant.send(told[topic])
    eventually(merchant.waiting, 0)
    assert visitor.minutes() == (0, 60)
    assert visitor.bookings() == [(at(day, 10), "confirmed")]
    assert sandbox.violations() == ""


def test_the_audit_repairs_what_no_webhook_told_and_then_agrees(
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    merchant.switch(drop=1)
    hold = visitor.hold(at(day, 10))
    order = merchant.order(visitor.customer, {HOUR: 2}, hold=hold["hold"])
    assert {each["state"] for each in merchant.deliveries(order["id"]).values()} == {"dropped"}
    assert visitor.minutes() == (0, 0)

    repaired, agreed = sandbox.run("audit", "--json"), sandbox.run("audit", "--json")

    (first,), (second,) = json.loads(repaired.out), json.loads(agreed.out)
    assert (repaired.code, first["granted"], first["differences"]) == (1, 2, 1)
    assert (agreed.code, second["granted"], second["differences"]) == (0, 0, 0)
    assert visitor.minutes() == (60, 60)
    booking = visitor.booking(hold["booking"]["id"])
    assert booking["status"] == "confirmed"
    eventually(lambda: calendars.showing(booking["id"]), wanted_calendars(booking))
    assert sandbox.violations() == ""
