"""Debts, disputes by hand and refunds without lines, over HTTP."""

from typing import Any

import pytest
from sqlalchemy import text

from connector.tables import Role
from connector.tasks import book, inbox
from tests.factories.serving import Served, session_body, tuesday_at
from tests.factories.shopify_bodies import order_body
from tests.factories.staff import credits_of, promises, trail
from tests.factories.studio import PACKAGE

DISPUTE = "/api/staff/orders/5001/dispute"


@pytest.fixture
def sold(shared_api: Served) -> Served:
    """A studio that has sold the package."""
    bought(shared_api)
    return shared_api


def bought(api: Served, id: int = 5001, **changes: Any) -> None:
    """Deliver a package's order, and let a worker understand it."""
    body = order_body(id, variant=PACKAGE, **changes)
    body["line_items"][0]["price"] = "400.00"
    assert api.deliver(body).status_code == 200
    inbox.drain(api.house)


def told(api: Served, status: str, **more: Any) -> Any:
    """Tell of the dispute over the package at the desk."""
    body = {"status": status, "reason": "the bank wrote", **more}
    answer = api.staff().post(DISPUTE, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def play(api: Served) -> None:
    """Book an hour with credits, and let it be over."""
    booked = api.customer().post("/api/bookings", session_body(tuesday_at(18)))
    assert booked.status_code == 201, booked.text
    with api.house.transaction() as session:
        session.execute(
            text(
                "UPDATE booking SET starts_at = now() - interval '2 hours',"
                " ends_at = now() - interval '1 hour'"
            )
        )
    book.sweep(api.house)


def items(api: Served) -> dict[str, Any]:
    """Return the open items of the attention list, by kind."""
    listed = api.staff().get("/api/staff/attention").json()["items"]
    return {item["kind"]: item for item in listed}


def test_a_lost_dispute_told_by_hand_blocks_until_it_is_settled(sold: Served) -> None:
    play(sold)
    repeated = {**session_body(tuesday_at(10, weeks=5)), "every_weeks": 1, "count": 2}
    dates = f"/api/series/{sold.customer().post('/api/series', repeated).json()['series']}"
    skipped = sold.customer().post(f"{dates}/occurrences/2/skip")
    assert skipped.json()["occurrences"][1]["status"] == "skipped"
    opened = told(sold, "needs_response", amount_minor=400_00)
    assert (opened["owed_minor"], credits_of(sold)) == (0, {"available": 0, "held": 0})
    assert items(sold)["dispute_opened"]["facts"]["value_minor"] == 400_00

    lost = told(sold, "lost")

    assert lost["owed_minor"] == 40_00
    assert [each["status"] for each in lost["disputes"]] == ["lost"]
    sold.give(600)
    wish = session_body(tuesday_at(19))
    refused = [
        sold.customer().post("/api/bookings", wish),
        sold.customer().post("/api/holds", wish),
        sold.customer().post("/api/series", {**wish, "every_weeks": 1, "count": 2}),
        sold.customer().post(f"{dates}/occurrences/2/add"),
    ]
    assert [(each.status_code, each.json()["code"]) for each in refused] == [(403, "debt_open")] * 4
    assert refused[0].json()["owed_minor"] == 40_00
    assert sold.customer().get("/api/credits").json()["owed_minor"] == 40_00
    assert sold.staff(customer=7001).post("/api/staff/bookings", wish).status_code == 201
    assert sold.staff().post(f"{dates}/occurrences/2/add").status_code == 200

    part = {"customer": 7001, "amount_minor": 15_00, "order": 5009, "reason": "paid at the desk"}
    first = sold.staff(Role.FINANCE).post("/api/staff/debts/settle", part, key="once")
    again = sold.staff(Role.FINANCE).post("/api/staff/debts/settle", part, key="once")
    assert (first.json(), again.json()) == ({"customer": 7001, "owed_minor": 25_00},) * 2
    rest = {"customer": 7001, "reason": "let go"}
    assert sold.staff().post("/api/staff/debts/settle", rest).json()["owed_minor"] == 0
    shown = sold.staff(Role.FINANCE, customer=7001).get("/api/staff/debts").json()
    assert [(each["amount_minor"], each["cause"], each["by"]) for each in shown["entries"]] == [
        (40_00, "dispute", "shopify"),
        (-15_00, "settlement", "staff:finance"),
        (-25_00, "settlement", "staff:owner"),
    ]
    assert sold.customer().post("/api/bookings", session_body(tuesday_at(20))).status_code == 201
    actions = [entry.action for entry in trail(sold)]
    assert actions == ["order.dispute"] * 2 + ["booking.book"] + ["debt.settle"] * 2
    assert promises(sold) == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"customer": 7001, "reason": "r"}, 409, "nothing_owed"),
        ({"customer": 7999, "reason": "r"}, 404, "not_found"),
        ({"customer": 7001, "amount_minor": 0, "reason": "r"}, 422, "invalid"),
        ({"customer": 7001}, 422, "invalid"),
    ],
)
def test_what_cannot_be_settled_is_refused(
    sold: Served, body: dict[str, Any], status: int, code: str
) -> None:
    answer = sold.staff().post("/api/staff/debts/settle", body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert trail(sold) == []


def test_more_than_is_owed_is_not_settled(sold: Served) -> None:
    play(sold)
    told(sold, "lost")

    answer = sold.staff().post(
        "/api/staff/debts/settle", {"customer": 7001, "amount_minor": 40_01, "reason": "r"}
    )

    assert (answer.status_code, answer.json()["owed_minor"]) == (422, 40_00)


def test_a_dispute_is_told_of_a_known_order_alone(sold: Served) -> None:
    body = {"status": "lost", "reason": "the bank wrote"}

    answers = [
        sold.staff().post("/api/staff/orders/4711/dispute", body),
        sold.staff().post(DISPUTE, {**body, "status": "maybe"}),
        sold.staff().post(DISPUTE, {**body, "reference": "a b"}),
        sold.staff(Role.RECEPTIONIST).post(DISPUTE, body),
    ]

    assert [each.status_code for each in answers] == [404, 422, 422, 403]
    assert credits_of(sold) == {"available": 600, "held": 0}


def test_a_dispute_told_twice_is_one_and_a_mistake_is_put_right(sold: Served) -> None:
    first, second = told(sold, "lost"), told(sold, "lost")
    assert first["disputes"] == second["disputes"]
    assert credits_of(sold) == {"available": 0, "held": 0}

    won = told(sold, "won")

    assert [each["status"] for each in won["disputes"]] == ["won"]
    assert credits_of(sold) == {"available": 600, "held": 0}
    assert items(sold) == {}
    assert promises(sold) == []


def test_a_refund_without_a_line_is_settled_with_one_word(sold: Served) -> None:
    refund = {
        "id": 81,
        "refund_line_items": [],
        "transactions": [
            {"kind": "refund", "status": "success", "amount": "200.00", "currency": "CAD"}
        ],
    }
    later = {"updated_at": "2999-01-01T00:00:00Z", "refunds": [refund]}
    bought(sold, status="partially_refunded", **later)
    item = items(sold)["money_refund"]
    assert item["choices"] == ["revoke", "dismiss"]
    assert item["facts"]["proposed"] == {"simulator_minutes": 300}

    body = {"choice": "revoke", "reason": "as agreed"}
    done = sold.staff().post(f"/api/staff/attention/{item['id']}/resolve", body)

    assert (done.status_code, done.json()["resolution"]) == (200, "revoke")
    assert credits_of(sold) == {"available": 300, "held": 0}
    bought(sold, status="partially_refunded", **later)
    assert items(sold) == {}
    wrong = sold.staff().post(f"/api/staff/attention/{item['id']}/resolve", body)
    assert (wrong.status_code, wrong.json()["code"]) == (409, "already_resolved")


def test_a_booking_says_until_when_it_must_be_paid(sold: Served) -> None:
    made = sold.customer().post("/api/bookings", session_body()).json()
    assert (made["pay_by"], made["at_risk"]) == (None, False)
    body = order_body(5001, variant=PACKAGE, status="refunded", updated_at="2999-01-01T00:00:00Z")
    body["line_items"][0] |= {"current_quantity": 0, "price": "400.00"}
    sold.deliver(body)
    inbox.drain(sold.house)

    shown = sold.customer().get(f"/api/bookings/{made['id']}").json()

    assert (shown["status"], shown["pay_by"] is not None) == ("confirmed", True)
    item = items(sold)["booking_unfunded"]
    assert item["choices"] == ["cancel", "dismiss"]
    body = {"choice": "cancel", "reason": "they will not pay"}
    sold.staff().post(f"/api/staff/attention/{item['id']}/resolve", body)
    assert sold.customer().get(f"/api/bookings/{made['id']}").json()["status"] == "cancelled"
    assert promises(sold) == []


def test_a_dispute_that_is_delivered_freezes_at_once(sold: Served) -> None:
    body = {
        "id": 77,
        "order_id": 5001,
        "type": "chargeback",
        "amount": "400.00",
        "currency": "CAD",
        "reason": "fraudulent",
        "status": "needs_response",
        "evidence_due_by": None,
        "finalized_on": None,
        "initiated_at": "2026-11-25T10:00:00-05:00",
    }

    sold.deliver(body, "disputes/create")
    inbox.drain(sold.house)

    assert credits_of(sold) == {"available": 0, "held": 0}
    assert list(items(sold)) == ["dispute_opened"]
