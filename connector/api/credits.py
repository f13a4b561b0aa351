"""`/api/credits`: what a customer has, and every movement that made it so."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response

from booking_engine.ledger import credits, debts, transfers
from booking_engine.ledger import statements as ledger
from booking_engine.ledger.models import CreditKind, Lot, Transfer
from booking_engine.ledger.statements import Has, Statement
from connector import identity, pages, statements
from connector.api.bodies import LocalDate
from connector.api.views import local
from connector.exchange import Exchange, Reading

router = APIRouter(tags=["credits"])

PAGE = 100
First = Annotated[LocalDate | None, Query(alias="from")]
Last = Annotated[LocalDate | None, Query(alias="to")]


@router.get("/credits")
def show_credits(exchange: Reading) -> Response:
    """Return the wallet's balance and its lots."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    wallet_id = identity.known_wallet_of(session, exchange.caller)
    lots = credits.of_wallet(session, studio_id=studio.id, wallet_id=wallet_id) if wallet_id else []
    zone = studio.locations[0].zone
    owed = debts.owed(session, studio_id=studio.id, wallet_id=wallet_id) if wallet_id else 0
    balance = credits.balance(lots, now=now)
    return exchange.answer(
        200,
        {
            "wallet": str(wallet_id) if wallet_id else None,
            **{kind.value: totals for kind, totals in balance.items()},
            "owed_minor": owed,
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


@router.get("/credits/statement")
def show_statement(exchange: Reading, first: First = None, last: Last = None) -> Response:
    """Return opening, every movement and closing between two local dates, both included."""
    found = _statement(exchange, first, last)
    zone = exchange.studio.locations[0].zone
    shown = statements.as_json(found.statement, found.names, zone)
    return exchange.answer(200, {"from": str(found.first), "to": str(found.last), **shown})


@router.get("/credits/statement.html")
def print_statement(exchange: Reading, first: First = None, last: Last = None) -> Response:
    """Return the statement as a page to read and to print."""
    found = _statement(exchange, first, last)
    zone = exchange.studio.locations[0].zone
    return pages.page(
        "statement.html",
        studio=exchange.studio.name,
        zone=str(zone).rpartition("/")[2].replace("_", " "),
        first=f"{found.first.day} {found.first:%B %Y}",
        last=f"{found.last.day} {found.last:%B %Y}",
        kinds=statements.in_words(found.statement, found.names, zone),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    first: date
    last: date
    statement: Statement
    names: dict[int, str]


def _statement(exchange: Exchange, first: date | None, last: date | None) -> _Found:
    session, studio = exchange.session, exchange.studio
    wallet_id = identity.known_wallet_of(session, exchange.caller)
    first, last, start, end = statements.period(studio, first, last, now=exchange.now)
    nothing = dict.fromkeys(CreditKind, Has())
    found = (
        ledger.make(session, studio_id=studio.id, wallet_id=wallet_id, start=start, end=end)
        if wallet_id
        else Statement(nothing, [], nothing)
    )
    names = statements.order_names(session, studio_id=studio.id, lines=found.lines)
    return _Found(first, last, found, names)


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
        "only": lot.only_for or {},
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
