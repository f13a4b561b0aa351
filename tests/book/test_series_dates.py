"""The dates of a series: skipped, added back, and what is left when it ends."""

from datetime import timedelta

import pytest
from sqlmodel import Session, col, select

from booking_engine.booking import bookings, series
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.bookings import NotCancellable
from booking_engine.booking.models import Booking
from booking_engine.booking.policies import Actor
from booking_engine.booking.series import AlreadySkipped, NotSkipped, SeriesEnded
from booking_engine.booking.series_models import Occurrence, SeriesStatus
from booking_engine.booking.terms import OutsideHours
from booking_engine.catalog.studio import Studio
from booking_engine.errors import NotFound
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.models import CreditKind, Wallet
from tests.factories.ledger import buckets, grant_lot
from tests.factories.series import (
    TUESDAY,
    book_all_bays,
    broken_promises,
    standings,
    start_series,
    statuses,
)
from tests.factories.studio import (
    NOW,
    apply_demo,
    demo_text,
    toronto,
)

FRIDAY = toronto(2026, 12, 4, 18)
CLOSED_AT_CHRISTMAS = 'from = "2026-12-25T00:00", to = "2026-12-26T00:00"'
CLOSED_TILL_HALF_PAST_NINE = 'from = "2026-12-25T09:00", to = "2026-12-25T09:30"'


def test_the_holiday_is_added_back_only_when_the_studio_opens(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, FRIDAY, count=4)
    asked = {"series_id": found.id, "number": 4, "actor": "test", "now": NOW}
    with pytest.raises(OutsideHours):
        series.add_date(session, studio=studio, **asked)
    assert standings(session, found, NOW)[3] == (4, "skipped", "outside_hours")

    opened = apply_demo(session, demo_text(**{CLOSED_AT_CHRISTMAS: CLOSED_TILL_HALF_PAST_NINE}))
    series.add_date(session, studio=opened, **asked)

    assert standings(session, found, NOW)[3] == (4, "tentative")
    assert broken_promises(session) == []


def test_a_skipped_date_is_free_for_others_and_comes_back_while_it_is(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, count=4, simulators=4)
    third = TUESDAY + timedelta(weeks=2)
    asked = {"series_id": found.id, "number": 3, "now": NOW}
    series.skip_date(session, studio=studio, actor=Actor.CUSTOMER, **asked)
    assert standings(session, found, NOW)[2] == (3, "skipped", "by_customer")
    with pytest.raises(AlreadySkipped):
        series.skip_date(session, studio=studio, actor=Actor.CUSTOMER, **asked)

    rival = book_all_bays(session, studio, third, now=NOW)
    with pytest.raises(SlotTaken):
        series.add_date(session, studio=studio, actor="test", **asked)
    assert standings(session, found, NOW)[2] == (3, "skipped", "by_customer")
    bookings.cancel(
        session,
        studio_id=studio.id,
        booking_id=rival.id,
        actor=Actor.CUSTOMER,
        reason="test",
        now=NOW,
    )
    series.add_date(session, studio=studio, actor="test", **asked)

    assert standings(session, found, NOW)[2] == (3, "tentative")
    with pytest.raises(NotSkipped):
        series.add_date(session, studio=studio, actor="test", **asked)
    assert broken_promises(session) == []


def test_skipping_a_paid_date_cancels_it_by_the_rules(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 120)
    found = start_series(session, studio, wallet, count=2)
    thirty_hours_before = TUESDAY - timedelta(hours=30)

    series.skip_date(
        session,
        studio=studio,
        series_id=found.id,
        number=1,
        actor=Actor.CUSTOMER,
        now=thirty_hours_before,
    )

    assert standings(session, found, thirty_hours_before)[0] == (1, "skipped", "by_customer")
    assert buckets(session, "pack") == {"available": 30, "held": 60, "spent": 30}
    with pytest.raises(NotCancellable):
        series.skip_date(
            session,
            studio=studio,
            series_id=found.id,
            number=2,
            actor=Actor.CUSTOMER,
            now=TUESDAY + timedelta(weeks=1),
        )
    assert broken_promises(session) == []


def test_a_date_whose_booking_was_cancelled_can_be_added_back(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 60)
    found = start_series(session, studio, wallet, count=1)
    booked = session.exec(select(Booking)).one()
    bookings.cancel(
        session,
        studio_id=studio.id,
        booking_id=booked.id,
        actor=Actor.CUSTOMER,
        reason="ill",
        now=NOW,
    )
    assert standings(session, found, NOW) == [(1, "cancelled", "ill")]

    series.add_date(session, studio=studio, series_id=found.id, number=1, actor="test", now=NOW)

    assert standings(session, found, NOW) == [(1, "funded")]
    assert buckets(session, "pack") == {"held": 60}
    assert broken_promises(session) == []


def test_a_date_too_near_to_wait_comes_back_only_with_credits(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, toronto(2026, 11, 21, 10), count=2)
    asked = {"series_id": found.id, "number": 1, "actor": "test", "now": NOW}
    with pytest.raises(NotEnoughCredits):
        series.add_date(session, studio=studio, **asked)
    assert standings(session, found, NOW)[0] == (1, "skipped", "unfunded")

    grant_lot(session, studio, wallet, "hour", 60)
    series.add_date(session, studio=studio, **asked)

    assert standings(session, found, NOW)[0] == (1, "funded")


def test_an_ended_series_frees_what_is_unpaid_and_keeps_what_is_booked(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 600)
    found = start_series(session, studio, wallet, simulators=4)
    first = session.exec(select(Occurrence).where(col(Occurrence.number) == 1)).one()
    booked = first.booking_id

    series.end(session, studio=studio, series_id=found.id, now=NOW)
    series.end(session, studio=studio, series_id=found.id, now=NOW + timedelta(hours=1))

    assert standings(session, found, NOW) == [
        (1, "funded"),
        (2, "funded"),
        *[(number, "skipped", "series_ended") for number in (3, 4, 5, 6)],
    ]
    assert (found.status, found.ended_at, found.due_at) == (SeriesStatus.ENDED, NOW, None)
    assert booked is not None
    assert book_all_bays(session, studio, TUESDAY + timedelta(weeks=3), now=NOW)
    with pytest.raises(SeriesEnded):
        series.add_date(session, studio=studio, series_id=found.id, number=4, actor="t", now=NOW)
    assert broken_promises(session) == []


def test_the_bookings_of_an_ended_series_are_cancelled_on_demand(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 600)
    found = start_series(session, studio, wallet)
    series.end(session, studio=studio, series_id=found.id, now=NOW)

    asked = {"series_id": found.id, "actor": Actor.CUSTOMER, "now": NOW}
    back = series.cancel_bookings(session, studio=studio, **asked)
    again = series.cancel_bookings(session, studio=studio, **asked)

    assert back == {CreditKind.SIMULATOR_MINUTES: 120, CreditKind.COACHING_SESSIONS: 0}
    assert again == dict.fromkeys(CreditKind, 0)
    assert statuses(session, found, NOW)[:2] == ["cancelled", "cancelled"]
    assert buckets(session, "pack") == {"available": 600}
    assert broken_promises(session) == []


def test_a_date_that_is_not_there_is_not_found(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, count=2)

    with pytest.raises(NotFound):
        series.add_date(session, studio=studio, series_id=found.id, number=3, actor="t", now=NOW)
