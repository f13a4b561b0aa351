"""`/api/bookings`: book with credits, list, show, cancel, and the calendar file of one booking."""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlmodel import col

from booking_engine.booking import bookings, moves, parts
from booking_engine.booking import express as booking_express
from booking_engine.booking.express import Asked, Seen, Written
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.moves import Target
from booking_engine.booking.policies import Actor
from booking_engine.errors import Invalid, NotFound
from calendar_sync import ics
from connector import express, identity
from connector.api.bodies import CancelBody, MoveBody, SessionBody
from connector.api.views import booking_view, booking_views, view_of_written, with_cart
from connector.exchange import PRIVATE, Exchange, Reading, Writing
from connector.express import Errand, Party
from connector.identity import Caller

router = APIRouter(tags=["bookings"])

PAGE = 50
OVER = (BookingStatus.CANCELLED, BookingStatus.REJECTED)


@router.post("/bookings", status_code=201)
async def book(body: SessionBody, request: Request) -> Response:
    """Book a session and pay with credits at once; 402 carries a cart that would cover it."""
    return await express.run(request, body, BOOKING)


def _book(body: SessionBody, exchange: Exchange) -> Response:
    session, studio, now = exchange.session, exchange.studio, exchange.now
    identity.require_unrestricted(session, exchange.caller, studio, now=now)
    wallet_id = identity.booking_wallet_of(session, exchange.caller, now=now)
    with with_cart(studio):
        booking = bookings.book(
            session,
            studio=studio,
            request=body.request(),
            wallet_id=wallet_id,
            actor=identity.actor_of(exchange.caller),
            now=now,
        )
    return exchange.answer(201, booking_view(session, studio, booking, now))


def _payer(caller: Caller) -> Party:
    identity.require_customer(caller)
    return Party(None, identity.actor_of(caller), needs_wallet=True)


def _pay(_: Party, asked: Asked, seen: Seen) -> Written:
    with with_cart(asked.studio):
        return booking_express.book_now(asked, seen)


BOOKING = Errand(_payer, _pay, view_of_written, _book)


@router.get("/bookings")
def list_bookings(
    exchange: Reading,
    when: Annotated[Literal["upcoming", "past", "all"], Query()] = "upcoming",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Return the customer's bookings by start, a page at a time."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    wallet_id = identity.known_wallet_of(session, exchange.caller)
    if wallet_id is None:
        return exchange.answer(200, {"bookings": [], "next_cursor": None})
    filters: list[Any] = []
    ended = col(Booking.ends_at) <= now
    if when == "upcoming":
        filters += [~ended, col(Booking.status).not_in(OVER)]
    if when == "past":
        filters.append(ended | col(Booking.status).in_(OVER))
    if cursor is not None:
        filters.append(_after(cursor))
    found = bookings.of_wallet(
        session, studio_id=studio.id, wallet_id=wallet_id, filters=filters, limit=PAGE + 1
    )
    page = found[:PAGE]
    following = _cursor(page[-1]) if len(found) > PAGE else None
    views = booking_views(session, studio, page, now)
    return exchange.answer(200, {"bookings": views, "next_cursor": following})


@router.get("/bookings/{booking_id}.ics")
def download_booking(booking_id: UUID, exchange: Reading) -> Response:
    """Return one booking as a calendar file."""
    booking = _visible(exchange, booking_id)
    seats = bookings.seats_of(exchange.session, studio_id=exchange.studio.id, bookings=[booking])
    content = ics.one(exchange.studio, booking, seats[booking.id])
    headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{booking.code}.ics"'}
    return Response(content, headers=headers, media_type="text/calendar; charset=utf-8")


@router.get("/bookings/{booking_id}")
def show_booking(booking_id: UUID, exchange: Reading) -> Response:
    """Return one booking."""
    booking = _visible(exchange, booking_id)
    return exchange.answer(
        200, booking_view(exchange.session, exchange.studio, booking, exchange.now)
    )


@router.post("/bookings/{booking_id}/move")
def move_booking(booking_id: UUID, body: MoveBody, exchange: Writing) -> Response:
    """Move a booking to another time; 402 carries a cart that would cover what is missing."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    _visible(exchange, booking_id)
    with with_cart(studio):
        booking = moves.move(
            session,
            studio=studio,
            booking_id=booking_id,
            target=Target(body.start, body.minutes),
            actor=_actor(exchange),
            now=now,
        )
    return exchange.answer(200, booking_view(session, studio, booking, now))


@router.post("/bookings/{booking_id}/cancel")
def cancel_booking(booking_id: UUID, exchange: Writing, body: CancelBody | None = None) -> Response:
    """Cancel a booking, or only its coaching, and return the credits that came back."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    _visible(exchange, booking_id)
    actor = _actor(exchange)
    if body is not None and body.part == "coaching":
        returned = parts.cancel_coaching(
            session, studio=studio, booking_id=booking_id, actor=actor, now=now
        )
    else:
        returned = bookings.cancel(
            session,
            studio_id=studio.id,
            booking_id=booking_id,
            actor=actor,
            reason=(body.reason if body else None) or f"cancelled by the {actor.value}",
            now=now,
        )
    booking = bookings.get(session, studio_id=studio.id, booking_id=booking_id)
    view = booking_view(session, studio, booking, now)
    back = {kind.value: quantity for kind, quantity in returned.items()}
    return exchange.answer(200, {"booking": view, "returned": back})


def _actor(exchange: Exchange) -> Actor:
    return Actor.CUSTOMER if exchange.caller.role is None else Actor.STUDIO


def _visible(exchange: Exchange, booking_id: UUID) -> Booking:
    """Return a booking that the caller may see; somebody else's does not exist for them."""
    wallet_id = None
    if exchange.caller.role is None or exchange.caller.customer_id is not None:
        wallet_id = identity.known_wallet_of(exchange.session, exchange.caller)
        if wallet_id is None:
            raise NotFound("there is no such booking")
    else:
        identity.require_desk(exchange.caller)
    return bookings.get(
        exchange.session,
        studio_id=exchange.studio.id,
        booking_id=booking_id,
        wallet_id=wallet_id,
    )


def _cursor(booking: Booking) -> str:
    place = json.dumps([booking.starts_at.isoformat(), str(booking.id)])
    return base64.urlsafe_b64encode(place.encode()).decode()


def _after(cursor: str) -> Any:
    try:
        starts_at, booking_id = json.loads(base64.urlsafe_b64decode(cursor))
        instant = datetime.fromisoformat(starts_at)
        if instant.tzinfo is None:
            raise ValueError("no offset")
        place = instant.astimezone(UTC), UUID(booking_id)
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error):
        raise Invalid("that cursor is not one of ours") from None
    starts, last = col(Booking.starts_at), place[0]
    return (starts > last) | ((starts == last) & (col(Booking.id) > place[1]))
