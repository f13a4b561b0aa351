"""`/api/series` as its callers see it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, update

from booking_engine.booking.models import Booking
from connector.tables import Role
from connector.tasks import series as task
from connector.worker import DRAINS
from tests.factories.series import broken_promises
from tests.factories.serving import Served, session_body, tuesday_at
from tests.factories.studio import HOUR, TORONTO


def series_body(**more: Any) -> dict[str, Any]:
    return session_body(every_weeks=1, **more)


def start(api: Served, **more: Any) -> dict[str, Any]:
    answer = api.customer().post("/api/series", series_body(**more))
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_series_is_started_and_shown(api: Served) -> None:
    api.give(600)

    started = start(api, count=3)

    assert started["status"] == "active"
    assert (started["every_weeks"], started["count"], started["until"]) == (1, 3, None)
    first, second, third = started["occurrences"]
    assert (first["number"], first["status"]) == (1, "funded")
    assert first["booking"]["status"] == "confirmed"
    assert first["booking"]["start"] == first["start"]
    assert sum(each["quantity"] for each in first["booking"]["funding"]) == 60
    assert (second["status"], third["status"]) == ("tentative", "tentative")
    assert second["booking"]["status"] == "held"
    assert "cart" not in first
    assert second["cart"] == {
        "lines": [{"variant_id": HOUR, "quantity": 1, "properties": {}}],
        "total_minor": 4500,
        "currency": "CAD",
    }
    released = datetime.fromisoformat(second["release_at"])
    assert datetime.fromisoformat(second["start"]) - released == timedelta(hours=48)
    shown = api.customer().get(f"/api/series/{started['series']}")
    assert (shown.status_code, shown.json()) == (200, started)


def test_the_end_may_be_a_local_date(api: Served) -> None:
    until = (tuesday_at(18) + timedelta(weeks=2)).date()

    started = start(api, until=str(until), coaching={"minutes": 60, "coach": "ana"})

    assert started["until"] == str(until)
    assert len(started["occurrences"]) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"every_weeks": 3},
        {"every_weeks": None},
        {"every_weeks": True},
        {"count": 0},
        {"count": "3"},
        {"count": 3, "until": "2099-01-01"},
        {"until": "2001-01-01"},
        {"until": 1_900_000_000},
        {"until": "2099-02-30"},
        {"interval": 1},
        {"minutes": 45},
        {"service": "sauna"},
    ],
)
def test_what_cannot_be_meant_is_refused(api: Served, wrong: dict[str, Any]) -> None:
    answer = api.customer().post("/api/series", {**series_body(), **wrong})

    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "invalid"


def test_a_series_needs_a_customer(api: Served) -> None:
    for nobody in (api.visitor(), api.stranger()):
        answer = nobody.post("/api/series", series_body())

        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_other_peoples_series_do_not_exist(api: Served) -> None:
    path = f"/api/series/{start(api, count=2)['series']}"
    api.give(60, customer=7002)

    for somebody in (api.customer(7002), api.customer(7003)):
        assert somebody.get(path).status_code == 404
        assert somebody.ask("DELETE", path).status_code == 404
        assert somebody.post(f"{path}/occurrences/1/skip").status_code == 404
    assert api.staff(Role.RECEPTIONIST).get(path).status_code == 200
    assert api.staff(Role.FINANCE).get(path).status_code == 403


def test_staff_start_series_for_customers(api: Served) -> None:
    answer = api.staff(Role.RECEPTIONIST, 7005).post("/api/series", series_body(count=2))

    assert answer.status_code == 201
    assert api.customer(7005).get(f"/api/series/{answer.json()['series']}").status_code == 200


def test_an_idempotency_key_makes_one_series(api: Served) -> None:
    body = series_body(count=2)
    first, second = (api.customer().post("/api/series", body, key="k-1") for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()


def test_overlapping_series_are_refused(api: Served) -> None:
    start(api)

    answer = api.customer().post("/api/series", series_body())

    assert (answer.status_code, answer.json()["code"]) == (409, "series_overlap")


def test_a_date_that_cannot_wait_is_refused_with_the_cart_that_pays_it(api: Served) -> None:
    tomorrow = datetime.now(TORONTO) + timedelta(days=1)
    soon = tomorrow.replace(hour=18, minute=0, second=0, microsecond=0)

    answer = api.customer().post(
        "/api/series", {**session_body(soon), "every_weeks": 1, "count": 1}
    )

    refusal = answer.json()
    assert (answer.status_code, refusal["code"]) == (402, "not_enough_credits")
    assert [line["quantity"] for line in refusal["cart"]["lines"]] == [1]


def test_dates_are_skipped_and_added_back(api: Served) -> None:
    path = f"/api/series/{start(api, count=2)['series']}/occurrences"

    skipped = api.customer().post(f"{path}/2/skip")
    again = api.customer().post(f"{path}/2/skip")
    added = api.customer().post(f"{path}/2/add")
    twice = api.customer().post(f"{path}/2/add")

    date = skipped.json()["occurrences"][1]
    assert (skipped.status_code, date["status"], date["reason"]) == (200, "skipped", "by_customer")
    assert "booking" not in date
    assert (again.status_code, again.json()["code"]) == (409, "already_skipped")
    assert (added.status_code, added.json()["occurrences"][1]["status"]) == (200, "tentative")
    assert (twice.status_code, twice.json()["code"]) == (409, "not_skipped")
    assert api.customer().post(f"{path}/9/skip").status_code == 404


def test_ending_keeps_the_bookings_unless_they_are_to_go(api: Served) -> None:
    api.give(600)
    path = f"/api/series/{start(api)['series']}"

    kept = api.customer().ask("DELETE", path)
    gone = api.customer().ask("DELETE", path, query={"bookings": "cancel"})

    assert kept.status_code == gone.status_code == 200
    assert kept.json()["status"] == "ended"
    assert kept.json()["occurrences"][0]["status"] == "funded"
    assert {each.get("reason") for each in kept.json()["occurrences"][1:]} == {"series_ended"}
    assert kept.json()["returned"] == {"simulator_minutes": 0, "coaching_sessions": 0}
    assert gone.json()["occurrences"][0]["status"] == "cancelled"
    assert gone.json()["returned"] == {"simulator_minutes": 60, "coaching_sessions": 0}
    wrong = api.customer().ask("DELETE", path, query={"bookings": "burn"})
    assert wrong.status_code == 422


def test_the_worker_pays_for_near_dates_when_credits_come(api: Served) -> None:
    started = start(api)
    assert [each["status"] for each in started["occurrences"]][:2] == ["tentative"] * 2
    api.give(60)

    assert DRAINS["series.tend"] is task.tend
    task.tend(api.house)
    task.tend(api.house)

    shown = api.customer().get(f"/api/series/{started['series']}").json()
    assert [each["status"] for each in shown["occurrences"]][:2] == ["funded", "tentative"]
    with api.house.transaction() as session:
        assert broken_promises(session) == []


def test_one_broken_series_does_not_stop_the_others(api: Served) -> None:
    broken = start(api)
    sound = api.customer(7002).post("/api/series", series_body()).json()
    for customer in (7001, 7002):
        api.give(60, customer=customer)
    nobodys = UUID(broken["occurrences"][0]["booking"]["id"])
    with api.house.transaction() as session:
        session.exec(update(Booking).where(col(Booking.id) == nobodys).values(wallet_id=None))

    task.tend(api.house)

    shown = api.customer(7002).get(f"/api/series/{sound['series']}").json()
    assert shown["occurrences"][0]["status"] == "funded"
    unpaid = api.customer().get(f"/api/series/{broken['series']}").json()
    assert unpaid["occurrences"][0]["status"] == "tentative"
