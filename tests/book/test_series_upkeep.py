"""What the clock and the credits do to a series, and that doing it twice does nothing."""

from datetime import timedelta

from sqlmodel import Session, col, select

from booking_engine.booking import upkeep
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.series_models import SeriesStatus
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.models import Wallet
from tests.factories.ledger import buckets, grant_lot
from tests.factories.series import (
    TUESDAY,
    broken_promises,
    date_of,
    everything,
    live_through,
    standings,
    start_series,
    starts,
    statuses,
    tick,
)
from tests.factories.studio import NOW, make_wallet, toronto
from tests.factories.waitlist import offers_of, serve_line, wait

HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
TWO_DAYS = timedelta(hours=48)


def test_golden_12_two_dates_without_credits_are_reminded_and_released_once(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    """D27 12: credits for 10; 11 and 12 are reminded at T-7 d and T-3 d, released at T-48 h."""
    grant_lot(session, studio, wallet, "pack", 600)
    found = start_series(session, studio, wallet, count=12)
    eleventh, twelfth = (toronto(2027, 2, day, 10) for day in (2, 9))

    live_through(session, studio, NOW, eleventh - TWO_DAYS - timedelta(seconds=1))
    assert statuses(session, found, eleventh - TWO_DAYS - timedelta(seconds=1)) == [
        *["completed"] * 10,
        "tentative",
        "tentative",
    ]
    tick(session, studio, eleventh - TWO_DAYS)
    assert standings(session, found, eleventh - TWO_DAYS)[10:] == [
        (11, "skipped", "unfunded"),
        (12, "tentative"),
    ]
    live_through(session, studio, eleventh - TWO_DAYS, twelfth + HOUR)

    assert standings(session, found, twelfth)[10:] == [
        (11, "skipped", "unfunded"),
        (12, "skipped", "unfunded"),
    ]
    assert buckets(session, "pack") == {"spent": 600}
    for number, start in ((11, eleventh), (12, twelfth)):
        each = date_of(session, found, number)
        assert each.reminded_week_at is not None
        assert each.reminded_last_at is not None
        assert each.skipped_at is not None
        assert timedelta(0) <= each.reminded_week_at - (start - WEEK) <= 6 * HOUR
        assert timedelta(0) <= each.reminded_last_at - (start - timedelta(days=3)) <= 6 * HOUR
        booking = session.exec(select(Booking).where(col(Booking.id) == each.booking_id)).one()
        assert (booking.status, booking.revision) == (BookingStatus.EXPIRED, 2)
    assert found.status is SeriesStatus.ENDED
    assert broken_promises(session) == []


def test_golden_12_a_top_up_a_day_before_the_release_funds_the_twelfth(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    """D27 12: a top-up of 1 a day before T-48 h of number 12 funds it."""
    grant_lot(session, studio, wallet, "pack", 600)
    found = start_series(session, studio, wallet, count=12)
    twelfth = toronto(2027, 2, 9, 10)
    a_day_before = twelfth - TWO_DAYS - timedelta(days=1)
    live_through(session, studio, NOW, a_day_before)

    grant_lot(session, studio, wallet, "hour", 60, granted_at=a_day_before)
    live_through(session, studio, a_day_before, twelfth - HOUR)

    assert standings(session, found, twelfth - HOUR)[10:] == [
        (11, "skipped", "unfunded"),
        (12, "funded"),
    ]
    assert date_of(session, found, 12).funded_at == a_day_before
    assert buckets(session, "hour") == {"held": 60}
    assert broken_promises(session) == []


def test_what_an_unpaid_date_gives_up_is_offered_to_who_waits_for_it(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    start = TUESDAY + WEEK
    start_series(session, studio, wallet, start, count=1, simulators=4)
    entry = wait(session, studio, 7002, start)
    before, at_release = start - TWO_DAYS - timedelta(seconds=1), start - TWO_DAYS

    assert serve_line(session, studio, before) == 0
    assert serve_line(session, studio, at_release) == 1  # no job has written the release yet
    tick(session, studio, at_release)
    assert serve_line(session, studio, at_release + HOUR) == 0

    assert len(offers_of(session, entry)) == 1
    assert broken_promises(session) == []


def test_credits_pay_in_the_order_of_the_dates_whichever_series_they_are_of(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    tuesdays = start_series(session, studio, wallet, count=2)
    sundays = start_series(session, studio, wallet, toronto(2026, 11, 29, 10), count=1)
    grant_lot(session, studio, wallet, "pack", 120)

    tick(session, studio, NOW + HOUR)

    assert statuses(session, tuesdays, NOW + HOUR) == ["funded", "tentative"]
    assert statuses(session, sundays, NOW + HOUR) == ["funded"]
    assert broken_promises(session) == []


def test_a_date_is_paid_from_fourteen_days_ahead(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    start = toronto(2026, 12, 8, 10)
    grant_lot(session, studio, wallet, "pack", 60)
    found = start_series(session, studio, wallet, start, count=1)

    tick(session, studio, start - timedelta(days=14, seconds=1))
    assert statuses(session, found, NOW) == ["tentative"]
    tick(session, studio, start - timedelta(days=14))

    assert statuses(session, found, NOW) == ["funded"]


def test_six_weeks_stay_taken_until_the_count_is_reached(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 600)
    found = start_series(session, studio, wallet, count=8)

    tick(session, studio, TUESDAY - timedelta(seconds=1))
    assert len(starts(session, found)) == 6
    tick(session, studio, TUESDAY)
    assert starts(session, found)[6:] == ["01-05 15:00"]
    live_through(session, studio, TUESDAY + HOUR, TUESDAY + 9 * WEEK)

    assert starts(session, found)[6:] == ["01-05 15:00", "01-12 15:00"]
    assert statuses(session, found, TUESDAY + 9 * WEEK) == ["completed"] * 8
    assert (found.status, found.due_at) == (SeriesStatus.ENDED, None)
    assert tick(session, studio, TUESDAY + 10 * WEEK) == 0


def test_a_series_without_an_end_goes_on(session: Session, studio: Studio, wallet: Wallet) -> None:
    grant_lot(session, studio, wallet, "pack", 6000)
    found = start_series(session, studio, wallet)

    live_through(session, studio, NOW, NOW + 20 * WEEK)

    # Of the 20 weeks that passed and the 6 ahead; the clocks changed on the way.
    assert len(starts(session, found)) == 26
    assert starts(session, found)[15:17] == ["03-09 15:00", "03-16 14:00"]
    assert found.status is SeriesStatus.ACTIVE
    assert broken_promises(session) == []


def test_two_unfunded_dates_pause_and_a_top_up_resumes_for_what_is_free(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, simulators=4)
    paused_at = TUESDAY + WEEK - TWO_DAYS
    live_through(session, studio, NOW, paused_at - HOUR)
    assert found.status is SeriesStatus.ACTIVE
    tick(session, studio, paused_at)
    assert (found.status, found.paused_at) == (SeriesStatus.PAUSED, paused_at)
    assert {each[2:] for each in standings(session, found, paused_at)[2:]} == {("paused",)}

    # Somebody else takes the third date while its slot is free.
    other = make_wallet(session, studio, 7002)
    rival = start_series(
        session, studio, other, TUESDAY + 2 * WEEK, count=1, simulators=1, now=paused_at + HOUR
    )
    live_through(session, studio, paused_at + HOUR, paused_at + 7 * HOUR)
    grant_lot(session, studio, wallet, "small", 180)
    assert tick(session, studio, paused_at + 8 * HOUR) == 0
    grant_lot(session, studio, wallet, "rest", 300)
    tick(session, studio, paused_at + 9 * HOUR)

    assert (found.status, found.paused_at) == (SeriesStatus.ACTIVE, None)
    read = standings(session, found, paused_at + 9 * HOUR)
    assert read[:3] == [
        (1, "skipped", "unfunded"),
        (2, "skipped", "unfunded"),
        (3, "skipped", "slot_taken"),
    ]
    assert [each[1] for each in read[3:]] == ["tentative"] * (len(read) - 3)
    assert statuses(session, rival, paused_at) == ["tentative"]
    tick(session, studio, TUESDAY + 2 * WEEK)
    assert statuses(session, found, TUESDAY + 2 * WEEK)[3] == "funded"
    assert broken_promises(session) == []


def test_one_paid_date_between_unpaid_ones_keeps_a_series_going(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, count=3)
    live_through(session, studio, NOW, TUESDAY)
    grant_lot(session, studio, wallet, "hour", 60)
    live_through(session, studio, TUESDAY, TUESDAY + 2 * WEEK)

    assert [each[1] for each in standings(session, found, TUESDAY + 2 * WEEK)] == [
        "skipped",
        "completed",
        "skipped",
    ]
    assert found.paused_at is None


def test_what_comes_while_a_series_is_paused_is_listed_and_resumed_later(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet)
    live_through(session, studio, NOW, TUESDAY + 4 * WEEK)
    assert found.status is SeriesStatus.PAUSED
    before = standings(session, found, TUESDAY + 4 * WEEK)
    assert before[2:] == [(number, "skipped", "paused") for number in range(3, len(before) + 1)]

    grant_lot(session, studio, wallet, "pack", 600)
    tick(session, studio, TUESDAY + 4 * WEEK + HOUR)

    after = standings(session, found, TUESDAY + 4 * WEEK + HOUR)
    assert after[:5] == before[:5]
    assert [each[1] for each in after[5:]] == ["funded"] * 2 + ["tentative"] * 4
    assert broken_promises(session) == []


def test_running_it_again_writes_nothing(session: Session, studio: Studio, wallet: Wallet) -> None:
    grant_lot(session, studio, wallet, "pack", 180)
    start_series(session, studio, wallet, count=12)
    for now in (NOW + HOUR, TUESDAY + 3 * WEEK, TUESDAY + 4 * WEEK, TUESDAY + 9 * WEEK):
        tick(session, studio, now)
        before = everything(session)

        upkeep.tend(session, studio=studio, wallet_id=wallet.id, now=now)

        assert everything(session) == before


def test_a_series_at_rest_is_not_looked_at(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    grant_lot(session, studio, wallet, "pack", 60)
    found = start_series(session, studio, wallet)
    assert found.due_at == TUESDAY  # the seventh date comes into reach

    assert upkeep.due(session, now=NOW + HOUR) == []
    grant_lot(session, studio, wallet, "hour", 60)

    assert upkeep.due(session, now=NOW + HOUR) == [(studio.id, wallet.id)]
    tick(session, studio, NOW + HOUR)
    assert upkeep.due(session, now=NOW + HOUR) == []


def test_a_slot_that_lapsed_unseen_is_written_down_once(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    found = start_series(session, studio, wallet, count=1, simulators=4)
    other = make_wallet(session, studio, 7002)
    grant_lot(session, studio, other, "other", 60)
    late = TUESDAY - HOUR * 24
    start_series(session, studio, other, count=1, now=late)

    tick(session, studio, late)

    assert standings(session, found, late) == [(1, "skipped", "unfunded")]
    assert found.unfunded_in_a_row == 1
    assert broken_promises(session) == []
