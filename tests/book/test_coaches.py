"""A coached session has its bay and its coach, both or neither."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, select

from booking_engine.booking.allocator import CoachUnavailable
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.models import Booking
from booking_engine.booking.terms import CoachingRequest, OffGrid, SessionRequest
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Invalid
from tests.factories.shop_orders import booking_of, place_hold, seats
from tests.factories.studio import apply_demo, demo_text, make_request, toronto

EVENING = toronto(2026, 11, 25, 18)


@pytest.fixture
def studio(session: Session) -> Studio:
    """The demo studio, except that Ben also works when Ana does."""
    hours = {'{ mon = ["09:00-17:00"], fri': '{ mon-thu = ["09:00-20:00"], fri'}
    return apply_demo(session, demo_text(**hours))


def coached(
    start: datetime = EVENING,
    minutes: int = 60,
    coach: str | None = None,
    at: datetime | None = None,
    length: int = 60,
) -> SessionRequest:
    return make_request(start, minutes, coaching=CoachingRequest(length, coach, at))


def test_any_coach_means_the_one_with_the_fewest_sessions(session: Session, studio: Studio) -> None:
    taken = []

    for number, hour in enumerate((12, 13, 14, 15)):
        request = coached(toronto(2026, 11, 25, hour), coach="any")
        hold = place_hold(session, studio, request, holder=f"v{number}")
        taken.append(seats(session, hold.booking_id))

    assert taken == [["ana", "bay-2"], ["bay-2", "ben"], ["ana", "bay-2"], ["bay-2", "ben"]]


def test_a_taken_coach_is_taken_though_bays_are_free(session: Session, studio: Studio) -> None:
    place_hold(session, studio, coached(coach="ana"))

    with pytest.raises(SlotTaken, match="coach"), session.begin_nested():
        place_hold(session, studio, coached(coach="ana"), holder="visitor:2")

    assert len(session.exec(select(Booking)).all()) == 1
    other = place_hold(session, studio, coached(coach="any"), holder="visitor:2")
    assert seats(session, other.booking_id) == ["bay-3", "ben"]


def test_when_every_coach_is_taken_the_session_is(session: Session, studio: Studio) -> None:
    for coach in ("ana", "ben"):
        place_hold(session, studio, coached(coach=coach), holder=coach)

    with pytest.raises(SlotTaken), session.begin_nested():
        place_hold(session, studio, coached(), holder="visitor:3")

    assert seats(session, place_hold(session, studio).booking_id) == ["bay-4"]


@pytest.mark.parametrize(
    "request_",
    [
        coached(toronto(2026, 11, 25, 20), coach="ana"),
        coached(toronto(2026, 11, 25, 11), coach="ana"),
        coached(toronto(2026, 11, 29, 10), coach="ana"),
        coached(toronto(2026, 12, 9, 14), coach="ana"),
    ],
    ids=["after work", "before work", "day off", "blocked"],
)
def test_a_coach_who_is_off_is_named_as_that(
    session: Session, studio: Studio, request_: SessionRequest
) -> None:
    with pytest.raises(CoachUnavailable), session.begin_nested():
        place_hold(session, studio, request_)

    assert session.exec(select(Booking)).all() == []


def test_an_extra_shift_can_be_booked(session: Session, studio: Studio) -> None:
    hold = place_hold(session, studio, coached(toronto(2026, 12, 5, 10), coach="ana"))

    assert seats(session, hold.booking_id) == ["ana", "bay-2"]


def test_the_coached_part_goes_where_the_coach_is_free(session: Session, studio: Studio) -> None:
    place_hold(session, studio, coached(toronto(2026, 11, 25, 18), coach="ana"))

    hold = place_hold(session, studio, coached(EVENING, 120, coach="ana"), holder="visitor:2")

    booking = booking_of(session, hold)
    assert booking.coaching_starts_at == EVENING + timedelta(hours=1)
    assert booking.coaching_ends_at == EVENING + timedelta(hours=2)
    assert (booking.starts_at, booking.coaching_sessions) == (EVENING, 1)


def test_a_coach_is_taken_for_the_coached_part_only(session: Session, studio: Studio) -> None:
    first = coached(EVENING, 120, coach="ana", at=EVENING + timedelta(hours=1))
    place_hold(session, studio, first)

    before = place_hold(session, studio, coached(EVENING, coach="ana"), holder="visitor:2")

    assert seats(session, before.booking_id) == ["ana", "bay-3"]


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (coached(length=90), Invalid),
        (coached(coach="nobody"), Invalid),
        (coached(at=EVENING - timedelta(minutes=30)), Invalid),
        (coached(minutes=120, at=EVENING + timedelta(minutes=90)), Invalid),
        (coached(minutes=120, at=EVENING + timedelta(minutes=10)), OffGrid),
        (coached(length=45), Invalid),
    ],
)
def test_coaching_that_cannot_be_meant_is_refused(
    session: Session, studio: Studio, request_: SessionRequest, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal), session.begin_nested():
        place_hold(session, studio, request_)

    assert session.exec(select(Booking)).all() == []


@pytest.mark.parametrize(("length", "sessions"), [(30, 1), (60, 1), (90, 2)])
def test_each_length_burns_its_sessions(
    session: Session, studio: Studio, length: int, sessions: int
) -> None:
    hold = place_hold(session, studio, coached(minutes=120, length=length))

    booking = booking_of(session, hold)
    assert (booking.coaching_sessions, booking.price_minor) == (sessions, 9000 + 6000 * sessions)
