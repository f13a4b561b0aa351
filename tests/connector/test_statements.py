"""The customer's statement: it closes, it names sessions and orders, it can be read and printed."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from playwright.sync_api import Browser

from connector.tables import Role
from tests.factories.serving import PROBLEM, Caller, Served, session_body, signed, studio_of
from tests.factories.serving import tuesday_at as tuesday
from tests.factories.shop_orders import make_line, make_order, post
from tests.factories.studio import COACHING, HOUR, PACKAGE, TORONTO

KINDS = ("simulator_minutes", "coaching_sessions")


@pytest.fixture
def customer(shared_api: Served) -> Caller:
    """A customer who bought a package, an hour and coaching, booked twice and cancelled once."""
    with shared_api.house.transaction() as session:
        lines = [
            make_line(variant, 1, number=place)
            for place, variant in enumerate((PACKAGE, HOUR, COACHING))
        ]
        post(session, studio_of(shared_api), make_order(*lines), datetime.now(UTC))
    caller = shared_api.customer()
    coaching = {"minutes": 60, "coach": "ana"}
    for hour, more in ((14, {"coaching": coaching}), (18, {})):
        answer = caller.post("/api/bookings", session_body(tuesday(hour), **more))
        assert answer.status_code == 201, answer.text
    caller.post(f"/api/bookings/{answer.json()['id']}/cancel", {})
    return caller


def test_opening_and_every_change_is_closing(shared_api: Served, customer: Caller) -> None:
    shown = customer.get("/api/credits/statement").json()

    balance = customer.get("/api/credits").json()
    today = datetime.now(TORONTO).date()
    assert (shown["from"], shown["to"]) == (str(today.replace(day=1)), str(today))
    assert len(shown["lines"]) == 7
    for kind in KINDS:
        of_kind = [line["change"] for line in shown["lines"] if line["kind"] == kind]
        for part in ("available", "held"):
            moved = sum(change[part] for change in of_kind)
            assert shown[kind]["opening"][part] + moved == shown[kind]["closing"][part]
            assert shown[kind]["closing"][part] == balance[kind][part]
    bought, *_, returned = shown["lines"]
    assert (bought["reason"], bought["order"], bought["session"]) == ("purchased", "#5001", None)
    codes = {each["code"] for each in customer.get("/api/bookings", when="all").json()["bookings"]}
    assert {line["session"] for line in shown["lines"][3:]} == codes
    assert (returned["reason"], returned["change"]["available"] > 0) == ("cancelled", True)


def test_what_was_before_is_the_opening_of_what_comes_after(customer: Caller) -> None:
    today = datetime.now(TORONTO).date()
    tomorrow = today + timedelta(days=1)
    asked = {"from": str(tomorrow), "to": str(tomorrow)}

    before = customer.get("/api/credits/statement", to=str(today)).json()
    after = customer.get("/api/credits/statement", **asked).json()

    assert after["lines"] == []
    for kind in KINDS:
        assert after[kind]["opening"] == after[kind]["closing"] == before[kind]["closing"]


def test_who_has_no_credits_has_an_empty_statement(shared_api: Served) -> None:
    shown = shared_api.customer(7002).get("/api/credits/statement").json()

    nothing = {"available": 0, "held": 0}
    assert shown["lines"] == []
    assert shown["simulator_minutes"] == {"opening": nothing, "closing": nothing}


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-13-01"},
        {"from": "1.11.2026"},
        {"from": "2026-11-30", "to": "2026-11-01"},
        {"from": "2025-01-01", "to": "2026-11-01"},
        {"to": "2026-02-30"},
        {"to": ""},
        {"from": "9999-01-01"},
    ],
)
@pytest.mark.parametrize("page", ["statement", "statement.html"])
def test_a_time_that_cannot_be_meant_is_refused(
    shared_api: Served, query: dict[str, Any], page: str
) -> None:
    answer = shared_api.customer().get(f"/api/credits/{page}", **query)

    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert answer.json()["code"] == "invalid"


def test_a_statement_is_for_its_customer_and_the_desk(shared_api: Served, customer: Caller) -> None:
    desk = shared_api.staff(Role.RECEPTIONIST, customer=7001)
    answers = [
        who.get("/api/credits/statement")
        for who in (desk, shared_api.visitor(), shared_api.staff(Role.COACH, customer=7001))
    ]

    assert [each.status_code for each in answers] == [200, 401, 403]
    assert answers[0].json() == customer.get("/api/credits/statement").json()


def test_the_page_says_the_same_and_may_do_nothing(customer: Caller) -> None:
    answer = customer.get("/api/credits/statement.html")

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-store"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "<script" not in answer.text
    assert "Bought, order #5001" in answer.text
    for each in customer.get("/api/bookings").json()["bookings"]:
        assert f"Reserved, session {each['code']}" in answer.text
    assert re.search(r"Returned, session [2-9A-Z]{8}", answer.text)


def test_what_an_order_is_called_cannot_become_markup(shared_api: Served) -> None:
    with shared_api.house.transaction() as session:
        order = replace(make_order(make_line()), name="<b onclick=x>#1</b>")
        post(session, studio_of(shared_api), order, datetime.now(UTC))

    text = shared_api.customer().get("/api/credits/statement.html").text

    tags: set[str] = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.add(tag)  # type: ignore[method-assign]
    parser.feed(text)
    assert "b" not in tags
    assert "&lt;b onclick=x&gt;" in text


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it_as_it_is_meant(
    shared_api: Served, customer: Caller, browser: Browser, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    query = signed({"logged_in_customer_id": "7001"})

    page.goto(f"{shared_api.http.base_url}/api/credits/statement.html?{query}")

    assert complaints == []
    assert page.get_by_role("heading", level=1).inner_text() == "Credit statement"
    assert page.get_by_role("table").count() == 2
    # The style sheet is let in by its digest.
    assert page.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse") == (
        "collapse"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
