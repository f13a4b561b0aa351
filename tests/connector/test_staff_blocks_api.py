"""Outages and the attention list over HTTP."""

from typing import Any
from uuid import UUID

import pytest

from connector.tables import Role
from tests.factories.serving import Served, session_body
from tests.factories.staff import credits_of, outage, promises, trail


def test_an_outage_moves_who_fits_and_lifting_it_returns_them(api: Served) -> None:
    api.give(60)
    booking = api.customer().post("/api/bookings", session_body()).json()
    assert booking["simulators"] == ["bay-2"]
    owner = api.staff()

    declared = owner.post("/api/staff/blocks", outage())

    assert declared.status_code == 201, declared.text
    (moved,) = declared.json()["moved"]
    assert (moved["code"], moved["from"], moved["to"]) == (booking["code"], "bay-2", "bay-3")
    block = declared.json()["block"]
    listed = owner.get("/api/staff/blocks").json()["blocks"]
    assert [each["id"] for each in listed] == [block["id"]]
    lifted = owner.post(f"/api/staff/blocks/{block['id']}/lift")
    assert [each["to"] for each in lifted.json()["returned"]] == ["bay-2"]
    assert owner.get("/api/staff/blocks").json()["blocks"] == []
    assert len(owner.get("/api/staff/blocks", when="all").json()["blocks"]) == 1
    assert [entry.action for entry in trail(api)] == ["block.declare", "block.lift"]
    assert promises(api) == []


def test_the_undecided_are_cancelled_with_everything_back(api: Served) -> None:
    api.give(240)
    group = api.customer().post("/api/bookings", session_body(simulators=4)).json()
    owner = api.staff()
    declared = owner.post("/api/staff/blocks", outage()).json()
    assert [each["code"] for each in declared["stranded"]] == [group["code"]]
    (item,) = api.staff(Role.FINANCE).get("/api/staff/attention").json()["items"]
    assert (item["kind"], item["choices"]) == ("bay_outage", ["cancel", "keep", "dismiss"])
    path = f"/api/staff/attention/{item['id']}/resolve"

    settled = owner.post(path, {"choice": "cancel", "reason": "they agreed"})
    again = owner.post(path, {"choice": "keep", "reason": "or not"})

    assert (settled.status_code, settled.json()["resolution"]) == (200, "cancel"), settled.text
    assert (again.status_code, again.json()["code"]) == (409, "already_resolved")
    assert credits_of(api) == {"available": 240, "held": 0}
    (done,) = owner.get("/api/staff/attention", state="resolved").json()["items"]
    assert (done["reason"], done["resolved_by"]) == ("they agreed", "staff:owner")
    shown = api.customer().get(f"/api/bookings/{group['id']}").json()
    assert shown["status"] == "cancelled"
    assert promises(api) == []


def test_the_undecided_may_be_kept(api: Served) -> None:
    api.give(240)
    group = api.customer().post("/api/bookings", session_body(simulators=4)).json()
    owner = api.staff()
    owner.post("/api/staff/blocks", outage())
    (item,) = owner.get("/api/staff/attention").json()["items"]

    owner.post(
        f"/api/staff/attention/{item['id']}/resolve",
        {"choice": "keep", "reason": "bay 2 is good enough for them"},
    )

    assert owner.get("/api/staff/attention").json()["items"] == []
    shown = api.customer().get(f"/api/bookings/{group['id']}").json()
    assert (shown["status"], len(shown["simulators"])) == ("confirmed", 4)
    assert promises(api) == []


@pytest.mark.parametrize(
    "change",
    [
        {"coach": "ana"},
        {"simulator": None},
        {"simulator": "bay-9"},
        {"end": "2020-01-01T00:00:00Z"},
        {"reason": ""},
        {"why": "?"},
    ],
)
def test_a_block_that_cannot_be_meant_is_refused(api: Served, change: dict[str, Any]) -> None:
    answer = api.staff().post("/api/staff/blocks", {**outage(), **change})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert trail(api) == []


def test_an_unknown_block_booking_or_item_is_not_found(api: Served) -> None:
    owner = api.staff()
    paths = [f"/api/staff/blocks/{UUID(int=1)}/lift"]
    paths += [f"/api/staff/bookings/{UUID(int=1)}/{verb}" for verb in ("check-in", "no-show")]

    answers = [owner.post(path) for path in paths]

    assert [answer.json()["code"] for answer in answers] == ["not_found"] * 3
