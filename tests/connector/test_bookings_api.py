"""Availability, holds and bookings over HTTP."""

import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import icalendar
import pytest
from sqlmodel import col, func, select

from booking_engine.booking import bookings
from booking_engine.booking.models import Booking, Hold
from connector.tables import IdempotencyRecord
from tests.factories.serving import PROBLEM, Served, session_body, studio_of, tuesday_at
from tests.factories.studio import HOUR, make_request, make_wallet

HOURS_OPEN = 13
SEEN_BY_ALL_SECONDS = 0.1  # what is answered is seen by whatever begins this much later


@pytest.fixture
def api(shared_api: Served) -> Served:
    return shared_api


def count(api: Served, table: type) -> int:
    with api.house.transaction() as session:
        return session.exec(select(func.count()).select_from(table)).one()


def balance(api: Served, customer: int = 7001) -> dict[str, int]:
    found: dict[str, int] = api.customer(customer).get("/api/credits").json()["simulator_minutes"]
    return found


def test_availability_says_how_many_bays_could_be_sold(api: Served) -> None:
    api.give(60)
    api.customer().post("/api/bookings", session_body())
    day = tuesday_at(18)
    time.sleep(SEEN_BY_ALL_SECONDS)

    answer = api.visitor().get("/api/availability", **{"from": day.date(), "minutes": 60})

    found = answer.json()
    slots = {slot["start"]: slot for slot in found["slots"]}
    assert {name: found[name] for name in ("location", "timezone", "service", "minutes")} == {
        "location": "main",
        "timezone": "America/Toronto",
        "service": "simulator",
        "minutes": 60,
    }
    assert len(slots) == 2 * HOURS_OPEN - 1
    assert slots[day.isoformat()] == {
        "start": day.isoformat(),
        "end": (day + timedelta(hours=1)).isoformat(),
        "simulators": 3,
        "coaches": [],
        "price_minor": 4500,
    }
    assert slots[(day + timedelta(hours=1)).isoformat()]["simulators"] == 4


def test_an_unchanged_availability_is_not_sent_again(api: Served) -> None:
    query = f"/api/availability?from={tuesday_at(18).date()}"
    time.sleep(SEEN_BY_ALL_SECONDS)  # until the emptied book is, too
    etag = api.http.get(query).headers["ETag"]

    same = api.http.get(query, headers={"If-None-Match": etag})
    api.give(60)
    booked = api.customer().post("/api/bookings", session_body())
    time.sleep(SEEN_BY_ALL_SECONDS)
    other = api.http.get(query, headers={"If-None-Match": etag})

    assert etag.startswith('"')
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", etag)
    assert booked.status_code == 201
    assert other.status_code == 200
    assert other.headers["ETag"] != etag


@pytest.mark.parametrize(
    "query",
    [
        "from=soon",
        "from=9999-12-31",
        "from=0001-01-01",
        "from=2026-12-01&days=0",
        "from=2026-12-01&days=63",
        "from=2026-12-01&minutes=61",
        "from=2026-12-01&minutes=-60",
        "from=2026-12-01&simulators=0",
        "from=2026-12-01&simulators=5",
        "from=2026-12-01&service=massage",
        "from=2026-12-01&service=%00",
        "from=2026-12-01&coach=ana",
        "from=2026-12-01&coaching=60&coach=%00",
        "from=2026-12-01&location=moon",
        "",
    ],
)
def test_a_search_that_cannot_be_meant_is_refused(api: Served, query: str) -> None:
    answer = api.http.get(f"/api/availability?{query}")

    assert (answer.status_code, answer.headers["Content-Type"]) == (422, PROBLEM)
    assert answer.json()["code"] == "invalid"


def test_a_hold_is_made_shown_and_given_back(api: Served) -> None:
    visitor = api.visitor()

    made = visitor.post("/api/holds", session_body(minutes=120))
    shown = visitor.get(f"/api/holds/{made.json()['hold']}")
    gone = visitor.ask("DELETE", f"/api/holds/{made.json()['hold']}")
    after = visitor.get(f"/api/holds/{made.json()['hold']}").json()

    hold = made.json()
    assert (made.status_code, shown.status_code, gone.status_code) == (201, 200, 204)
    assert shown.json() == hold
    assert hold["cart"] == {
        "lines": [{"variant_id": HOUR, "quantity": 2, "properties": {"_hold": hold["hold"]}}],
        "total_minor": 9000,
        "currency": "CAD",
    }
    assert hold["booking"]["status"] == "held"
    assert hold["booking"]["simulators"] == ["bay-2"]
    left = datetime.fromisoformat(hold["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left < timedelta(minutes=15)
    assert (after["status"], after["booking"]["status"]) == ("released", "expired")


def test_a_holder_who_holds_too_much_is_told_when_to_come_back(api: Served) -> None:
    for _ in range(2):
        assert api.customer().post("/api/holds", session_body()).status_code == 201

    refused = api.customer().post("/api/holds", session_body())

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_holds")
    assert 800 < int(refused.headers["Retry-After"]) <= 901
    assert count(api, Hold) == 2


def test_a_booking_is_paid_with_credits_and_shows_what_paid(api: Served) -> None:
    api.give(90)

    answer = api.customer().post("/api/bookings", session_body())

    booking = answer.json()
    assert (answer.status_code, booking["status"]) == (201, "confirmed")
    assert booking["start"] == tuesday_at(18).isoformat()
    assert booking["simulators"] == ["bay-2"]
    assert (booking["coach"], booking["coaching"]) == (None, None)
    assert [each["quantity"] for each in booking["funding"]] == [60]
    assert booking["returns_now"] == {
        "percent": 100,
        "simulator_minutes": 60,
        "coaching_sessions": 0,
    }
    assert balance(api) == {"available": 30, "held": 60}


def test_too_few_credits_answer_with_the_cart_that_would_cover_it(api: Served) -> None:
    api.give(60)

    answer = api.customer().post("/api/bookings", session_body(minutes=180))

    found = answer.json()
    assert (answer.status_code, found["code"]) == (402, "not_enough_credits")
    assert found["needed"] == {"simulator_minutes": 180}
    assert found["available"] == {"simulator_minutes": 60}
    assert found["cart"] == {
        "lines": [{"variant_id": HOUR, "quantity": 2, "properties": {}}],
        "total_minor": 9000,
        "currency": "CAD",
    }
    assert balance(api) == {"available": 60, "held": 0}
    assert count(api, Booking) == 0


def test_a_taken_slot_is_a_conflict(api: Served) -> None:
    api.give(600)
    assert api.customer().post("/api/bookings", session_body(simulators=4)).status_code == 201

    answer = api.customer().post("/api/bookings", session_body())

    assert (answer.status_code, answer.json()["code"]) == (409, "slot_taken")
    assert balance(api) == {"available": 360, "held": 240}


def test_a_cancellation_says_what_came_back(api: Served) -> None:
    api.give(60)
    booking = api.customer().post("/api/bookings", session_body()).json()
    path = f"/api/bookings/{booking['id']}/cancel"

    answer = api.customer().post(path, {"reason": "rain"})
    again = api.customer().post(path)

    assert answer.status_code == 200
    assert answer.json()["booking"]["status"] == "cancelled"
    assert answer.json()["returned"] == {"simulator_minutes": 60, "coaching_sessions": 0}
    assert (again.status_code, again.json()["code"]) == (409, "already_cancelled")
    assert balance(api) == {"available": 60, "held": 0}


def test_bookings_are_listed_a_page_at_a_time(api: Served) -> None:
    with api.house.transaction() as session:
        studio = studio_of(api)
        wallet_id = make_wallet(session, studio).id
    api.give(60 * 55)
    with api.house.transaction() as session:
        for number in range(55):
            start = tuesday_at(9 + number % 11) + timedelta(days=number // 11)
            bookings.book(
                session,
                studio=studio,
                request=make_request(start),
                wallet_id=wallet_id,
                actor="test",
                now=datetime.now(UTC),
            )

    first = api.customer().get("/api/bookings").json()
    second = api.customer().get("/api/bookings", cursor=first["next_cursor"]).json()
    past = api.customer().get("/api/bookings", when="past").json()

    starts = [each["start"] for each in first["bookings"] + second["bookings"]]
    assert (len(first["bookings"]), len(second["bookings"])) == (50, 5)
    assert second["next_cursor"] is None
    assert starts == sorted(starts)
    assert len({each["id"] for each in first["bookings"] + second["bookings"]}) == 55
    assert past == {"bookings": [], "next_cursor": None}


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%C3%A9",
        "NQ==",
        "e30=",
        "WzEsIDJd",
        "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwgIjAxYTFmOGZlLWRkOTEtNzBjNy05ODllLTY1MDA3MTA4Mzg0MSJd",
        "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwgIjAxYTFmOGZlLWRkOTEtNzBjNy05ODllLTY1MDA3MTA4Mzg0MSJd",
    ],
    ids=["short", "no ascii", "5", "{}", "[1, 2]", "a naive time", "before all time"],
)
def test_a_cursor_that_is_none_of_ours_is_refused(api: Served, cursor: str) -> None:
    api.give(60)

    answer = api.staff(customer=7001).get("/api/bookings", cursor=cursor)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_booking_downloads_as_one_event(api: Served) -> None:
    api.give(60)
    booking = api.customer().post("/api/bookings", session_body()).json()

    answer = api.customer().get(f"/api/bookings/{booking['id']}.ics")
    api.customer().post(f"/api/bookings/{booking['id']}/cancel")
    cancelled = api.customer().get(f"/api/bookings/{booking['id']}.ics")

    events = [
        icalendar.Calendar.from_ical(each.content).walk("VEVENT") for each in (answer, cancelled)
    ]
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert [len(each) for each in events] == [1, 1]
    before, after = events[0][0], events[1][0]
    assert before.decoded("DTSTART") == tuesday_at(18)
    assert before.decoded("DTEND") == tuesday_at(19)
    assert str(before["UID"]) == str(after["UID"]) == booking["id"]
    assert (str(before["STATUS"]), str(after["STATUS"])) == ("CONFIRMED", "CANCELLED")
    assert int(after["SEQUENCE"]) > int(before["SEQUENCE"])


def test_the_same_key_and_body_get_the_same_bytes_and_one_effect(api: Served) -> None:
    api.give(120)
    key = str(uuid.uuid4())

    answers = [api.customer().post("/api/bookings", session_body(), key=key) for _ in range(3)]

    assert [each.status_code for each in answers] == [201, 201, 201]
    assert len({each.content for each in answers}) == 1
    assert balance(api) == {"available": 60, "held": 60}


@pytest.mark.parametrize("path", ["/api/bookings", "/api/holds"])
def test_the_same_key_for_something_else_is_refused(api: Served, path: str) -> None:
    api.give(240)
    api.customer().post("/api/bookings", session_body(), key="mine")

    answer = api.customer().post(path, session_body(minutes=120), key="mine")

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert balance(api) == {"available": 180, "held": 60}


def test_a_key_belongs_to_its_caller(api: Served) -> None:
    for customer in (7001, 7002):
        api.give(60, customer=customer)

    answers = [
        api.customer(each).post("/api/bookings", session_body(), key="k") for each in (7001, 7002)
    ]

    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].json()["id"] != answers[1].json()["id"]


def test_a_refused_key_may_be_tried_again(api: Served) -> None:
    refused = api.customer().post("/api/bookings", session_body(), key="k")
    api.give(60)

    answer = api.customer().post("/api/bookings", session_body(), key="k")

    assert (refused.status_code, answer.status_code) == (402, 201)


def test_one_key_at_once_has_one_effect(api: Served) -> None:
    api.give(600)
    barrier, answers = threading.Barrier(8), list[httpx.Response]()

    def ask() -> None:
        barrier.wait()
        answers.append(api.customer().post("/api/bookings", session_body(), key="once"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [each.status_code for each in answers] == [201] * 8
    assert len({each.content for each in answers}) == 1
    assert balance(api) == {"available": 540, "held": 60}
    with api.house.transaction() as session:
        kept = session.exec(
            select(IdempotencyRecord).where(col(IdempotencyRecord.key) == "once")
        ).all()
    assert len(kept) == 1
