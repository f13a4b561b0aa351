"""`/api/waitlist` as a customer of the shop meets it."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from booking_engine.booking import checkout, holds
from booking_engine.catalog import queries
from booking_engine.ledger import wallets
from connector import wakeups, worker
from connector.runtime import Runtime
from connector.tasks import waitlist
from tests.factories.ledger import grant_lot
from tests.factories.serving import Caller, Served, session_body, studio_of, tuesday_at
from tests.factories.studio import apply_demo, demo_text
from tests.factories.waitlist import OCCUPANT, fill, violations

ORDER = 9001


@pytest.fixture(autouse=True)
def _daytime(house: Runtime) -> None:
    """Put the studio where it is about noon, because at night nothing is offered."""
    west = datetime.now(UTC).hour - 12
    zone = f"Etc/GMT{west:+d}"
    with house.transaction() as session:
        apply_demo(session, demo_text(**{"America/Toronto": zone}))


@pytest.fixture
def evening(api: Served) -> datetime:
    zone = studio_of(api).locations[0].zone
    return tuesday_at(18).replace(tzinfo=zone)


@pytest.fixture
def full(api: Served, evening: datetime) -> str:
    """An evening that one customer has taken whole; returns the booking."""
    with api.house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        [booking_id] = fill(session, studio, evening, bays=1, simulators=4, at=datetime.now(UTC))
    return str(booking_id)


def wish(start: datetime, **more: object) -> dict[str, object]:
    at = start.isoformat()
    return {"service": "simulator", "earliest": at, "latest": at, "minutes": 60, **more}


def offered(api: Served, caller: Caller) -> dict[str, object]:
    """Serve the line and return what the caller is offered."""
    waitlist.match(api.house)
    entry = caller.get("/api/waitlist").json()["entries"][0]
    assert entry["status"] == "offered"
    return entry


def test_freed_time_is_offered_and_booked_with_credits(
    api: Served, full: str, evening: datetime
) -> None:
    customer = api.customer()
    joined = customer.post("/api/waitlist", wish(evening))
    waitlist.match(api.house)
    before = customer.get("/api/waitlist").json()["entries"]
    api.customer(OCCUPANT).post(f"/api/bookings/{full}/cancel")

    entry = offered(api, customer)
    refused = customer.post(f"/api/waitlist/{entry['entry']}/accept")
    api.give(60)
    accepted = customer.post(f"/api/waitlist/{entry['entry']}/accept", {"pay": "credits"})

    assert joined.status_code == 201
    assert before == [joined.json()]
    assert (joined.json()["status"], joined.json()["position"]) == ("waiting", 1)
    assert entry["offer"]["start"] == evening.isoformat()
    assert entry["offer"]["cart"]["total_minor"] == 4500
    assert (refused.status_code, refused.json()["code"]) == (402, "not_enough_credits")
    assert refused.json()["cart"]["total_minor"] == 4500
    assert accepted.status_code == 201
    assert (accepted.json()["status"], accepted.json()["start"]) == (
        "confirmed",
        evening.isoformat(),
    )
    after = customer.get("/api/waitlist").json()["entries"][0]
    assert (after["status"], after["booking"]) == ("booked", accepted.json()["id"])


def test_an_offer_is_paid_by_its_cart(api: Served, full: str, evening: datetime) -> None:
    customer = api.customer()
    customer.post("/api/waitlist", wish(evening))
    api.customer(OCCUPANT).post(f"/api/bookings/{full}/cancel")
    entry = offered(api, customer)

    checked_out = customer.post(f"/api/waitlist/{entry['entry']}/accept", {"pay": "cart"})
    offer = checked_out.json()
    with api.house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        now = datetime.now(UTC)
        wallet = wallets.of_customer(session, studio_id=studio.id, customer_id=7001, now=now)
        grant_lot(session, studio, wallet, "order:unit", 60, order_id=ORDER)
        wallets.lock(session, studio_id=studio.id, wallet_id=wallet.id)
        hold = holds.get(session, studio_id=studio.id, hold_id=uuid.UUID(offer["hold"]))
        outcome = checkout.redeem(
            session, studio=studio, hold=hold, order_id=ORDER, wallet_id=wallet.id, now=now
        )
    unsettled = customer.get("/api/waitlist").json()["entries"][0]
    waitlist.match(api.house)
    settled = customer.get("/api/waitlist").json()["entries"][0]

    assert checked_out.status_code == 200
    longer = datetime.fromisoformat(offer["expires_at"]) - datetime.fromisoformat(
        entry["offer"]["expires_at"]
    )
    assert longer == timedelta(minutes=15)
    assert offer["cart"]["lines"][0]["properties"] == {"_hold": offer["hold"]}
    assert outcome is checkout.Outcome.CONFIRMED
    assert unsettled == settled
    assert settled["status"] == "booked"
    with api.house.transaction() as session:
        assert violations(session) == []


def test_the_wake_up_after_a_write_serves_the_line(api: Served, evening: datetime) -> None:
    customer = api.customer()
    customer.post("/api/waitlist", wish(evening))
    worker.register(api.house.celery, api.house)

    api.house.celery.tasks[wakeups.TASKS["outbox"]]()

    assert customer.get("/api/waitlist").json()["entries"][0]["status"] == "offered"
    assert "waitlist.match" in api.house.celery.conf.beat_schedule


def test_what_one_declines_the_next_is_offered(api: Served, full: str, evening: datetime) -> None:
    first, second = api.customer(7001), api.customer(7002)
    entries = [
        each.post("/api/waitlist", wish(evening, simulators=4)).json() for each in (first, second)
    ]
    api.customer(OCCUPANT).post(f"/api/bookings/{full}/cancel")
    mine = offered(api, first)

    declined = first.post(f"/api/waitlist/{mine['entry']}/decline")
    again = first.post(f"/api/waitlist/{mine['entry']}/decline")

    assert [entry["position"] for entry in entries] == [1, 2]
    assert (declined.status_code, declined.json()["status"]) == (200, "waiting")
    assert (again.status_code, again.json()["code"]) == (409, "no_offer")
    assert offered(api, second)["entry"] == entries[1]["entry"]


def test_leaving_is_one_tap_and_may_be_doubled(api: Served, evening: datetime) -> None:
    customer = api.customer()
    entry = customer.post("/api/waitlist", wish(evening)).json()["entry"]
    offered(api, customer)

    statuses = [customer.ask("DELETE", f"/api/waitlist/{entry}").status_code for _ in range(2)]
    left = customer.get("/api/waitlist").json()["entries"][0]

    assert statuses == [204, 204]
    assert (left["status"], left["offer"]) == ("left", None)
    body = session_body(evening, simulators=4)
    assert customer.post("/api/holds", body).status_code == 201


def test_who_wants_it_so_finds_a_booking(api: Served, full: str, evening: datetime) -> None:
    customer = api.customer()
    api.give(60)
    customer.post("/api/waitlist", wish(evening, auto_book_hours=24))
    api.customer(OCCUPANT).post(f"/api/bookings/{full}/cancel")

    waitlist.match(api.house)

    upcoming = customer.get("/api/bookings").json()["bookings"]
    assert [each["start"] for each in upcoming] == [evening.isoformat()]
    assert customer.get("/api/waitlist").json()["entries"][0]["status"] == "booked"


def test_a_coached_wish_is_shown_as_it_was_made(api: Served, evening: datetime) -> None:
    coaching = {"minutes": 60, "coach": "ana"}
    window = {"latest": (evening + timedelta(days=1)).isoformat()}
    entry = api.customer().post("/api/waitlist", wish(evening, coaching=coaching, **window)).json()

    assert entry["coaching"] == coaching
    assert entry["latest"] == window["latest"]
    assert entry["offer"] is None


def test_somebody_elses_entry_does_not_exist(api: Served, evening: datetime) -> None:
    entry = api.customer().post("/api/waitlist", wish(evening)).json()["entry"]
    offered(api, api.customer())
    other = api.customer(7002)
    other.post("/api/waitlist", wish(evening))

    asked = [
        other.post(f"/api/waitlist/{entry}/accept"),
        other.post(f"/api/waitlist/{entry}/decline"),
        other.ask("DELETE", f"/api/waitlist/{entry}"),
        api.customer(7003).post(f"/api/waitlist/{entry}/accept"),
    ]

    assert [each.status_code for each in asked] == [404] * 4
    assert offered(api, api.customer())["entry"] == entry


def test_the_desk_waits_for_a_customer(api: Served, evening: datetime) -> None:
    desk = api.staff(customer=7001)

    assert desk.post("/api/waitlist", wish(evening)).status_code == 201
    assert len(api.customer().get("/api/waitlist").json()["entries"]) == 1


@pytest.mark.parametrize("caller", ["visitor", "stranger"])
def test_strangers_do_not_wait(api: Served, evening: datetime, caller: str) -> None:
    someone: Caller = getattr(api, caller)()

    assert someone.post("/api/waitlist", wish(evening)).status_code == 401
    assert someone.get("/api/waitlist").status_code == 401


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"minutes": 45}, "invalid"),
        ({"party": 3}, "invalid"),
        ({"latest": "2026-01-01T10:00:00"}, "invalid"),
        ({"latest": "2026-01-01T10:00:00-05:00"}, "invalid"),
        ({"coaching": {"minutes": 60, "start": "2026-01-01T10:00:00-05:00"}}, "invalid"),
        ({"auto_book_hours": -1}, "invalid"),
        ({"location": "nowhere"}, "invalid"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    api: Served, evening: datetime, change: dict[str, object], code: str
) -> None:
    refused = api.customer().post("/api/waitlist", {**wish(evening), **change})

    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert api.customer().get("/api/waitlist").json() == {"entries": []}
