"""Who is calling is proven, or nothing is said."""

import hashlib
import time
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import httpx
import pytest
from sqlmodel import select

from booking_engine.catalog import queries
from connector import keys
from connector.tables import Role, StaffKey
from tests.factories.serving import PROBLEM, SHOP, Caller, Served, session_body, signed

DESK = [Role.OWNER, Role.MANAGER, Role.RECEPTIONIST]
OTHERS = [Role.COACH, Role.FINANCE]


@pytest.fixture
def api(shared_api: Served) -> Served:
    return shared_api


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == PROBLEM
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_the_shops_signature_proves_the_customer(api: Served) -> None:
    answer = api.http.get(f"/api/credits?{signed({'logged_in_customer_id': '7001'})}")

    assert answer.status_code == 200
    assert answer.json()["simulator_minutes"] == {"available": 0, "held": 0}


@pytest.mark.parametrize(
    "query",
    [
        signed({"logged_in_customer_id": "7001"}, secret="other"),
        signed({"logged_in_customer_id": "7001"}, at=time.time() - 3600),
        signed({"logged_in_customer_id": "7001"}, at=time.time() + 3600),
        signed({"logged_in_customer_id": "7001", "timestamp": "soon"}),
        signed({"logged_in_customer_id": "7001", "timestamp": ""}),
        signed({"logged_in_customer_id": "seven"}),
        signed({"logged_in_customer_id": "7001", "shop": "evil.example.com"}),
        signed({"logged_in_customer_id": "7001"}) + "&logged_in_customer_id=7002",
        signed({"logged_in_customer_id": "7001"}) + "&shop=other.myshopify.com",
        signed({"logged_in_customer_id": "7001"}) + "&timestamp=1",
        signed({"logged_in_customer_id": "7001"}) + "&signature=00",
        signed({"logged_in_customer_id": "7001"}) + "&extra=1",
        signed({"logged_in_customer_id": "7001"}).replace("7001", "7002"),
        "shop=" + SHOP + "&logged_in_customer_id=7001&signature=",
        "shop=" + SHOP + "&logged_in_customer_id=7001&signature=%C3%A9",
        "shop=" + SHOP + "&logged_in_customer_id=7001",
        "logged_in_customer_id=7001",
    ],
)
def test_what_the_shop_has_not_signed_is_refused(api: Served, query: str) -> None:
    answer = api.http.get(f"/api/credits?{query}")

    refused(answer, 401, "unauthenticated")
    assert "7001" not in answer.text


def test_a_repeated_harmless_parameter_is_signed_as_one(api: Served) -> None:
    query = signed({"logged_in_customer_id": "7001", "tag": "a,b"})
    pairs = [each for each in query.split("&") if not each.startswith("tag=")]

    answer = api.http.get("/api/credits?" + "&".join(["tag=a", *pairs, "tag=b"]))

    assert dict(parse_qsl(query))["tag"] == "a,b"
    assert answer.status_code == 200


def test_a_signed_request_for_a_shop_that_is_not_connected_is_not_found(api: Served) -> None:
    query = signed({"shop": "other.myshopify.com", "logged_in_customer_id": "7001"})

    refused(api.http.get(f"/api/credits?{query}"), 404, "not_found")


@pytest.mark.parametrize("role", DESK)
def test_the_desk_acts_for_customers(api: Served, role: Role) -> None:
    api.give(60, customer=7001)

    answer = api.staff(role, customer=7001).post("/api/bookings", session_body())

    assert answer.status_code == 201
    assert api.customer(7001).get("/api/credits").json()["simulator_minutes"]["held"] == 60


@pytest.mark.parametrize("role", OTHERS)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/credits"), ("POST", "/api/bookings"), ("POST", "/api/holds")]
)
def test_a_coach_and_the_accountant_do_not(api: Served, role: Role, method: str, path: str) -> None:
    api.give(60, customer=7001)

    answer = api.staff(role, customer=7001).ask(method, path, json=session_body())

    refused(answer, 403, "forbidden")
    assert api.customer(7001).get("/api/bookings").json()["bookings"] == []


@pytest.mark.parametrize(
    "header",
    ["Bearer sk_wrong", "Bearer", "Basic c2s6c2s=", "sk_wrong", "", "Bearer x y"],
)
def test_a_key_that_is_none_is_refused(api: Served, header: str) -> None:
    answer = api.http.get("/api/catalog", headers={"Authorization": header})

    refused(answer, 401, "unauthenticated")


def test_staff_name_the_customer_for_whom_they_act(api: Served) -> None:
    refused(api.staff().get("/api/credits"), 422, "invalid")


@pytest.mark.parametrize("customer", ["seven", "-1", "1" * 30, "%00", "٣", "1.5"])
def test_a_customer_is_a_number(api: Served, customer: str) -> None:
    refused(api.staff().get("/api/credits", customer=customer), 422, "invalid")


@pytest.mark.parametrize(
    "path",
    ["/api/catalog", "/api/availability?from=2026-12-01", f"/api/catalog?shop={SHOP}"],
)
def test_a_stranger_reads_what_is_public(api: Served, path: str) -> None:
    assert api.http.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/credits"),
        ("GET", "/api/credits/transfers"),
        ("GET", "/api/bookings"),
        ("GET", "/api/bookings/01a1f8fe-dd91-70c7-989e-650071083841"),
        ("GET", "/api/bookings/01a1f8fe-dd91-70c7-989e-650071083841.ics"),
        ("GET", "/api/holds/01a1f8fe-dd91-70c7-989e-650071083841"),
        ("DELETE", "/api/holds/01a1f8fe-dd91-70c7-989e-650071083841"),
        ("POST", "/api/bookings"),
        ("POST", "/api/holds"),
        ("POST", "/api/bookings/01a1f8fe-dd91-70c7-989e-650071083841/cancel"),
    ],
)
def test_a_stranger_gets_nothing_else(api: Served, method: str, path: str) -> None:
    body = session_body() if method == "POST" and not path.endswith("cancel") else None

    answer = api.stranger().ask(method, path, json=body)

    refused(answer, 401, "unauthenticated")


@pytest.mark.parametrize("shop", ["other.myshopify.com", "x" * 5000, "a%00b", "%F0%9F%8C%AD"])
def test_an_unknown_shop_is_not_found(api: Served, shop: str) -> None:
    refused(api.http.get(f"/api/catalog?shop={shop}"), 404, "not_found")


@pytest.mark.parametrize(
    "path", ["", ".ics", "/cancel"], ids=["the booking", "its file", "its cancellation"]
)
def test_somebody_elses_booking_does_not_exist(api: Served, path: str) -> None:
    api.give(60, customer=7001)
    booking = api.customer(7001).post("/api/bookings", session_body()).json()
    other: Caller = api.customer(7002)

    method = "POST" if path == "/cancel" else "GET"
    answer = other.ask(method, f"/api/bookings/{booking['id']}{path}")

    refused(answer, 404, "not_found")
    mine = api.customer(7001).get(f"/api/bookings/{booking['id']}").json()
    assert mine["status"] == "confirmed"
    assert api.staff().get(f"/api/bookings/{booking['id']}").json()["id"] == booking["id"]


def test_a_key_of_the_same_name_replaces_the_former(api: Served) -> None:
    with api.house.transaction() as session:
        studio_id = queries.only_id(session)
        made = [
            keys.add(session, studio_id=studio_id, name="desk", role=role, now=datetime.now(UTC))
            for role in (Role.OWNER, Role.COACH)
        ]

    answers = [Caller(api.http, key=key).get("/api/catalog").status_code for key in made]

    assert answers == [401, 200]
    assert all(key.startswith("sk_") and len(key) > 40 for key in made)


def test_a_key_is_kept_as_a_digest_only(api: Served) -> None:
    key = api.staff().key

    with api.house.transaction() as session:
        kept = session.exec(select(StaffKey)).one()

    assert kept.digest == hashlib.sha256((key or "").encode()).digest()
    assert (key or "none") not in repr(kept)


def test_a_revoked_key_is_refused(api: Served) -> None:
    owner = api.staff()
    with api.house.transaction() as session:
        session.exec(select(StaffKey)).one().revoked_at = datetime.now(UTC)

    refused(owner.get("/api/catalog"), 401, "unauthenticated")
