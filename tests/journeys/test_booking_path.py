"""From a free time to a booking and back, as a customer walks it."""

from datetime import date

from tests.factories.sandbox_people import (
    COACHING,
    HOUR,
    OWNER,
    Calendars,
    Merchant,
    Visitor,
    at,
    wanted_calendars,
)
from tests.factories.sandbox_process import SandboxProcess, eventually
from tests.journeys.conftest import NewDay, NewVisitor

TUESDAY = 1  # Ana coaches from 12:00 to 20:00
NOTHING = {"simulator_minutes": (0, 0), "coaching_sessions": (0, 0)}


def test_a_session_with_a_coach_goes_from_a_free_time_to_three_calendars_and_back(
    visitor: Visitor, calendars: Calendars, sandbox: SandboxProcess, new_day: NewDay
) -> None:
    day = new_day(TUESDAY)
    start, end = at(day, 14), at(day, 15)
    free = {"start": start, "end": end, "simulators": 4, "coaches": ["ana"], "price_minor": 10500}
    assert visitor.slot(start, coaching=60, coach="ana") == free

    hold = visitor.hold(start, coaching={"minutes": 60, "coach": "ana"})

    assert hold["booking"]["status"] == "held"
    assert visitor.slot(start, coaching=60, coach="ana") is None
    assert visitor.bays_free(start) == 3
    properties = {"_hold": hold["hold"]}
    assert hold["cart"] == {
        "lines": [
            {"variant_id": HOUR, "quantity": 1, "properties": properties},
            {"variant_id": COACHING, "quantity": 1, "properties": properties},
        ],
        "total_minor": 10500,
        "currency": "CAD",
    }

    order = visitor.check_out(hold["cart"])

    booking_id = hold["booking"]["id"]
    eventually(lambda: visitor.status(booking_id), "confirmed")
    booking = visitor.booking(booking_id)
    assert (booking["start"], booking["end"], booking["coach"]) == (start, end, "ana")
    assert booking["coaching"] == {"start": start, "end": end}
    assert visitor.credits() == {"simulator_minutes": (0, 60), "coaching_sessions": (0, 1)}
    assert {lot["order"] for lot in visitor.lots()} == {order}
    (bay,) = booking["simulators"]
    shown = [
        ("ana@sandbox.calendar", start, end),
        (f"{bay}@sandbox.calendar", start, end),
        (OWNER, start, end),
    ]
    eventually(lambda: calendars.events(booking_id), shown)

    cancelled = visitor.post(f"bookings/{booking_id}/cancel", {}).json()

    assert cancelled["booking"]["status"] == "cancelled"
    assert cancelled["returned"] == {"simulator_minutes": 60, "coaching_sessions": 1}
    assert visitor.credits() == {"simulator_minutes": (60, 0), "coaching_sessions": (1, 0)}
    assert visitor.slot(start, coaching=60, coach="ana") == free
    eventually(lambda: calendars.events(booking_id), [])
    assert sandbox.violations() == ""


def test_credits_bought_without_a_time_book_one_later(
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    merchant.order(visitor.customer, {HOUR: 3})
    eventually(visitor.minutes, (180, 0))
    assert visitor.bookings() == []

    booked = visitor.book(at(day, 10), minutes=120)

    assert booked.status_code == 201
    assert booked.json()["status"] == "confirmed"
    assert visitor.minutes() == (60, 120)
    assert visitor.bookings() == [(at(day, 10), "confirmed")]
    booking = booked.json()
    eventually(lambda: calendars.showing(booking["id"]), wanted_calendars(booking))
    assert sandbox.violations() == ""


def test_the_cart_of_a_refused_booking_is_what_makes_it_possible(
    visitor: Visitor, sandbox: SandboxProcess, day: date
) -> None:
    refused = visitor.book(at(day, 10), minutes=120)

    problem = refused.json()
    assert refused.status_code == 402
    assert refused.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["cart"]["total_minor"]) == ("not_enough_credits", 9000)
    assert visitor.bookings() == []
    assert visitor.bays_free(at(day, 10)) == 4

    visitor.check_out(problem["cart"])

    eventually(visitor.minutes, (120, 0))
    assert visitor.book(at(day, 10), minutes=120).status_code == 201
    assert visitor.credits() == NOTHING | {"simulator_minutes": (0, 120)}
    assert sandbox.violations() == ""


def test_a_slot_without_a_free_bay_is_refused_and_costs_nothing(
    new_visitor: NewVisitor, merchant: Merchant, sandbox: SandboxProcess, day: date
) -> None:
    first, second = new_visitor(), new_visitor()
    merchant.order(second.customer, {HOUR: 1})
    eventually(second.minutes, (60, 0))
    first.hold(at(day, 10), simulators=4)

    refused = second.book(at(day, 10))

    assert refused.status_code == 409
    assert refused.json()["code"] == "slot_taken"
    assert second.minutes() == (60, 0)
    assert second.bookings() == []
    assert second.slot(at(day, 10)) is None
    assert sandbox.violations() == ""


def test_the_same_key_books_once(
    visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess, day: date
) -> None:
    merchant.order(visitor.customer, {HOUR: 2})
    eventually(visitor.minutes, (120, 0))
    body = {"service": "simulator", "start": at(day, 10), "minutes": 60}
    visitor.shop.headers["Idempotency-Key"] = f"journey-{visitor.customer}"

    first, again = visitor.post("bookings", body), visitor.post("bookings", body)
    other = visitor.post("bookings", body | {"minutes": 120})

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.json() == first.json()
    assert visitor.minutes() == (60, 60)
    assert sandbox.violations() == ""
