"""One part of a booking is cancelled over HTTP: by its customer, and by staff from the list."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from tests.factories.ledger import COACHED, grant_lot
from tests.factories.serving import Served, session_body, studio_of, tuesday_at
from tests.factories.staff import promises, trail
from tests.factories.studio import make_wallet


@pytest.fixture
def coached(shared_api: Served) -> dict[str, Any]:
    """An hour with Ana on a Tuesday."""
    shared_api.give(60)
    with shared_api.house.transaction() as session:
        studio = studio_of(shared_api)
        wallet = make_wallet(session, studio)
        grant_lot(session, studio, wallet, f"coach:{uuid.uuid4()}", 1, kind=COACHED)
    body = session_body(coaching={"minutes": 60, "coach": "ana"})
    answer = shared_api.customer().post("/api/bookings", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_customer_cancels_only_the_coaching(shared_api: Served, coached: dict[str, Any]) -> None:
    path = f"/api/bookings/{coached['id']}/cancel"

    answer = shared_api.customer().post(path, {"part": "coaching"}, key="once")
    replayed = shared_api.customer().post(path, {"part": "coaching"}, key="once")
    again = shared_api.customer().post(path, {"part": "coaching"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["returned"] == {"simulator_minutes": 0, "coaching_sessions": 1}
    shown = answer.json()["booking"]
    assert (shown["status"], shown["coach"], shown["coaching"]) == ("confirmed", None, None)
    assert shown["simulators"] == coached["simulators"]
    assert [each["kind"] for each in shown["funding"]] == ["simulator_minutes"]
    assert replayed.json() == answer.json()
    assert (again.status_code, again.json()["code"]) == (409, "no_coaching")
    assert promises(shared_api) == []


@pytest.mark.parametrize("body", [{"part": "simulator"}, {"part": "coaching", "parts": 1}])
def test_a_part_that_there_is_not_is_refused(
    shared_api: Served, coached: dict[str, Any], body: dict[str, Any]
) -> None:
    path = f"/api/bookings/{coached['id']}/cancel"

    answer = shared_api.customer().post(path, body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    shown = shared_api.customer().get(f"/api/bookings/{coached['id']}").json()
    assert (shown["status"], shown["coach"]) == ("confirmed", "ana")


def test_somebody_elses_coaching_does_not_exist(
    shared_api: Served, coached: dict[str, Any]
) -> None:
    path = f"/api/bookings/{coached['id']}/cancel"

    answer = shared_api.customer(7002).post(path, {"part": "coaching"})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_staff_drop_a_coach_who_is_away(shared_api: Served, coached: dict[str, Any]) -> None:
    owner, start = shared_api.staff(), tuesday_at(18)
    away = {"coach": "ana", "reason": "ill", "start": start.isoformat()}
    owner.post("/api/staff/blocks", {**away, "end": (start + timedelta(hours=1)).isoformat()})
    (item,) = owner.get("/api/staff/attention").json()["items"]
    assert item["choices"] == ["cancel", "drop_coach", "keep", "dismiss"]

    settled = owner.post(
        f"/api/staff/attention/{item['id']}/resolve",
        {"choice": "drop_coach", "reason": "they play alone"},
    )

    assert (settled.status_code, settled.json()["resolution"]) == (200, "drop_coach"), settled.text
    shown = shared_api.customer().get(f"/api/bookings/{coached['id']}").json()
    assert (shown["status"], shown["coach"]) == ("confirmed", None)
    assert shown["returns_now"]["percent"] == 100
    credits = shared_api.customer().get("/api/credits").json()
    assert credits["coaching_sessions"] == {"available": 1, "held": 0}
    assert trail(shared_api)[-1].facts == {"kind": "coach_away", "choice": "drop_coach"}
    assert promises(shared_api) == []
