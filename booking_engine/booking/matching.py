"""Freed time goes to the first in line whom it fits (product rule D19).

`match` computes who is to be served from what is there now: the line, the offers, the book. It
needs no word of what was freed, so a lost wake-up costs seconds and a doubled one nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session

from booking_engine.booking import (
    allocator,
    bookings,
    drafts,
    offers,
    openings,
    strikes,
    waitlist,
)
from booking_engine.booking.allocator import CoachUnavailable
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.drafts import Owner
from booking_engine.booking.holds import HoldConverted
from booking_engine.booking.models import BookingStatus
from booking_engine.booking.openings import Openings, Window
from booking_engine.booking.terms import Terms
from booking_engine.booking.waitlist_models import EntryStatus, OfferStatus, WaitlistEntry
from booking_engine.catalog.studio import Studio
from booking_engine.intervals import Interval, from_minutes, to_minutes
from booking_engine.ledger import credits, debts, lots, wallets
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.models import CreditKind
from booking_engine.ledger.transfers import Cause

ACTOR = "waitlist"

Spans = list[tuple[int, int]]


def match(session: Session, *, studio: Studio, now: datetime) -> bool:
    """Serve the next in line for whom there is room; False once there is nobody.

    One is served per transaction: the days of two sessions could not be locked in order.
    """
    waitlist.queue(session, studio_id=studio.id)
    waitlist.settle(session, studio_id=studio.id, now=now)
    if _close_satisfied(session, studio, now):
        return True
    line = _line(session, studio, now)
    if not line:
        return False
    windows = [window for _, window in line]
    found = openings.read(session, studio=studio, windows=windows, now=now)
    past = _let_go(session, studio.id, [entry.id for entry, _ in line])
    for entry, window in line:
        for at in _starts(found, window, past.get(entry.id, [])):
            agreed = replace(window.terms, during=Interval.lasting(at, window.minutes))
            if _serve(session, studio, entry, agreed, now):
                return True
    return False


def _close_satisfied(session: Session, studio: Studio, now: datetime) -> bool:
    """Close the entries that have got their session elsewhere; True once an offer was withdrawn.

    To withdraw one locks its booking, after which no day may be locked in this transaction.
    """
    line = {each.id: each for each in waitlist.waiting(session, studio_id=studio.id)}
    for entry_id, booking_id in waitlist.satisfying(session, studio_id=studio.id):
        entry = line.pop(entry_id, None)
        if entry is None:
            continue
        held = offers.unsettled(session, studio_id=studio.id, entry_ids=[entry_id])
        for offer, _ in held:
            try:
                offers.give_up(
                    session, studio=studio, offer=offer, status=OfferStatus.WITHDRAWN, now=now
                )
            except HoldConverted:
                return True  # paid for in this very moment: the next look will see it accepted
        waitlist.close(entry, EntryStatus.BOOKED, booking_id=booking_id, now=now)
        session.flush()
        if held:
            return True
    return False


def _line(session: Session, studio: Studio, now: datetime) -> list[tuple[WaitlistEntry, Window]]:
    """Return who waits without an offer, in order, and for what; closes what is over."""
    held = {offer.entry_id for offer, _ in offers.unsettled(session, studio_id=studio.id)}
    line = []
    for entry in waitlist.waiting(session, studio_id=studio.id):
        if entry.id in held:
            continue
        if entry.latest_at - now < offers.LAST_CALL:
            waitlist.close(entry, EntryStatus.EXPIRED, now=now)
            continue
        window = waitlist.window(studio, entry, now=now)
        if window is not None:
            line.append((entry, window))
    session.flush()
    wallets_of_line = {entry.wallet_id for entry, _ in line}
    barred = {
        wallet_id
        for wallet_id in wallets_of_line
        if strikes.restricted_until(session, studio=studio, wallet_id=wallet_id, now=now)
    }
    return [(entry, window) for entry, window in line if entry.wallet_id not in barred]


def _let_go(session: Session, studio_id: int, entry_ids: Sequence[UUID]) -> dict[UUID, Spans]:
    """Return per entry the time that it declined or let lapse; others are to have that."""
    past: dict[UUID, Spans] = {}
    for offer in offers.let_go(session, studio_id=studio_id, entry_ids=entry_ids):
        span = to_minutes(offer.starts_at), to_minutes(offer.ends_at)
        past.setdefault(offer.entry_id, []).append(span)
    return past


def _starts(found: Openings, window: Window, past: Spans) -> Iterator[datetime]:
    for start in found.starts(window):
        end = start + window.minutes
        if not any(begin < end and start < until for begin, until in past):
            yield from_minutes(start)


def _serve(
    session: Session, studio: Studio, entry: WaitlistEntry, agreed: Terms, now: datetime
) -> bool:
    """Book this session or offer it; False where neither may be, or somebody was faster."""
    steps: list[Callable[..., object]] = []
    if _may_book(session, entry, agreed, now):
        steps.append(_book)
    if not offers.is_quiet(agreed.during.start, agreed.location.zone, now=now):
        steps.append(offers.make)
    for step in steps:
        try:
            # What fails gives its locks back with its savepoint, so that the next may take others.
            with session.begin_nested():
                step(session, studio=studio, entry=entry, terms=agreed, now=now)
        except (SlotTaken, CoachUnavailable, NotEnoughCredits):
            continue
        return True
    return False


def _may_book(session: Session, entry: WaitlistEntry, agreed: Terms, now: datetime) -> bool:
    """Tell whether the entry is to be booked unasked: early enough, and its wallet can pay."""
    hours = entry.auto_book_hours
    start = agreed.during.start
    if hours is None or start - now < timedelta(hours=hours):
        return False
    if debts.owed(session, studio_id=entry.studio_id, wallet_id=entry.wallet_id) > 0:
        return False
    owned = credits.of_wallet(session, studio_id=entry.studio_id, wallet_id=entry.wallet_id)
    needed = {
        CreditKind.SIMULATOR_MINUTES: agreed.simulator_minutes,
        CreditKind.COACHING_SESSIONS: agreed.coaching_sessions,
    }
    return all(
        lots.spendable(owned, kind, starts_at=start, now=now, facts=agreed.facts()) >= quantity
        for kind, quantity in needed.items()
    )


def _book(
    session: Session, *, studio: Studio, entry: WaitlistEntry, terms: Terms, now: datetime
) -> None:
    wallets.lock(session, studio_id=studio.id, wallet_id=entry.wallet_id)
    seats = allocator.seat(session, studio=studio, terms=terms, now=now, wallet_id=entry.wallet_id)
    owner = Owner(entry.wallet_id, BookingStatus.CONFIRMED, None)
    booking = bookings.write(session, studio=studio, terms=terms, seats=seats, owner=owner, now=now)
    cause = Cause("booked", booking.code, ACTOR, now)
    credits.hold(session, need=drafts.need(booking), cause=cause)
    waitlist.close(entry, EntryStatus.BOOKED, booking_id=booking.id, now=now)
    allocator.tell(session, studio_id=studio.id, booking_id=booking.id, now=now)
    session.flush()
