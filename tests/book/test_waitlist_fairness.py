"""With people waiting and time freed at random, nothing idles that anybody could have (C7)."""

from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from sqlmodel import Session

from booking_engine.booking import allocator, waitlist
from booking_engine.booking.terms import CoachingRequest
from booking_engine.booking.waitlist_models import EntryStatus, OfferStatus, WaitlistEntry
from booking_engine.catalog.studio import Studio
from booking_engine.ledger.models import CreditKind
from tests.factories.studio import NOW, apply_demo, make_lot, make_wallet
from tests.factories.waitlist import (
    EVENING,
    booking_of,
    fill,
    free,
    offers_of,
    open_offer,
    serve_line,
    violations,
    wait,
    would_seat,
)

STEP = timedelta(minutes=30)
CLOSING = EVENING + timedelta(hours=4)
COACHED = (CoachingRequest(30, "ana"), CoachingRequest(30))
ROUNDS = 50


@pytest.fixture
def studio(session: Session) -> Studio:
    return apply_demo(session)


@pytest.fixture
def taken(session: Session, studio: Studio) -> list[UUID]:
    """An hour each on every bay, all evening."""
    hours = [EVENING + timedelta(hours=hour) for hour in range(4)]
    return [booking_id for hour in hours for booking_id in fill(session, studio, hour)]


def random_entry(session: Session, studio: Studio, random: Random, number: int) -> WaitlistEntry:
    wallet = make_wallet(session, studio, 7000 + number)
    for kind, quantity in zip(CreditKind, (480, 4), strict=True):
        source = f"lot:{number}:{kind.value}"
        make_lot(session, studio, wallet, quantity, kind=kind, source=source)
    minutes = random.choice([60, 60, 120])
    start = EVENING + STEP * random.randint(0, 3)  # the coach leaves at 20:00
    return wait(
        session,
        studio,
        7000 + number,
        start,
        latest=min(CLOSING - timedelta(minutes=minutes), start + STEP * random.randint(0, 4)),
        at=NOW - timedelta(minutes=random.randint(0, 3)),
        minutes=minutes,
        simulators=random.choice([1, 1, 1, 2]),
        simulator=random.choice([None, None, None, "bay-2"]),
        coaching=random.choice([None, None, None, None, *COACHED]),
        auto_book_hours=random.choice([None, None, 24]),
    )


def could_have(session: Session, studio: Studio, entry: WaitlistEntry) -> list[datetime]:
    """Return the starts that an entry without an offer could be offered, found by trying all."""
    past = [
        (offer.starts_at, offer.ends_at)
        for offer in offers_of(session, entry)
        if offer.status in (OfferStatus.DECLINED, OfferStatus.EXPIRED)
    ]
    length = timedelta(minutes=entry.minutes)
    starts = [EVENING + STEP * number for number in range(8)]
    return [
        at
        for at in starts
        if entry.earliest_at <= at <= entry.latest_at
        and not any(begin < at + length and at < end for begin, end in past)
        and would_seat(session, studio, entry, at)
    ]


def unserved(session: Session, line: list[WaitlistEntry]) -> list[WaitlistEntry]:
    return [
        entry
        for entry in line
        if entry.status is EntryStatus.WAITING and open_offer(session, entry) is None
    ]


def without_the_later(
    session: Session, studio: Studio, line: list[WaitlistEntry], entry: WaitlistEntry
) -> list[datetime]:
    """Return what an entry could have if nobody behind it had been served."""
    trial = session.begin_nested()
    for later in line[line.index(entry) + 1 :]:
        found = open_offer(session, later)
        booking_id = found[1].booking_id if found else later.booking_id
        if booking_id is not None:
            allocator.release(session, studio_id=studio.id, booking_id=booking_id)
    could = could_have(session, studio, entry)
    trial.rollback()
    return could


def answer(session: Session, studio: Studio, random: Random, entry: WaitlistEntry) -> timedelta:
    """Answer what is on offer somehow; returns how much time was accepted."""
    found = open_offer(session, entry)
    choice = random.choice(["accept", "decline", "leave", "sleep"])
    if found is None or choice == "sleep":
        return timedelta(0)
    if choice == "accept":
        waitlist.accept(session, studio=studio, entry=entry, actor="test", now=NOW)
        return found[0].ends_at - found[0].starts_at
    step = waitlist.decline if choice == "decline" else waitlist.leave
    step(session, studio=studio, entry=entry, now=NOW)
    return timedelta(0)


def recovered(session: Session, line: list[WaitlistEntry]) -> timedelta:
    """Return the time of the bookings that offers became."""
    booked = [
        booking_of(session, entry)
        for entry in line
        if OfferStatus.ACCEPTED in [offer.status for offer in offers_of(session, entry)]
    ]
    return sum((each.ends_at - each.starts_at for each in booked), timedelta(0))


@pytest.mark.parametrize("seed", range(2))
def test_nothing_idles_that_somebody_could_have_and_nobody_is_passed_over(
    session: Session, studio: Studio, taken: list[UUID], seed: int
) -> None:
    random = Random(seed)
    served, total = 0, timedelta(0)
    for _ in range(ROUNDS):
        trial = session.begin_nested()
        made = [random_entry(session, studio, random, each) for each in range(random.randint(1, 6))]
        line = sorted(made, key=lambda entry: (entry.created_at, entry.id))
        for booking_id in random.sample(taken, random.randint(1, 6)):
            free(session, studio, booking_id)

        served += serve_line(session, studio)
        for entry in unserved(session, line):
            assert without_the_later(session, studio, line, entry) == []
        accepted = sum((answer(session, studio, random, each) for each in line), timedelta(0))
        served += serve_line(session, studio)
        for entry in unserved(session, line):
            assert could_have(session, studio, entry) == []
        served += serve_line(session, studio, NOW + STEP)

        assert recovered(session, line) == accepted
        assert violations(session) == []
        total += accepted
        trial.rollback()
    assert served > ROUNDS
    assert total > timedelta(hours=ROUNDS // 10)
