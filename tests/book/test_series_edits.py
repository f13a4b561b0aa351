"""This date, this and following, or all: dates of a series are moved and cancelled (rule D14)."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session

from booking_engine.booking import bookings, series
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.clashes import SeriesOverlap, SeriesQuota
from booking_engine.booking.models import BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.booking.series import AlreadySkipped
from booking_engine.booking.series_edits import Edit, NotToCome, Scope
from booking_engine.booking.series_models import SeriesStatus
from booking_engine.booking.terms import CoachingRequest, OffGrid
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Invalid, NotFound
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.models import Wallet
from tests.factories.ledger import buckets, grant_lot
from tests.factories.series import (
    ALWAYS_OPEN,
    TUESDAY,
    book_all_bays,
    booking_of_date,
    broken_promises,
    date_of,
    everything,
    live_through,
    move_dates,
    standings,
    start_series,
    starts,
    statuses,
    tick,
)
from tests.factories.shop_orders import seats
from tests.factories.studio import NOW, apply_demo, demo_text, make_wallet, toronto

DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)
WEDNESDAY_EVENING = TUESDAY + DAY + timedelta(hours=8)


def test_paid_dates_whose_longer_time_is_not_covered_stay(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 120)
    found = start_series(session, studio, wallet, count=4)

    edited = move_dates(session, studio, found, Edit(Scope.ALL), WEDNESDAY_EVENING, 120)

    assert (edited.moved, list(edited.stayed), edited.skipped) == ([3, 4], [1, 2], {})
    assert isinstance(edited.stayed[1], NotEnoughCredits)
    lengths = [booking_of_date(session, found, number).simulator_minutes for number in range(1, 5)]
    assert lengths == [60, 60, 120, 120]
    assert buckets(session, "pack") == {"held": 120}
    assert broken_promises(session) == []


def test_paid_and_unpaid_dates_follow_together(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 120)
    found = start_series(session, studio, wallet, count=4)
    before = [booking_of_date(session, found, number).code for number in range(1, 5)]

    edited = move_dates(session, studio, found, Edit(Scope.ALL), WEDNESDAY_EVENING)

    assert (edited.moved, edited.stayed, edited.skipped) == ([1, 2, 3, 4], {}, {})
    assert starts(session, found) == ["11-25 23:00", "12-02 23:00", "12-09 23:00", "12-16 23:00"]
    assert statuses(session, found, NOW) == ["funded", "funded", "tentative", "tentative"]
    assert [booking_of_date(session, found, number).code for number in range(1, 5)] == before
    third = booking_of_date(session, found, 3)
    assert third.starts_at == date_of(session, found, 3).starts_at
    assert len(seats(session, third.id)) == 1
    assert buckets(session, "pack") == {"held": 120}
    assert broken_promises(session) == []


def test_the_following_dates_move_and_those_to_come_later_with_them(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet)

    edited = move_dates(
        session, studio, found, Edit(Scope.FOLLOWING, 3), WEDNESDAY_EVENING + 2 * WEEK
    )

    assert edited.moved == [3, 4, 5, 6]
    assert starts(session, found)[1:3] == ["12-01 15:00", "12-09 23:00"]
    tick(session, studio, TUESDAY + timedelta(hours=9))
    tick(session, studio, WEDNESDAY_EVENING)
    assert starts(session, found)[-1] == "01-06 23:00"
    assert len(starts(session, found)) == 7
    assert broken_promises(session) == []


def test_one_date_moves_alone(session: Session, studio: Studio, wallet: Wallet) -> None:
    grant_lot(session, studio, wallet, "pack", 120)
    found = start_series(session, studio, wallet, count=4)
    evening = TUESDAY + 2 * WEEK + timedelta(hours=8)

    edited = move_dates(session, studio, found, Edit(Scope.THIS, 3), evening, 120)

    assert edited.moved == [3]
    assert starts(session, found) == ["11-24 15:00", "12-01 15:00", "12-08 23:00", "12-15 15:00"]
    moved = booking_of_date(session, found, 3)
    assert (moved.starts_at, moved.ends_at) == (evening, evening + timedelta(hours=2))
    assert (moved.simulator_minutes, moved.status) == (120, BookingStatus.HELD)
    tick(session, studio, evening - timedelta(hours=48, seconds=1))
    assert statuses(session, found, evening - timedelta(hours=48, seconds=1))[2] == "tentative"
    tick(session, studio, evening - timedelta(hours=48))
    assert standings(session, found, evening)[2] == (3, "skipped", "unfunded")
    assert broken_promises(session) == []


def test_the_last_counted_date_still_ends_the_series(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    until = (TUESDAY + 2 * WEEK).date()
    found = start_series(session, studio, wallet, until=until)

    move_dates(session, studio, found, Edit(Scope.ALL), WEDNESDAY_EVENING)

    assert found.until_on == until + DAY
    live_through(session, studio, NOW, WEDNESDAY_EVENING + 2 * WEEK + DAY)
    assert len(starts(session, found)) == 3
    assert found.status is SeriesStatus.ENDED


def test_the_wall_clock_rules_when_the_clocks_change(
    session: Session, wallet: Wallet, studio: Studio
) -> None:
    always = apply_demo(session, demo_text(**ALWAYS_OPEN))
    first = toronto(2027, 2, 23, 10)
    now = toronto(2027, 2, 16, 10)
    found = start_series(session, always, wallet, first, count=4, now=now)

    move_dates(session, always, found, Edit(Scope.ALL), toronto(2027, 2, 28, 2, 30), now=now)

    assert starts(session, found) == ["02-28 07:30", "03-07 07:30", "03-14 07:30", "03-21 06:30"]
    shifted = [date_of(session, found, number).is_shifted for number in range(1, 5)]
    assert shifted == [False, False, True, False]  # 02:30 does not exist on the 14th
    assert broken_promises(session) == []


def test_an_unpaid_date_that_cannot_follow_is_skipped_and_can_be_added_back(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, count=4)
    rival = book_all_bays(session, studio, WEDNESDAY_EVENING + 2 * WEEK, now=NOW)

    edited = move_dates(session, studio, found, Edit(Scope.ALL), WEDNESDAY_EVENING)

    assert (edited.moved, list(edited.skipped)) == ([1, 2, 4], [3])
    assert standings(session, found, NOW)[2] == (3, "skipped", "slot_taken")
    book_all_bays(session, studio, TUESDAY + 2 * WEEK, now=NOW)  # the former slot is free
    bookings.cancel(
        session,
        studio_id=studio.id,
        booking_id=rival.id,
        actor=Actor.CUSTOMER,
        reason="test",
        now=NOW,
    )
    series.add_date(session, studio=studio, series_id=found.id, number=3, actor="test", now=NOW)
    assert statuses(session, found, NOW)[2] == "tentative"
    assert starts(session, found)[2] == "12-09 23:00"
    assert broken_promises(session) == []


def test_a_paid_date_that_cannot_follow_stays_where_it_is_booked(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 60)
    found = start_series(session, studio, wallet, count=3)
    book_all_bays(session, studio, WEDNESDAY_EVENING, now=NOW)

    edited = move_dates(session, studio, found, Edit(Scope.ALL), WEDNESDAY_EVENING)

    assert (edited.moved, list(edited.stayed)) == ([2, 3], [1])
    assert booking_of_date(session, found, 1).starts_at == TUESDAY
    assert statuses(session, found, NOW) == ["funded", "tentative", "tentative"]
    assert buckets(session, "pack") == {"held": 60}
    assert broken_promises(session) == []


def test_where_no_date_can_follow_nothing_changes(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, count=2)
    for week in range(2):
        book_all_bays(session, studio, WEDNESDAY_EVENING + week * WEEK, now=NOW)
    session.flush()
    before = everything(session)

    with pytest.raises(SlotTaken):
        move_dates(session, studio, found, Edit(Scope.ALL), WEDNESDAY_EVENING)

    assert everything(session) == before
    session.refresh(found)
    assert (found.first_on, found.starts_minute) == (TUESDAY.date(), 600)


def test_each_paid_date_pays_for_its_move_like_any_booking(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 240)
    found = start_series(session, studio, wallet, count=2)
    now = TUESDAY - timedelta(hours=30)
    move_dates(session, studio, found, Edit(Scope.ALL), WEDNESDAY_EVENING, now=now)  # both are free
    assert buckets(session, "pack") == {"available": 120, "held": 120}

    late = WEDNESDAY_EVENING - timedelta(hours=30)
    edited = move_dates(session, studio, found, Edit(Scope.ALL), WEDNESDAY_EVENING + DAY, now=late)

    assert edited.moved == [1, 2]
    assert buckets(session, "pack") == {"available": 90, "held": 120, "spent": 30}
    assert broken_promises(session) == []


@pytest.mark.parametrize(
    ("edit", "start", "minutes", "refusal"),
    [
        (Edit(Scope.THIS, 9), WEDNESDAY_EVENING, None, NotFound),
        (Edit(Scope.THIS, 2), WEDNESDAY_EVENING, 90, Invalid),
        (Edit(Scope.ALL), TUESDAY + WEEK, None, Invalid),
        (Edit(Scope.FOLLOWING, 2), TUESDAY, None, Invalid),
        (Edit(Scope.ALL), WEDNESDAY_EVENING + timedelta(minutes=10), None, OffGrid),
        (Edit(Scope.ALL), WEDNESDAY_EVENING + timedelta(seconds=1), None, OffGrid),
        (Edit(Scope.ALL), WEDNESDAY_EVENING, 180, SeriesQuota),
        (Edit(Scope.FOLLOWING, 2), toronto(2026, 12, 3, 10), None, SeriesOverlap),
    ],
)
def test_what_cannot_be_meant_changes_nothing(
    session: Session,
    studio: Studio,
    wallet: Wallet,
    edit: Edit,
    start: datetime,
    minutes: int | None,
    refusal: type[Exception],
) -> None:
    found = start_series(session, studio, wallet, count=3)
    start_series(session, studio, wallet, toronto(2026, 11, 26, 10), count=3)
    session.flush()
    before = everything(session)

    with pytest.raises(refusal):
        move_dates(session, studio, found, edit, start, minutes)

    assert everything(session) == before


def test_a_date_that_begun_or_takes_nothing_does_not_move(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 120)
    found = start_series(session, studio, wallet, count=3)
    series.skip_date(
        session, studio=studio, series_id=found.id, number=3, actor=Actor.CUSTOMER, now=NOW
    )

    with pytest.raises(AlreadySkipped):
        move_dates(session, studio, found, Edit(Scope.THIS, 3), WEDNESDAY_EVENING + 2 * WEEK)
    with pytest.raises(NotToCome):
        move_dates(session, studio, found, Edit(Scope.THIS, 1), WEDNESDAY_EVENING, now=TUESDAY)
    edited = move_dates(
        session, studio, found, Edit(Scope.ALL), WEDNESDAY_EVENING + WEEK, now=TUESDAY
    )

    assert edited.moved == [2]
    assert starts(session, found) == ["11-24 15:00", "12-02 23:00", "12-09 23:00"]
    assert standings(session, found, NOW)[2] == (3, "skipped", "by_customer")
    assert broken_promises(session) == []


def test_an_unswept_date_without_credits_is_not_saved_by_a_move(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, count=3)
    now = TUESDAY - timedelta(hours=47)

    edited = move_dates(
        session, studio, found, Edit(Scope.ALL, 2), WEDNESDAY_EVENING + WEEK, now=now
    )

    assert edited.moved == [2, 3]
    assert standings(session, found, now)[0] == (1, "skipped", "unfunded")
    tick(session, studio, now)
    assert standings(session, found, now)[0] == (1, "skipped", "unfunded")
    assert broken_promises(session) == []


def test_a_near_time_has_to_be_paid_at_once(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, TUESDAY + WEEK, count=1)
    near = NOW + timedelta(hours=25)

    with pytest.raises(NotEnoughCredits):
        move_dates(session, studio, found, Edit(Scope.THIS, 1), near)
    assert statuses(session, found, NOW) == ["tentative"]
    grant_lot(session, studio, wallet, "hour", 60)
    move_dates(session, studio, found, Edit(Scope.THIS, 1), near)

    assert statuses(session, found, NOW) == ["funded"]
    assert booking_of_date(session, found, 1).starts_at == near
    assert buckets(session, "hour") == {"held": 60}
    assert broken_promises(session) == []


def test_a_coachs_other_series_is_in_the_way(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    coached = {"coaching": CoachingRequest(60, "ana")}
    found = start_series(session, studio, wallet, TUESDAY + timedelta(hours=3), **coached)
    other = make_wallet(session, studio, 7002)
    start_series(session, studio, other, TUESDAY + timedelta(hours=5), **coached)

    with pytest.raises(SeriesOverlap):
        move_dates(session, studio, found, Edit(Scope.ALL), TUESDAY + timedelta(hours=5))
    edited = move_dates(session, studio, found, Edit(Scope.ALL), TUESDAY + timedelta(hours=4))

    assert edited.moved == [1, 2, 3, 4, 5, 6]
    assert broken_promises(session) == []


@pytest.mark.parametrize(("minutes", "length"), [(None, 120), (60, 60)])
def test_a_date_that_was_made_longer_stays_so_unless_a_length_is_named(
    session: Session, studio: Studio, wallet: Wallet, minutes: int | None, length: int
) -> None:
    grant_lot(session, studio, wallet, "pack", 180)
    found = start_series(session, studio, wallet, count=4)
    for number in (2, 4):
        start = TUESDAY + (number - 1) * WEEK
        move_dates(session, studio, found, Edit(Scope.THIS, number), start, 120)

    edited = move_dates(session, studio, found, Edit(Scope.ALL), WEDNESDAY_EVENING, minutes)

    assert edited.moved == [1, 2, 3, 4]
    lengths = [booking_of_date(session, found, number).simulator_minutes for number in range(1, 5)]
    assert lengths == [60, length, 60, length]
    assert buckets(session, "pack")["held"] == 60 + length
    assert found.minutes == 60
    assert broken_promises(session) == []
