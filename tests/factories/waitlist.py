"""A full evening, and those who wait for some of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from booking_engine.booking import allocator, bookings, matching, waitlist
from booking_engine.booking.allocator import CoachUnavailable
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.models import Booking, Hold
from booking_engine.booking.policies import Actor
from booking_engine.booking.waitlist import Wish
from booking_engine.booking.waitlist_models import OfferStatus, WaitlistEntry, WaitlistOffer
from booking_engine.catalog.studio import Studio
from booking_engine.intervals import Interval
from booking_engine.ledger.models import CreditKind
from connector import verify
from tests.factories.studio import NOW, make_lot, make_request, make_wallet, toronto

EVENING = toronto(2026, 11, 25, 18)  # a Wednesday
OCCUPANT = 6001


def fill(
    session: Session,
    studio: Studio,
    start: datetime = EVENING,
    minutes: int = 60,
    *,
    bays: int = 4,
    at: datetime = NOW,
    **more: Any,
) -> list[UUID]:
    """Book this time on so many bays, one booking each; returns the bookings."""
    wallet = make_wallet(session, studio, OCCUPANT)
    made = []
    for number in range(bays):
        name = f"fill:{start.isoformat()}:{minutes}:{number}"
        make_lot(session, studio, wallet, minutes * more.get("simulators", 1), source=name)
        if "coaching" in more:
            sessions = CreditKind.COACHING_SESSIONS
            make_lot(session, studio, wallet, 1, kind=sessions, source=f"{name}:coach")
        booking = bookings.book(
            session,
            studio=studio,
            request=make_request(start, minutes, **more),
            wallet_id=wallet.id,
            actor="test",
            now=at,
        )
        made.append(booking.id)
    return made


def free(session: Session, studio: Studio, booking_id: UUID, at: datetime = NOW) -> None:
    """Cancel what stands in the way."""
    bookings.cancel(
        session,
        studio_id=studio.id,
        booking_id=booking_id,
        actor=Actor.STUDIO,
        reason="test",
        now=at,
    )


def wait(
    session: Session,
    studio: Studio,
    customer: int = 7001,
    start: datetime = EVENING,
    *,
    latest: datetime | None = None,
    minutes: int = 60,
    at: datetime = NOW,
    **more: Any,
) -> WaitlistEntry:
    """Let a customer wait for a session that starts then, or until `latest`."""
    wallet = make_wallet(session, studio, customer)
    wish = Wish("simulator", start, latest or start, minutes, **more)
    return waitlist.join(session, studio=studio, wish=wish, wallet_id=wallet.id, now=at)


def serve_line(session: Session, studio: Studio, at: datetime = NOW) -> int:
    """Serve until nobody can be served; returns how many were."""
    served = 0
    while matching.match(session, studio=studio, now=at):
        served += 1
    return served


def offers_of(session: Session, entry: WaitlistEntry) -> list[WaitlistOffer]:
    """Return what was ever offered to an entry, oldest first."""
    found = session.exec(
        select(WaitlistOffer)
        .where(col(WaitlistOffer.entry_id) == entry.id)
        .order_by(col(WaitlistOffer.created_at), col(WaitlistOffer.id))
        .execution_options(populate_existing=True)
    )
    return list(found)


def open_offer(session: Session, entry: WaitlistEntry) -> tuple[WaitlistOffer, Hold] | None:
    """Return what is on offer to an entry, with its hold."""
    for offer in offers_of(session, entry):
        if offer.status is OfferStatus.OPEN:
            wanted = select(Hold).where(col(Hold.id) == offer.hold_id)
            return offer, session.exec(wanted.execution_options(populate_existing=True)).one()
    return None


def minutes_offered(session: Session, entry: WaitlistEntry, at: datetime) -> float | None:
    """Return for how many minutes from `at` something is on offer, None where nothing is."""
    found = open_offer(session, entry)
    return None if found is None else (found[1].expires_at - at) / timedelta(minutes=1)


def booking_of(session: Session, entry: WaitlistEntry) -> Booking:
    """Return the booking to which an entry came."""
    wanted = select(Booking).where(col(Booking.id) == entry.booking_id)
    return session.exec(wanted.execution_options(populate_existing=True)).one()


def violations(session: Session) -> list[verify.Violation]:
    """Return every promise that the database breaks."""
    session.flush()
    return [each for check in verify.CHECKS for each in verify.violations(session, check)]


def would_seat(session: Session, studio: Studio, entry: WaitlistEntry, start: datetime) -> bool:
    """Tell whether the book has room for an entry's session then, by trying it out."""
    window = waitlist.window(studio, entry, now=NOW)
    assert window is not None
    trial = session.begin_nested()
    try:
        agreed = replace(window.terms, during=Interval.lasting(start, window.minutes))
        allocator.seat(session, studio=studio, terms=agreed, now=NOW)
    except (SlotTaken, CoachUnavailable):
        return False
    else:
        return True
    finally:
        trial.rollback()
