"""What sessions would cost, over HTTP: for strangers, for customers with credits, refused well."""

from typing import Any

import pytest

from connector.tables import Role
from tests.factories.serving import PROBLEM, Served, session_body, tuesday_at
from tests.factories.studio import COACHING, HOUR, PACKAGE

COACHED = {"coaching": {"minutes": 60, "coach": "ana"}}


def test_a_stranger_is_told_what_sessions_cost_without_credits(shared_api: Served) -> None:
    sessions = [session_body(tuesday_at(18), 240), session_body(tuesday_at(14), 60, **COACHED)]

    answer = shared_api.stranger().post("/api/quote", {"sessions": sessions})

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "currency": "CAD",
        "options": [
            {
                "way": "single",
                "lines": [
                    {"variant_id": HOUR, "quantity": 5, "properties": {}},
                    {"variant_id": COACHING, "quantity": 1, "properties": {}},
                ],
                "total_minor": 28500,
                "uses": {"simulator_minutes": 0, "coaching_sessions": 0},
                "leaves": {"simulator_minutes": 0, "coaching_sessions": 0},
                "saving_minor": 0,
            },
            {
                "way": "mix",
                "lines": [
                    {"variant_id": COACHING, "quantity": 1, "properties": {}},
                    {"variant_id": PACKAGE, "quantity": 1, "properties": {}},
                ],
                "total_minor": 46000,
                "uses": {"simulator_minutes": 0, "coaching_sessions": 0},
                "leaves": {"simulator_minutes": 300, "coaching_sessions": 0},
                "saving_minor": 0,
            },
        ],
    }


def test_credits_are_used_before_anything_is_bought(shared_api: Served) -> None:
    shared_api.give(120)
    sessions = [session_body(tuesday_at(18), 240)]
    callers = [shared_api.customer(), shared_api.staff(customer=7001)]

    first, again = [each.post("/api/quote", {"sessions": sessions}).json() for each in callers]

    assert first == again
    cheapest = first["options"][0]
    assert (cheapest["way"], cheapest["total_minor"]) == ("mix", 9000)
    assert cheapest["uses"] == {"simulator_minutes": 120, "coaching_sessions": 0}
    assert cheapest["saving_minor"] == 9000
    shown = shared_api.customer().get("/api/credits").json()
    assert shown["simulator_minutes"] == {"available": 120, "held": 0}


def test_nobody_is_shown_the_credits_of_somebody_else(shared_api: Served) -> None:
    shared_api.give(240)
    sessions = [session_body(tuesday_at(18), 240)]

    other = shared_api.customer(7002).post("/api/quote", {"sessions": sessions})
    finance = shared_api.staff(Role.FINANCE, customer=7001)
    refused = finance.post("/api/quote", {"sessions": sessions})

    assert other.json()["options"][0]["total_minor"] == 18000
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (session_body(tuesday_at(23)), "outside_hours"),
        (session_body(tuesday_at(10, weeks=20)), "outside_horizon"),
        (session_body(tuesday_at(10, weeks=-20)), "too_soon"),
        (session_body(minutes=61), "invalid"),
        (session_body(service="sauna"), "invalid"),
        (session_body(simulators=5), "invalid"),
        (session_body(coaching={"minutes": 60, "coach": "zoe"}), "invalid"),
    ],
)
def test_each_session_obeys_the_rules_of_a_hold(
    shared_api: Served, second: dict[str, Any], code: str
) -> None:
    answer = shared_api.customer().post("/api/quote", {"sessions": [session_body(), second]})

    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert (answer.json()["code"], answer.json()["session"]) == (code, 1)


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"sessions": []},
        {"sessions": [session_body()] * 13},
        {"sessions": [{**session_body(), "minutes": "60"}]},
        {"sessions": [{**session_body(), "simulators": 0}]},
        {"sessions": [{**session_body(), "simulators": 10**30}]},
        {"sessions": [session_body()], "coupon": "FREE"},
    ],
)
def test_what_is_no_list_of_sessions_is_refused(shared_api: Served, body: Any) -> None:
    answer = shared_api.customer().post("/api/quote", body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
