"""A booking or a hold is answered alike on the event loop and the long way through a session."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from booking_engine.catalog import queries
from connector.tables import Role
from tests.connector.conftest import EMPTY
from tests.factories.serving import Caller, Served, session_body, tuesday_at

EVENING = tuesday_at(18)
OWN = {"id", "code", "lot", "hold", "_hold", "created_at", "expires_at", "request_id"}
OWN |= {"release_at", "earliest"}  # these follow the clock

Case = tuple[Callable[[Served], Caller], dict[str, Any]]


def customer(api: Served) -> Caller:
    return api.customer()


def unknown(api: Served) -> Caller:
    return api.customer(7999)


def poor(api: Served) -> Caller:
    with api.house.transaction() as session:
        session.execute(text("UPDATE lot SET expires_at = now() WHERE granted = 600"))
    return api.customer()


def disputed(api: Served) -> Caller:
    with api.house.transaction() as session:
        session.execute(text("UPDATE lot SET frozen_at = now() WHERE granted = 600"))
    return api.customer()


def narrow(api: Served) -> Caller:
    only = """UPDATE lot SET only_for = '{"weekdays": ["mon"]}' WHERE granted = 600"""
    with api.house.transaction() as session:
        session.execute(text(only))
    return api.customer()


def full(api: Served) -> Caller:
    api.give(600, customer=7002)
    other = api.customer(7002)
    assert other.post("/api/bookings", session_body(EVENING, simulators=4)).status_code == 201
    return api.customer()


def busy(api: Served) -> Caller:
    for hour in (10, 12):
        assert api.customer().post("/api/holds", session_body(tuesday_at(hour))).status_code == 201
    return api.customer()


def key_of(role: Role, customer: int | None = None) -> Callable[[Served], Caller]:
    def make(api: Served) -> Caller:
        return api.staff(role, customer)

    return make


def asked(start: datetime = EVENING, **more: Any) -> dict[str, Any]:
    return session_body(start, **more)


CASES: list[Case] = [
    (customer, asked()),
    (customer, asked(simulators=2, minutes=120)),
    (customer, asked(simulator="bay-3")),
    (customer, asked(coaching={"minutes": 60})),
    (customer, asked(coaching={"minutes": 60, "coach": "nobody"})),
    (customer, asked(simulators=5)),
    (customer, asked(EVENING + timedelta(minutes=7))),
    (customer, asked(tuesday_at(3))),
    (customer, asked(tuesday_at(18, weeks=30))),
    (customer, asked(EVENING - timedelta(weeks=9))),
    (unknown, asked()),
    (poor, asked()),
    (disputed, asked()),
    (narrow, asked()),
    (full, asked()),
    (busy, asked()),
    (Served.visitor, asked()),
    (Served.stranger, asked()),
    (key_of(Role.OWNER), asked()),
    (key_of(Role.OWNER, 7001), asked()),
    (key_of(Role.RECEPTIONIST, 7001), asked()),
    (key_of(Role.COACH, 7001), asked()),
    (key_of(Role.FINANCE, 7001), asked()),
]


def told(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, _plain(answer.json())


def _plain(body: Any) -> Any:
    if isinstance(body, dict):
        return {name: _plain(value) for name, value in body.items() if name not in OWN}
    return [_plain(each) for each in body] if isinstance(body, list) else body


@pytest.mark.parametrize("path", ["/api/bookings", "/api/holds"])
@pytest.mark.parametrize("case", CASES)
def test_both_ways_answer_alike(shared_api: Served, case: Case, path: str) -> None:
    who, body = case
    answers = []
    for is_long in (False, True):
        with shared_api.house.transaction() as session:
            session.execute(text(EMPTY))
        shared_api.give(600)
        caller = who(shared_api)
        shared_api.customer().get("/api/credits")  # reads the catalogue
        if is_long:
            queries.forget()
        answers.append(told(caller.post(path, body)))

    assert answers[0] == answers[1]
