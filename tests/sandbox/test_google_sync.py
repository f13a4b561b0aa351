from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.sandbox.google_calendar import Server, make_body, reason, start

pytest_plugins = ("tests.sandbox.google_fixtures",)


def test_only_the_last_page_carries_the_sync_token(server: Server, calendar: str) -> None:
    server.insert(calendar, "bk000", "bk001", "bk002", "bk003", "bk004")

    found = server.pages(calendarId=calendar, maxResults=2)

    assert [len(page["items"]) for page in found] == [2, 2, 1]
    assert ["nextSyncToken" in page for page in found] == [False, False, True]
    assert len({event["id"] for page in found for event in page["items"]}) == 5


def test_an_increment_holds_what_changed_and_bare_tombstones(server: Server, calendar: str) -> None:
    server.insert(calendar, "bk000", "bk001", "bk002")
    token = server.pages(calendarId=calendar)[-1]["nextSyncToken"]
    server.events.patch(calendarId=calendar, eventId="bk001", body={"summary": "Jo"}).execute()
    server.events.delete(calendarId=calendar, eventId="bk000").execute()
    server.insert(calendar, "bk003")

    found = server.pages(calendarId=calendar, syncToken=token, maxResults=2)

    items = [event for page in found for event in page["items"]]
    assert [event["id"] for event in items] == ["bk001", "bk000", "bk003"]
    assert set(items[1]) == {"kind", "etag", "id", "status"}
    assert items[1]["status"] == "cancelled"
    after = server.pages(calendarId=calendar, syncToken=found[-1]["nextSyncToken"])
    assert after[0]["items"] == []


def test_a_change_between_two_pages_is_in_the_next_increment(server: Server, calendar: str) -> None:
    server.insert(calendar, "bk000", "bk001", "bk002")
    first = server.events.list(calendarId=calendar, maxResults=2).execute()
    server.events.patch(calendarId=calendar, eventId="bk000", body={"summary": "Jo"}).execute()

    rest = server.pages(calendarId=calendar, maxResults=2, pageToken=first["nextPageToken"])
    token = rest[-1]["nextSyncToken"]
    increment = server.pages(calendarId=calendar, syncToken=token)

    assert [event["summary"] for event in increment[0]["items"]] == ["Jo"]


def test_a_full_list_shows_the_deleted_only_when_asked(server: Server, calendar: str) -> None:
    server.insert(calendar, "bk000", "bk001")
    server.events.delete(calendarId=calendar, eventId="bk000").execute()

    live = server.events.list(calendarId=calendar).execute()["items"]
    every = server.events.list(calendarId=calendar, showDeleted=True).execute()["items"]

    assert [event["id"] for event in live] == ["bk001"]
    assert {event["id"]: event["status"] for event in every} == {
        "bk000": "cancelled",
        "bk001": "confirmed",
    }


@pytest.mark.parametrize(
    "extra",
    [
        {"timeMin": "2026-12-01T00:00:00Z"},
        {"timeMax": "2026-12-31T00:00:00Z"},
        {"updatedMin": "2026-12-01T00:00:00Z"},
        {"orderBy": "updated"},
        {"privateExtendedProperty": "booking=7"},
        {"sharedExtendedProperty": "booking=7"},
        {"iCalUID": "bk000@google.com"},
        {"q": "Sam"},
        {"showDeleted": False},
    ],
)
def test_some_parameters_do_not_go_with_a_sync_token(
    server: Server, calendar: str, extra: dict[str, Any]
) -> None:
    token = server.events.list(calendarId=calendar).execute()["nextSyncToken"]

    with pytest.raises(HttpError) as caught:
        server.events.list(calendarId=calendar, syncToken=token, **extra).execute()

    assert caught.value.status_code == 400


def test_an_expired_or_foreign_token_asks_for_a_full_sync(server: Server, calendar: str) -> None:
    server.insert(calendar, "bk000", "bk001")
    token = server.events.list(calendarId=calendar).execute()["nextSyncToken"]
    other = server.events.list(calendarId=f"other-{calendar}").execute()["nextSyncToken"]
    server.events.delete(calendarId=calendar, eventId="bk000").execute()
    server.http.post("/sandbox/google/expire", json={"calendar": calendar})

    for dead in (token, other, "nonsense"):
        with pytest.raises(HttpError) as caught:
            server.events.list(calendarId=calendar, syncToken=dead).execute()
        assert reason(caught.value) == (410, "fullSyncRequired")

    full = server.events.list(calendarId=calendar, showDeleted=True).execute()
    assert [event["id"] for event in full["items"]] == ["bk001"]
    again = server.events.list(calendarId=calendar, syncToken=full["nextSyncToken"]).execute()
    assert again["items"] == []


def test_a_window_keeps_what_overlaps_it(server: Server, calendar: str) -> None:
    server.insert(calendar, "bk000")

    def within(low: str, high: str) -> int:
        window = {"timeMin": f"2026-12-05T{low}:00Z", "timeMax": f"2026-12-05T{high}:00Z"}
        return len(server.events.list(calendarId=calendar, **window).execute()["items"])

    assert within("15:30", "15:45") == 1
    assert within("14:00", "15:00") == 0
    assert within("16:00", "17:00") == 0


def test_private_properties_find_their_event(server: Server, calendar: str) -> None:
    for number in ("7", "8"):
        own = {"private": {"booking": number, "kind": "bay"}}
        body = make_body(id=f"bk00{number}", extendedProperties=own)
        server.events.insert(calendarId=calendar, body=body).execute()

    found = server.events.list(
        calendarId=calendar, privateExtendedProperty=["booking=8", "kind=bay"]
    ).execute()

    assert [event["id"] for event in found["items"]] == ["bk008"]


def test_everything_survives_a_killed_server(tmp_path: Any) -> None:
    from_scratch = start(tmp_path)
    calendar = "bay-1@sandbox.calendar"
    from_scratch.insert(calendar, "bk000", "bk001")
    token = from_scratch.events.list(calendarId=calendar).execute()["nextSyncToken"]
    from_scratch.fault(match={"method": "DELETE"}, status=503, times=1)
    from_scratch.events.patch(
        calendarId=calendar, eventId="bk001", body={"summary": "Jo"}
    ).execute()
    from_scratch.kill()

    again = start(tmp_path, from_scratch.port)
    try:
        increment = again.events.list(calendarId=calendar, syncToken=token).execute()
        with pytest.raises(HttpError) as caught:
            again.events.delete(calendarId=calendar, eventId="bk000").execute()
    finally:
        again.kill()

    assert [event["summary"] for event in increment["items"]] == ["Jo"]
    assert caught.value.status_code == 503
