"""`/api/holds`: take a slot while the customer checks out."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from booking_engine.booking import holds
from booking_engine.booking.express import Asked, Seen, Written
from connector import express, identity
from connector.api.bodies import SessionBody
from connector.api.views import hold_view, view_of_written
from connector.exchange import Exchange, Reading, Writing
from connector.express import Errand, Party
from connector.identity import Caller

router = APIRouter(tags=["holds"])


@router.post("/holds", status_code=201)
async def place_hold(body: SessionBody, request: Request) -> Response:
    """Hold a session and return the cart that pays for it."""
    return await express.run(request, body, HOLD)


def _place(body: SessionBody, exchange: Exchange) -> Response:
    session, studio, now = exchange.session, exchange.studio, exchange.now
    identity.require_unrestricted(session, exchange.caller, studio, now=now)
    holder = identity.holder_of(session, exchange.caller, now=now)
    hold = holds.place(session, studio=studio, request=body.request(), holder=holder, now=now)
    return exchange.answer(201, hold_view(session, studio, hold, now))


def _holder(caller: Caller) -> Party:
    holder = identity.holder(caller)
    return Party(holder.name, "", caller.customer_id is not None, holder.caps)


def _decide(party: Party, asked: Asked, seen: Seen) -> Written:
    return holds.decide(asked, seen, caps=party.caps)


HOLD = Errand(_holder, _decide, view_of_written, _place)


@router.get("/holds/{hold_id}")
def show_hold(hold_id: UUID, exchange: Reading) -> Response:
    """Return the hold's state. Its id is unguessable; whoever has it may see it."""
    identity.require_proof(exchange.caller)
    hold = holds.get(exchange.session, studio_id=exchange.studio.id, hold_id=hold_id)
    return exchange.answer(200, hold_view(exchange.session, exchange.studio, hold, exchange.now))


@router.delete("/holds/{hold_id}", status_code=204)
def release_hold(hold_id: UUID, exchange: Writing) -> Response:
    """Give the slot back."""
    identity.require_proof(exchange.caller)
    holds.release(exchange.session, studio=exchange.studio, hold_id=hold_id, now=exchange.now)
    return Response(status_code=204)
