"""What an event is called, what it says, and what Google's refusals mean. No network."""

import json
import re
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlmodel import Session

from booking_engine.booking import bookings
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.terms import CoachingRequest
from booking_engine.catalog.studio import Studio
from calendar_sync import events
from calendar_sync.events import Seating
from calendar_sync.google import reasons_of
from tests.factories.ledger import COACHED, grant_lot
from tests.factories.studio import NOW, apply_demo, make_request, make_wallet, toronto

BOOKING = UUID("01a1f8fe-dd91-70c7-989e-650071083841")
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "calendar" / "google-json" / "northworld"


@pytest.fixture
def studio(session: Session) -> Studio:
    return apply_demo(session)


@pytest.fixture
def booking(session: Session, studio: Studio) -> Booking:
    """Two hours on the Wednesday evening, Ana in the second."""
    wallet = make_wallet(session, studio)
    grant_lot(session, studio, wallet, "hours", 120)
    grant_lot(session, studio, wallet, "coach", 1, kind=COACHED)
    coaching = CoachingRequest(60, "ana", toronto(2026, 11, 25, 19))
    made = bookings.book(
        session,
        studio=studio,
        request=make_request(minutes=120, coaching=coaching),
        wallet_id=wallet.id,
        actor="test",
        now=NOW,
    )
    made.code = "K7M2QX9P"
    return made


def seating(studio: Studio) -> Seating:
    return Seating([studio.simulator("bay-2")], studio.coach("ana"))


def test_an_event_says_what_where_and_when(studio: Studio, booking: Booking) -> None:
    shown = events.wanted(studio, booking, seating(studio))

    assert shown["owner@sandbox.calendar"] == {
        "summary": "K7M2QX9P · Simulator 2 h · Bay 2 · coach Ana 19:00–20:00",
        "description": "\n".join(
            [
                "Simulator 2 h",
                "Bay 2",
                "coach Ana 19:00–20:00",
                "Booking K7M2QX9P",
                "Birdie Bay keeps this event in step.",
            ]
        ),
        "location": "Main Street",
        "start": {"dateTime": "2026-11-25T18:00:00-05:00", "timeZone": "America/Toronto"},
        "end": {"dateTime": "2026-11-25T20:00:00-05:00", "timeZone": "America/Toronto"},
        "extendedProperties": {"private": {"simstudioBooking": str(booking.id)}},
    }
    assert shown["bay-2@sandbox.calendar"] == shown["owner@sandbox.calendar"]


def test_the_coachs_event_spans_the_coached_part(studio: Studio, booking: Booking) -> None:
    shown = events.wanted(studio, booking, seating(studio))["ana@sandbox.calendar"]

    assert shown["start"]["dateTime"] == "2026-11-25T19:00:00-05:00"
    assert shown["end"]["dateTime"] == "2026-11-25T20:00:00-05:00"


@pytest.mark.parametrize("status", BookingStatus)
def test_only_what_takes_place_is_shown(
    studio: Studio, booking: Booking, status: BookingStatus
) -> None:
    booking.status = status

    shown = events.wanted(studio, booking, seating(studio))

    assert bool(shown) is (status in ("confirmed", "checked_in", "completed", "no_show"))


def test_who_has_no_calendar_is_left_out(studio: Studio, booking: Booking) -> None:
    alone = replace(studio, owner_calendar=None)
    bay = replace(studio.simulator("bay-2"), calendar=None)

    shown = events.wanted(alone, booking, Seating([bay], studio.coach("ana")))

    assert sorted(shown) == ["ana@sandbox.calendar"]


def test_an_events_id_is_legal_stable_and_its_own() -> None:
    ids = {
        events.event_id(BOOKING, calendar, generation)
        for calendar in ("a@x", "b@x", "ü" * 300)
        for generation in range(3)
    }

    assert len(ids) == 9
    assert all(re.fullmatch(r"[a-v0-9]{5,1024}", each) for each in ids)
    assert events.event_id(BOOKING, "a@x", 0) == events.event_id(BOOKING, "a@x", 0)
    assert events.event_id(BOOKING, "a@x", 0) in ids


def test_a_hash_depends_on_what_is_said_and_not_on_its_order() -> None:
    body = {"summary": "é", "start": {"dateTime": "a", "timeZone": "b"}}
    turned = {"start": {"timeZone": "b", "dateTime": "a"}, "summary": "é"}

    assert events.content_hash(body) == events.content_hash(turned)
    assert events.content_hash(body) != events.content_hash(body | {"summary": "e"})
    assert events.content_hash({}) == (
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )


@pytest.mark.parametrize(
    ("content", "reasons"),
    [
        ({"error": {"errors": [{"reason": "a"}, {"reason": "b"}]}}, {"a", "b"}),
        ({"error": {"details": [{"reason": "a"}, {"other": 1}]}}, {"a"}),
        ({"error": {"errors": [{"reason": "a"}], "details": [{"reason": "b"}]}}, {"a", "b"}),
        ({"error": "invalid_grant"}, {"invalid_grant"}),
        ({"error": {"errors": None}}, set()),
        ({"error": {}}, set()),
        ({"errors": []}, set()),
        ([], set()),
        ("text", set()),
        (None, set()),
    ],
)
def test_every_reason_is_read_from_both_forms(content: object, reasons: set[str]) -> None:
    assert reasons_of(json.dumps(content).encode()) == reasons


@pytest.mark.parametrize("content", [b"", b"<html>Sorry</html>", b"\xff\xfe", b"{"])
def test_what_is_no_json_has_no_reason(content: bytes) -> None:
    assert reasons_of(content) == set()


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("403_calendar_rate_limit", {"quotaExceeded"}),
        ("403_daily_limit", {"dailyLimitExceeded"}),
        ("403_forbidden", {"ForbiddenError"}),
        ("403_rate_limit", {"rateLimitExceeded"}),
        ("403_user_rate_limit", {"userRateLimitExceeded"}),
        ("404", {"notFound"}),
        ("409", {"duplicate"}),
        ("410", {"deleted"}),
        ("403", set()),  # written down by hand: no JSON
    ],
)
def test_recorded_refusals_are_understood(name: str, reasons: set[str]) -> None:
    recorded = RECORDED / f"{name}.json"
    if not recorded.exists():
        pytest.skip("the recorded answers of Google are not on this machine")

    assert reasons_of(recorded.read_bytes()) == reasons
