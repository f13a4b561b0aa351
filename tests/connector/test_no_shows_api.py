"""Missed sessions over HTTP: how they read, whom they keep from booking, who still may."""

from typing import Any

import pytest
from sqlalchemy import text

from connector.tables import Role
from connector.tasks import book as task
from tests.factories.serving import Served, session_body, tuesday_at
from tests.factories.staff import promises, trail, walk_in
from tests.factories.studio import TRACKED, apply_demo, demo_text


@pytest.fixture
def api(shared_api: Served) -> Served:
    """A studio whose staff check people in."""
    with shared_api.house.transaction() as session:
        apply_demo(session, demo_text(**TRACKED))
    return shared_api


def miss(api: Served, *days_ago: int) -> list[dict[str, Any]]:
    """Let the customer miss a session on each of these days; they count a day later."""
    missed = []
    for days in days_ago:
        booking = walk_in(api, -16)
        with api.house.transaction() as session:
            session.execute(
                text(
                    "UPDATE booking SET starts_at = starts_at - make_interval(days => :days),"
                    " ends_at = ends_at - make_interval(days => :days) WHERE id = :id"
                ),
                {"days": days, "id": booking["id"]},
            )
        missed.append(booking)
    return missed


def test_a_missed_session_says_until_when_it_can_be_put_right(api: Served) -> None:
    booking = walk_in(api, -16)
    path = f"/api/bookings/{booking['id']}"

    shown = api.customer().get(path).json()
    task.sweep(api.house)
    swept = api.customer().get(path).json()
    done = api.staff().post(f"/api/staff/bookings/{booking['id']}/complete", {"reason": "bay 3"})

    assert (shown["status"], shown["no_show"]["provisional"]) == ("no_show", True)
    assert swept == {**shown, "funding": swept["funding"], "returns_now": swept["returns_now"]}
    assert (done.json()["status"], done.json()["no_show"]) == ("completed", None)
    assert promises(api) == []


def test_a_session_to_come_is_no_no_show(api: Served) -> None:
    api.give(60)
    booking = api.customer().post("/api/bookings", session_body()).json()

    assert (booking["status"], booking["no_show"]) == ("confirmed", None)


def test_who_missed_too_many_is_booked_for_by_staff_only(api: Served) -> None:
    missed = miss(api, 12, 9, 6, 3)
    api.give(600)
    body = session_body()
    series = {**session_body(tuesday_at(9)), "every_weeks": 1}
    paths = {"/api/bookings": body, "/api/holds": body, "/api/series": series}

    refused = [api.customer().post(path, sent) for path, sent in paths.items()]
    task.sweep(api.house)
    again = api.customer().post("/api/bookings", body)
    by_staff = api.staff(Role.RECEPTIONIST, 7001).post("/api/staff/bookings", body)
    desk = api.staff(customer=7001).post("/api/holds", session_body(tuesday_at(9)))

    for answer in (*refused, again):
        assert (answer.status_code, answer.json()["code"]) == (403, "restricted"), answer.text
        assert answer.json()["until"]
    assert (by_staff.status_code, desk.status_code) == (201, 201)
    assert api.customer(7002).post("/api/holds", session_body(tuesday_at(9))).status_code == 201
    (item,) = api.staff().get("/api/staff/attention").json()["items"]
    assert (item["kind"], item["facts"]["code"]) == ("restricted", missed[3]["code"])
    assert promises(api) == []


def test_staff_see_the_strikes_and_forgive_one(api: Served) -> None:
    missed = miss(api, 12, 9, 6, 3)
    task.sweep(api.house)
    manager = api.staff(Role.MANAGER)
    before = manager.get("/api/staff/strikes", customer=7001).json()

    forgiven = manager.post(
        f"/api/staff/bookings/{missed[1]['id']}/forgive", {"reason": "the bus broke down"}
    )

    assert forgiven.status_code == 200, forgiven.text
    after = manager.get("/api/staff/strikes", customer=7001).json()
    assert [each["code"] for each in before["strikes"]] == [each["code"] for each in missed]
    assert [each["pardoned"] for each in before["strikes"]] == [True, False, False, False]
    assert [each["counts"] for each in before["strikes"]] == [False, True, True, True]
    assert before["restricted_until"] is not None
    assert [each["counts"] for each in after["strikes"]] == [False, False, True, True]
    assert after["strikes"][1]["forgiven_by"] == "staff:manager"
    assert after["restricted_until"] is None
    assert api.customer().post("/api/bookings", session_body()).status_code == 201
    assert (trail(api)[-1].action, trail(api)[-1].reason) == (
        "booking.forgive",
        "the bus broke down",
    )
    assert promises(api) == []


def test_only_the_desk_reads_strikes(api: Served) -> None:
    nobody = api.staff(Role.RECEPTIONIST).get("/api/staff/strikes", customer=7009)

    assert nobody.json() == {"strikes": [], "restricted_until": None}
    assert api.staff(Role.FINANCE).get("/api/staff/strikes", customer=7009).status_code == 403
    assert api.customer().get("/api/staff/strikes", customer=7001).status_code == 403
    assert api.staff().get("/api/staff/strikes").status_code == 422
