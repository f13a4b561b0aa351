"""A coach's buffer is kept across midnight too."""

import pytest
from sqlmodel import Session

from booking_engine.booking import holds
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.holds import VISITOR_CAPS, Holder
from booking_engine.booking.terms import CoachingRequest
from tests.factories.studio import NOW, apply_demo, demo_text, make_request, toronto

NIGHT = 'hours = { mon-sun = ["18:00-03:00"] }'
OPEN_AT_NIGHT = {
    'hours = { mon-fri = ["09:00-22:00"], sat-sun = ["08:00-23:00"] }': NIGHT,
    'hours = { tue-thu = ["12:00-20:00"] }': NIGHT,
    'reason = "away" } ]\nbuffer_minutes = 0': 'reason = "away" } ]\nbuffer_minutes = 30',
}


def test_a_session_that_ended_at_midnight_keeps_its_coach_for_the_buffer(session: Session) -> None:
    studio = apply_demo(session, demo_text(**OPEN_AT_NIGHT))
    late = CoachingRequest(60, "ana", toronto(2026, 11, 25, 23))
    after = CoachingRequest(60, "ana", toronto(2026, 11, 26, 0))
    visitor = Holder("visitor:1", VISITOR_CAPS)
    first = make_request(toronto(2026, 11, 25, 22), 120, coaching=late)
    holds.place(session, studio=studio, request=first, holder=visitor, now=NOW)

    with pytest.raises(SlotTaken):
        holds.place(
            session,
            studio=studio,
            request=make_request(toronto(2026, 11, 26, 0), coaching=after),
            holder=visitor,
            now=NOW,
        )
