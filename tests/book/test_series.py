"""Series: what is taken and paid when one is started, and what is refused."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from booking_engine.booking import bookings, occurrences, series, terms
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.clashes import SeriesOverlap, SeriesQuota
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.series_models import Series, SeriesStatus
from booking_engine.booking.terms import CoachingRequest, OffGrid, OutsideHours, TooSoon
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Invalid
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.models import Wallet
from tests.factories.ledger import buckets, grant_lot
from tests.factories.series import (
    ALWAYS_OPEN,
    TUESDAY,
    book_all_bays,
    broken_promises,
    standings,
    start_series,
    starts,
    statuses,
)
from tests.factories.studio import (
    NOW,
    apply_demo,
    demo_text,
    make_wallet,
    toronto,
)

FRIDAY = toronto(2026, 12, 4, 18)


def test_six_weeks_are_taken_and_the_near_dates_are_paid(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 600)

    found = start_series(session, studio, wallet)

    assert starts(session, found) == [
        "11-24 15:00",
        "12-01 15:00",
        "12-08 15:00",
        "12-15 15:00",
        "12-22 15:00",
        "12-29 15:00",
    ]
    assert statuses(session, found, NOW) == ["funded"] * 2 + ["tentative"] * 4
    assert buckets(session, "pack") == {"available": 480, "held": 120}
    assert found.status is SeriesStatus.ACTIVE
    assert broken_promises(session) == []


def test_every_other_week_leaves_the_weeks_between_alone(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, every_weeks=2, until=date(2026, 12, 22))

    assert starts(session, found) == ["11-24 15:00", "12-08 15:00", "12-22 15:00"]


def test_without_credits_every_date_waits_for_them(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, count=3)

    assert statuses(session, found, NOW) == ["tentative"] * 3
    listed = bookings.of_wallet(
        session, studio_id=studio.id, wallet_id=wallet.id, filters=[], limit=10
    )
    assert list(listed) == []


def test_a_tentative_date_holds_its_slot_until_the_release_instant_and_no_longer(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, count=1, simulators=4)
    released_at = TUESDAY - timedelta(hours=48)
    with pytest.raises(SlotTaken):
        book_all_bays(session, studio, TUESDAY, now=released_at - timedelta(microseconds=1))

    taken = book_all_bays(session, studio, TUESDAY, now=released_at)

    assert taken.status is BookingStatus.CONFIRMED
    assert standings(session, found, released_at) == [(1, "skipped", "unfunded")]
    assert broken_promises(session) == []


def test_a_date_that_is_too_near_to_wait_is_listed_as_unfunded(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, toronto(2026, 11, 21, 10), count=2)

    assert standings(session, found, NOW) == [(1, "skipped", "unfunded"), (2, "tentative")]


def test_what_cannot_be_had_is_listed_with_the_rule_that_said_no(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    book_all_bays(session, studio, toronto(2026, 12, 11, 18), now=NOW)

    found = start_series(session, studio, wallet, FRIDAY, count=4)

    assert standings(session, found, NOW) == [
        (1, "tentative"),
        (2, "skipped", "slot_taken"),
        (3, "tentative"),
        (4, "skipped", "outside_hours"),
    ]
    assert broken_promises(session) == []


def test_a_coach_who_is_away_skips_only_that_date(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    wednesday = toronto(2026, 12, 2, 18)

    found = start_series(
        session, studio, wallet, wednesday, count=3, coaching=CoachingRequest(60, "ana")
    )

    assert standings(session, found, NOW) == [
        (1, "tentative"),
        (2, "skipped", "coach_unavailable"),
        (3, "tentative"),
    ]


@pytest.mark.parametrize(
    ("start", "refusal"),
    [
        (NOW + timedelta(minutes=60), TooSoon),
        (toronto(2026, 11, 24, 10, 10), OffGrid),
        (toronto(2026, 11, 24, 6), OutsideHours),
        (toronto(2026, 12, 25, 10), OutsideHours),
        (toronto(2027, 6, 1, 10), terms.OutsideHorizon),
    ],
)
def test_a_series_of_which_no_date_can_be_had_is_refused_without_a_trace(
    session: Session, studio: Studio, wallet: Wallet, start: datetime, refusal: type[Invalid]
) -> None:
    with pytest.raises(refusal):
        start_series(session, studio, wallet, start, count=1)

    assert session.exec(select(Series)).all() == []
    assert session.exec(select(Booking)).all() == []


def test_a_single_date_that_cannot_wait_for_credits_is_refused(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    with pytest.raises(NotEnoughCredits):
        start_series(session, studio, wallet, toronto(2026, 11, 21, 10), count=1)


def test_dates_beyond_the_horizon_are_not_taken_yet(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, toronto(2027, 2, 9, 10))

    assert starts(session, found) == ["02-09 15:00", "02-16 15:00"]
    assert found.due_at == toronto(2026, 11, 25, 0)


def test_an_end_before_the_beginning_is_refused(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    with pytest.raises(Invalid, match="before the first date"):
        start_series(session, studio, wallet, until=date(2026, 11, 23))
    with pytest.raises(Invalid, match="not both"):
        start_series(session, studio, wallet, until=date(2026, 12, 23), count=2)


def test_two_series_of_one_customer_do_not_overlap(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    first = start_series(session, studio, wallet)
    later = TUESDAY + timedelta(weeks=3, minutes=30)
    with pytest.raises(SeriesOverlap):
        start_series(session, studio, wallet, later)

    series.end(session, studio=studio, series_id=first.id, now=NOW)
    second = start_series(session, studio, wallet, later)

    assert second.status is SeriesStatus.ACTIVE


def test_series_take_two_hours_a_day_at_most(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    start_series(session, studio, wallet, minutes=60)
    start_series(session, studio, wallet, TUESDAY + timedelta(hours=3), minutes=60)

    with pytest.raises(SeriesQuota):
        start_series(session, studio, wallet, TUESDAY + timedelta(hours=6), minutes=60)
    with pytest.raises(SeriesQuota):
        start_series(session, studio, wallet, TUESDAY + timedelta(days=1), minutes=180)


def test_two_series_do_not_overlap_on_one_coach(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    evening, other = toronto(2026, 12, 2, 18), make_wallet(session, studio, 7002)
    ana = CoachingRequest(60, "ana")
    start_series(session, studio, wallet, evening, every_weeks=2, coaching=ana)

    with pytest.raises(SeriesOverlap):
        start_series(session, studio, other, evening + timedelta(weeks=4), coaching=ana)
    weeks_between = start_series(
        session, studio, other, evening + timedelta(weeks=1), every_weeks=2, coaching=ana
    )

    assert statuses(session, weeks_between, NOW) == ["skipped", "tentative", "tentative"]


def test_the_coached_part_keeps_its_place_in_the_session(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    evening = toronto(2026, 12, 1, 16)
    coaching = CoachingRequest(60, "ana", evening + timedelta(hours=1))

    found = start_series(session, studio, wallet, evening, minutes=120, count=2, coaching=coaching)

    second = occurrences.of_series(session, series=found)[1]
    booking = session.exec(select(Booking).where(col(Booking.id) == second.booking_id)).one()
    assert booking.coaching_starts_at == toronto(2026, 12, 8, 17).astimezone(UTC)


def test_the_night_of_the_spring_change_is_shifted_and_says_so(session: Session) -> None:
    studio = apply_demo(session, demo_text(**ALWAYS_OPEN))
    wallet = make_wallet(session, studio)
    now = toronto(2027, 2, 25, 12)

    found = start_series(session, studio, wallet, toronto(2027, 2, 28, 2, 30), count=4, now=now)

    assert starts(session, found) == ["02-28 07:30", "03-07 07:30", "03-14 07:30", "03-21 06:30"]
    dates = occurrences.of_series(session, series=found)
    assert [each.is_shifted for each in dates] == [False, False, True, False]
    assert statuses(session, found, now) == ["tentative"] * 4


def test_the_doubled_hour_of_the_autumn_change_is_the_first(session: Session) -> None:
    studio = apply_demo(session, demo_text(**ALWAYS_OPEN))
    wallet = make_wallet(session, studio)
    now = toronto(2026, 10, 20, 12)

    found = start_series(session, studio, wallet, toronto(2026, 10, 25, 1, 30), count=3, now=now)

    assert starts(session, found) == ["10-25 05:30", "11-01 05:30", "11-08 06:30"]
    assert statuses(session, found, now) == ["tentative"] * 3
