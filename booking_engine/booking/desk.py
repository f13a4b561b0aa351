"""Booking at the studio's desk: soft rules may be waived with a reason, hard overlaps never.

Whoever stands in the way goes only where staff name them: cancelled by the studio, all credits
back, in the transaction that books the other (X7).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from booking_engine.booking import allocator, bookings, drafts, terms
from booking_engine.booking import book as days
from booking_engine.booking.drafts import Owner
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.booking.terms import SessionRequest, Terms
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Invalid
from booking_engine.intervals import Interval
from booking_engine.ledger import credits, wallets
from booking_engine.ledger.models import CreditKind
from booking_engine.ledger.transfers import Cause

SOFT_RULES = frozenset({"too_soon", "outside_horizon", "outside_hours", "off_grid"})


@dataclass(frozen=True, slots=True)
class Order:
    """What staff ask for: a session, the rules it may break, who makes room, whether it is free."""

    request: SessionRequest
    waived: frozenset[str] = frozenset()
    displaced: tuple[UUID, ...] = ()
    is_complimentary: bool = False


@dataclass(frozen=True, slots=True)
class Displaced:
    """A booking that made room, and what came back of it."""

    booking: Booking
    returned: dict[CreditKind, int]


@dataclass(frozen=True, slots=True)
class Made:
    """The booking, the rules that it breaks, and who made room for it."""

    booking: Booking
    overrode: list[str]
    displaced: list[Displaced]


def book(
    session: Session,
    *,
    studio: Studio,
    order: Order,
    wallet_id: UUID,
    actor: str,
    reason: str,
    now: datetime,
) -> Made:
    """Book a session for a customer at once; all of it happens or nothing.

    Raises what rules that are not waived refuse, `SlotTaken`, `NotEnoughCredits`, `NotCancellable`.
    """
    if not order.waived <= SOFT_RULES:
        raise Invalid("only soft rules are waived", allowed=sorted(SOFT_RULES))
    agreed = terms.agree(studio, order.request, now=now, waived=order.waived)
    if agreed.during.end <= now:
        raise Invalid("that time is over")
    overrode = [each.code for each in terms.refusals(studio, agreed, now=now)]
    standing = _in_the_way(session, studio, agreed, order.displaced)
    owners = {wallet_id, *(each.wallet_id for each in standing if each.wallet_id)}
    for owner_id in sorted(owners):
        wallets.lock(session, studio_id=studio.id, wallet_id=owner_id)
    dates = days.days_of(agreed.during, agreed.location)
    days.lock_days(session, studio_id=studio.id, days=dates)
    displaced = [_displace(session, each, reason, now) for each in standing]
    seats = allocator.seat(session, studio=studio, terms=agreed, now=now, wallet_id=wallet_id)
    owner = Owner(wallet_id, BookingStatus.CONFIRMED, None)
    booking = bookings.write(
        session, studio=studio, terms=agreed, seats=seats, owner=owner, now=now
    )
    booking.complimentary = order.is_complimentary
    cause = Cause("booked", booking.code, actor, now)
    credits.hold(session, need=drafts.need(booking), cause=cause)
    allocator.tell(session, studio_id=studio.id, booking_id=booking.id, now=now)
    session.flush()
    return Made(booking, overrode, displaced)


def _in_the_way(
    session: Session, studio: Studio, agreed: Terms, named: Sequence[UUID]
) -> list[Booking]:
    """Return the bookings that staff named, by id; raises `Invalid` for one not in the way."""
    found = [
        bookings.get(session, studio_id=studio.id, booking_id=booking_id)
        for booking_id in sorted(set(named))
    ]
    for each in found:
        session_time = Interval(each.starts_at, each.ends_at)
        here = each.location_id == agreed.location.id
        if not (here and agreed.during.overlaps(session_time)):
            raise Invalid(
                f"booking {each.code} is not in the way of that session", booking=str(each.id)
            )
    return found


def _displace(session: Session, booking: Booking, reason: str, now: datetime) -> Displaced:
    returned = bookings.cancel(
        session,
        studio_id=booking.studio_id,
        booking_id=booking.id,
        actor=Actor.STUDIO,
        reason=reason,
        now=now,
    )
    return Displaced(booking, returned)
