"""Codes, claims, gifts and exports over HTTP, and the drain that looks after them."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlmodel import col, select, update

from booking_engine.attention import AttentionItem
from booking_engine.catalog.models import Studio
from booking_engine.ledger.people_models import PersonExport, ShopExport
from connector import doctor
from connector.runtime import Runtime
from connector.tables import Role
from connector.tasks import inbox, people
from shopify_gateway.models import WebhookDelivery
from tests.factories.people import customer_body, merge_body, redact_body
from tests.factories.serving import PROBLEM, SHOP, Served, serve
from tests.factories.shopify_bodies import order_body
from tests.factories.staff import promises, trail

TOML = Path(__file__).parents[2] / "shopify" / "shopify.app.toml"
EMAIL = "avery@example.com"


def deliver(api: Served, topic: str, body: dict[str, Any]) -> None:
    assert api.deliver(body, topic).status_code == 200
    inbox.drain(api.house)


def credits_of(api: Served, customer: int) -> dict[str, int]:
    shown = api.customer(customer).get("/api/credits").json()
    return dict(shown["simulator_minutes"])


@pytest.fixture
def api(shared_api: Served) -> Served:
    """A studio in which a guest has bought an hour."""
    deliver(shared_api, "orders/paid", order_body(customer=None, email=EMAIL))
    return shared_api


def issue(api: Served, order: int = 5001) -> dict[str, Any]:
    body = {"order": order, "reason": "they showed the receipt"}
    answer = api.staff(Role.RECEPTIONIST).post("/api/staff/claims", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_code_from_the_desk_is_redeemed_once(api: Served) -> None:
    issued = issue(api)

    answer = api.customer(7001).post("/api/claims", {"code": issued["code"]})
    again = api.customer(7002).post("/api/claims", {"code": issued["code"]})
    junk = api.customer(7002).post("/api/claims", {"code": "ABCD-EFGH-JKLM-NPQR"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["credits"] == {"simulator_minutes": 60}
    assert credits_of(api, 7001) == {"available": 60, "held": 0}
    assert (again.status_code, again.headers["content-type"]) == (404, PROBLEM)
    told = [{**each.json(), "request_id": ""} for each in (again, junk)]
    assert told[0] == told[1]
    assert told[0]["code"] == "unknown_code"
    assert [entry.action for entry in trail(api)] == ["claim.issue"]
    assert promises(api) == []


def test_redeeming_again_with_the_same_key_gives_the_same_answer(api: Served) -> None:
    body = {"code": issue(api)["code"]}

    first = api.customer(7001).post("/api/claims", body, key="once")
    again = api.customer(7001).post("/api/claims", body, key="once")

    assert (first.status_code, again.json()) == (200, first.json())


def test_guessing_is_stopped_after_ten_tries_an_hour(api: Served) -> None:
    guesser = api.customer(9_000_000 + int(datetime.now(UTC).timestamp()) % 1_000_000)
    codes = {f"AAAA-AAAA-AAAA-{number:04d}" for number in range(10)}

    tries = [guesser.post("/api/claims", {"code": code}).status_code for code in sorted(codes)]
    stopped = guesser.post("/api/claims", {"code": "AAAA"})

    assert tries == [404] * 10
    assert stopped.status_code == 429
    assert stopped.json()["code"] == "too_many_tries"
    assert 0 < int(stopped.headers["Retry-After"]) <= 3600


def test_a_code_needs_a_customer(api: Served) -> None:
    answer = api.visitor().post("/api/claims", {"code": issue(api)["code"]})

    assert answer.status_code == 401
    assert credits_of(api, 7001) == {"available": 0, "held": 0}


def test_staff_claim_for_a_customer_and_put_it_back(api: Served) -> None:
    owner = api.staff()
    body = {"order": 5001, "customer": 7001, "reason": "known in person"}

    made = owner.post("/api/staff/claims", body)
    second = owner.post("/api/staff/claims", body)
    there = credits_of(api, 7001)
    path = f"/api/staff/claims/{made.json()['claim']}/revert"
    by_desk = api.staff(Role.RECEPTIONIST).post(path, {"reason": "a mistake"})
    reverted = owner.post(path, {"reason": "a mistake"})
    shown = owner.get("/api/staff/claims", order=5001).json()

    assert made.status_code == 201, made.text
    assert (second.status_code, second.json()["code"]) == (409, "already_claimed")
    assert there == {"available": 60, "held": 0}
    assert by_desk.status_code == 403
    assert reverted.status_code == 200
    assert credits_of(api, 7001) == {"available": 0, "held": 0}
    assert [each["kind"] for each in shown["claims"]] == ["staff"]
    assert shown["claims"][0]["reverted_at"] is not None
    assert [entry.action for entry in trail(api)] == ["claim.make", "claim.revert"]
    assert promises(api) == []


def test_an_order_without_credits_has_nothing_to_claim(api: Served) -> None:
    answer = api.staff().post("/api/staff/claims", {"order": 1, "reason": "?"})

    assert (answer.status_code, answer.json()["code"]) == (404, "nothing_to_claim")


def test_the_buyer_sees_the_code_of_a_gift_and_the_link_opens_a_page(shared_api: Served) -> None:
    api = shared_api
    body = order_body(customer=7001)
    body["line_items"][0]["properties"] = [{"name": "_gift_to", "value": "friend@example.com"}]
    deliver(api, "orders/paid", body)
    people.tend(api.house)

    (gift,) = api.customer(7001).get("/api/gifts").json()["gifts"]
    link = urlsplit(gift["link"])
    page = api.customer(7002).get("/api/redeem", code=gift["code"])
    others = api.customer(7002).get("/api/gifts").json()
    redeemed = api.customer(7002).post("/api/claims", {"code": gift["code"]})
    (after,) = api.customer(7001).get("/api/gifts").json()["gifts"]
    shown = api.staff().get("/api/staff/claims", order=5001).json()

    assert gift["code"] in link.query
    assert link.path == "/apps/studio/redeem"
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert gift["code"] not in page.text
    assert others == {"gifts": []}
    assert redeemed.json()["kind"] == "gift"
    assert (after["code"], after["link"]) == (None, None)
    assert after["claimed_at"] is not None
    assert [each["id"] for each in shown["gifts"]] == [gift["id"]]
    assert credits_of(api, 7002) == {"available": 60, "held": 0}
    assert credits_of(api, 7001) == {"available": 0, "held": 0}


def test_a_verified_address_a_merge_and_a_redaction_arrive_as_deliveries(api: Served) -> None:
    deliver(api, "customers/create", customer_body(7001, EMAIL.upper()))
    claimed = credits_of(api, 7001)

    deliver(api, "customers/merge", merge_body(7002, 7001))
    merged = [credits_of(api, customer) for customer in (7001, 7002)]
    deliver(api, "customers/redact", redact_body(7002, email=EMAIL, orders=(5001,)))

    assert claimed == {"available": 60, "held": 0}
    assert merged == [claimed, claimed]
    assert credits_of(api, 7002) == {"available": 0, "held": 0}
    with api.house.transaction() as session:
        rows = session.exec(select(WebhookDelivery).order_by(col(WebhookDelivery.id))).all()
    assert [(row.topic, row.outcome) for row in rows] == [
        ("orders/paid", "posted"),
        ("customers/create", "claimed"),
        ("customers/merge", "merged"),
        ("customers/redact", "erased"),
    ]
    assert [row.body for row in rows] == [None] * 4
    assert promises(api) == []


def test_an_export_is_for_managers_and_is_forgotten_after_thirty_days(api: Served) -> None:
    body = {"customer": {"email": EMAIL}, "orders_requested": [], "data_request": {"id": 9999}}
    deliver(api, "customers/data_request", body)
    items = api.staff().get("/api/staff/attention").json()["items"]
    path = f"/api/staff/exports/{items[0]['facts']['export']}"

    shown = api.staff(Role.MANAGER).get(path)
    refused = api.staff(Role.FINANCE).get(path)
    with api.house.transaction() as session:
        long_ago = datetime.now(UTC) - timedelta(days=30, seconds=1)
        session.exec(update(PersonExport).values(created_at=long_ago))
    people.tend(api.house)
    gone = api.staff().get(path)

    assert items[0]["kind"] == "data_request"
    assert shown.json()["document"]["orders"] == [5001]
    assert len(shown.json()["document"]["kept"]["lot"]) == 1
    assert (refused.status_code, gone.status_code) == (403, 404)


def test_bodies_are_forgotten_after_thirty_days_and_what_they_did_is_not(api: Served) -> None:
    deliver(api, "orders/paid", order_body(5002))
    with api.house.transaction() as session:
        first = select(WebhookDelivery.id).order_by(col(WebhookDelivery.id)).limit(1)
        old = session.exec(first).one()
        long_ago = datetime.now(UTC) - timedelta(days=30, seconds=1)
        session.exec(
            update(WebhookDelivery)
            .where(col(WebhookDelivery.id) == old)
            .values(received_at=long_ago)
        )

    people.tend(api.house)

    with api.house.transaction() as session:
        rows = session.exec(select(WebhookDelivery).order_by(col(WebhookDelivery.id))).all()
    assert [row.body is None for row in rows] == [True, False]
    assert [row.outcome for row in rows] == ["posted", "posted"]


def test_a_gift_is_put_on_the_list_by_the_drain(shared_api: Served) -> None:
    body = order_body(customer=7001)
    body["line_items"][0]["properties"] = [{"name": "_gift_to", "value": "friend@example.com"}]
    deliver(shared_api, "orders/paid", body)

    people.tend(shared_api.house)
    people.tend(shared_api.house)

    with shared_api.house.transaction() as session:
        kinds = session.exec(select(AttentionItem.kind)).all()
    assert kinds == ["gift_to_hand_over"]


def test_a_closed_shop_is_gone_and_may_be_closed_again(house: Runtime) -> None:
    body = {"shop_id": 1, "shop_domain": SHOP}
    with serve(house) as api:
        deliver(api, "orders/paid", order_body())
        deliver(api, "shop/redact", body)

        again = api.deliver(body, "shop/redact")
        other = api.deliver(order_body(), "orders/paid")

    assert (again.status_code, other.status_code) == (200, 404)
    with house.transaction() as session:
        assert session.exec(select(Studio)).all() == []
        assert "lot" in session.exec(select(ShopExport.relation)).all()


def test_the_doctor_looks_for_every_subscription_of_the_app() -> None:
    declared = tomllib.loads(TOML.read_text())["webhooks"]["subscriptions"]
    topics = {topic for each in declared for topic in each.get("topics", [])}
    compliance = {topic for each in declared for topic in each.get("compliance_topics", [])}

    assert sorted(topic.upper().replace("/", "_") for topic in topics) == doctor.TOPICS
    assert compliance == {"customers/data_request", "customers/redact", "shop/redact"}
    scopes = tomllib.loads(TOML.read_text())["access_scopes"]["scopes"]
    assert set(scopes.split(",")) == doctor.SCOPES
