"""Nobody came: provisionally after a quarter of an hour, for good a day after the end (D18)."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlmodel import Session, col, select

from booking_engine.attention import AttentionItem
from booking_engine.booking import attendance, bookings, matching, strikes, tracking
from booking_engine.booking.attendance import OutsideWindow
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.booking.strike_models import Strike
from booking_engine.booking.strikes import Restricted
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.models import Wallet
from tests.factories.desk import open_items
from tests.factories.ledger import buckets, grant_lot
from tests.factories.series import broken_promises
from tests.factories.shop_orders import seats
from tests.factories.studio import (
    NOW,
    TRACKED,
    apply_demo,
    demo_text,
    make_request,
    toronto,
)
from tests.factories.waitlist import fill, free, offers_of, wait

START = toronto(2026, 11, 25, 18)
END = START + timedelta(hours=1)
SECOND = timedelta(seconds=1)
LATE = START + timedelta(minutes=15)
FINAL = END + timedelta(hours=24)
DAY = timedelta(days=1)


@pytest.fixture
def studio(session: Session) -> Studio:
    return apply_demo(session, demo_text(**TRACKED))


@pytest.fixture
def booking(session: Session, studio: Studio, wallet: Wallet) -> Booking:
    return book(session, studio, wallet, START)


def book(
    session: Session, studio: Studio, wallet: Wallet, start: datetime, *, now: datetime = NOW
) -> Booking:
    grant_lot(session, studio, wallet, f"hour {start}", 60)
    return bookings.book(
        session,
        studio=studio,
        request=make_request(start),
        wallet_id=wallet.id,
        actor="customer:7001",
        now=now,
    )


def sweep(session: Session, now: datetime) -> tuple[int, int]:
    begun = bookings.begin_and_complete(session, now=now, limit=100)
    return begun, attendance.close_missed(session, now=now, limit=100)


def strikes_of(session: Session) -> list[UUID]:
    return list(session.exec(select(Strike.booking_id).order_by(col(Strike.at))))


@pytest.mark.parametrize(
    ("now", "status"),
    [
        (LATE, BookingStatus.CONFIRMED),
        (LATE + SECOND, BookingStatus.NO_SHOW),
        (END, BookingStatus.NO_SHOW),
        (FINAL + SECOND, BookingStatus.NO_SHOW),
    ],
)
def test_who_was_not_checked_in_reads_as_a_no_show_without_any_job(
    session: Session, studio: Studio, booking: Booking, now: datetime, status: BookingStatus
) -> None:
    assert tracking.status_at(booking, studio, now=now) is status
    assert booking.status is BookingStatus.CONFIRMED


def test_a_missed_session_is_spent_keeps_its_bay_and_becomes_final_after_a_day(
    session: Session, studio: Studio, booking: Booking
) -> None:
    source = f"hour {START}"
    sweep(session, LATE + SECOND)
    assert buckets(session, source) == {"spent": 60}
    assert len(seats(session, booking.id)) == 1
    assert sweep(session, END) == (0, 0)
    assert sweep(session, FINAL) == (0, 0)
    assert (booking.status, strikes_of(session)) == (BookingStatus.CONFIRMED, [])

    assert sweep(session, FINAL + SECOND) == (0, 1)

    assert (booking.status, strikes_of(session)) == (BookingStatus.NO_SHOW, [booking.id])
    assert session.exec(select(Strike.at)).one() == FINAL
    assert sweep(session, FINAL + 2 * SECOND) == (0, 0)
    with pytest.raises(OutsideWindow):
        attendance.complete(
            session,
            studio=studio,
            booking_id=booking.id,
            actor=Actor.STUDIO,
            by="x",
            now=FINAL + SECOND,
        )
    assert broken_promises(session) == []


def test_who_was_checked_in_has_played(session: Session, studio: Studio, booking: Booking) -> None:
    attendance.check_in(session, studio=studio, booking_id=booking.id, actor=Actor.STUDIO, now=LATE)

    sweep(session, END)
    sweep(session, FINAL + SECOND)

    assert (booking.status, strikes_of(session)) == (BookingStatus.COMPLETED, [])


def test_who_was_only_seen_later_is_put_right_until_the_mark_is_final(
    session: Session, studio: Studio, booking: Booking
) -> None:
    sweep(session, END)

    attendance.complete(
        session, studio=studio, booking_id=booking.id, actor=Actor.STUDIO, by="x", now=FINAL
    )

    sweep(session, FINAL + SECOND)
    assert (booking.status, strikes_of(session)) == (BookingStatus.COMPLETED, [])
    assert broken_promises(session) == []


def test_a_late_cancellation_is_no_strike(
    session: Session, studio: Studio, booking: Booking
) -> None:
    bookings.cancel(
        session,
        studio_id=studio.id,
        booking_id=booking.id,
        actor=Actor.CUSTOMER,
        reason="late",
        now=START - SECOND,
    )

    sweep(session, FINAL + SECOND)

    assert (booking.status, strikes_of(session)) == (BookingStatus.CANCELLED, [])


@pytest.mark.parametrize("modes", [("none", "none"), ("none", "staff"), ("staff", "none")])
def test_nobody_is_tracked_behind_their_back(
    session: Session, wallet: Wallet, modes: tuple[str, str]
) -> None:
    texts = {"none": demo_text(), "staff": demo_text(**TRACKED)}
    booked_under = apply_demo(session, texts[modes[0]])
    made = book(session, booked_under, wallet, START)
    now_is = apply_demo(session, texts[modes[1]])

    assert tracking.status_at(made, now_is, now=END) is BookingStatus.COMPLETED
    sweep(session, END)
    sweep(session, FINAL + SECOND)

    assert (made.status, strikes_of(session)) == (BookingStatus.COMPLETED, [])


@pytest.mark.parametrize("when", [END, FINAL + 2 * SECOND])
def test_staff_forgive_the_strike_and_return_the_credits(
    session: Session, studio: Studio, booking: Booking, when: datetime
) -> None:
    attendance.mark_no_show(
        session, studio=studio, booking_id=booking.id, actor=Actor.STUDIO, by="x", now=END
    )
    if when > FINAL:
        sweep(session, FINAL + SECOND)

    attendance.forgive(session, studio=studio, booking_id=booking.id, by="staff:owner", now=when)

    sweep(session, FINAL + 3 * SECOND)
    assert buckets(session, f"hour {START}") == {"available": 60}
    forgiven = session.exec(select(Strike.forgiven_by)).all()
    assert list(forgiven) == (["staff:owner"] if when > FINAL else [])
    assert broken_promises(session) == []


@pytest.fixture
def missed(session: Session, studio: Studio, wallet: Wallet) -> list[Booking]:
    """Four sessions that were missed, a week apart; the first is pardoned by itself."""
    return [book(session, studio, wallet, START + number * 7 * DAY) for number in range(4)]


def test_the_third_strike_that_counts_restricts_for_thirty_days(
    session: Session, studio: Studio, wallet: Wallet, missed: list[Booking]
) -> None:
    last = FINAL + 21 * DAY
    asked = {"studio": studio, "wallet_id": wallet.id}

    strikes.refuse_restricted(session, now=last, **asked)
    with pytest.raises(Restricted) as refused:  # no job has written anything yet
        strikes.refuse_restricted(session, now=last + SECOND, **asked)
    sweep(session, last + SECOND)
    with pytest.raises(Restricted):
        strikes.refuse_restricted(session, now=last + 30 * DAY - SECOND, **asked)
    strikes.refuse_restricted(session, now=last + 30 * DAY, **asked)

    assert refused.value.facts == {"until": "2027-01-16T19:00:00-05:00"}
    record = strikes.judge(
        strikes.of_wallet(session, studio_id=studio.id, wallet_id=wallet.id, now=last + SECOND),
        now=last + SECOND,
    )
    assert record.pardoned == (missed[0].id,)
    assert record.counting == tuple(each.id for each in missed[1:])
    (item,) = open_items(session)
    assert (item.kind, item.facts["code"]) == ("restricted", missed[3].code)
    assert sweep(session, last + DAY) == (0, 0)
    assert len(session.exec(select(AttentionItem)).all()) == 1


def test_a_forgiven_strike_lifts_the_restriction(
    session: Session, studio: Studio, wallet: Wallet, missed: list[Booking]
) -> None:
    now = FINAL + 21 * DAY + SECOND
    sweep(session, now)

    attendance.forgive(session, studio=studio, booking_id=missed[2].id, by="staff:owner", now=now)

    strikes.refuse_restricted(session, studio=studio, wallet_id=wallet.id, now=now)


def test_the_restriction_goes_with_the_mode(
    session: Session, studio: Studio, wallet: Wallet, missed: list[Booking]
) -> None:
    now = FINAL + 21 * DAY + SECOND
    sweep(session, now)

    untracked = apply_demo(session, demo_text())

    strikes.refuse_restricted(session, studio=untracked, wallet_id=wallet.id, now=now)


def test_the_line_passes_over_who_is_restricted(
    session: Session, studio: Studio, wallet: Wallet
) -> None:
    for number in range(4):
        book(session, studio, wallet, START - (30 - number) * DAY, now=START - 40 * DAY)
    stood = fill(session, studio)
    barred = wait(session, studio, 7001)
    able = wait(session, studio, 7002)
    free(session, studio, stood[0])

    assert matching.match(session, studio=studio, now=NOW)
    assert not matching.match(session, studio=studio, now=NOW)

    assert (len(offers_of(session, barred)), len(offers_of(session, able))) == (0, 1)


def test_a_session_booked_when_nobody_spoke_of_attendance_completes_by_itself(
    session: Session, booking: Booking
) -> None:
    booking.policy = {name: rule for name, rule in booking.policy.items() if name != "attendance"}
    session.flush()

    assert sweep(session, START) == (1, 0)
    assert sweep(session, END) == (1, 0)
    assert booking.status is BookingStatus.COMPLETED
    assert sweep(session, FINAL + SECOND) == (0, 0)
