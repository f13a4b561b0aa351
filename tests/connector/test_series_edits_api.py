"""Dates of a series are listed, moved and cancelled over HTTP."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from connector.tables import Role
from tests.factories.serving import Served, session_body, tuesday_at
from tests.factories.staff import promises
from tests.factories.studio import TORONTO

WEEK = timedelta(weeks=1)
WEDNESDAY = tuesday_at(18) + timedelta(days=1)


@pytest.fixture
def api(shared_api: Served) -> Served:
    return shared_api


@pytest.fixture
def weekly(api: Served) -> dict[str, Any]:
    """Four Tuesdays at 18:00, the first of them paid."""
    api.give(60)
    answer = api.customer().post("/api/series", session_body(every_weeks=1, count=4))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def numbered(series: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["start"], each["status"]) for each in series["occurrences"]]


def test_a_customer_lists_their_series_newest_first(api: Served, weekly: dict[str, Any]) -> None:
    other = api.customer().post("/api/series", session_body(tuesday_at(9), every_weeks=2)).json()

    listed = api.customer().get("/api/series").json()

    assert listed == {"series": [other, weekly], "next_cursor": None}
    older = api.customer().get("/api/series", cursor=other["series"]).json()
    assert older["series"] == [weekly]
    assert api.customer(7002).get("/api/series").json()["series"] == []
    assert api.staff(customer=7001).get("/api/series").json() == listed
    assert api.visitor().get("/api/series").status_code == 401


def test_this_and_the_following_dates_move(api: Served, weekly: dict[str, Any]) -> None:
    body = {"scope": "following", "number": 2, "start": (WEDNESDAY + WEEK).isoformat()}
    path = f"/api/series/{weekly['series']}/move"

    first, again = (api.customer().post(path, body, key="k-1") for _ in range(2))

    assert first.status_code == 200, first.text
    assert first.json() == again.json()
    moved = first.json()
    assert (moved["moved"], moved["stayed"], moved["skipped"]) == ([2, 3, 4], [], [])
    assert numbered(moved) == [
        (tuesday_at(18).isoformat(), "funded"),
        *[((WEDNESDAY + number * WEEK).isoformat(), "tentative") for number in (1, 2, 3)],
    ]
    assert promises(api) == []


def test_what_cannot_follow_is_named(api: Served, weekly: dict[str, Any]) -> None:
    api.give(480, customer=7002)
    for number in (0, 1):
        full = session_body(WEDNESDAY + number * WEEK, simulators=4)
        assert api.customer(7002).post("/api/bookings", full).status_code == 201
    body = {"scope": "all", "start": WEDNESDAY.isoformat()}

    moved = api.customer().post(f"/api/series/{weekly['series']}/move", body).json()

    assert moved["moved"] == [3, 4]
    (stayed,), (skipped,) = moved["stayed"], moved["skipped"]
    assert (stayed["number"], stayed["reason"]) == (1, "slot_taken")
    assert (skipped["number"], skipped["reason"]) == (2, "slot_taken")
    assert [status for _, status in numbered(moved)] == [
        "funded",
        "skipped",
        "tentative",
        "tentative",
    ]
    assert promises(api) == []


def test_dates_are_cancelled_from_one_on(api: Served, weekly: dict[str, Any]) -> None:
    path = f"/api/series/{weekly['series']}/cancel"

    two_left = api.customer().post(path, {"scope": "following", "number": 3})
    none_left = api.customer().post(path, {"scope": "all"})

    assert two_left.status_code == 200, two_left.text
    assert (two_left.json()["status"], two_left.json()["dates"]) == ("active", 2)
    assert two_left.json()["returned"]["simulator_minutes"] == 0
    assert [status for _, status in numbered(two_left.json())] == [
        "funded",
        "tentative",
        "skipped",
        "skipped",
    ]
    assert none_left.json()["status"] == "ended"
    assert none_left.json()["returned"]["simulator_minutes"] == 60
    assert promises(api) == []


@pytest.mark.parametrize(
    ("verb", "body", "status", "code"),
    [
        ("move", {"scope": "this", "start": WEDNESDAY.isoformat()}, 422, "invalid"),
        ("move", {"scope": "all"}, 422, "invalid"),
        ("move", {"scope": "some", "number": 1, "start": WEDNESDAY.isoformat()}, 422, "invalid"),
        ("move", {"scope": "this", "number": 9, "start": WEDNESDAY.isoformat()}, 404, "not_found"),
        ("cancel", {"scope": "following"}, 422, "invalid"),
        ("cancel", {"scope": "this", "number": 0}, 422, "invalid"),
        ("cancel", {"scope": "this", "number": 9}, 404, "not_found"),
        ("cancel", {"scope": "all", "start": WEDNESDAY.isoformat()}, 422, "invalid"),
    ],
)
def test_an_edit_that_cannot_be_meant_is_refused(
    api: Served, weekly: dict[str, Any], verb: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = api.customer().post(f"/api/series/{weekly['series']}/{verb}", body)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert api.customer().get(f"/api/series/{weekly['series']}").json() == weekly


def test_a_near_date_that_is_not_paid_comes_with_its_cart(
    api: Served, weekly: dict[str, Any]
) -> None:
    tomorrow = datetime.now(TORONTO).replace(hour=18, minute=0, second=0, microsecond=0)
    tomorrow += timedelta(days=1)
    body = {"scope": "this", "number": 4, "start": tomorrow.isoformat()}

    answer = api.customer().post(f"/api/series/{weekly['series']}/move", body)

    assert (answer.status_code, answer.json()["code"]) == (402, "not_enough_credits")
    assert answer.json()["cart"]["total_minor"] == 4500


def test_other_peoples_series_are_not_edited(api: Served, weekly: dict[str, Any]) -> None:
    path = f"/api/series/{weekly['series']}"

    for verb, body in (("move", {"start": WEDNESDAY.isoformat()}), ("cancel", {})):
        answer = api.customer(7002).post(f"{path}/{verb}", {"scope": "all", **body})
        assert answer.status_code == 404
        assert api.staff(Role.FINANCE).post(f"{path}/{verb}", {"scope": "all", **body}).is_error
