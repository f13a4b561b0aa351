"""`/api/staff`: what is asked and changed about sold credits: refunds, longer lives, reports."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from sqlmodel import col, select

from booking_engine.booking import pricing
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Invalid, NotFound
from booking_engine.ledger import lapses, refunds
from booking_engine.ledger.models import CreditKind, Lot
from booking_engine.ledger.refunds import Single, UnitQuote
from booking_engine.ledger.transfers import Cause
from booking_engine.orm import new_id
from connector import identity, liability
from connector.api.bodies import ExtendBody
from connector.api.credits import lot_view
from connector.desk import StaffReading, StaffWriting

router = APIRouter(prefix="/staff", tags=["staff"])

OrderId = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("/orders/{order_id}/refund-quote")
def quote_refund(order_id: OrderId, exchange: StaffReading) -> Response:
    """Return what a refund of an order's units would be, re-rated and pro rata; changes nothing."""
    studio = exchange.studio
    lots = exchange.session.exec(
        select(Lot).where(col(Lot.studio_id) == studio.id, col(Lot.order_id) == order_id)
    ).all()
    if not lots:
        raise NotFound("no credits were granted for an order of that number")
    singles = single_prices(studio)
    units = refunds.quote(lots, singles, now=exchange.now)
    lines = [
        {
            "line_item": line,
            **_totals([each for each in units if each.line_item_id == line]),
            "units": [_unit_view(each) for each in units if each.line_item_id == line],
        }
        for line in dict.fromkeys(each.line_item_id for each in units)
    ]
    answer = {
        "order": order_id,
        "currency": studio.currency,
        "single_prices": {
            kind.value: {"price_minor": single.price_minor, "quantity": single.quantity}
            for kind, single in singles.items()
        },
        **_totals(units),
        "lines": lines,
    }
    return exchange.answer(200, answer)


@router.post("/lots/{lot_id}/extend")
def extend_lot(lot_id: UUID, body: ExtendBody, exchange: StaffWriting) -> Response:
    """Let a lot live longer; what had expired comes back, and it never becomes shorter."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    if body.until <= now:
        raise Invalid("until lies in the past; name an instant that is still to come")
    lot = lapses.find(session, studio_id=studio.id, lot_id=lot_id)
    key, before = new_id(), lot.expires_at
    cause = Cause(body.reason, f"lot:{lot.id}", identity.actor_of(exchange.caller), now)
    revived = lapses.prolong(session, lot=lot, until=body.until, key=f"staff:{key}", cause=cause)
    facts = {
        "from": before.isoformat() if before else None,
        "until": body.until.isoformat(),
        "revived": revived,
    }
    exchange.record("lot.extend", lot.id, reason=body.reason, facts=facts)
    view = lot_view(lot, studio.locations[0].zone)
    return exchange.answer(200, {"lot": view, "revived": revived})


@router.get("/reports/liability")
def report_liability(exchange: StaffReading, month: str | None = None) -> Response:
    """Return what was sold, used, expired and revoked in a local month, and what is still owed."""
    found = liability.report(
        exchange.session, studio=exchange.studio, month=month, now=exchange.now
    )
    return exchange.answer(200, found)


def single_prices(studio: Studio) -> dict[CreditKind, Single]:
    """Return what each kind costs by the piece in this studio, as `pricing.singles` finds it."""
    return {
        kind: Single(product.price_minor, product.simulator_minutes or product.coaching_sessions)
        for kind, product in pricing.singles(studio.products).items()
    }


def _totals(units: list[UnitQuote]) -> dict[str, int]:
    return {
        "paid_minor": sum(each.paid_minor for each in units),
        "re_rated_minor": sum(each.re_rated_minor for each in units),
        "pro_rata_minor": sum(each.pro_rata_minor for each in units),
    }


def _unit_view(unit: UnitQuote) -> dict[str, Any]:
    return {
        "unit": unit.unit_index,
        "paid_minor": unit.paid_minor,
        "re_rated_minor": unit.re_rated_minor,
        "pro_rata_minor": unit.pro_rata_minor,
        "credits": {
            kind.value: {
                "granted": unit.granted[kind],
                "used": unit.used[kind],
                "unused": unit.unused[kind],
            }
            for kind in unit.granted
        },
    }
