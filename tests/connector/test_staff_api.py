"""The studio's desk over HTTP: who may, what is recorded, what becomes of those in the way."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from booking_engine.ledger.models import Lot
from booking_engine.outbox import OutboxMessage
from connector import desk
from connector.app import NOUNS
from connector.tables import Role
from tests.factories.serving import Caller, Served, session_body, tuesday_at
from tests.factories.staff import ANYTHING, credits_of, path_of, promises, trail, walk_in


def test_the_table_names_every_route_of_the_desk() -> None:
    routes = {
        (method, route.path)
        for noun in NOUNS
        for route in noun.router.routes
        for method in route.methods
        if route.path.startswith("/staff")
    }

    assert routes == set(desk.PERMISSIONS)


@pytest.mark.parametrize("role", Role)
def test_every_role_may_what_the_table_says_and_nothing_else(api: Served, role: Role) -> None:
    caller = api.staff(role, customer=7001)

    refused = set()
    for method, template in desk.PERMISSIONS:
        sent = {"json": ANYTHING} if method == "POST" else {}
        answer = caller.ask(method, path_of(template), **sent)
        assert answer.status_code in (200, 403, 404, 422), answer.text
        if answer.status_code == 403:
            assert answer.json()["code"] == "forbidden"
            refused.add((method, template))

    assert refused == {each for each, roles in desk.PERMISSIONS.items() if role not in roles}
    assert (refused == set()) is (role is Role.OWNER)


@pytest.mark.parametrize(
    ("who", "status"), [("stranger", 401), ("visitor", 403), ("customer", 403)]
)
def test_nobody_else_comes_to_the_desk(api: Served, who: str, status: int) -> None:
    caller: Caller = getattr(api, who)()

    answers = [
        caller.ask(method, path_of(template), **({"json": ANYTHING} if method == "POST" else {}))
        for method, template in desk.PERMISSIONS
    ]

    assert {answer.status_code for answer in answers} == {status}
    assert trail(api) == []


def test_a_soft_rule_is_broken_for_a_reason_and_that_is_on_record(api: Served) -> None:
    api.give(60)
    owner = api.staff(customer=7001)
    night = session_body(tuesday_at(23))
    refused = owner.post("/api/staff/bookings", night)
    assert (refused.status_code, refused.json()["code"]) == (422, "outside_hours")
    override = {"rules": ["outside_hours", "too_soon"], "reason": "a birthday"}

    made = owner.post("/api/staff/bookings", {**night, "override": override})

    assert made.status_code == 201, made.text
    assert made.json()["overrode"] == ["outside_hours"]
    (entry,) = trail(api)
    assert (entry.role, entry.action, entry.reason) == ("owner", "booking.book", "a birthday")
    assert entry.reference == made.json()["id"]
    assert entry.key_name != ""
    assert entry.facts["rules"] == ["outside_hours", "too_soon"]
    assert promises(api) == []


@pytest.mark.parametrize(
    "override",
    [
        {"rules": ["outside_hours"]},
        {"rules": ["outside_hours"], "reason": " "},
        {"rules": [], "reason": "why not"},
        {"rules": ["slot_taken"], "reason": "squeeze"},
    ],
)
def test_an_override_without_reason_or_of_a_hard_rule_is_refused(
    api: Served, override: dict[str, Any]
) -> None:
    api.give(60)
    body = session_body(tuesday_at(23), override=override)

    answer = api.staff(customer=7001).post("/api/staff/bookings", body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert trail(api) == []


def test_what_happened_at_the_desk_is_never_changed(api: Served) -> None:
    walk_in(api, 5)

    for statement in ("UPDATE audit_entry SET reason = 'x'", "DELETE FROM audit_entry"):
        with pytest.raises(DBAPIError, match="append-only"), api.house.transaction() as session:
            session.execute(text(statement))

    assert [entry.reason for entry in trail(api)] == ["they stand at the desk"]


def test_a_full_time_is_booked_only_by_displacing_who_is_named(api: Served) -> None:
    api.give(240, customer=7002)
    group = api.customer(7002).post("/api/bookings", session_body(simulators=4)).json()
    api.give(60)
    owner = api.staff(customer=7001)
    override = {"rules": ["outside_hours", "off_grid"], "reason": "squeeze them in"}
    full = owner.post("/api/staff/bookings", session_body(override=override))
    assert (full.status_code, full.json()["code"]) == (409, "slot_taken")

    made = owner.post(
        "/api/staff/bookings", session_body(displace=[group["id"]], reason="a league night")
    )

    assert made.status_code == 201, made.text
    (displaced,) = made.json()["displaced"]
    assert displaced["id"] == group["id"]
    assert displaced["returned"] == {"simulator_minutes": 240, "coaching_sessions": 0}
    shown = api.customer(7002).get(f"/api/bookings/{group['id']}").json()
    assert shown["status"] == "cancelled"
    with api.house.transaction() as session:
        told = set(session.exec(select(OutboxMessage.key)))
    assert {group["id"], made.json()["id"]} <= told
    assert trail(api)[-1].facts["displaced"][0]["code"] == group["code"]
    assert promises(api) == []


def test_who_was_to_be_displaced_stays_if_the_other_cannot_be_booked(api: Served) -> None:
    api.give(60, customer=7002)
    standing = api.customer(7002).post("/api/bookings", session_body()).json()
    penniless = api.staff(customer=7001)

    answer = penniless.post("/api/staff/bookings", session_body(displace=[standing["id"]]))

    assert (answer.status_code, answer.json()["code"]) == (402, "not_enough_credits")
    assert answer.json()["cart"]["total_minor"] == 4500
    shown = api.customer(7002).get(f"/api/bookings/{standing['id']}").json()
    assert shown["status"] == "confirmed"
    assert promises(api) == []


def test_who_is_not_in_the_way_is_not_displaced(api: Served) -> None:
    api.give(120)
    other = api.customer().post("/api/bookings", session_body(tuesday_at(12))).json()

    answer = api.staff(customer=7001).post(
        "/api/staff/bookings", session_body(displace=[other["id"]])
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_session_on_the_house_needs_a_reason_and_no_credits(api: Served) -> None:
    owner = api.staff(customer=7001)
    unexplained = owner.post("/api/staff/bookings", session_body(pay="none"))
    assert unexplained.status_code == 422

    made = owner.post("/api/staff/bookings", session_body(pay="none", reason="our mistake"))

    assert made.status_code == 201, made.text
    assert (made.json()["complimentary"], made.json()["funding"]) == (True, [])
    assert promises(api) == []
    to = {"start": tuesday_at(20).isoformat()}
    moved = api.customer().post(f"/api/bookings/{made.json()['id']}/move", to)
    assert moved.status_code == 200, moved.text
    cancelled = api.customer().post(f"/api/bookings/{made.json()['id']}/cancel")
    assert cancelled.json()["returned"] == {"simulator_minutes": 0, "coaching_sessions": 0}
    assert promises(api) == []


def test_the_same_key_books_once(api: Served) -> None:
    api.give(120)
    owner = api.staff(customer=7001)

    answers = [owner.post("/api/staff/bookings", session_body(), key="desk-1") for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert [entry.action for entry in trail(api)] == ["booking.book"]
    assert credits_of(api) == {"available": 60, "held": 60}


@pytest.mark.parametrize(("minutes", "status"), [(29, 200), (32, 409), (-14, 200), (-16, 409)])
def test_check_in_is_open_from_30_before_to_15_after(
    api: Served, minutes: int, status: int
) -> None:
    booking = walk_in(api, minutes)

    answer = api.staff(Role.RECEPTIONIST).post(f"/api/staff/bookings/{booking['id']}/check-in")

    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.json()["status"] == "checked_in"
        assert trail(api)[-1].role == "receptionist"
    else:
        assert answer.json()["code"] == "outside_window"
    assert promises(api) == []


def test_a_no_show_spends_everything_and_is_forgiven_once(api: Served) -> None:
    booking = walk_in(api, -16)
    path = f"/api/staff/bookings/{booking['id']}"
    manager = api.staff(Role.MANAGER)

    missed = manager.post(f"{path}/no-show")
    assert (missed.status_code, missed.json()["status"]) == (200, "no_show"), missed.text
    assert credits_of(api) == {"available": 0, "held": 0}
    assert promises(api) == []
    forgiven = manager.post(f"{path}/forgive", {"reason": "a snow storm"})
    again = manager.post(f"{path}/forgive", {"reason": "a snow storm"})

    assert forgiven.json()["returned"] == {"simulator_minutes": 60, "coaching_sessions": 0}
    assert (again.status_code, again.json()["code"]) == (409, "already_forgiven")
    assert credits_of(api) == {"available": 60, "held": 0}
    assert [entry.action for entry in trail(api)] == [
        "booking.book",
        "booking.no_show",
        "booking.forgive",
    ]
    assert trail(api)[-1].reason == "a snow storm"
    assert promises(api) == []


def test_what_came_from_a_dead_lot_is_forgiven_as_a_make_good(api: Served) -> None:
    booking = walk_in(api, -16)
    path = f"/api/staff/bookings/{booking['id']}"
    manager = api.staff(Role.MANAGER)
    manager.post(f"{path}/no-show")
    with api.house.transaction() as session:
        session.execute(text("UPDATE lot SET expires_at = now() - interval '1 minute'"))

    forgiven = manager.post(f"{path}/forgive", {"reason": "a snow storm"})

    assert forgiven.json()["returned"]["simulator_minutes"] == 60
    assert credits_of(api) == {"available": 60, "held": 0}
    with api.house.transaction() as session:
        made = session.exec(select(Lot).where(col(Lot.source).startswith("make_good:"))).one()
    assert made.expires_at is not None
    assert timedelta(days=29) < made.expires_at - datetime.now(UTC) <= timedelta(days=31)
    assert promises(api) == []


def test_nobody_is_a_no_show_in_the_first_quarter_of_an_hour(api: Served) -> None:
    booking = walk_in(api, -10)

    answer = api.staff().post(f"/api/staff/bookings/{booking['id']}/no-show")

    assert (answer.status_code, answer.json()["code"]) == (409, "outside_window")
    assert credits_of(api)["held"] == 60


def test_who_came_after_all_has_played(api: Served) -> None:
    booking = walk_in(api, -16)
    path = f"/api/staff/bookings/{booking['id']}"
    api.staff().post(f"{path}/no-show")

    done = api.staff().post(f"{path}/complete", {"reason": "they were on bay 3"})

    assert (done.status_code, done.json()["status"]) == (200, "completed")
    late = api.staff().post(f"{path}/check-in")
    assert (late.status_code, late.json()["code"]) == (409, "wrong_state")
    assert promises(api) == []


def test_credits_are_given_and_taken_back_with_a_reason(api: Served) -> None:
    owner = api.staff()
    gift = {"customer": 7001, "kind": "simulator_minutes", "quantity": 90, "reason": "sorry"}

    given = owner.post("/api/staff/credits", gift)
    taken = owner.post("/api/staff/credits", {**gift, "quantity": -60, "reason": "typo"})
    too_much = owner.post("/api/staff/credits", {**gift, "quantity": -60})

    assert given.status_code == 201, given.text
    assert given.json()["simulator_minutes"] == {"available": 90, "held": 0}
    assert taken.json()["simulator_minutes"] == {"available": 30, "held": 0}
    assert (too_much.status_code, too_much.json()["code"]) == (409, "overdrawn")
    assert too_much.json()["available"] == 30
    assert credits_of(api) == {"available": 30, "held": 0}
    assert [(entry.action, entry.reason) for entry in trail(api)] == [
        ("credits.adjust", "sorry"),
        ("credits.adjust", "typo"),
    ]
    assert promises(api) == []


def test_a_gift_for_less_than_a_month_is_refused(api: Served) -> None:
    gift = {"customer": 7001, "kind": "simulator_minutes", "quantity": 90, "reason": "sorry"}

    answer = api.staff().post("/api/staff/credits", {**gift, "expires_in_days": 7})

    assert answer.status_code == 422
