"""Who waits for what, until when, and how the waiting ends (rule D19)."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlmodel import Session

from booking_engine.booking import bookings, moves, waitlist
from booking_engine.booking.allocator import CoachUnavailable
from booking_engine.booking.models import BookingStatus
from booking_engine.booking.moves import Target
from booking_engine.booking.policies import Actor
from booking_engine.booking.terms import CoachingRequest, OutsideHorizon, OutsideHours, TooSoon
from booking_engine.booking.waitlist import TooManyEntries
from booking_engine.booking.waitlist_models import EntryStatus, OfferStatus
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Invalid, NotFound
from tests.factories.ledger import buckets
from tests.factories.studio import (
    NOW,
    apply_demo,
    demo_text,
    make_lot,
    make_request,
    make_wallet,
    toronto,
)
from tests.factories.waitlist import (
    EVENING,
    booking_of,
    fill,
    free,
    minutes_offered,
    offers_of,
    open_offer,
    serve_line,
    violations,
    wait,
)

MORNING = toronto(2026, 11, 25, 10)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _kept_promises(session: Session) -> Iterator[None]:
    yield
    assert violations(session) == []


def test_the_lead_time_is_measured_when_the_wish_is_placed(
    session: Session, studio: Studio
) -> None:
    start = toronto(2026, 11, 20, 12)
    entry = wait(session, studio, start=start)  # two hours ahead, to the minute

    with pytest.raises(TooSoon):
        wait(session, studio, 7002, start, at=NOW + MINUTE)
    serve_line(session, studio, NOW + timedelta(hours=1))

    assert minutes_offered(session, entry, NOW + timedelta(hours=1)) == 30


def test_what_can_never_be_offered_is_not_waited_for(session: Session, studio: Studio) -> None:
    ana = CoachingRequest(60, "ana")

    with pytest.raises(OutsideHours):
        wait(session, studio, start=toronto(2026, 11, 25, 3))
    with pytest.raises(OutsideHorizon):
        wait(session, studio, start=NOW + timedelta(days=91))
    with pytest.raises(CoachUnavailable):
        wait(session, studio, start=toronto(2026, 11, 23, 18), coaching=ana)
    with pytest.raises(Invalid, match="before"):
        wait(session, studio, latest=EVENING - MINUTE)
    with pytest.raises(Invalid, match="14 days"):
        wait(session, studio, latest=EVENING + timedelta(days=15))
    with pytest.raises(Invalid, match="lasts one of"):
        wait(session, studio, minutes=45)


def test_beyond_the_horizon_nothing_is_offered_yet(session: Session, studio: Studio) -> None:
    start, latest = (toronto(2027, 2, day, 18) for day in (18, 19))
    entry = wait(session, studio, start=start, latest=latest)
    fill(session, studio, start, 240)

    assert serve_line(session, studio) == 0
    tomorrow = NOW + timedelta(days=1)
    serve_line(session, studio, tomorrow)

    assert open_offer(session, entry)[0].starts_at == toronto(2027, 2, 19, 9)


def test_nobody_waits_twice_for_the_same_or_for_too_much(session: Session, studio: Studio) -> None:
    fill(session, studio)
    entry = wait(session, studio)

    assert wait(session, studio, at=NOW + MINUTE).id == entry.id
    for number in range(1, waitlist.ENTRIES_MAX):
        wait(session, studio, start=EVENING + timedelta(days=number))
    with pytest.raises(TooManyEntries):
        wait(session, studio, start=MORNING)


def test_somebody_elses_place_is_not_found(session: Session, studio: Studio) -> None:
    entry = wait(session, studio)
    other = make_wallet(session, studio, 7002)

    with pytest.raises(NotFound):
        waitlist.get(session, studio_id=studio.id, entry_id=entry.id, wallet_id=other.id)


def test_a_window_that_has_passed_ends_the_waiting(session: Session, studio: Studio) -> None:
    fill(session, studio)
    entry = wait(session, studio)

    serve_line(session, studio, EVENING - timedelta(minutes=10))
    assert entry.status is EntryStatus.WAITING
    serve_line(session, studio, EVENING - timedelta(minutes=9))

    assert entry.status is EntryStatus.EXPIRED


def test_a_booking_that_gives_what_was_waited_for_closes_the_entry(
    session: Session, studio: Studio
) -> None:
    wallet = make_wallet(session, studio)
    make_lot(session, studio, wallet, 240)
    entry = wait(session, studio, latest=EVENING + timedelta(hours=1))
    serve_line(session, studio)
    booked = bookings.book(
        session,
        studio=studio,
        request=make_request(EVENING + timedelta(hours=1), 120),
        wallet_id=wallet.id,
        actor="test",
        now=NOW,
    )

    serve_line(session, studio)

    assert (entry.status, entry.booking_id) == (EntryStatus.BOOKED, booked.id)
    assert [each.status for each in offers_of(session, entry)] == [OfferStatus.WITHDRAWN]


def test_a_booking_that_was_there_before_closes_nothing_until_it_moves_in(
    session: Session, studio: Studio
) -> None:
    wallet = make_wallet(session, studio)
    make_lot(session, studio, wallet, 120)
    ask = {"studio": studio, "wallet_id": wallet.id, "actor": "test", "now": NOW}
    bookings.book(session, request=make_request(EVENING), **ask)
    elsewhere = bookings.book(session, request=make_request(MORNING), **ask)
    taken = fill(session, studio, bays=3)
    entry = wait(session, studio)
    serve_line(session, studio)
    assert entry.status is EntryStatus.WAITING

    free(session, studio, taken[0])
    moves.move(
        session,
        studio=studio,
        booking_id=elsewhere.id,
        target=Target(EVENING),
        actor=Actor.STUDIO,
        now=NOW,
    )
    serve_line(session, studio)

    assert (entry.status, entry.booking_id) == (EntryStatus.BOOKED, elsewhere.id)


def test_coaching_is_waited_for_until_the_coach_is_free(session: Session, studio: Studio) -> None:
    ana = CoachingRequest(60, "ana")
    taken = fill(session, studio, bays=1, coaching=ana)
    coached = wait(session, studio, 7001, coaching=ana)
    assert serve_line(session, studio) == 0

    free(session, studio, taken[0])
    serve_line(session, studio)

    _, hold = open_offer(session, coached)
    held = bookings.get(session, studio_id=studio.id, booking_id=hold.booking_id)
    assert (held.coaching_starts_at, held.coaching_sessions) == (EVENING, 1)
    assert hold.cart["total_minor"] == 10_500


def test_any_coach_will_do_unless_one_is_named(session: Session) -> None:
    both = demo_text(**{'mon = ["09:00-17:00"], fri': 'mon-thu = ["09:00-20:00"], fri'})
    studio = apply_demo(session, both)
    fill(session, studio, bays=1, coaching=CoachingRequest(60, "ana"))
    named = wait(session, studio, 7001, coaching=CoachingRequest(60, "ana"))
    anyone = wait(session, studio, 7002, coaching=CoachingRequest(60))

    serve_line(session, studio)

    assert [open_offer(session, entry) is not None for entry in (named, anyone)] == [False, True]


def test_a_bay_by_name_is_waited_for(session: Session, studio: Studio) -> None:
    taken = fill(session, studio, bays=1, simulator="bay-3")
    entry = wait(session, studio, simulator="bay-3")
    assert serve_line(session, studio) == 0

    free(session, studio, taken[0])

    assert serve_line(session, studio) == 1
    assert open_offer(session, entry) is not None


def test_others_move_to_another_bay_for_who_waits(session: Session, studio: Studio) -> None:
    at_six = fill(session, studio)
    at_seven = fill(session, studio, EVENING + timedelta(hours=1))
    entry = wait(session, studio, minutes=120)
    seats = bookings.seats_of(
        session,
        studio_id=studio.id,
        bookings=[
            bookings.get(session, studio_id=studio.id, booking_id=each)
            for each in (at_six[0], *at_seven)
        ],
    )
    other = next(each for each in at_seven if seats[each] != seats[at_six[0]])

    free(session, studio, at_six[0])
    free(session, studio, other)

    assert serve_line(session, studio) == 1
    assert open_offer(session, entry)[0].ends_at == EVENING + timedelta(hours=2)


def test_who_wants_it_so_is_booked_at_once_even_at_night(session: Session, studio: Studio) -> None:
    taken = fill(session, studio)
    make_lot(session, studio, make_wallet(session, studio), 60, source="mine")
    entry = wait(session, studio, auto_book_hours=12)
    night = toronto(2026, 11, 24, 23)
    free(session, studio, taken[0], night)

    assert serve_line(session, studio, night) == 1

    assert booking_of(session, entry).status is BookingStatus.CONFIRMED
    assert buckets(session, "mine") == {"held": 60}
    assert offers_of(session, entry) == []


def test_nearer_than_agreed_or_without_credits_it_is_offered(
    session: Session, studio: Studio
) -> None:
    taken = fill(session, studio)
    make_lot(session, studio, make_wallet(session, studio), 60, source="mine")
    near = wait(session, studio, 7001, auto_book_hours=12)
    poor = wait(session, studio, 7002, auto_book_hours=0)
    late = EVENING - timedelta(hours=12) + timedelta(hours=3)
    for booking_id in taken[:2]:
        free(session, studio, booking_id, late)

    assert serve_line(session, studio, late) == 2

    assert [minutes_offered(session, entry, late) for entry in (near, poor)] == [30, 30]
    assert buckets(session, "mine") == {"available": 60}


def test_at_night_who_cannot_pay_does_not_keep_the_next_from_being_booked(
    session: Session, studio: Studio
) -> None:
    fill(session, studio, bays=3)
    make_lot(session, studio, make_wallet(session, studio, 7002), 60, source="mine")
    poor, rich = (wait(session, studio, number, auto_book_hours=1) for number in (7001, 7002))

    serve_line(session, studio, toronto(2026, 11, 24, 23))

    assert (poor.status, rich.status) == (EntryStatus.WAITING, EntryStatus.BOOKED)


def test_what_left_the_catalogue_is_not_offered(session: Session, studio: Studio) -> None:
    entry = wait(session, studio, minutes=240)
    text = demo_text(**{"minutes = [60, 120, 180, 240]": "minutes = [60, 120, 180]"})

    assert serve_line(session, apply_demo(session, text)) == 0
    assert entry.status is EntryStatus.WAITING
