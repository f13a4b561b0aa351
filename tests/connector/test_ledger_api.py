"""Staff ask about sold credits and change them, over HTTP: refund quotes, longer lives, reports."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from booking_engine.ledger import credits
from booking_engine.ledger.models import Lot
from connector.tables import Role
from connector.tasks import book
from tests.factories.ledger import grant_lot, lot_of, make_cause, transfers_of
from tests.factories.serving import PROBLEM, Served, session_body, studio_of, tuesday_at
from tests.factories.shop_orders import later, make_line, make_order, post
from tests.factories.staff import credits_of, promises, trail
from tests.factories.studio import COACHING, HOUR, PACKAGE, make_wallet

DAY = timedelta(days=1)


def sell(api: Served, *lines: tuple[int, int], number: int = 5001) -> None:
    """Converge a paid order of these variants and quantities."""
    made = [make_line(variant, n, number=place) for place, (variant, n) in enumerate(lines)]
    with api.house.transaction() as session:
        post(session, studio_of(api), make_order(*made, id=number), datetime.now(UTC))


def give_lot(api: Served, source: str, expires_in: timedelta | None, paid_minor: int = 0) -> Lot:
    with api.house.transaction() as session:
        wallet = make_wallet(session, studio_of(api))
        now = datetime.now(UTC)
        ends = None if expires_in is None else now + expires_in
        return grant_lot(
            session,
            studio_of(api),
            wallet,
            source,
            600,
            expires_at=ends,
            granted_at=now,
            paid_minor=paid_minor,
        )


def test_a_refund_quote_shows_both_sums_and_changes_nothing(shared_api: Served) -> None:
    sell(shared_api, (PACKAGE, 1), (COACHING, 2))
    for hour in (10, 14):
        shared_api.customer().post("/api/bookings", session_body(tuesday_at(hour), 120))
    with shared_api.house.transaction() as session:
        (first, *_) = credits.of_wallet(
            session,
            studio_id=studio_of(shared_api).id,
            wallet_id=make_wallet(session, studio_of(shared_api)).id,
        )
        before = transfers_of(session)
    assert first.held == 240

    shown = shared_api.staff(Role.FINANCE).get("/api/staff/orders/5001/refund-quote").json()

    assert (shown["paid_minor"], shown["currency"]) == (52000, "CAD")
    assert (shown["re_rated_minor"], shown["pro_rata_minor"]) == (52000, 52000)
    assert shown["single_prices"] == {
        "simulator_minutes": {"price_minor": 4500, "quantity": 60},
        "coaching_sessions": {"price_minor": 6000, "quantity": 1},
    }
    package, coaching = shown["lines"]
    assert package["units"][0]["credits"] == {
        "simulator_minutes": {"granted": 600, "used": 0, "unused": 600}
    }
    assert [unit["paid_minor"] for unit in coaching["units"]] == [6000, 6000]
    with shared_api.house.transaction() as session:
        assert transfers_of(session) == before


def test_a_unit_that_was_refunded_is_not_quoted_again(shared_api: Served) -> None:
    sell(shared_api, (HOUR, 2))
    order = make_order(make_line(HOUR, 2, number=0), id=5001)
    with shared_api.house.transaction() as session:
        post(session, studio_of(shared_api), later(order, 1))

    shown = shared_api.staff().get("/api/staff/orders/5001/refund-quote").json()

    assert (shown["paid_minor"], shown["re_rated_minor"]) == (4500, 4500)


@pytest.mark.parametrize(
    ("order", "status"), [("404", 404), ("0", 422), ("x", 422), ("9" * 30, 422)]
)
def test_there_is_no_quote_for_an_order_without_credits(
    shared_api: Served, order: str, status: int
) -> None:
    answer = shared_api.staff().get(f"/api/staff/orders/{order}/refund-quote")

    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)


def test_an_expired_lot_comes_back_when_it_is_given_more_time(shared_api: Served) -> None:
    lot = give_lot(shared_api, "pack", timedelta(seconds=-1))
    book.sweep(shared_api.house)
    assert credits_of(shared_api) == {"available": 0, "held": 0}
    until = (datetime.now(UTC) + 30 * DAY).replace(microsecond=0)
    body = {"until": until.isoformat(), "reason": "was ill for a month"}

    answer = shared_api.staff(Role.MANAGER).post(f"/api/staff/lots/{lot.id}/extend", body)

    assert answer.status_code == 200, answer.text
    assert answer.json()["revived"] == 600
    assert answer.json()["lot"]["available"] == 600
    assert datetime.fromisoformat(answer.json()["lot"]["expires_at"]) == until
    assert credits_of(shared_api) == {"available": 600, "held": 0}
    (entry,) = trail(shared_api)
    assert (entry.action, entry.reason) == ("lot.extend", "was ill for a month")
    assert entry.facts["revived"] == 600
    assert promises(shared_api) == []


def test_a_lot_is_never_given_less_time(shared_api: Served) -> None:
    lot, ever = give_lot(shared_api, "pack", 30 * DAY), give_lot(shared_api, "ever", None)
    owner = shared_api.staff()
    sooner = {"until": (datetime.now(UTC) + DAY).isoformat(), "reason": "oops"}
    past = {"until": (datetime.now(UTC) - DAY).isoformat(), "reason": "oops"}

    refused = [
        owner.post(f"/api/staff/lots/{lot.id}/extend", sooner),
        owner.post(f"/api/staff/lots/{ever.id}/extend", sooner),
        owner.post(f"/api/staff/lots/{lot.id}/extend", past),
        owner.post(f"/api/staff/lots/{uuid4()}/extend", sooner),
    ]

    said = [(each.status_code, each.json()["code"]) for each in refused]
    assert said == [
        (409, "not_longer"),
        (409, "not_longer"),
        (422, "invalid"),
        (404, "not_found"),
    ]
    with shared_api.house.transaction() as session:
        assert lot_of(session, "pack").expires_at == lot.expires_at
        assert lot_of(session, "ever").expires_at is None
    assert trail(shared_api) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"until": "2027-01-01T00:00:00Z"},
        {"until": "2027-01-01", "reason": "x"},
        {"until": "2027-01-01T00:00:00", "reason": "x"},
        {"until": 1800000000, "reason": "x"},
        {"until": "9999-01-01T00:00:00Z", "reason": "x"},
        {"until": "2027-01-01T00:00:00Z", "reason": " "},
        {"until": "2027-01-01T00:00:00Z", "reason": "x", "days": 3},
    ],
)
def test_an_extension_without_an_end_or_a_reason_is_refused(
    shared_api: Served, body: dict[str, Any]
) -> None:
    lot = give_lot(shared_api, "pack", 30 * DAY)

    answer = shared_api.staff().post(f"/api/staff/lots/{lot.id}/extend", body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    with shared_api.house.transaction() as session:
        assert lot_of(session, "pack").expires_at == lot.expires_at


def test_the_same_key_extends_and_revives_once(shared_api: Served) -> None:
    lot = give_lot(shared_api, "pack", timedelta(seconds=-1))
    book.sweep(shared_api.house)
    owner = shared_api.staff()
    body = {"until": (datetime.now(UTC) + 30 * DAY).isoformat(), "reason": "ill"}
    path = f"/api/staff/lots/{lot.id}/extend"

    first, again = (owner.post(path, body, key="lost") for _ in range(2))

    assert first.json() == again.json()
    assert credits_of(shared_api)["available"] == 600
    assert len(trail(shared_api)) == 1


def test_the_liability_report_closes(shared_api: Served) -> None:
    give_lot(shared_api, "pack", 30 * DAY, paid_minor=40000)
    with shared_api.house.transaction() as session:
        cause = make_cause(datetime.now(UTC))
        credits.revoke(session, lot=lot_of(session, "pack"), quantity=60, key="k", cause=cause)

    shown = shared_api.staff(Role.FINANCE).get("/api/staff/reports/liability").json()

    assert shown["simulator_minutes"]["sold"] == {"credits": 600, "money_minor": 40000}
    assert shown["simulator_minutes"]["revoked"] == {"credits": 60, "money_minor": 4000}
    assert shown["money_minor"] == {
        "opening": 0,
        "sold": 40000,
        "used": 0,
        "expired": 0,
        "revoked": 4000,
        "closing": 36000,
    }
    assert shown["simulator_minutes"]["ageing"]["within_30_days"]["credits"] == 540


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "november", "2199-12", "2026-11-01", ""])
def test_a_month_that_is_none_or_has_not_begun_is_refused(shared_api: Served, month: str) -> None:
    answer = shared_api.staff().get("/api/staff/reports/liability", month=month)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": 0},
        {"quantity": 10**12},
        {"quantity": -(10**12)},
        {"quantity": "60"},
        {"quantity": 1.5},
        {"quantity": True},
        {"kind": "tokens"},
        {"customer": 0},
        {"customer": 10**30},
        {"reason": ""},
        {"expires_in_days": 3},
        {"quantity": -60, "expires_in_days": 30},
    ],
)
def test_an_adjustment_that_cannot_be_meant_changes_nothing(
    shared_api: Served, change: dict[str, Any]
) -> None:
    shared_api.give(600)
    body = {"customer": 7001, "kind": "simulator_minutes", "quantity": 60, "reason": "rain"}

    answer = shared_api.staff().post("/api/staff/credits", body | change)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert credits_of(shared_api) == {"available": 600, "held": 0}
    assert trail(shared_api) == []


def test_more_than_there_is_cannot_be_taken_back(shared_api: Served) -> None:
    shared_api.give(60)
    body = {"customer": 7001, "kind": "simulator_minutes", "quantity": -61, "reason": "mistake"}
    owner = shared_api.staff()

    answers = [
        owner.post("/api/staff/credits", body),
        owner.post("/api/staff/credits", body | {"kind": "coaching_sessions", "quantity": -1}),
    ]

    assert [(each.status_code, each.json()["code"]) for each in answers] == [(409, "overdrawn")] * 2
    assert answers[0].json()["available"] == 60
    assert credits_of(shared_api) == {"available": 60, "held": 0}
    assert trail(shared_api) == []


def test_an_adjustment_whose_answer_was_lost_happens_once(shared_api: Served) -> None:
    body = {"customer": 7001, "kind": "simulator_minutes", "quantity": 60, "reason": "rain"}
    owner = shared_api.staff()

    first, again = (owner.post("/api/staff/credits", body, key="rain") for _ in range(2))
    other = owner.post("/api/staff/credits", body | {"quantity": 90}, key="rain")

    assert (first.status_code, again.json(), other.status_code) == (201, first.json(), 422)
    assert credits_of(shared_api) == {"available": 60, "held": 0}


def test_what_was_returned_is_not_returned_twice(shared_api: Served) -> None:
    shared_api.give(60)
    customer = shared_api.customer()
    booked = customer.post("/api/bookings", session_body()).json()

    answers = [customer.post(f"/api/bookings/{booked['id']}/cancel", {}) for _ in range(2)]

    assert [each.status_code for each in answers] == [200, 409]
    assert answers[1].json()["code"] == "already_cancelled"
    assert credits_of(shared_api) == {"available": 60, "held": 0}
