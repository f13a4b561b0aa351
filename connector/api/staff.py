"""`/api/staff`: the desk books for people, marks who came, gives credits and takes them back."""

from uuid import UUID

from fastapi import APIRouter, Response

from booking_engine.booking import attendance, desk
from booking_engine.booking.models import Booking
from booking_engine.booking.policies import Actor
from booking_engine.errors import NotFound
from booking_engine.ledger import credits, goodwill, wallets
from booking_engine.ledger.goodwill import Correction
from booking_engine.ledger.models import CreditKind
from booking_engine.ledger.transfers import Cause
from booking_engine.orm import new_id
from connector import identity
from connector.api.bodies import CreditsBody, MarkBody, ReasonBody, StaffBookingBody
from connector.api.views import booking_view, with_cart
from connector.desk import StaffExchange, StaffWriting

router = APIRouter(prefix="/staff", tags=["staff"])


@router.post("/bookings", status_code=201)
def book_for_customer(body: StaffBookingBody, exchange: StaffWriting) -> Response:
    """Book for `?customer=`; soft rules give way to a reason, others' bookings by their names."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    wallet_id = identity.wallet_of(session, exchange.caller, now=now)
    with with_cart(studio):
        made = desk.book(
            session,
            studio=studio,
            order=body.order(),
            wallet_id=wallet_id,
            actor=identity.actor_of(exchange.caller),
            reason=body.reason or "displaced by the studio",
            now=now,
        )
    displaced = [
        {"id": str(each.booking.id), "code": each.booking.code, "returned": _plain(each.returned)}
        for each in made.displaced
    ]
    facts = {
        "customer": exchange.caller.customer_id,
        "pay": body.pay,
        "rules": body.override.rules if body.override else [],
        "overrode": made.overrode,
        "displaced": displaced,
    }
    reasons = [body.override.reason if body.override else None, body.reason]
    said = "; ".join(reason for reason in reasons if reason)
    exchange.record("booking.book", made.booking.id, reason=said, facts=facts)
    view = booking_view(session, studio, made.booking, now)
    answer = {**view, "overrode": made.overrode, "displaced": displaced}
    return exchange.answer(201, {**answer, "complimentary": made.booking.complimentary})


@router.post("/bookings/{booking_id}/check-in")
def check_in(booking_id: UUID, exchange: StaffWriting, body: MarkBody | None = None) -> Response:
    """Mark that the customer came: from 30 minutes before the start to 15 after it."""
    booking = attendance.check_in(
        exchange.session,
        studio=exchange.studio,
        booking_id=booking_id,
        actor=Actor.STUDIO,
        now=exchange.now,
    )
    return _marked(exchange, "booking.check_in", booking, body)


@router.post("/bookings/{booking_id}/no-show")
def mark_no_show(
    booking_id: UUID, exchange: StaffWriting, body: MarkBody | None = None
) -> Response:
    """Mark that nobody came, once 15 minutes are over; the credits are spent in full."""
    booking = attendance.mark_no_show(
        exchange.session,
        studio=exchange.studio,
        booking_id=booking_id,
        actor=Actor.STUDIO,
        by=identity.actor_of(exchange.caller),
        now=exchange.now,
    )
    return _marked(exchange, "booking.no_show", booking, body)


@router.post("/bookings/{booking_id}/complete")
def complete(booking_id: UUID, exchange: StaffWriting, body: MarkBody | None = None) -> Response:
    """Mark a session as played; also a no-show who came after all."""
    booking = attendance.complete(
        exchange.session,
        studio=exchange.studio,
        booking_id=booking_id,
        actor=Actor.STUDIO,
        by=identity.actor_of(exchange.caller),
        now=exchange.now,
    )
    return _marked(exchange, "booking.complete", booking, body)


@router.post("/bookings/{booking_id}/forgive")
def forgive(booking_id: UUID, body: ReasonBody, exchange: StaffWriting) -> Response:
    """Give a no-show their credits back: to the same lots, or as a make-good lot."""
    session, studio = exchange.session, exchange.studio
    booking, returned = attendance.forgive(
        session,
        studio=studio,
        booking_id=booking_id,
        by=identity.actor_of(exchange.caller),
        now=exchange.now,
    )
    back = _plain(returned)
    facts = {"returned": back}
    exchange.record("booking.forgive", booking.id, reason=body.reason, facts=facts)
    view = booking_view(session, studio, booking, exchange.now)
    return exchange.answer(200, {"booking": view, "returned": back})


@router.post("/credits", status_code=201)
def adjust_credits(body: CreditsBody, exchange: StaffWriting) -> Response:
    """Give a customer a make-good lot, or take available credits back."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    key, zone = new_id(), studio.locations[0].zone
    cause = Cause("adjusted", str(key), identity.actor_of(exchange.caller), now)
    wallet = wallets.find_customer(session, studio_id=studio.id, customer_id=body.customer)
    if wallet is None and body.quantity < 0:
        raise NotFound("that customer has no credits here")
    if wallet is None:
        wallet = wallets.of_customer(
            session, studio_id=studio.id, customer_id=body.customer, now=now
        )
    wallets.lock(session, studio_id=studio.id, wallet_id=wallet.id)
    correction = Correction(studio.id, wallet.id, body.kind, abs(body.quantity), str(key))
    if body.quantity > 0:
        days = body.expires_in_days or goodwill.MAKE_GOOD_DAYS
        expires_at = goodwill.expiry(now.astimezone(zone).date(), zone, days)
        goodwill.give(session, correction, expires_at=expires_at, cause=cause)
    else:
        goodwill.take_back(session, correction, cause=cause)
    facts = body.model_dump(mode="json", exclude={"reason"}, exclude_none=True)
    exchange.record("credits.adjust", wallet.id, reason=body.reason, facts=facts)
    owned = credits.of_wallet(session, studio_id=studio.id, wallet_id=wallet.id)
    balance = {kind.value: totals for kind, totals in credits.balance(owned, now=now).items()}
    return exchange.answer(201, {"customer": body.customer, "adjustment": str(key), **balance})


def _marked(
    exchange: StaffExchange, action: str, booking: Booking, body: MarkBody | None
) -> Response:
    exchange.record(action, booking.id, reason=body.reason if body else None)
    return exchange.answer(
        200, booking_view(exchange.session, exchange.studio, booking, exchange.now)
    )


def _plain(returned: dict[CreditKind, int]) -> dict[str, int]:
    return {kind.value: quantity for kind, quantity in returned.items()}
