"""`/api/credits`: what a customer has, and every movement that made it so."""

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response

from booking_engine.ledger import credits, transfers
from booking_engine.ledger.models import Lot, Transfer
from connector import identity
from connector.api.views import local
from connector.exchange import Reading

router = APIRouter(tags=["credits"])

PAGE = 100


@router.get("/credits")
def show_credits(exchange: Reading) -> Response:
    """Return the wallet's balance and its lots."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    wallet_id = identity.known_wallet_of(session, exchange.caller)
    lots = credits.of_wallet(session, studio_id=studio.id, wallet_id=wallet_id) if wallet_id else []
    zone = studio.locations[0].zone
    balance = credits.balance(lots, now=now)
    return exchange.answer(
        200,
        {
            "wallet": str(wallet_id) if wallet_id else None,
            **{kind.value: totals for kind, totals in balance.items()},
            "lots": [lot_view(lot, zone) for lot in lots],
        },
    )


@router.get("/credits/transfers")
def list_transfers(
    exchange: Reading, cursor: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """Return the wallet's transfers, newest first, a page at a time."""
    session, studio = exchange.session, exchange.studio
    wallet_id = identity.known_wallet_of(session, exchange.caller)
    if wallet_id is None:
        return exchange.answer(200, {"transfers": [], "next_cursor": None})
    found = transfers.newest(
        session, studio_id=studio.id, wallet_id=wallet_id, before=cursor, limit=PAGE + 1
    )
    page = found[:PAGE]
    zone = studio.locations[0].zone
    following = str(page[-1].sequence) if len(found) > PAGE else None
    return exchange.answer(
        200,
        {"transfers": [_transfer_view(each, zone) for each in page], "next_cursor": following},
    )


def lot_view(lot: Lot, zone: ZoneInfo) -> dict[str, Any]:
    """Return a lot as JSON."""
    return {
        "id": str(lot.id),
        "kind": lot.kind.value,
        "granted": lot.granted,
        "available": lot.available,
        "held": lot.held,
        "spent": lot.spent,
        "expired": lot.expired,
        "revoked": lot.revoked,
        "expires_at": local(lot.expires_at, zone) if lot.expires_at else None,
        "order": lot.order_id,
        "line_item": lot.line_item_id,
    }


def _transfer_view(transfer: Transfer, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "lot": str(transfer.lot_id),
        "from": transfer.from_bucket.value,
        "to": transfer.to_bucket.value,
        "quantity": transfer.quantity,
        "reason": transfer.reason,
        "reference": transfer.reference,
        "at": local(transfer.at, zone),
    }
