"""Processes that are killed while there is work: nothing is lost, nothing happens twice."""

import signal
import time
from datetime import date

import httpx
import pytest

from tests.factories.sandbox_people import (
    HOUR,
    Calendars,
    Merchant,
    Visitor,
    at,
    wanted_calendars,
)
from tests.factories.sandbox_process import SandboxProcess, eventually
from tests.journeys.conftest import NewVisitor

ORDERS = 12
KILLS = 4


def test_a_worker_killed_again_and_again_does_everything_once(
    new_visitor: NewVisitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    merchant.switch(hold=True)
    buyers = [new_visitor() for _ in range(ORDERS)]
    holds = [buyer.hold(at(day, 9 + turn)) for turn, buyer in enumerate(buyers)]
    for buyer, hold in zip(buyers, holds, strict=True):
        buyer.check_out(hold["cart"])

    merchant.switch(hold=False, delay=0)
    for _ in range(KILLS):
        time.sleep(0.3)
        sandbox.kill("worker")

    ids = [hold["booking"]["id"] for hold in holds]
    together = list(zip(buyers, ids, strict=True))
    confirmed = ["confirmed"] * ORDERS
    eventually(lambda: [buyer.status(each) for buyer, each in together], confirmed, seconds=30)
    assert [buyer.minutes() for buyer in buyers] == [(0, 60)] * ORDERS
    assert [len(buyer.lots()) for buyer in buyers] == [1] * ORDERS
    wanted = [wanted_calendars(buyer.booking(each)) for buyer, each in together]
    eventually(lambda: [calendars.showing(each) for each in ids], wanted, seconds=60)
    assert sandbox.violations() == ""


def test_an_api_killed_at_the_intake_loses_no_webhook(
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    merchant.switch(hold=True, duplicate=3)
    hold = visitor.hold(at(day, 10))
    order = visitor.check_out(hold["cart"])

    merchant.switch(hold=False)
    sandbox.kill("api")

    eventually(merchant.waiting, 0, seconds=40)
    answers = [status for sent in merchant.sent(order).values() for status in sent]
    assert answers.count(200) == 9
    assert set(answers) <= {200, None}
    eventually(lambda: visitor.status(hold["booking"]["id"]), "confirmed")
    assert visitor.minutes() == (0, 60)
    assert [lot["granted"] for lot in visitor.lots()] == [60]
    assert sandbox.violations() == ""


def test_a_redis_that_died_costs_nothing(
    own_servers: None,
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    hold = visitor.hold(at(day, 10))
    killed = sandbox.kill("redis")

    visitor.check_out(hold["cart"])

    eventually(lambda: visitor.status(hold["booking"]["id"]), "confirmed")
    assert visitor.minutes() == (0, 60)
    booking = visitor.booking(hold["booking"]["id"])
    eventually(lambda: calendars.showing(booking["id"]), wanted_calendars(booking))
    eventually(lambda: sandbox.child("redis") not in (None, killed), expected=True)
    assert sandbox.violations() == ""


def test_a_redis_that_hangs_delays_and_keeps_nobody_waiting(
    own_servers: None,
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    redis = sandbox.child("redis")
    assert redis is not None
    redis.kill(signal.SIGSTOP)
    began = time.monotonic()
    try:
        hold = visitor.hold(at(day, 10))
        visitor.check_out(hold["cart"])
        answered = time.monotonic() - began
        eventually(lambda: visitor.status(hold["booking"]["id"]), "confirmed", seconds=10)
        booking = visitor.booking(hold["booking"]["id"])
        eventually(lambda: calendars.showing(booking["id"]), wanted_calendars(booking), seconds=12)
        time.sleep(max(0.0, began + 8 - time.monotonic()))
    finally:
        redis.kill(signal.SIGCONT)

    assert answered < 2
    assert visitor.minutes() == (0, 60)
    other = merchant.order(visitor.customer, {HOUR: 1})
    eventually(visitor.minutes, (60, 60))
    assert merchant.sent(other["id"])["orders/paid"] == [200]
    assert sandbox.violations() == ""


def test_a_postgresql_that_died_is_said_and_nothing_is_lost(
    own_servers: None,
    visitor: Visitor,
    merchant: Merchant,
    calendars: Calendars,
    staff: httpx.Client,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    merchant.switch(hold=True)
    hold = visitor.hold(at(day, 10))
    order = visitor.check_out(hold["cart"])
    merchant.switch(hold=False)

    sandbox.kill("postgres")
    answers = _ask_until_well(staff)

    away = [answer for answer in answers if answer.status_code != 200]
    assert {answer.status_code for answer in away} == {503}
    assert {answer.headers["content-type"] for answer in away} == {"application/problem+json"}
    assert {answer.json()["code"] for answer in away} == {"busy"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in away)
    eventually(merchant.waiting, 0, seconds=40)
    assert {each for sent in merchant.sent(order).values() for each in sent} <= {200, 503}
    eventually(lambda: visitor.status(hold["booking"]["id"]), "confirmed")
    assert visitor.minutes() == (0, 60)
    booking = visitor.booking(hold["booking"]["id"])
    eventually(lambda: calendars.showing(booking["id"]), wanted_calendars(booking))
    asked = [staff.get("/api/availability", params={"from": str(day)}) for _ in range(12)]
    assert {answer.status_code for answer in asked} == {200}
    assert sandbox.violations() == ""


@pytest.mark.parametrize("name", ["beat", "outside"])
def test_a_neighbour_that_died_is_started_again(
    name: str, visitor: Visitor, merchant: Merchant, sandbox: SandboxProcess
) -> None:
    order = merchant.order(visitor.customer, {HOUR: 1})
    killed = sandbox.kill(name)

    eventually(lambda: sandbox.child(name) not in (None, killed), expected=True)

    eventually(visitor.minutes, (60, 0), seconds=40)
    assert merchant.show(order["id"])["financial_status"] == "paid"
    assert [lot["granted"] for lot in visitor.lots()] == [60]
    assert sandbox.violations() == ""


def _ask_until_well(staff: httpx.Client) -> list[httpx.Response]:
    """Ask the API for what it must look up, until it can after it could not."""
    answers: list[httpx.Response] = []
    until = time.monotonic() + 30
    while time.monotonic() < until:
        answers.append(staff.get("/api/catalog"))
        if answers[-1].status_code == 200 and any(each.status_code != 200 for each in answers):
            break
        time.sleep(0.02)
    return answers
