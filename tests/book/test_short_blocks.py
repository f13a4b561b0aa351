"""A block that is no longer than the buffer still keeps its bay."""

from datetime import date, timedelta

import pytest
from sqlmodel import Session

from booking_engine.booking import availability
from booking_engine.booking.availability import Search
from booking_engine.intervals import to_minutes
from tests.factories.desk import at, book, break_down, seats
from tests.factories.studio import apply_demo, demo_text, make_request

BUFFERED = {"buffer_minutes = 0\ncancel": "buffer_minutes = 30\ncancel"}


@pytest.mark.parametrize("minutes", [10, 30, 45])
def test_what_is_offered_beside_a_short_block_can_be_booked(session: Session, minutes: int) -> None:
    studio = apply_demo(session, demo_text(**BUFFERED))
    until = at(12, 15) + timedelta(minutes=minutes)
    break_down(session, studio, "bay-1", at(12, 15), until, now=at(9))

    search = Search("simulator", date(2026, 11, 25))
    found = availability.find(session, studio=studio, search=search, now=at(9))
    made = book(session, studio, make_request(at(12), 60), now=at(9))

    noon = [slot for slot in found.slots if slot.start == to_minutes(at(12))]
    assert [slot.simulators for slot in noon] == [3]
    assert "bay-1" not in seats(session, made)
