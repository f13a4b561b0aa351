"""Bookings and holds as the outside sees them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlmodel import Session

from booking_engine.booking import bookings, holds, pricing, tracking
from booking_engine.booking.express import Asked, Written
from booking_engine.booking.models import Booking, BookingStatus, Hold, HoldStatus
from booking_engine.booking.policies import Actor
from booking_engine.catalog.studio import Coach, Simulator, Studio
from booking_engine.ledger import credits
from booking_engine.ledger import lots as lot_rules
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.models import CreditKind

HELD = (BookingStatus.HELD, BookingStatus.AWAITING_PAYMENT)


def booking_view(
    session: Session, studio: Studio, booking: Booking, now: datetime
) -> dict[str, Any]:
    """Return one booking as JSON."""
    return booking_views(session, studio, [booking], now)[0]


def booking_views(
    session: Session, studio: Studio, found: Sequence[Booking], now: datetime
) -> list[dict[str, Any]]:
    """Return bookings as JSON: whose bays, which coach, what paid, what would come back."""
    seats = bookings.seats_of(session, studio_id=studio.id, bookings=found)
    paid = {
        each.id: [
            Piece(lot.id, lot.kind, draw.quantity, draw.held, lot.frozen_at)
            for draw, lot in credits.draws_of(session, studio_id=studio.id, booking_id=each.id)
        ]
        for each in found
    }
    return [view(studio, each, seats[each.id], paid[each.id], now) for each in found]


class Piece(NamedTuple):
    """What one lot pays towards a booking, and how much of it is still held."""

    lot_id: UUID
    kind: CreditKind
    quantity: int
    held: int
    frozen_at: datetime | None = None  # since when its payment is disputed


def view(
    studio: Studio, booking: Booking, seats: Sequence[int], paid: Sequence[Piece], now: datetime
) -> dict[str, Any]:
    """Return a booking as JSON, of what was read before: its resources' ids, and what pays."""
    zone = studio.location_by_id(booking.location_id).zone
    serving = [studio.resources[resource_id] for resource_id in seats]
    coach = next((each.handle for each in serving if isinstance(each, Coach)), None)
    percent = _percent(booking, now)
    coming_back = {kind.value: 0 for kind in CreditKind}
    for piece in paid:
        coming_back[piece.kind.value] += lot_rules.returned(piece.held, percent, piece.kind)
    coaching = None
    if booking.coaching_starts_at and booking.coaching_ends_at:
        coaching = {
            "start": local(booking.coaching_starts_at, zone),
            "end": local(booking.coaching_ends_at, zone),
        }
    return {
        "id": str(booking.id),
        "code": booking.code,
        "status": tracking.status_at(booking, studio, now=now).value,
        "no_show": _no_show(studio, booking, now),
        "service": booking.service,
        "location": studio.location_by_id(booking.location_id).handle,
        "start": local(booking.starts_at, zone),
        "end": local(booking.ends_at, zone),
        "simulators": [each.handle for each in serving if isinstance(each, Simulator)],
        "coach": coach,
        "coaching": coaching,
        "funding": [
            {"lot": str(piece.lot_id), "kind": piece.kind.value, "quantity": piece.quantity}
            for piece in paid
        ],
        "returns_now": {"percent": percent, **coming_back},
        "created_at": local(booking.created_at, zone),
        "pay_by": local(booking.due_at, zone) if booking.due_at else None,
        "at_risk": any(
            piece.held and lot_rules.at_risk(piece.frozen_at, starts_at=booking.starts_at)
            for piece in paid
        ),
    }


def view_of_written(asked: Asked, written: Written) -> dict[str, Any]:
    """Return a booking or a hold that was just made as JSON, of what was written."""
    paid = [Piece(each.lot_id, each.kind, each.quantity, each.quantity) for each in written.shares]
    taken = [resource for resource, _ in written.seats.resources(asked.terms.during)]
    booking = view(asked.studio, written.booking, taken, paid, asked.now)
    if written.hold is None:
        return booking
    return view_of_hold(asked.studio, written.hold, written.booking, booking, asked.now)


def hold_view(session: Session, studio: Studio, hold: Hold, now: datetime) -> dict[str, Any]:
    """Return a hold as JSON, with its booking and the cart that pays for it."""
    booking = bookings.get(session, studio_id=studio.id, booking_id=hold.booking_id)
    return view_of_hold(studio, hold, booking, booking_view(session, studio, booking, now), now)


def view_of_hold(
    studio: Studio, hold: Hold, booking: Booking, shown: dict[str, Any], now: datetime
) -> dict[str, Any]:
    """Return a hold as JSON, of what was read before: its booking, and that as it is shown."""
    zone = studio.location_by_id(booking.location_id).zone
    status = holds.status(hold, now=now)
    if status is HoldStatus.EXPIRED and booking.status in HELD:
        shown["status"] = BookingStatus.EXPIRED.value
    return {
        "hold": str(hold.id),
        "status": status.value,
        "booking": shown,
        "expires_at": local(hold.expires_at, zone),
        "cart": hold.cart,
    }


def local(instant: datetime, zone: Any) -> str:
    """Return an instant in the studio's own time, with its offset."""
    return instant.astimezone(zone).isoformat(timespec="seconds")


def _percent(booking: Booking, now: datetime) -> int:
    if booking.status not in bookings.LIVE or booking.starts_at <= now:
        return 0
    return bookings.percent_back(booking, actor=Actor.CUSTOMER, now=now)


def _no_show(studio: Studio, booking: Booking, now: datetime) -> dict[str, Any] | None:
    """Return until when a missed session can still be put right."""
    if tracking.status_at(booking, studio, now=now) is not BookingStatus.NO_SHOW:
        return None
    final_at = tracking.final_at(booking)
    zone = studio.location_by_id(booking.location_id).zone
    return {"provisional": now <= final_at, "final_at": local(final_at, zone)}


@contextmanager
def with_cart(studio: Studio) -> Iterator[None]:
    """Give a refusal for want of credits the cart that would cover what is missing."""
    try:
        yield
    except NotEnoughCredits as error:
        basket = pricing.cheapest(
            studio.products,
            simulator_minutes=error.missing.get(CreditKind.SIMULATOR_MINUTES, 0),
            coaching_sessions=error.missing.get(CreditKind.COACHING_SESSIONS, 0),
        )
        error.facts["cart"] = holds.cart(basket, currency=studio.currency)
        raise
