"""An offer is accepted, paid, declined, left or let lapse; what then (rule D19)."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session

from booking_engine.booking import bookings, checkout, holds, waitlist
from booking_engine.booking.checkout import Outcome
from booking_engine.booking.holds import HoldExpired
from booking_engine.booking.models import BookingStatus
from booking_engine.booking.offers import NoOffer
from booking_engine.booking.policies import Actor
from booking_engine.booking.waitlist_models import EntryStatus, OfferStatus, WaitlistEntry
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.credits import NotEnoughCredits
from tests.factories.ledger import buckets, grant_lot
from tests.factories.studio import (
    NOW,
    make_lot,
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


@pytest.fixture(autouse=True)
def _kept_promises(session: Session) -> Iterator[None]:
    yield
    assert violations(session) == []


def test_what_is_declined_goes_to_the_next_and_does_not_come_back(
    session: Session, studio: Studio
) -> None:
    taken = fill(session, studio)
    fill(session, studio, EVENING + timedelta(hours=1), bays=4)
    first = wait(session, studio, 7001, latest=EVENING + timedelta(hours=1))
    free(session, studio, taken[0])
    serve_line(session, studio)

    waitlist.decline(session, studio=studio, entry=first, now=NOW)
    assert serve_line(session, studio) == 0
    second = wait(session, studio, 7002)
    serve_line(session, studio)

    assert [each.status for each in offers_of(session, first)] == [OfferStatus.DECLINED]
    assert first.status is EntryStatus.WAITING
    assert open_offer(session, second) is not None


def test_who_declined_one_time_is_offered_another(session: Session, studio: Studio) -> None:
    at_six = fill(session, studio)
    at_seven = fill(session, studio, EVENING + timedelta(hours=1))
    entry = wait(session, studio, latest=EVENING + timedelta(hours=1))
    free(session, studio, at_six[0])
    serve_line(session, studio)
    waitlist.decline(session, studio=studio, entry=entry, now=NOW)

    free(session, studio, at_seven[0])
    serve_line(session, studio)

    assert open_offer(session, entry)[0].starts_at == EVENING + timedelta(hours=1)


def test_an_offer_lapses_to_the_microsecond_and_the_next_gets_it(
    session: Session, studio: Studio
) -> None:
    taken = fill(session, studio)
    first, second = (wait(session, studio, number) for number in (7001, 7002))
    free(session, studio, taken[0])
    serve_line(session, studio)
    end = NOW + timedelta(minutes=30)

    assert serve_line(session, studio, end - timedelta(microseconds=1)) == 0
    with pytest.raises(HoldExpired):
        waitlist.accept(session, studio=studio, entry=first, actor="test", now=end)
    assert serve_line(session, studio, end) == 1

    assert [each.status for each in offers_of(session, first)] == [OfferStatus.EXPIRED]
    assert first.status is EntryStatus.WAITING
    assert minutes_offered(session, second, end) == 30


def test_who_leaves_frees_what_was_offered(session: Session, studio: Studio) -> None:
    taken = fill(session, studio)
    first, second = (wait(session, studio, number) for number in (7001, 7002))
    free(session, studio, taken[0])
    serve_line(session, studio)

    for _ in range(2):
        waitlist.leave(session, studio=studio, entry=first, now=NOW)
    serve_line(session, studio)

    assert first.status is EntryStatus.LEFT
    assert offers_of(session, first)[0].status is OfferStatus.DECLINED
    assert open_offer(session, second) is not None


def test_an_accepted_offer_is_booked_with_credits(session: Session, studio: Studio) -> None:
    taken = fill(session, studio)
    entry = wait(session, studio)
    free(session, studio, taken[0])
    serve_line(session, studio)
    make_lot(session, studio, make_wallet(session, studio), 60, source="mine")

    later = NOW + timedelta(minutes=29)
    booking = waitlist.accept(session, studio=studio, entry=entry, actor="test", now=later)

    assert (booking.status, booking.starts_at) == (BookingStatus.CONFIRMED, EVENING)
    assert (entry.status, entry.booking_id) == (EntryStatus.BOOKED, booking.id)
    assert buckets(session, "mine") == {"held": 60}
    with pytest.raises(NoOffer):
        waitlist.accept(session, studio=studio, entry=entry, actor="test", now=later)
    grace = later + timedelta(minutes=10)
    assert bookings.percent_back(booking, actor=Actor.CUSTOMER, now=grace) == 100


def test_a_late_acceptance_may_be_cancelled_for_free_for_ten_minutes(
    session: Session, studio: Studio
) -> None:
    taken = fill(session, studio)
    entry = wait(session, studio)
    noon = toronto(2026, 11, 25, 12)
    free(session, studio, taken[0], noon)
    serve_line(session, studio, noon)
    make_lot(session, studio, make_wallet(session, studio), 60, source="mine")
    booking = waitlist.accept(session, studio=studio, entry=entry, actor="test", now=noon)

    percents = [
        bookings.percent_back(booking, actor=Actor.CUSTOMER, now=noon + timedelta(minutes=minutes))
        for minutes in (10, 11)
    ]

    assert percents == [100, 0]


def test_without_credits_an_offer_stays_open(session: Session, studio: Studio) -> None:
    entry = wait(session, studio)
    serve_line(session, studio)

    with pytest.raises(NotEnoughCredits), session.begin_nested():
        waitlist.accept(session, studio=studio, entry=entry, actor="test", now=NOW)

    assert minutes_offered(session, entry, NOW) == 30
    assert entry.status is EntryStatus.WAITING


def test_a_checkout_gets_fifteen_minutes_more_once(session: Session, studio: Studio) -> None:
    entry = wait(session, studio)
    serve_line(session, studio)

    for _ in range(2):
        _, hold = waitlist.check_out(session, studio=studio, entry=entry, now=NOW)

    assert hold.expires_at == NOW + timedelta(minutes=45)
    assert hold.cart["lines"][0]["properties"] == {"_hold": str(hold.id)}


def test_a_checkout_ends_when_the_session_begins(session: Session, studio: Studio) -> None:
    entry = wait(session, studio, start=MORNING)
    late = MORNING - timedelta(minutes=15)
    serve_line(session, studio, late)

    _, hold = waitlist.check_out(session, studio=studio, entry=entry, now=late)

    assert hold.expires_at == MORNING


def pay(session: Session, studio: Studio, entry: WaitlistEntry, now: datetime) -> Outcome:
    """Let the order arrive that pays the first offer that an entry had."""
    wallet = make_wallet(session, studio)
    grant_lot(session, studio, wallet, "order:unit", 60, order_id=9001)
    hold = holds.get(session, studio_id=studio.id, hold_id=offers_of(session, entry)[0].hold_id)
    return checkout.redeem(
        session, studio=studio, hold=hold, order_id=9001, wallet_id=wallet.id, now=now
    )


def test_an_offer_that_is_paid_in_time_is_accepted(session: Session, studio: Studio) -> None:
    entry = wait(session, studio)
    serve_line(session, studio)
    waitlist.check_out(session, studio=studio, entry=entry, now=NOW)

    outcome = pay(session, studio, entry, NOW + timedelta(minutes=44))
    serve_line(session, studio, NOW + timedelta(minutes=46))

    assert outcome is Outcome.CONFIRMED
    assert entry.status is EntryStatus.BOOKED
    assert offers_of(session, entry)[0].status is OfferStatus.ACCEPTED
    assert booking_of(session, entry).order_id == 9001


def test_who_pays_late_for_what_the_next_was_offered_keeps_the_credits(
    session: Session, studio: Studio
) -> None:
    taken = fill(session, studio)
    first, second = (wait(session, studio, number) for number in (7001, 7002))
    free(session, studio, taken[0])
    serve_line(session, studio)
    late = NOW + timedelta(minutes=30)
    serve_line(session, studio, late)

    assert pay(session, studio, first, late) is Outcome.CREDITED

    assert buckets(session, "order:unit") == {"available": 60}
    assert minutes_offered(session, second, late) == 30
    assert first.status is EntryStatus.WAITING


def test_who_pays_late_for_what_is_still_free_is_booked(session: Session, studio: Studio) -> None:
    entry = wait(session, studio)
    serve_line(session, studio)
    late = NOW + timedelta(minutes=31)
    serve_line(session, studio, late)

    pay(session, studio, entry, late)
    serve_line(session, studio, late)

    assert entry.status is EntryStatus.BOOKED
    assert booking_of(session, entry).status is BookingStatus.CONFIRMED
