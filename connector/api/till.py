"""`/api/staff`: what customers owe, and disputes of payment services that tell us nothing."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response

from booking_engine.errors import Invalid, NotFound
from booking_engine.ledger import debts, wallets
from booking_engine.ledger.debts import DebtEntry, Settlement
from connector import identity
from connector.api.bodies import DisputeBody, SettleBody
from connector.api.views import local
from connector.desk import StaffReading, StaffWriting
from connector.exchange import Exchange
from shopify_gateway import disputes, orders

router = APIRouter(prefix="/staff", tags=["staff"])

OrderId = Annotated[int, Path(ge=1, lt=10**18)]


@router.post("/orders/{order_id}/dispute")
def tell_dispute(order_id: OrderId, body: DisputeBody, exchange: StaffWriting) -> Response:
    """Tell how a dispute over an order's payment stands; telling it again changes nothing."""
    session, studio, now = exchange.session, exchange.studio, exchange.now
    known = orders.find(session, studio_id=studio.id, order_id=order_id)
    dispute = disputes.by_hand(
        known.disputes,
        reference=body.reference,
        kind=body.kind,
        status=body.status,
        amount_minor=body.amount_minor,
        now=now,
    )
    orders.tell_dispute(session, studio=studio, order_id=order_id, dispute=dispute, now=now)
    facts = body.model_dump(mode="json", exclude={"reason"}, exclude_none=True)
    exchange.record("order.dispute", f"order:{order_id}", reason=body.reason, facts=facts)
    row = orders.find(session, studio_id=studio.id, order_id=order_id)
    owed = 0
    if row.wallet_id is not None:
        owed = debts.owed(session, studio_id=studio.id, wallet_id=row.wallet_id)
    zone = studio.locations[0].zone
    told = [
        {
            "dispute": each.id,
            "kind": each.kind,
            "status": each.status,
            "amount_minor": each.amount_minor,
            "initiated_at": local(each.initiated_at, zone),
            "finalized_at": local(each.finalized_at, zone) if each.finalized_at else None,
        }
        for each in disputes.read(row.disputes)
    ]
    return exchange.answer(200, {"order": order_id, "disputes": told, "owed_minor": owed})


@router.get("/debts")
def show_debts(exchange: StaffReading) -> Response:
    """Return what `?customer=` owes, and every entry that made it so."""
    customer_id = exchange.caller.customer_id
    if customer_id is None:
        raise Invalid("name whose debts: ?customer=SHOPIFY_CUSTOMER_ID")
    wallet_id = _wallet(exchange, customer_id)
    session, studio = exchange.session, exchange.studio
    found = debts.of_wallet(session, studio_id=studio.id, wallet_id=wallet_id)
    owed = debts.owed(session, studio_id=studio.id, wallet_id=wallet_id)
    entries = [_view(exchange, entry) for entry in found]
    return exchange.answer(200, {"customer": customer_id, "owed_minor": owed, "entries": entries})


@router.post("/debts/settle")
def settle_debt(body: SettleBody, exchange: StaffWriting) -> Response:
    """Write down that a customer paid what they owe, or that it is let go; all of it, or a part."""
    session, studio = exchange.session, exchange.studio
    wallet_id = _wallet(exchange, body.customer)
    wallets.lock(session, studio_id=studio.id, wallet_id=wallet_id)
    payment = Settlement(
        amount_minor=body.amount_minor,
        reference=f"order:{body.order}" if body.order else "desk",
        actor=identity.actor_of(exchange.caller),
        reason=body.reason,
        at=exchange.now,
    )
    left = debts.settle(session, studio_id=studio.id, wallet_id=wallet_id, payment=payment)
    facts = body.model_dump(mode="json", exclude={"reason"}, exclude_none=True)
    exchange.record("debt.settle", wallet_id, reason=body.reason, facts=facts)
    return exchange.answer(200, {"customer": body.customer, "owed_minor": left})


def _wallet(exchange: Exchange, customer_id: int) -> UUID:
    wallet = wallets.find_customer(
        exchange.session, studio_id=exchange.studio.id, customer_id=customer_id
    )
    if wallet is None:
        raise NotFound("that customer is not known here")
    return wallet.id


def _view(exchange: Exchange, entry: DebtEntry) -> dict[str, Any]:
    return {
        "amount_minor": entry.amount_minor,
        "cause": entry.cause.value,
        "order": entry.order_id,
        "reference": entry.reference,
        "by": entry.actor,
        "reason": entry.reason,
        "at": local(entry.at, exchange.studio.locations[0].zone),
    }
