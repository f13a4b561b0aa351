"""What the merchant does to an order, and what becomes of credits, booking and slot."""

import time
from datetime import date

from tests.factories.sandbox_people import (
    COACHING,
    HOUR,
    Calendars,
    Json,
    Merchant,
    Visitor,
    at,
    wanted_calendars,
)
from tests.factories.sandbox_process import SandboxProcess, eventually


def test_refunding_the_line_of_a_booking_cancels_it_and_frees_the_slot(
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    hold = visitor.hold(at(day, 10))
    order = merchant.order(visitor.customer, {HOUR: 1, COACHING: 2}, hold=hold["hold"])
    booking_id = hold["booking"]["id"]
    eventually(lambda: visitor.status(booking_id), "confirmed")
    booking = visitor.booking(booking_id)
    eventually(lambda: calendars.showing(booking_id), wanted_calendars(booking))
    hour = {**order, "line_items": order["line_items"][:1]}

    merchant.refund(hour, [1])

    eventually(lambda: visitor.status(booking_id), "cancelled")
    assert visitor.credits() == {"simulator_minutes": (0, 0), "coaching_sessions": (2, 0)}
    assert visitor.bays_free(at(day, 10)) == 4
    eventually(lambda: calendars.events(booking_id), [])
    assert sandbox.violations() == ""


def test_refunding_one_of_two_units_takes_the_unused_one(
    visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess, day: date
) -> None:
    order = merchant.order(visitor.customer, {HOUR: 2})
    eventually(visitor.minutes, (120, 0))
    assert visitor.book(at(day, 10)).status_code == 201

    merchant.refund(order, [1])

    eventually(visitor.minutes, (0, 60))
    assert visitor.bookings() == [(at(day, 10), "confirmed")]
    assert sandbox.violations() == ""


def test_an_edit_up_grants_when_paid_and_an_edit_down_takes_back(
    visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess
) -> None:
    order = merchant.order(visitor.customer, {HOUR: 1})
    eventually(visitor.minutes, (60, 0))

    _later(order)
    order = merchant.edit(order, [3])
    eventually(lambda: merchant.waiting(), 0)
    assert visitor.minutes() == (60, 0)
    _later(order)
    order = merchant.pay(order["id"])
    eventually(visitor.minutes, (180, 0))
    _later(order)
    order = merchant.edit(order, [1])
    eventually(visitor.minutes, (60, 0))
    _later(order)
    merchant.edit(order, [3])

    eventually(visitor.minutes, (180, 0))
    assert sorted(lot["granted"] for lot in visitor.lots()) == [60, 60, 60]
    assert sandbox.violations() == ""


def test_edits_within_one_second_end_where_the_order_ends(
    visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess
) -> None:
    order = merchant.order(visitor.customer, {HOUR: 2})
    eventually(visitor.minutes, (120, 0))

    down, up = _within_one_second(merchant, order)
    assert down["updated_at"] == up["updated_at"]

    assert up["line_items"][0]["current_quantity"] == 2
    eventually(merchant.waiting, 0)
    # What is heard later is understood later: by then both edits have had their effect.
    merchant.order(visitor.customer, {COACHING: 1})
    eventually(lambda: visitor.credits()["coaching_sessions"], (1, 0))
    eventually(visitor.minutes, (120, 0), seconds=10)
    assert sandbox.run("audit").code == 0
    assert sandbox.violations() == ""


def test_a_cancelled_order_takes_everything_back(
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    hold = visitor.hold(at(day, 10))
    order = visitor.check_out(hold["cart"])
    booking_id = hold["booking"]["id"]
    eventually(lambda: visitor.status(booking_id), "confirmed")

    merchant.cancel(order, refund=True)

    eventually(lambda: visitor.status(booking_id), "cancelled")
    assert visitor.minutes() == (0, 0)
    assert visitor.bays_free(at(day, 10)) == 4
    eventually(lambda: calendars.events(booking_id), [])
    assert sandbox.violations() == ""


def test_an_order_paid_later_keeps_its_slot_until_then(
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    hold = visitor.hold(at(day, 10))
    booking_id = hold["booking"]["id"]
    order = visitor.check_out(hold["cart"], pay="later")
    eventually(lambda: visitor.status(booking_id), "awaiting_payment")
    assert visitor.minutes() == (0, 0)
    assert visitor.bays_free(at(day, 10)) == 3
    assert calendars.events(booking_id) == []

    merchant.pay(order)

    eventually(lambda: visitor.status(booking_id), "confirmed")
    assert visitor.minutes() == (0, 60)
    booking = visitor.booking(booking_id)
    eventually(lambda: calendars.showing(booking_id), wanted_calendars(booking))
    assert sandbox.violations() == ""


def test_an_unpaid_order_that_is_cancelled_gives_its_slot_back(
    visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess, day: date
) -> None:
    hold = visitor.hold(at(day, 10))
    order = visitor.check_out(hold["cart"], pay="later")
    eventually(lambda: visitor.status(hold["booking"]["id"]), "awaiting_payment")

    merchant.cancel(order, refund=False)

    eventually(lambda: visitor.bays_free(at(day, 10)), 4)
    assert visitor.status(hold["booking"]["id"]) == "expired"
    assert visitor.minutes() == (0, 0)
    assert sandbox.violations() == ""


def test_a_test_order_grants_nothing(
    visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess
) -> None:
    order = merchant.order(visitor.customer, {HOUR: 1}, test=True)

    eventually(lambda: merchant.sent(order["id"]).get("orders/paid"), [200])
    merchant.order(visitor.customer, {COACHING: 1})
    eventually(lambda: visitor.credits()["coaching_sessions"], (1, 0))

    assert visitor.minutes() == (0, 0)
    assert sandbox.violations() == ""


def _later(order: Json) -> None:
    """Wait for the second after the order's last change: `updated_at` has whole seconds."""
    eventually(lambda: time.strftime("%S") != order["updated_at"][17:19], expected=True)


def _within_one_second(merchant: Merchant, order: Json) -> tuple[Json, Json]:
    """Edit down to one unit and back up, at the beginning of a second."""
    eventually(lambda: time.time() % 1 < 0.1, expected=True)
    return merchant.edit(order, [1]), merchant.edit(order, [2])
