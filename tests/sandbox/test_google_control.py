import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from googleapiclient.errors import HttpError

from tests.sandbox.google_calendar import Hook, Server, make_body, reason

pytest_plugins = ("tests.sandbox.google_fixtures",)


@pytest.fixture
def event(server: Server, calendar: str) -> dict[str, Any]:
    own = {"private": {"booking": "7"}}
    body = make_body(id="bk00a", extendedProperties=own)
    made: dict[str, Any] = server.events.insert(calendarId=calendar, body=body).execute()
    return made


@pytest.mark.parametrize(
    ("status", "named"),
    [
        (403, "rateLimitExceeded"),
        (403, "quotaExceeded"),
        (429, "rateLimitExceeded"),
        (503, "backendError"),
        (410, "fullSyncRequired"),
    ],
)
def test_a_fault_strikes_as_often_as_it_says_and_nothing_happens(
    server: Server, calendar: str, status: int, named: str
) -> None:
    server.fault(match={"calendar": calendar}, status=status, reason=named, times=1)
    request = server.events.insert(calendarId=calendar, body=make_body(id="bk00a"))

    with pytest.raises(HttpError) as caught:
        request.execute()
    server.events.insert(calendarId=calendar, body=make_body(id="bk00a")).execute()

    assert reason(caught.value) == (status, named)


def test_a_fault_can_answer_with_details_or_no_json_at_all(server: Server, calendar: str) -> None:
    path = f"/calendar/v3/calendars/{calendar}/events"
    server.fault(status=403, reason="rateLimitExceeded", body="details")
    newer = server.http.get(path)
    server.fault(status=503, body="text")
    text = server.http.get(path)

    assert newer.json()["error"]["details"][0]["reason"] == "rateLimitExceeded"
    assert text.status_code == 503
    with pytest.raises(ValueError, match="Expecting value"):
        text.json()


def test_a_reset_after_the_effect_leaves_the_event_behind(server: Server, calendar: str) -> None:
    server.fault(match={"method": "POST"}, when="after", times=1)

    with pytest.raises(ConnectionResetError):
        server.events.insert(calendarId=calendar, body=make_body(id="bk00a")).execute()

    assert server.events.get(calendarId=calendar, eventId="bk00a").execute()["summary"] == "Sam"
    calls = server.http.get("/sandbox/google/calls").json()["calls"]
    assert [(call["method"], call["status"], call["fault"]) for call in calls] == [
        ("POST", 200, "reset after"),
        ("GET", 200, None),
    ]


def test_a_reset_before_the_effect_leaves_nothing(server: Server, calendar: str) -> None:
    server.fault(match={"method": "POST"}, status=0, times=1)

    with pytest.raises(httpx.TransportError):
        server.http.post(f"/calendar/v3/calendars/{calendar}/events", json=make_body())

    assert server.events.list(calendarId=calendar).execute()["items"] == []


def test_a_fault_ends_with_its_time(server: Server, calendar: str) -> None:
    server.fault(status=500, seconds=0.3)
    path = f"/calendar/v3/calendars/{calendar}/events"

    assert server.http.get(path).status_code == 500
    time.sleep(0.35)
    assert server.http.get(path).status_code == 200
    assert server.http.get("/sandbox/google/faults").json() == {"faults": []}


def test_a_rule_that_cannot_be_understood_is_refused(server: Server) -> None:
    answer = server.http.put("/sandbox/google/faults", json=[{"status": 503, "time": 1}])

    assert answer.status_code == 400
    assert "times" in answer.json()["detail"]


def test_the_log_of_calls_can_be_read_on_from_a_number(server: Server, calendar: str) -> None:
    server.events.list(calendarId=calendar).execute()
    first = server.http.get("/sandbox/google/calls").json()["calls"]
    server.events.insert(calendarId=calendar, body=make_body()).execute()

    url = "/sandbox/google/calls"
    rest = server.http.get(url, params={"since": first[-1]["number"]}).json()["calls"]

    assert [(call["method"], call["status"]) for call in rest] == [("POST", 200)]
    assert rest[0]["path"] == f"/calendar/v3/calendars/{calendar}/events"


def test_a_drag_keeps_the_length(server: Server, calendar: str, event: dict[str, Any]) -> None:
    start = "2026-12-06T09:30"

    after = server.human(verb="drag", calendar=calendar, event="bk00a", start=start)

    assert after["start"]["dateTime"] == "2026-12-06T09:30:00-05:00"
    assert after["end"]["dateTime"] == "2026-12-06T10:30:00-05:00"
    assert after["etag"] != event["etag"]
    assert after["updated"] > event["updated"]
    assert after["sequence"] == 1
    assert after["extendedProperties"] == event["extendedProperties"]


def test_a_hand_resizes_renames_and_makes_it_all_day(
    server: Server, calendar: str, event: dict[str, Any]
) -> None:
    one = {"calendar": calendar, "event": "bk00a"}

    resized = server.human(verb="resize", **one, end="2026-12-05T13:00:00-05:00")
    renamed = server.human(verb="rename", **one, title="Sam and Jo")
    whole = server.human(verb="all_day", **one)

    assert resized["end"]["dateTime"] == "2026-12-05T13:00:00-05:00"
    assert (renamed["summary"], renamed["sequence"]) == ("Sam and Jo", 2)
    assert (whole["start"], whole["end"]) == ({"date": "2026-12-05"}, {"date": "2026-12-06"})


def test_a_copy_carries_the_private_notes_under_a_new_id(
    server: Server, calendar: str, event: dict[str, Any]
) -> None:
    other = f"other-{calendar}"

    copied = server.human(verb="copy", calendar=calendar, event="bk00a", to_calendar=other)

    assert copied["id"] != event["id"]
    assert copied["iCalUID"] != event["iCalUID"]
    assert copied["extendedProperties"] == event["extendedProperties"]
    live = server.http.get("/sandbox/google/events", params={"calendar": other}).json()["events"]
    assert [(one["title"], one["private"]) for one in live] == [("Sam", {"booking": "7"})]


def test_a_hand_creates_moves_and_deletes(server: Server, calendar: str) -> None:
    other = f"other-{calendar}"
    span = {"start": "2026-12-05T10:00", "end": "2026-12-05T11:00"}
    made = server.human(verb="create", calendar=calendar, title="Dentist", **span)
    one = {"event": made["id"]}

    moved = server.human(
        verb="move", calendar=calendar, to_calendar=other, start="2026-12-05T12:00", **one
    )
    gone = server.human(verb="delete", calendar=other, **one)

    assert made["creator"]["email"] == "owner@sandbox.calendar"
    assert moved["start"]["dateTime"] == "2026-12-05T12:00:00-05:00"
    assert gone["status"] == "cancelled"
    for calendar_id in (calendar, other):
        found = server.events.get(calendarId=calendar_id, eventId=made["id"]).execute()
        assert found["status"] == "cancelled"


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.close()


def test_a_channel_is_told_of_its_opening_and_of_changes(
    server: Server, calendar: str, hook: Hook
) -> None:
    channel = server.watch(calendar, hook.address)
    server.events.insert(calendarId=calendar, body=make_body()).execute()
    before = hook.states(2)
    server.service.channels().stop(body=channel).execute()
    server.events.insert(calendarId=calendar, body=make_body()).execute()

    assert before == ["sync", "exists"]
    assert hook.states(2) == before
    assert [one["x-goog-message-number"] for one in hook.heard] == ["1", "2"]
    assert {one["x-goog-channel-token"] for one in hook.heard} == {"secret"}
    assert {one["x-goog-resource-id"] for one in hook.heard} == {channel["resourceId"]}


def test_messages_can_be_lost_and_doubled(server: Server, calendar: str, hook: Hook) -> None:
    channel = server.watch(calendar, hook.address)
    assert hook.states(1) == ["sync"]

    server.fault(match={"method": "PUSH"}, status=500, times=1)
    server.events.insert(calendarId=calendar, body=make_body()).execute()
    assert hook.states(1) == ["sync"]

    server.fault(match={"method": "PUSH"}, when="after", times=1)
    server.events.insert(calendarId=calendar, body=make_body()).execute()
    assert hook.states(3) == ["sync", "exists", "exists"]
    assert [one["x-goog-message-number"] for one in hook.heard] == ["1", "3", "3"]
    server.service.channels().stop(body=channel).execute()


def test_the_week_page_shows_an_event_in_its_lane(server: Server, calendar: str) -> None:
    body = make_body(id="bk00a", summary="Sam <b>Lee</b>")
    made = server.events.insert(calendarId=calendar, body=body).execute()

    week = server.http.get("/calendar", params={"week": "2026-12-05"})
    day = server.http.get(made["htmlLink"], follow_redirects=True)
    other = server.http.get("/calendar", params={"week": "2026-11-01", "fragment": "1"})

    assert f'data-key="{calendar}/bk00a"' in week.text
    assert "Sam &lt;b&gt;Lee&lt;/b&gt;" in week.text
    assert day.url.params["day"] == "2026-12-05"
    assert "10:00\N{EN DASH}11:00" in day.text
    assert "Sam" not in other.text
    unchanged = server.http.get(other.url, headers={"If-None-Match": other.headers["etag"]})
    assert unchanged.status_code == 304
    assert server.http.get("/calendar", params={"week": "soon"}).status_code == 400
    assert server.http.get("/calendar/static/calendar.css").status_code == 200
