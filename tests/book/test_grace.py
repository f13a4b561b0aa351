"""The grace after a checkout was opened: expired for its holder, not yet free for others."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session

from booking_engine.booking import holds
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.holds import STAFF_CAPS, Holder
from booking_engine.booking.models import Hold, HoldStatus
from booking_engine.catalog.studio import Studio
from tests.factories.studio import NOW, apply_demo, make_request

PLACED = NOW - timedelta(minutes=5)
ENDS = NOW + timedelta(minutes=15)
GRACE_ENDS = ENDS + timedelta(minutes=2)


@pytest.fixture
def studio(session: Session) -> Studio:
    return apply_demo(session)


def take_all(session: Session, studio: Studio, who: str, now: datetime) -> Hold:
    """Hold every bay of the evening."""
    return holds.place(
        session,
        studio=studio,
        request=make_request(simulators=4),
        holder=Holder(who, STAFF_CAPS),
        now=now,
    )


@pytest.fixture
def held(session: Session, studio: Studio) -> Hold:
    """P's hold, whose checkout was opened: it ends 20 minutes after it was placed."""
    hold = take_all(session, studio, "p", PLACED)
    holds.checkout_opened(session, studio=studio, hold=hold, now=PLACED + timedelta(minutes=3))
    return hold


def test_an_opened_checkout_lengthens_the_hold_once(
    session: Session, studio: Studio, held: Hold
) -> None:
    holds.checkout_opened(session, studio=studio, hold=held, now=ENDS - timedelta(minutes=1))

    assert (held.expires_at, held.frees_at) == (ENDS, GRACE_ENDS)


def test_in_the_grace_the_hold_is_over_and_the_slot_is_not_free(
    session: Session, studio: Studio, held: Hold
) -> None:
    last = GRACE_ENDS - timedelta(microseconds=1)

    with pytest.raises(SlotTaken), session.begin_nested():
        take_all(session, studio, "q", last)

    assert holds.status(held, now=ENDS) is HoldStatus.EXPIRED
