from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.sandbox.google_calendar import Server, make_body, reason

pytest_plugins = ("tests.sandbox.google_fixtures",)


def test_an_inserted_event_comes_back_as_google_shows_it(server: Server, calendar: str) -> None:
    body = make_body(id="bk00a", extendedProperties={"private": {"booking": "7"}})

    made = server.events.insert(calendarId=calendar, body=body).execute()

    assert made == server.events.get(calendarId=calendar, eventId="bk00a").execute()
    assert made["start"] == {
        "dateTime": "2026-12-05T10:00:00-05:00",
        "timeZone": "America/Toronto",
    }
    assert made["extendedProperties"] == {"private": {"booking": "7"}}
    assert (made["status"], made["sequence"], made["iCalUID"]) == (
        "confirmed",
        0,
        "bk00a@google.com",
    )
    assert made["organizer"]["email"] == calendar
    assert made["htmlLink"].startswith(server.url)


@pytest.mark.parametrize("event_id", ["bk0w", "bk00z", "BK000", "bk-00", "abcd", "ä0000"])
def test_an_id_outside_base32hex_is_refused(server: Server, calendar: str, event_id: str) -> None:
    with pytest.raises(HttpError, match="Invalid resource id value") as caught:
        server.events.insert(calendarId=calendar, body=make_body(id=event_id)).execute()

    assert reason(caught.value) == (400, "invalid")
    assert server.events.list(calendarId=calendar).execute()["items"] == []


def test_an_id_stays_taken_after_its_event_is_deleted(server: Server, calendar: str) -> None:
    server.events.insert(calendarId=calendar, body=make_body(id="bk00a")).execute()
    with pytest.raises(HttpError) as twice:
        server.events.insert(calendarId=calendar, body=make_body(id="bk00a")).execute()
    server.events.delete(calendarId=calendar, eventId="bk00a").execute()

    with pytest.raises(HttpError) as again:
        server.events.insert(calendarId=calendar, body=make_body(id="bk00a")).execute()

    assert reason(twice.value) == reason(again.value) == (409, "duplicate")
    found = server.events.get(calendarId=calendar, eventId="bk00a").execute()
    assert found["status"] == "cancelled"


def test_of_many_inserts_at_once_one_wins(server: Server, calendar: str) -> None:
    path = f"/calendar/v3/calendars/{calendar}/events"

    with ThreadPoolExecutor(8) as pool:
        answers = [
            pool.submit(server.http.post, path, json=make_body(id="bk00a")) for _ in range(8)
        ]

    assert sorted(one.result().status_code for one in answers) == [200] + [409] * 7


def test_deleting_twice_is_gone_and_an_unknown_event_not_found(
    server: Server, calendar: str
) -> None:
    server.events.insert(calendarId=calendar, body=make_body(id="bk00a")).execute()
    server.events.delete(calendarId=calendar, eventId="bk00a").execute()

    with pytest.raises(HttpError) as gone:
        server.events.delete(calendarId=calendar, eventId="bk00a").execute()
    with pytest.raises(HttpError) as unknown:
        server.events.delete(calendarId=calendar, eventId="bk00b").execute()

    assert reason(gone.value) == (410, "deleted")
    assert reason(unknown.value) == (404, "notFound")


def test_a_deleted_event_lives_again_when_confirmed(server: Server, calendar: str) -> None:
    server.events.insert(calendarId=calendar, body=make_body(id="bk00a")).execute()
    server.events.delete(calendarId=calendar, eventId="bk00a").execute()

    change = {"status": "confirmed"}
    revived = server.events.patch(calendarId=calendar, eventId="bk00a", body=change).execute()

    assert revived["status"] == "confirmed"
    assert revived["sequence"] == 2
    listed = server.events.list(calendarId=calendar).execute()["items"]
    assert [event["id"] for event in listed] == ["bk00a"]


def test_a_patch_merges_objects_deletes_by_null_and_replaces_lists(
    server: Server, calendar: str
) -> None:
    body = make_body(
        id="bk00a",
        description="old",
        extendedProperties={"private": {"booking": "7", "kind": "bay"}},
        attendees=[{"email": "a@example.com"}, {"email": "b@example.com"}],
    )
    server.events.insert(calendarId=calendar, body=body).execute()

    change = {
        "description": None,
        "extendedProperties": {"private": {"kind": None, "players": "2"}},
        "attendees": [{"email": "c@example.com"}],
    }
    after = server.events.patch(calendarId=calendar, eventId="bk00a", body=change).execute()

    assert "description" not in after
    assert after["extendedProperties"]["private"] == {"booking": "7", "players": "2"}
    assert after["attendees"] == [{"email": "c@example.com"}]
    assert after["summary"] == "Sam"


def test_an_update_drops_what_it_does_not_repeat(server: Server, calendar: str) -> None:
    first = make_body(id="bk00a", description="old", location="Bay 1")
    made = server.events.insert(calendarId=calendar, body=first).execute()

    after = server.events.update(calendarId=calendar, eventId="bk00a", body=make_body()).execute()

    assert not {"description", "location"} & set(after)
    assert after["created"] == made["created"]
    assert after["etag"] != made["etag"]
    assert after["updated"] > made["updated"]


def test_a_write_with_an_old_etag_is_refused_and_changes_nothing(
    server: Server, calendar: str
) -> None:
    made = server.events.insert(calendarId=calendar, body=make_body(id="bk00a")).execute()
    body = {"summary": "Mia"}
    newer = server.events.patch(calendarId=calendar, eventId="bk00a", body=body).execute()
    requests: list[Any] = [
        server.events.patch(calendarId=calendar, eventId="bk00a", body={"summary": "Jo"}),
        server.events.update(calendarId=calendar, eventId="bk00a", body=make_body()),
        server.events.delete(calendarId=calendar, eventId="bk00a"),
    ]

    for request in requests:
        request.headers["If-Match"] = made["etag"]
        with pytest.raises(HttpError) as caught:
            request.execute()
        assert reason(caught.value) == (412, "conditionNotMet")

    assert server.events.get(calendarId=calendar, eventId="bk00a").execute() == newer


def test_a_get_with_the_current_etag_is_not_modified(server: Server, calendar: str) -> None:
    made = server.events.insert(calendarId=calendar, body=make_body(id="bk00a")).execute()
    path = f"/calendar/v3/calendars/{calendar}/events/bk00a"

    same = server.http.get(path, headers={"If-None-Match": made["etag"]})
    other = server.http.get(path, headers={"If-None-Match": '"1"'})

    assert (same.status_code, same.content) == (304, b"")
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"end": {"dateTime": "2026-12-05T14:00:00Z"}}, "timeRangeEmpty"),
        ({"start": {"dateTime": "2026-12-05T10:00:00"}}, "required"),
        ({"start": {"date": "2026-12-05"}}, "invalid"),
        ({"start": {"date": "2026-12-05", "dateTime": "2026-12-05T15:00:00Z"}}, "invalid"),
        ({"start": {"dateTime": "2026-12-05 15:00:00Z"}}, "invalid"),
        ({"start": {"dateTime": "2026-12-05T15:00:00Z", "timeZone": "Mars/Base"}}, "invalid"),
        ({"end": None}, "required"),
        ({"status": "maybe"}, "invalid"),
        ({"colour": "red"}, "invalid"),
        ({"summary": 7}, "invalid"),
        ({"reminders": {"useDefault": "yes"}}, "invalid"),
        ({"recurrence": ["RRULE:FREQ=SOMETIMES"]}, "required"),
    ],
)
def test_a_body_google_would_not_take_is_refused(
    server: Server, calendar: str, changes: dict[str, Any], wanted: str
) -> None:
    path = f"/calendar/v3/calendars/{calendar}/events"

    answer = server.http.post(path, json=make_body(**changes))

    assert answer.status_code == 400
    assert answer.json()["error"]["errors"][0]["reason"] == wanted
    assert server.http.get(path).json()["items"] == []


def test_a_timed_event_becomes_all_day_only_if_the_time_is_nulled(
    server: Server, calendar: str
) -> None:
    server.events.insert(calendarId=calendar, body=make_body(id="bk00a")).execute()
    days = {"start": {"date": "2026-12-05"}, "end": {"date": "2026-12-06"}}
    with pytest.raises(HttpError, match="Invalid start time"):
        server.events.patch(calendarId=calendar, eventId="bk00a", body=days).execute()

    cleared = {side: point | {"dateTime": None} for side, point in days.items()}
    after = server.events.patch(calendarId=calendar, eventId="bk00a", body=cleared).execute()

    assert (after["start"], after["end"]) == ({"date": "2026-12-05"}, {"date": "2026-12-06"})


def test_a_move_leaves_a_tombstone_and_lives_on_at_its_destination(
    server: Server, calendar: str
) -> None:
    target = f"to-{calendar}"
    server.events.insert(calendarId=calendar, body=make_body(id="bk00a")).execute()

    answer = server.events.move(calendarId=calendar, eventId="bk00a", destination=target).execute()

    there = server.events.get(calendarId=target, eventId="bk00a").execute()
    here = server.events.get(calendarId=calendar, eventId="bk00a").execute()
    assert answer["status"] == here["status"] == "cancelled"
    assert (there["status"], there["organizer"]["email"]) == ("confirmed", target)


def test_calendars_are_made_listed_and_deleted(server: Server) -> None:
    body = {"summary": "Putting", "timeZone": "Europe/Berlin"}
    made = server.service.calendars().insert(body=body).execute()
    entries = server.service.calendarList().list().execute()["items"]
    event = server.events.insert(calendarId=made["id"], body=make_body()).execute()
    server.service.calendars().delete(calendarId=made["id"]).execute()

    assert made["id"] in {entry["id"] for entry in entries}
    assert event["start"]["dateTime"] == "2026-12-05T16:00:00+01:00"
    for wanted in (made["id"], "nobody@example.com"):
        with pytest.raises(HttpError) as caught:
            server.events.list(calendarId=wanted).execute()
        assert reason(caught.value) == (404, "notFound")


def test_freebusy_joins_what_touches_and_never_calls_the_unseen_free(
    server: Server, calendar: str
) -> None:
    later = {
        "start": {"dateTime": "2026-12-05T16:00:00Z"},
        "end": {"dateTime": "2026-12-05T17:00:00Z"},
    }
    server.events.insert(calendarId=calendar, body=make_body()).execute()
    server.events.insert(calendarId=calendar, body=make_body(**later)).execute()
    server.events.insert(
        calendarId=calendar, body=make_body(**later, transparency="transparent")
    ).execute()

    query = {
        "timeMin": "2026-12-05T00:00:00Z",
        "timeMax": "2026-12-06T00:00:00Z",
        "items": [{"id": calendar}, {"id": "nobody@example.com"}],
    }
    found = server.service.freebusy().query(body=query).execute()["calendars"]

    assert found[calendar]["busy"] == [
        {"start": "2026-12-05T15:00:00Z", "end": "2026-12-05T17:00:00Z"}
    ]
    assert found["nobody@example.com"]["errors"][0]["reason"] == "notFound"


def test_a_series_is_one_row_or_its_occurrences(server: Server, calendar: str) -> None:
    zoned = {
        "start": {"dateTime": "2026-10-29T18:00:00", "timeZone": "America/Toronto"},
        "end": {"dateTime": "2026-10-29T19:00:00", "timeZone": "America/Toronto"},
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"],
    }
    server.events.insert(calendarId=calendar, body=make_body(id="club0", **zoned)).execute()
    first = server.events.instances(calendarId=calendar, eventId="club0").execute()["items"]
    server.events.delete(calendarId=calendar, eventId=first[1]["id"]).execute()

    rows = server.events.list(calendarId=calendar).execute()["items"]
    single = server.events.list(
        calendarId=calendar, singleEvents=True, orderBy="startTime"
    ).execute()["items"]

    server.events.delete(calendarId=calendar, eventId="club0").execute()
    assert server.events.list(calendarId=calendar).execute()["items"] == []
    assert [event["start"]["dateTime"] for event in first] == [
        "2026-10-29T18:00:00-04:00",
        "2026-11-05T18:00:00-05:00",
        "2026-11-12T18:00:00-05:00",
    ]
    assert first[1]["id"] == "club0_20261105T230000Z"
    assert [event["id"] for event in single] == [first[0]["id"], first[2]["id"]]
    assert {event["id"]: event["status"] for event in rows} == {
        "club0": "confirmed",
        first[1]["id"]: "cancelled",
    }


def test_another_token_is_refused(server: Server, calendar: str) -> None:
    path = f"/calendar/v3/calendars/{calendar}/events"

    answer = server.http.get(path, headers={"Authorization": "Bearer other"})

    assert answer.status_code == 401
    assert answer.json()["error"]["errors"][0]["reason"] == "authError"
