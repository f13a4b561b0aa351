"""What is read without ids for the storefront answers as what is read with them."""

from datetime import date

from sqlmodel import Session

from booking_engine.booking import availability, book, holds
from booking_engine.booking.availability import Search
from booking_engine.booking.holds import VISITOR_CAPS, Holder
from booking_engine.booking.terms import CoachingRequest
from tests.factories.studio import NOW, apply_demo, demo_text, make_request, toronto

WITH_BUFFERS = {
    'hours = { tue-thu = ["12:00-20:00"] }': 'hours = { mon-sun = ["12:00-20:00"] }',
    'reason = "away" } ]\nbuffer_minutes = 0': 'reason = "away" } ]\nbuffer_minutes = 30',
}


def test_ids_change_no_answer(session: Session) -> None:
    studio = apply_demo(session, demo_text(**WITH_BUFFERS))
    visitor = Holder("visitor:1", VISITOR_CAPS)
    coached = make_request(toronto(2026, 11, 25, 14), 60, coaching=CoachingRequest(60, "ana"))
    holds.place(session, studio=studio, request=coached, holder=visitor, now=NOW)
    search = Search("simulator", date(2026, 11, 25), days=2, coaching_minutes=60, coach="ana")
    asked = availability.plan(studio, search, now=NOW)
    start, end = asked.around

    found = book.taken(session, studio_id=studio.id, start=start, end=end, now=NOW)
    lean = [each._replace(id=None, booking_id=None) for each in found]
    answers = [availability.answer(asked, taken, now=NOW).slots for taken in (found, lean)]

    assert answers[0] == answers[1]
    offered = {slot.start * 60 for slot in answers[0]}
    assert toronto(2026, 11, 25, 15).timestamp() not in offered
    assert toronto(2026, 11, 25, 15, 30).timestamp() in offered
