"""Holds: the slot is yours for a while; paid in time it becomes a booking (rules D2, D7, D9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import Session, col, select, update

from booking_engine import attention
from booking_engine.booking import allocator, bookings, express, states, terms
from booking_engine.booking.express import Asked, Seen, Written
from booking_engine.booking.models import Booking, BookingStatus, Hold, HoldStatus
from booking_engine.booking.policies import Actor
from booking_engine.booking.pricing import Basket
from booking_engine.booking.terms import SessionRequest
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Conflict, Gone, NotFound, TooMany

CHECKOUT_HOLD = timedelta(minutes=20)
GRACE = timedelta(seconds=120)
OPEN = (BookingStatus.HELD, BookingStatus.AWAITING_PAYMENT)


@dataclass(frozen=True, slots=True)
class Caps:
    """How much one holder may hold at once."""

    holds: int
    minutes: int | None = None


CUSTOMER_CAPS = Caps(holds=2, minutes=240)
VISITOR_CAPS = Caps(holds=4)
STAFF_CAPS = Caps(holds=20)


class TooManyHolds(TooMany):
    """The holder's holds are used up until one is paid, released or expired."""

    code = "too_many_holds"


class HoldExpired(Gone):
    """The hold's time is up; the slot may be taken by others."""

    code = "hold_expired"


class HoldConverted(Conflict):
    """The hold has become a booking; cancel that instead."""

    code = "hold_converted"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds: `name` counts towards `caps`; a known customer brings a wallet."""

    name: str
    caps: Caps
    wallet_id: UUID | None = None


def place(
    session: Session, *, studio: Studio, request: SessionRequest, holder: Holder, now: datetime
) -> Hold:
    """Take a slot for the studio's hold time.

    Raises `Invalid` for what the rules refuse, `TooManyHolds`, `SlotTaken`.
    """
    asked = Asked(
        studio, terms.agree(studio, request, now=now), holder.wallet_id, holder.name, "", now
    )
    written = express.carry(
        session, asked, lambda asked, seen: decide(asked, seen, caps=holder.caps)
    )
    return get(session, studio_id=studio.id, hold_id=written.hold.id)


def decide(asked: Asked, seen: Seen, *, caps: Caps) -> Written:
    """Decide upon a hold; raises `TooManyHolds`, `SlotTaken`, `CoachUnavailable`. Pure."""
    _refuse_too_many(seen.holds, caps, asked.terms.during.minutes, asked.now)
    hold_id = uuid4()
    in_cart = cart(asked.terms.basket, currency=asked.studio.currency, hold_id=hold_id)
    return express.hold_now(asked, seen, hold_id=hold_id, cart=in_cart)


def cart(basket: Basket, *, currency: str, hold_id: UUID | None = None) -> dict[str, Any]:
    """Return the lines that a storefront puts in its cart; a hold travels as `_hold`."""
    properties = {"_hold": str(hold_id)} if hold_id else {}
    return {
        "lines": [
            {"variant_id": product.variant_id, "quantity": quantity, "properties": properties}
            for product, quantity in basket.lines
        ],
        "total_minor": basket.total_minor,
        "currency": currency,
    }


def get(session: Session, *, studio_id: int, hold_id: UUID) -> Hold:
    """Return a hold; raises `NotFound`."""
    found = session.exec(
        select(Hold).where(col(Hold.studio_id) == studio_id, col(Hold.id) == hold_id)
    ).first()
    if found is None:
        raise NotFound("there is no such hold")
    return found


def status(hold: Hold, *, now: datetime) -> HoldStatus:
    """Return the hold's status; its time being up needs no job to be true."""
    if hold.status is HoldStatus.ACTIVE and hold.expires_at <= now:
        return HoldStatus.EXPIRED
    return hold.status


def release(
    session: Session,
    *,
    studio: Studio,
    hold_id: UUID,
    now: datetime,
    actor: Actor = Actor.CUSTOMER,
    reason: str = "hold released",
) -> None:
    """Give a held slot back; a hold that has ended already stays as it is.

    Raises `NotFound`, and `HoldConverted` where it has become a booking.
    """
    hold = get(session, studio_id=studio.id, hold_id=hold_id)
    booking = bookings.lock(session, studio_id=studio.id, booking_id=hold.booking_id)
    session.refresh(hold)
    if hold.status is HoldStatus.CONVERTED:
        raise HoldConverted(f"this hold has become booking {booking.code}")
    if hold.status is not HoldStatus.ACTIVE:
        return
    hold.status = HoldStatus.RELEASED
    bookings.end(booking, BookingStatus.EXPIRED, by=actor.value, reason=reason, now=now)
    allocator.release(session, studio_id=studio.id, booking_id=booking.id)
    attention.withdraw(session, studio_id=studio.id, booking_id=booking.id, now=now)
    session.flush()


def extend(
    session: Session, *, studio: Studio, hold: Hold, until: datetime, paying: bool, now: datetime
) -> bool:
    """Keep a hold that still owns its slot until later; False where it owns it no more."""
    booking = bookings.lock(session, studio_id=studio.id, booking_id=hold.booking_id)
    session.refresh(hold)
    if hold.status is not HoldStatus.ACTIVE or booking.status not in OPEN:
        return False
    _keep_until(session, hold, max(hold.expires_at, until))
    if paying and booking.status is BookingStatus.HELD:
        states.change(booking, BookingStatus.AWAITING_PAYMENT, actor=Actor.SYSTEM)
    session.flush()
    return True


def checkout_opened(session: Session, *, studio: Studio, hold: Hold, now: datetime) -> None:
    """The customer has reached the checkout: the hold is lengthened once, and gets its grace.

    In the grace the hold has expired and yet nobody else can take its slot, so that a payment
    that is under way still finds it (D2).
    """
    booking = bookings.lock(session, studio_id=studio.id, booking_id=hold.booking_id)
    session.refresh(hold)
    if hold.status is not HoldStatus.ACTIVE or booking.status is not BookingStatus.HELD:
        return
    if hold.checkout_opened_at is not None or hold.expires_at <= now:
        return
    hold.checkout_opened_at = now
    _keep_until(session, hold, max(hold.expires_at, hold.created_at + CHECKOUT_HOLD))
    session.flush()


def rename_holder(session: Session, *, studio_id: int, former: str, holder: str) -> None:
    """Let one holder's holds count towards another's caps: the two are one person now."""
    session.exec(
        update(Hold)
        .where(col(Hold.studio_id) == studio_id, col(Hold.holder) == former)
        .values(holder=holder)
    )


def _keep_until(session: Session, hold: Hold, until: datetime) -> None:
    hold.expires_at = until
    hold.frees_at = until + (GRACE if hold.checkout_opened_at is not None else timedelta(0))
    allocator.keep(
        session, studio_id=hold.studio_id, booking_id=hold.booking_id, until=hold.frees_at
    )


def lapse(session: Session, *, hold: Hold, booking: Booking, now: datetime) -> None:
    """Write down that a hold is over, if its time is; the booking's row is locked."""
    if hold.status is not HoldStatus.ACTIVE or hold.frees_at > now:
        return
    hold.status = HoldStatus.EXPIRED
    bookings.end(booking, BookingStatus.EXPIRED, by="system", reason="hold expired", now=now)
    allocator.release(session, studio_id=booking.studio_id, booking_id=booking.id)
    attention.withdraw(session, studio_id=booking.studio_id, booking_id=booking.id, now=now)
    session.flush()


def expire_due(session: Session, *, now: datetime, limit: int) -> int:
    """Write down the expiry of holds whose time is up, in every studio; it is read so already."""
    due = session.exec(
        select(Hold, Booking)
        .join(
            Booking,
            (col(Booking.studio_id) == col(Hold.studio_id))
            & (col(Booking.id) == col(Hold.booking_id)),
        )
        .where(
            col(Hold.status) == HoldStatus.ACTIVE,
            col(Hold.frees_at) <= now,
        )
        .order_by(col(Hold.frees_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for hold, booking in due:
        lapse(session, hold=hold, booking=booking, now=now)
    session.flush()
    return len(due)


def _refuse_too_many(
    active: Sequence[tuple[datetime, int]], caps: Caps, minutes: int, now: datetime
) -> None:
    """Raise `TooManyHolds` where active holds (until when, how long; soonest first) fill a cap."""
    held = sum(length for _, length in active)
    too_long = caps.minutes is not None and held + minutes > caps.minutes
    if active and (len(active) >= caps.holds or too_long):
        release_at = active[0][0]
        raise TooManyHolds(
            f"you hold {len(active)} sessions; pay or release one, or wait for one to lapse",
            retry_after_seconds=max(1, int((release_at - now).total_seconds()) + 1),
            release_at=release_at.isoformat(timespec="seconds"),
        )
