"""`/api/quote`: up to three ways to pay for sessions, before anything is taken or bought."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response

from booking_engine.booking import holds, quotes, terms
from booking_engine.booking.quotes import Option
from booking_engine.catalog.studio import Studio
from booking_engine.errors import DomainError
from booking_engine.ledger import credits
from booking_engine.ledger.models import Lot
from connector import identity
from connector.api.bodies import QuoteBody
from connector.exchange import Exchange, Reading

router = APIRouter(tags=["quotes"])


@router.post("/quote")
def quote(body: QuoteBody, exchange: Reading) -> Response:
    """Return the ways to pay, cheapest first; strangers are told what it costs without credits.

    The sessions obey the same rules as a hold's; whether they are still free is not asked.
    """
    studio, now = exchange.studio, exchange.now
    agreed = []
    for number, wanted in enumerate(body.sessions):
        try:
            agreed.append(terms.agree(studio, wanted.request(), now=now))
        except DomainError as error:
            error.facts["session"] = number
            raise
    ways = quotes.options(studio, agreed, _purse(exchange), now=now)
    return exchange.answer(
        200, {"currency": studio.currency, "options": [_view(studio, way) for way in ways]}
    )


def _purse(exchange: Exchange) -> Sequence[Lot]:
    if exchange.caller.customer_id is None:
        return []
    wallet_id = identity.known_wallet_of(exchange.session, exchange.caller)
    if wallet_id is None:
        return []
    return credits.of_wallet(exchange.session, studio_id=exchange.studio.id, wallet_id=wallet_id)


def _view(studio: Studio, way: Option) -> dict[str, Any]:
    cart = holds.cart(way.basket, currency=studio.currency)
    return {
        "way": way.way,
        "lines": cart["lines"],
        "total_minor": cart["total_minor"],
        "uses": {kind.value: quantity for kind, quantity in way.uses.items()},
        "leaves": {kind.value: quantity for kind, quantity in way.leaves.items()},
        "saving_minor": way.saving_minor,
    }
