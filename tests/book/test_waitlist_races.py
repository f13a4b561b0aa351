"""The line under rivals: real commits, several at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlmodel import Session, col, func, select

from booking_engine.booking import holds, matching, waitlist
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.holds import HoldExpired
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.offers import NoOffer
from booking_engine.booking.waitlist_models import (
    EntryStatus,
    OfferStatus,
    WaitlistEntry,
    WaitlistOffer,
)
from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from booking_engine.errors import DomainError
from connector.runtime import Runtime
from tests.factories.studio import NOW, make_lot, make_request, make_wallet
from tests.factories.waitlist import EVENING, fill, free, serve_line, violations, wait

THREADS = 6


def studio_in(session: Session) -> Studio:
    return queries.load(session, studio_id=queries.only_id(session))


def at_once(house: Runtime, steps: list[Callable[[Session, Studio], object]]) -> list[object]:
    """Run each step in a transaction of its own, all at the same time; errors are results."""
    barrier = threading.Barrier(len(steps))

    def run(step: Callable[[Session, Studio], object]) -> object:
        barrier.wait(10)
        try:
            with house.transaction() as session:
                return step(session, studio_in(session))
        except DomainError as error:
            return type(error)

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(run, steps))


def count(session: Session, status: OfferStatus) -> int:
    wanted = select(func.count()).select_from(WaitlistOffer).where(WaitlistOffer.status == status)
    return session.exec(wanted).one()


@pytest.fixture
def line(house: Runtime) -> list[UUID]:
    """Three who wait for an evening of which one bay is free."""
    with house.transaction() as session:
        studio = studio_in(session)
        taken = fill(session, studio)
        entries = [wait(session, studio, 7000 + number) for number in range(3)]
        for number in range(3):
            wallet = make_wallet(session, studio, 7000 + number)
            make_lot(session, studio, wallet, 120, source=f"own:{number}")
        free(session, studio, taken[0])
        return [entry.id for entry in entries]


def test_workers_who_match_at_once_make_one_offer(house: Runtime, line: list[UUID]) -> None:
    def step(session: Session, studio: Studio) -> bool:
        return matching.match(session, studio=studio, now=NOW)

    served = at_once(house, [step] * THREADS)

    assert sorted(served) == [False] * (THREADS - 1) + [True]
    with house.transaction() as session:
        assert count(session, OfferStatus.OPEN) == 1
        offer = session.exec(select(WaitlistOffer)).one()
        assert offer.entry_id == line[0]
        assert violations(session) == []


def test_an_offer_and_a_public_hold_never_share_the_slot(house: Runtime, line: list[UUID]) -> None:
    def match(session: Session, studio: Studio) -> bool:
        return matching.match(session, studio=studio, now=NOW)

    def hold(session: Session, studio: Studio) -> UUID:
        holder = holds.Holder("visitor:x", holds.VISITOR_CAPS)
        request = make_request(EVENING)
        return holds.place(session, studio=studio, request=request, holder=holder, now=NOW).id

    results = at_once(house, [match, hold])

    assert results in ([True, SlotTaken], [False, results[1]])
    with house.transaction() as session:
        wanted = select(func.count()).where(col(Booking.status) == BookingStatus.HELD)
        assert session.exec(wanted).one() == 1
        assert violations(session) == []


def test_an_offer_is_accepted_once(house: Runtime, line: list[UUID]) -> None:
    with house.transaction() as session:
        serve_line(session, studio_in(session))

    def accept(session: Session, studio: Studio) -> str:
        entry = session.get(WaitlistEntry, (studio.id, line[0]))
        assert entry is not None
        return waitlist.accept(session, studio=studio, entry=entry, actor="test", now=NOW).code

    results = at_once(house, [accept] * THREADS)

    assert results.count(NoOffer) == THREADS - 1
    with house.transaction() as session:
        assert count(session, OfferStatus.ACCEPTED) == 1
        assert violations(session) == []


def test_at_the_last_instant_it_is_accepted_or_goes_to_the_next(
    house: Runtime, line: list[UUID]
) -> None:
    with house.transaction() as session:
        serve_line(session, studio_in(session))
    end = NOW + timedelta(minutes=30)

    def accept_at(now: datetime) -> Callable[[Session, Studio], object]:
        def accept(session: Session, studio: Studio) -> str:
            entry = session.get(WaitlistEntry, (studio.id, line[0]))
            assert entry is not None
            return waitlist.accept(session, studio=studio, entry=entry, actor="test", now=now).code

        return accept

    def match(session: Session, studio: Studio) -> bool:
        return matching.match(session, studio=studio, now=end)

    accepted, served = at_once(house, [accept_at(end - timedelta(microseconds=1)), match])

    assert (accepted in (NoOffer, HoldExpired)) is (served is True)
    with house.transaction() as session:
        found = session.exec(select(WaitlistEntry).where(WaitlistEntry.id == line[0])).one()
        booked = found.status is EntryStatus.BOOKED
        assert booked is (served is False)
        assert count(session, OfferStatus.OPEN) == (0 if booked else 1)
        assert violations(session) == []


def test_what_is_freed_while_workers_match_goes_to_the_line(
    house: Runtime, line: list[UUID]
) -> None:
    with house.transaction() as session:
        rest = [
            each.id
            for each in session.exec(select(Booking).order_by(col(Booking.id)))
            if each.status is BookingStatus.CONFIRMED
        ]

    def cancel(booking_id: UUID) -> Callable[[Session, Studio], object]:
        return lambda session, studio: free(session, studio, booking_id)

    def match(session: Session, studio: Studio) -> bool:
        return matching.match(session, studio=studio, now=NOW)

    at_once(house, [*(cancel(each) for each in rest), match, match, match])
    with house.transaction() as session:
        serve_line(session, studio_in(session))

        assert count(session, OfferStatus.OPEN) == 3
        assert violations(session) == []
