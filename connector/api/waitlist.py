"""`/api/waitlist`: wait for time that is taken, see what is offered, answer it."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from booking_engine.booking import offers, waitlist
from booking_engine.booking.models import Hold
from booking_engine.booking.waitlist_models import (
    EntryStatus,
    OfferStatus,
    WaitlistEntry,
    WaitlistOffer,
)
from booking_engine.catalog.studio import Studio
from booking_engine.errors import NotFound
from connector import identity
from connector.api.bodies import AcceptBody, WaitlistBody
from connector.api.views import booking_view, local, with_cart
from connector.exchange import Exchange, Reading, Writing

router = APIRouter(tags=["waitlist"])

OFFERED = "offered"


@router.post("/waitlist", status_code=201)
def join_waitlist(body: WaitlistBody, exchange: Writing) -> Response:
    """Wait for a session inside a window; who waits for just that already keeps that place."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    wallet_id = identity.booking_wallet_of(session, exchange.caller, now=now)
    entry = waitlist.join(session, studio=studio, wish=body.wish(), wallet_id=wallet_id, now=now)
    return exchange.answer(201, _views(exchange, [entry])[0])


@router.get("/waitlist")
def list_waitlist(exchange: Reading) -> Response:
    """Return the customer's entries with what is offered to them now."""
    session, studio = exchange.session, exchange.studio
    wallet_id = identity.known_wallet_of(session, exchange.caller)
    if wallet_id is None:
        return exchange.answer(200, {"entries": []})
    found = waitlist.of_wallet(session, studio_id=studio.id, wallet_id=wallet_id)
    return exchange.answer(200, {"entries": _views(exchange, list(found))})


@router.delete("/waitlist/{entry_id}", status_code=204)
def leave_waitlist(entry_id: UUID, exchange: Writing) -> Response:
    """Stop waiting, and decline what is on offer."""
    entry = _own(exchange, entry_id)
    waitlist.leave(exchange.session, studio=exchange.studio, entry=entry, now=exchange.now)
    return Response(status_code=204)


@router.post("/waitlist/{entry_id}/accept")
def accept_offer(entry_id: UUID, exchange: Writing, body: AcceptBody | None = None) -> Response:
    """Take what is offered: with credits it is booked, by cart it is held until that is paid.

    402 carries a cart that would cover what is missing.
    """
    session, studio, now = exchange.session, exchange.studio, exchange.now
    entry = _own(exchange, entry_id)
    identity.require_unrestricted(session, exchange.caller, studio, now=now)
    identity.booking_wallet_of(session, exchange.caller, now=now)
    if body is not None and body.pay == "cart":
        offer, hold = waitlist.check_out(session, studio=studio, entry=entry, now=now)
        return exchange.answer(200, _offer_view(studio, entry, offer, hold))
    actor = identity.actor_of(exchange.caller)
    with with_cart(studio):
        booking = waitlist.accept(session, studio=studio, entry=entry, actor=actor, now=now)
    return exchange.answer(201, booking_view(session, studio, booking, now))


@router.post("/waitlist/{entry_id}/decline")
def decline_offer(entry_id: UUID, exchange: Writing) -> Response:
    """Let what is offered go to the next in line, and wait on for other times."""
    entry = _own(exchange, entry_id)
    waitlist.decline(exchange.session, studio=exchange.studio, entry=entry, now=exchange.now)
    return exchange.answer(200, _views(exchange, [entry])[0])


def _own(exchange: Exchange, entry_id: UUID) -> WaitlistEntry:
    """Return an entry of the caller's; somebody else's does not exist for them."""
    wallet_id = identity.known_wallet_of(exchange.session, exchange.caller)
    if wallet_id is None:
        raise NotFound("you have no such place in the line")
    return waitlist.get(
        exchange.session, studio_id=exchange.studio.id, entry_id=entry_id, wallet_id=wallet_id
    )


def _views(exchange: Exchange, entries: list[WaitlistEntry]) -> list[dict[str, Any]]:
    ids = [entry.id for entry in entries]
    found = offers.unsettled(exchange.session, studio_id=exchange.studio.id, entry_ids=ids)
    by_entry = {offer.entry_id: (offer, hold) for offer, hold in found}
    return [_view(exchange, entry, by_entry.get(entry.id)) for entry in entries]


def _view(
    exchange: Exchange, entry: WaitlistEntry, held: tuple[WaitlistOffer, Hold] | None
) -> dict[str, Any]:
    studio, now = exchange.studio, exchange.now
    zone = _zone(studio, entry)
    status, offered, booking_id = entry.status.value, None, entry.booking_id
    if held is not None and entry.status is EntryStatus.WAITING:
        stands = offers.standing(held[1], now=now)
        if stands is OfferStatus.OPEN:
            status, offered = OFFERED, _offer_view(studio, entry, *held)
        elif stands is OfferStatus.ACCEPTED:
            status, booking_id = EntryStatus.BOOKED.value, held[1].booking_id
    waits = status == EntryStatus.WAITING.value
    if waits and entry.latest_at - now < offers.LAST_CALL:
        status, waits = EntryStatus.EXPIRED.value, False
    coaching = None
    if entry.coaching_minutes is not None:
        coaching = {"minutes": entry.coaching_minutes, "coach": _name(studio, entry.coach_id)}
    return {
        "entry": str(entry.id),
        "status": status,
        "position": waitlist.position(exchange.session, entry=entry) if waits else None,
        "service": entry.service,
        "earliest": local(entry.earliest_at, zone),
        "latest": local(entry.latest_at, zone),
        "minutes": entry.minutes,
        "simulators": entry.simulators,
        "simulator": _name(studio, entry.simulator_id),
        "coaching": coaching,
        "auto_book_hours": entry.auto_book_hours,
        "offer": offered,
        "booking": str(booking_id) if booking_id else None,
        "created_at": local(entry.created_at, zone),
    }


def _offer_view(
    studio: Studio, entry: WaitlistEntry, offer: WaitlistOffer, hold: Hold
) -> dict[str, Any]:
    zone = _zone(studio, entry)
    return {
        "hold": str(hold.id),
        "expires_at": local(hold.expires_at, zone),
        "cart": hold.cart,
        "start": local(offer.starts_at, zone),
        "end": local(offer.ends_at, zone),
    }


def _zone(studio: Studio, entry: WaitlistEntry) -> Any:
    """Return the zone of the entry's location; of one that was closed, the studio's."""
    known = {location.id: location.zone for location in studio.locations}
    return known.get(entry.location_id, studio.locations[0].zone)


def _name(studio: Studio, resource_id: int | None) -> str | None:
    return None if resource_id is None else studio.resources[resource_id].handle
