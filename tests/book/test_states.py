"""One table says which status may follow which, and at whose hand (rule D0)."""

from itertools import product

import pytest
from sqlmodel import Session

from booking_engine.booking import bookings, states
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.booking.states import WrongState
from booking_engine.catalog.studio import Studio
from tests.factories.desk import book
from tests.factories.studio import NOW, make_request

CUSTOMER, COACH, STUDIO, SYSTEM = Actor
S = BookingStatus

# What each actor may do, written apart from the code that it checks.
ALLOWED: dict[Actor, set[tuple[BookingStatus, BookingStatus]]] = {
    CUSTOMER: {
        (S.HELD, S.AWAITING_PAYMENT),
        (S.HELD, S.AWAITING_APPROVAL),
        (S.HELD, S.CONFIRMED),
        (S.HELD, S.EXPIRED),
        (S.AWAITING_PAYMENT, S.EXPIRED),
        (S.AWAITING_APPROVAL, S.CANCELLED),
        (S.CONFIRMED, S.CHECKED_IN),
        (S.CONFIRMED, S.CANCELLED),
        (S.CHECKED_IN, S.CANCELLED),
    },
    COACH: {
        (S.AWAITING_APPROVAL, S.CONFIRMED),
        (S.AWAITING_APPROVAL, S.REJECTED),
        (S.CONFIRMED, S.CHECKED_IN),
        (S.CONFIRMED, S.NO_SHOW),
        (S.CONFIRMED, S.CANCELLED),
        (S.CHECKED_IN, S.CANCELLED),
    },
}
BOTH = {
    (S.HELD, S.AWAITING_PAYMENT),
    (S.HELD, S.AWAITING_APPROVAL),
    (S.HELD, S.CONFIRMED),
    (S.HELD, S.EXPIRED),
    (S.AWAITING_PAYMENT, S.AWAITING_APPROVAL),
    (S.AWAITING_PAYMENT, S.CONFIRMED),
    (S.AWAITING_PAYMENT, S.EXPIRED),
    (S.AWAITING_APPROVAL, S.CONFIRMED),
    (S.AWAITING_APPROVAL, S.REJECTED),
    (S.AWAITING_APPROVAL, S.CANCELLED),
    (S.CONFIRMED, S.CHECKED_IN),
    (S.CONFIRMED, S.COMPLETED),
    (S.CONFIRMED, S.NO_SHOW),
    (S.CONFIRMED, S.CANCELLED),
    (S.CHECKED_IN, S.COMPLETED),
    (S.CHECKED_IN, S.CANCELLED),
}
ALLOWED[STUDIO] = BOTH | {
    (S.CHECKED_IN, S.NO_SHOW),
    (S.COMPLETED, S.NO_SHOW),
    (S.NO_SHOW, S.COMPLETED),
}
ALLOWED[SYSTEM] = BOTH | {(S.AWAITING_APPROVAL, S.EXPIRED), (S.EXPIRED, S.CONFIRMED)}


@pytest.mark.parametrize("actor", Actor)
@pytest.mark.parametrize(("before", "after"), list(product(BookingStatus, repeat=2)))
def test_every_transition_is_allowed_or_refused_as_written(
    before: BookingStatus, after: BookingStatus, actor: Actor
) -> None:
    booking = Booking(status=before, revision=1)

    if (before, after) in ALLOWED[actor]:
        states.change(booking, after, actor=actor)
        assert (booking.status, booking.revision) == (after, 2)
        assert before.value in states.before(after, actor=actor)
    else:
        with pytest.raises(WrongState) as refused:
            states.change(booking, after, actor=actor)
        assert refused.value.code == "wrong_state"
        assert refused.value.facts["status"] == before.value
        assert (booking.status, booking.revision) == (before, 1)
        assert before.value not in states.before(after, actor=actor)


@pytest.mark.parametrize("status", BookingStatus)
def test_a_booking_begins_held_awaiting_approval_or_confirmed(status: BookingStatus) -> None:
    if status in {S.HELD, S.AWAITING_APPROVAL, S.CONFIRMED}:
        assert states.begin(status) is status
    else:
        with pytest.raises(WrongState):
            states.begin(status)


def test_what_ended_is_not_ended_again(session: Session, studio: Studio) -> None:
    booking = book(session, studio, make_request())
    cancelled = {"by": "studio", "reason": "rain", "now": NOW}
    bookings.end(booking, BookingStatus.CANCELLED, **cancelled)

    with pytest.raises(WrongState):
        bookings.end(booking, BookingStatus.EXPIRED, by="system", reason="late", now=NOW)

    assert (booking.status, booking.ended_reason) == (BookingStatus.CANCELLED, "rain")
