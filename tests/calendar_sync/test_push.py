"""Bookings become events: written once, corrected, taken away, whatever the network does."""

from datetime import timedelta
from uuid import UUID

import pytest

from booking_engine.booking.models import BookingStatus
from booking_engine.booking.terms import CoachingRequest
from booking_engine.errors import Unavailable
from calendar_sync.google import CalendarRefused
from connector.runtime import Runtime
from connector.tasks import outbox
from tests.factories.calendars import (
    book_session,
    calls,
    cancel_booking,
    change_booking,
    make_due,
    messages,
    push_one,
    shown,
)
from tests.factories.serving import tuesday_at
from tests.factories.studio import make_request
from tests.sandbox.google_calendar import Server

OWNER = "owner@sandbox.calendar"
COACHED = make_request(tuesday_at(17), 120, coaching=CoachingRequest(60, "ana", tuesday_at(18)))


def words(server: Server, booking_id: UUID) -> dict[str, str]:
    return {name: event["title"] for name, event in shown(server, booking_id).items()}


def test_a_booking_is_shown_to_owner_bay_and_coach(house: Runtime, google: Server) -> None:
    booking_id = book_session(house, COACHED)

    written = push_one(house, booking_id)

    events = shown(google, booking_id)
    assert written == 3
    assert sorted(events) == ["ana", "bay-2", "owner"]
    for name in ("owner", "bay-2"):
        assert events[name]["start"] == tuesday_at(17).isoformat()
        assert events[name]["end"] == tuesday_at(19).isoformat()
    assert (events["ana"]["start"], events["ana"]["end"]) == (
        tuesday_at(18).isoformat(),
        tuesday_at(19).isoformat(),
    )


def test_a_second_push_asks_nothing(house: Runtime, google: Server) -> None:
    booking_id = book_session(house)
    push_one(house, booking_id)
    before = calls(google)

    written = push_one(house, booking_id)

    assert (written, calls(google)) == (0, before)


def test_a_cancelled_booking_is_taken_away(house: Runtime, google: Server) -> None:
    booking_id = book_session(house, COACHED)
    push_one(house, booking_id)
    cancel_booking(house, booking_id)

    written = [push_one(house, booking_id) for _ in range(2)]

    assert written == [3, 0]
    assert shown(google, booking_id) == {}


def test_a_booking_cancelled_before_it_was_told_is_never_shown(
    house: Runtime, google: Server
) -> None:
    booking_id = book_session(house)
    cancel_booking(house, booking_id)

    outbox.drain(house)

    assert calls(google) == []
    assert [bool(each.done_at) for each in messages(house)] == [True]


def test_a_booking_that_comes_back_gets_new_events(house: Runtime, google: Server) -> None:
    booking_id = book_session(house)
    push_one(house, booking_id)
    first = shown(google, booking_id)
    change_booking(house, booking_id, status=BookingStatus.CANCELLED)
    push_one(house, booking_id)

    change_booking(house, booking_id, status=BookingStatus.CONFIRMED)
    push_one(house, booking_id)

    again = shown(google, booking_id)
    assert again.keys() == first.keys()
    assert all(again[name]["id"] != first[name]["id"] for name in first)
    assert words(google, booking_id) == {name: first[name]["title"] for name in first}


def test_the_bookings_words_win_over_a_humans(house: Runtime, google: Server) -> None:
    booking_id = book_session(house)
    push_one(house, booking_id)
    event = shown(google, booking_id)["owner"]
    google.human(verb="rename", calendar=OWNER, event=event["id"], title="Mine!")
    later = tuesday_at(18) + timedelta(hours=2)
    change_booking(house, booking_id, ends_at=later)

    push_one(house, booking_id)

    owner = shown(google, booking_id)["owner"]
    assert owner["id"] == event["id"]
    assert owner["end"] == later.isoformat()
    assert "Simulator 2 h" in owner["title"]


def test_what_a_human_deleted_comes_back_when_the_booking_changes(
    house: Runtime, google: Server
) -> None:
    booking_id = book_session(house)
    push_one(house, booking_id)
    event = shown(google, booking_id)["owner"]
    google.human(verb="delete", calendar=OWNER, event=event["id"])
    change_booking(house, booking_id, ends_at=tuesday_at(20))

    push_one(house, booking_id)

    owner = shown(google, booking_id)["owner"]
    assert owner["id"] != event["id"]
    assert owner["end"] == tuesday_at(20).isoformat()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_an_answer_that_was_lost_leaves_one_event(
    house: Runtime, google: Server, method: str
) -> None:
    booking_id = book_session(house)
    google.fault(match={"method": method, "calendar": OWNER}, status=0, when="after", times=2)
    outbox.drain(house)
    if method == "PUT":
        change_booking(house, booking_id, ends_at=tuesday_at(20))
    if method == "DELETE":
        cancel_booking(house, booking_id)
    if method != "POST":
        with pytest.raises(Unavailable):
            push_one(house, booking_id)
        push_one(house, booking_id)

    make_due(house)
    outbox.drain(house)

    events = google.http.get("/sandbox/google/events").json()["events"]
    mine = [each for each in events if each["private"]["simstudioBooking"] == str(booking_id)]
    assert len(mine) == (0 if method == "DELETE" else 2)
    assert all(each.done_at for each in messages(house))
    assert push_one(house, booking_id) == 0


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 500},
        {"status": 503, "body": "text"},
        {"status": 429, "reason": "rateLimitExceeded"},
        {"status": 403, "reason": "rateLimitExceeded"},
        {"status": 403, "reason": "userRateLimitExceeded", "body": "details"},
        {"status": 0},
    ],
)
def test_trouble_for_a_while_is_only_a_delay(
    house: Runtime, google: Server, trouble: dict[str, object]
) -> None:
    booking_id = book_session(house)
    times = 2 if trouble["status"] == 0 else 1  # a connection that breaks is tried again at once
    google.fault(match={"calendar": OWNER}, times=times, **trouble)

    outbox.drain(house)
    waiting = messages(house)[0]
    make_due(house)
    outbox.drain(house)

    assert waiting.done_at is None
    assert timedelta(0) < waiting.due_at - waiting.created_at < timedelta(minutes=1)
    assert waiting.last_error
    assert messages(house)[0].done_at is not None
    assert sorted(shown(google, booking_id)) == ["bay-2", "owner"]


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 403, "reason": "forbidden"},
        {"status": 403, "reason": "requiredAccessLevel"},
        {"status": 401, "reason": "authError"},
        {"status": 404, "reason": "notFound"},
        {"status": 400, "reason": "invalid"},
    ],
)
def test_a_calendar_that_refuses_does_not_keep_others_from_being_written(
    house: Runtime, google: Server, trouble: dict[str, object]
) -> None:
    booking_id = book_session(house)
    google.fault(match={"calendar": OWNER}, **trouble)

    with pytest.raises(CalendarRefused):
        push_one(house, booking_id)
    outbox.drain(house)

    waiting = messages(house)[0]
    assert sorted(shown(google, booking_id)) == ["bay-2"]
    assert waiting.done_at is None
    assert waiting.due_at - waiting.created_at > timedelta(minutes=4)


def test_a_refusing_calendar_does_not_keep_other_bookings_from_being_told(
    house: Runtime, google: Server
) -> None:
    made = [
        book_session(house, make_request(tuesday_at(hour), simulator=f"bay-{bay}"))
        for bay, hour in ((3, 12), (4, 14))
    ]
    google.fault(match={"calendar": "bay-3@sandbox.calendar"}, status=403, reason="forbidden")

    outbox.drain(house)

    assert sorted(shown(google, made[0])) == ["owner"]
    assert sorted(shown(google, made[1])) == ["bay-4", "owner"]
    assert [bool(each.done_at) for each in messages(house)] == [False, True]


def test_an_id_that_is_taken_by_what_cannot_be_found_does_not_stop_the_outbox(
    house: Runtime, google: Server
) -> None:
    first = book_session(house, make_request(tuesday_at(12)))
    second = book_session(house, make_request(tuesday_at(14)))
    google.fault(match={"method": "POST", "calendar": OWNER}, status=409, times=1)

    outbox.drain(house)
    make_due(house)
    outbox.drain(house)

    assert [bool(each.done_at) for each in messages(house)] == [True, True]
    for booking_id in (first, second):
        assert "owner" in shown(google, booking_id)


def test_a_booking_that_changes_while_it_is_told_is_told_again(
    house: Runtime, google: Server
) -> None:
    booking_id = book_session(house)
    outbox.drain(house)
    cancel_booking(house, booking_id)

    outbox.drain(house)

    assert shown(google, booking_id) == {}
    assert [bool(each.done_at) for each in messages(house)] == [True, True]
