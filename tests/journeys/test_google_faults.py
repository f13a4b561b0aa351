"""Google Calendar failing in its several ways; the bookings stand, the calendars follow."""

import time
from datetime import date

from tests.factories.sandbox_people import (
    OWNER,
    Calendars,
    Merchant,
    Visitor,
    at,
    wanted_calendars,
)
from tests.factories.sandbox_process import SandboxProcess, eventually

# A server closes a connection that nobody used for so long.
IDLE_SECONDS = 6


def test_a_google_that_fails_for_seconds_shows_everything_afterwards(
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    calendars.fail(status=500, seconds=3)
    hold = visitor.hold(at(day, 10))
    visitor.check_out(hold["cart"])
    booking_id = hold["booking"]["id"]
    eventually(lambda: visitor.status(booking_id), "confirmed")
    eventually(lambda: 500 in {call["status"] for call in calendars.calls()}, expected=True)

    booking = visitor.booking(booking_id)

    eventually(lambda: calendars.showing(booking_id), wanted_calendars(booking), seconds=30)
    assert sandbox.violations() == ""


def test_a_calendar_that_refuses_us_does_not_keep_the_others_empty(
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    calendars.fail(match={"calendar": OWNER}, status=403, reason="forbidden")
    hold = visitor.hold(at(day, 10))
    visitor.check_out(hold["cart"])
    booking_id = hold["booking"]["id"]
    eventually(lambda: visitor.status(booking_id), "confirmed")
    (bay,) = visitor.booking(booking_id)["simulators"]

    eventually(lambda: calendars.showing(booking_id), [f"{bay}@sandbox.calendar"])

    calendars.behave()
    assert visitor.post(f"bookings/{booking_id}/cancel", {}).status_code == 200
    eventually(lambda: calendars.events(booking_id), [])
    assert visitor.minutes() == (60, 0)
    assert sandbox.violations() == ""


def test_a_change_made_while_a_refused_push_is_under_way_is_told_soon(
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    calendars.fail(match={"calendar": OWNER}, status=403, reason="forbidden", delay_ms=2000)
    hold = visitor.hold(at(day, 10))
    visitor.check_out(hold["cart"])
    booking_id = hold["booking"]["id"]
    eventually(lambda: len(calendars.events(booking_id)), 1)

    assert visitor.post(f"bookings/{booking_id}/cancel", {}).status_code == 200
    calendars.behave()

    eventually(lambda: calendars.events(booking_id), [])
    assert sandbox.violations() == ""


def test_a_worker_that_was_idle_writes_at_once(
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    first = visitor.hold(at(day, 10))
    visitor.check_out(first["cart"])
    eventually(lambda: len(calendars.events(first["booking"]["id"])), 2)
    time.sleep(IDLE_SECONDS)
    hold = visitor.hold(at(day, 14))

    visitor.check_out(hold["cart"])

    eventually(lambda: len(calendars.events(hold["booking"]["id"])), 2, seconds=2)
    assert sandbox.violations() == ""


def test_an_insert_whose_answer_was_lost_makes_one_event(
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    calendars.fail(match={"method": "POST"}, status=0, when="after", times=2)
    hold = visitor.hold(at(day, 10))

    visitor.check_out(hold["cart"])

    booking_id = hold["booking"]["id"]
    eventually(lambda: visitor.status(booking_id), "confirmed")
    eventually(
        lambda: [call["fault"] for call in calendars.calls()].count("reset after"), 2, seconds=30
    )
    booking = visitor.booking(booking_id)
    eventually(lambda: calendars.showing(booking_id), wanted_calendars(booking), seconds=30)
    assert sandbox.violations() == ""
